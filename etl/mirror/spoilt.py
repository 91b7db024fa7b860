"""Bodies that are not what the publisher means to send: packed wrongly, cut, changed, but sent without a fault.

Each function takes the honest body and returns the spoilt one. What it changes in a zip or in a text it changes only
where the body is one (a text also inside a zip); other bodies stay as they are.
"""

import gzip
import io
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from functools import cache

BOMB_BYTES = 1 << 30

Change = Callable[[bytes], bytes]
_FIXED_TIME = (1980, 1, 1, 0, 0, 0)


def _is_zip(body: bytes) -> bool:
    return body.startswith(b"PK\x03\x04")


def wrong_crc(body: bytes) -> bytes:
    """Turn round the CRC of every member, beside it and in the list of members."""
    if not _is_zip(body):
        return body
    changed = bytearray(body)
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        crcs = [info.header_offset + 14 for info in archive.infolist()]
        crcs += [found.start() + 16 for found in re.finditer(b"PK\x01\x02", body) if found.start() >= archive.start_dir]
    for at in crcs:
        changed[at : at + 4] = bytes(byte ^ 0xFF for byte in changed[at : at + 4])
    return bytes(changed)


def climbing(body: bytes) -> bytes:
    """Add a member that would be unpacked two folders up."""
    if not _is_zip(body):
        return body
    out = io.BytesIO(body)
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr("../../climbed.txt", "out of the folder")
    return out.getvalue()


def empty_zip(body: bytes) -> bytes:
    """A zip without members."""
    return _zipped({}) if _is_zip(body) else body


def nested_zip(body: bytes) -> bytes:
    """The zip inside a zip."""
    return _zipped({"inner.zip": body}) if _is_zip(body) else body


def encrypted_zip(body: bytes) -> bytes:
    """Mark every member as encrypted."""
    if not _is_zip(body):
        return body
    changed = bytearray(body)
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        for found in re.finditer(re.escape(signature), body):
            changed[found.start() + at] |= 1
    return bytes(changed)


@cache
def packed_zeros() -> tuple[bytes, int]:
    """BOMB_BYTES zeros as a raw deflate stream, and their CRC. A block after a full flush may be repeated."""
    zeros = bytes(1 << 20)
    repeats = BOMB_BYTES // len(zeros)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(zeros) + packer.flush(zlib.Z_FULL_FLUSH)
    crc = 0
    for _ in range(repeats):
        crc = zlib.crc32(zeros, crc)
    return block * repeats + packer.flush(zlib.Z_FINISH), crc


def zip_bomb(body: bytes) -> bytes:
    """A sound zip whose one member, named as the body's first, is a gigabyte of zeros."""
    if not _is_zip(body):
        return body
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        name = archive.namelist()[0].encode()
    packed, crc = packed_zeros()
    common = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 33, crc, len(packed), BOMB_BYTES, len(name), 0)
    member = b"PK\x03\x04" + common + name + packed
    listed = b"PK\x01\x02" + struct.pack("<H", 20) + common + struct.pack("<HHHII", 0, 0, 0, 0, 0) + name
    return member + listed + b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(listed), len(member), 0)


def gzip_bomb(body: bytes) -> bytes:
    """A sound gzip stream of a gigabyte of zeros."""
    packed, crc = packed_zeros()
    return gzip.compress(b"")[:10] + packed + struct.pack("<II", crc, BOMB_BYTES & 0xFFFFFFFF)


def gzipped(body: bytes) -> bytes:
    """The body as gzip, where it is not."""
    return body if body.startswith(b"\x1f\x8b") else gzip.compress(body, mtime=0)


def halved(body: bytes) -> bytes:
    """The first half."""
    return body[: len(body) // 2]


def _in_texts(change: Change) -> Change:
    """Apply a change to a text, and to each text in a zip of texts."""

    def spoil(body: bytes) -> bytes:
        if body.startswith(b"\x1f\x8b"):
            return gzip.compress(spoil(gzip.decompress(body)), mtime=0)
        if not _is_zip(body):
            return body if b"\0" in body[:4096] else change(body)
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        if any(b"\0" in data[:4096] for data in members.values()) or "[Content_Types].xml" in members:
            return body
        return _zipped({name: change(data) for name, data in members.items()})

    return spoil


def _zipped(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name, _FIXED_TIME), data, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _cut_at_line(text: bytes) -> bytes:
    lines = text.splitlines(keepends=True)
    return b"".join(lines[: max(1, len(lines) // 2)])


def _of_header(change: Change) -> Change:
    def spoil(text: bytes) -> bytes:
        first, end, rest = text.partition(b"\n")
        return change(first) + end + rest

    return spoil


def _with_a_column(text: bytes) -> bytes:
    lines = text.splitlines(keepends=True)
    separator = max(b",;\t", key=lambda code: lines[0].count(bytes([code]))) if lines else 44
    return b"".join(
        line.rstrip(b"\r\n") + bytes([separator]) + (b"new" if number == 0 else b"1") + b"\n"
        for number, line in enumerate(lines)
    )


TEXTS: dict[str, Change] = {
    "cut_at_line": _in_texts(_cut_at_line),
    "header_alone": _in_texts(lambda text: text.partition(b"\n")[0] + b"\n"),
    "twice": _in_texts(lambda text: text + text),
    "renamed_columns": _in_texts(_of_header(lambda names: re.sub(rb"[A-Za-z]{2,}", rb"x\g<0>", names))),
    "extra_column": _in_texts(_with_a_column),
    "capital_header": _in_texts(_of_header(bytes.upper)),
    "byte_order_mark": _in_texts(lambda text: b"\xef\xbb\xbf" + text),
    "windows_lines": _in_texts(lambda text: text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")),
    "utf16": _in_texts(lambda text: text.decode("utf-8-sig", "replace").encode("utf-16")),
    "below_zero": _in_texts(lambda text: re.sub(rb"(?<=[,;\t])(?=[1-9]\d* ?[,;\t\r\n])", b"-", text)),
    "no_numbers": _in_texts(lambda text: re.sub(rb"(?<=[,;\t])[1-9]\d*(?= ?[,;\t\r\n])", b"NaN", text)),
}
"""Changes of texts, by the name of the fault."""
