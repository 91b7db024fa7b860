"""The ways in which publishers' servers misbehave, by name: a table from name to function.

A fault function sends something in place of the honest answer. What a fault changes in a zip it changes only where
the body is one; other bodies are then sent as they are.
"""

import gzip
import io
import re
import socket
import struct
import threading
import uuid
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

from etl.errors import UsageError
from etl.mirror.answer import Answer, Exchange

OUTAGE_PATH = "/outage"
RETRY_AFTER_SECONDS = 1
DRIP_SECONDS = 0.1
BOMB_BYTES = 1 << 30

Send = Callable[[Exchange], None]
_HTML = {"Content-Type": "text/html; charset=utf-8"}


def outage_page() -> Answer:
    """The page that a publisher's front shows, with status 200, while the service behind it is down."""
    page = (
        b"<!DOCTYPE html>\n<html><head><title>Service unavailable</title></head>\n"
        b"<body><h1>We are sorry, the service is down for maintenance.</h1></body></html>\n"
    )
    return Answer(200, dict(_HTML), page)


def _instead(status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> Send:
    """Send this status and body whatever was asked for."""

    def send(exchange: Exchange) -> None:
        exchange.send(Answer(status, {"Content-Type": "text/plain"} | (headers or {}), body))

    return send


def _changed(change: Callable[[bytes], bytes], *, encoding: str | None = "") -> Send:
    """Send the honest answer in full with its body changed; `encoding` None drops Content-Encoding, '' keeps it."""

    def send(exchange: Exchange) -> None:
        answer = exchange.answer(whole=True)
        if answer.status == 200:
            if encoding is None:
                answer.headers.pop("Content-Encoding", None)
            elif encoding:
                answer.headers["Content-Encoding"] = encoding
            answer = Answer(200, answer.headers, change(answer.whole()))
        exchange.send(answer)

    return send


def _timeout(exchange: Exchange) -> None:
    """Never answer, until the client gives up."""
    exchange.close_connection = True
    exchange.connection.settimeout(DRIP_SECONDS)
    while not exchange.closing.is_set():
        try:
            if not exchange.connection.recv(1):
                return
        except TimeoutError:
            continue


def _slow_drip(exchange: Exchange) -> None:
    """A byte now and then: no single wait is long, the whole takes for ever."""
    answer = exchange.answer()
    exchange.close_connection = True
    exchange.begin(answer)
    for byte in answer.whole():
        exchange.put(bytes([byte]))
        exchange.wfile.flush()
        if exchange.closing.wait(DRIP_SECONDS):
            return


def _short_body(exchange: Exchange) -> None:
    """Half the body under the length of the whole."""
    answer = exchange.answer()
    exchange.close_connection = True
    exchange.begin(answer)
    body = answer.whole()
    exchange.put(body[: len(body) // 2])
    exchange.wfile.flush()


def _reset(exchange: Exchange) -> None:
    """Half the body, then the connection is torn."""
    _short_body(exchange)
    exchange.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    exchange.connection.close()


def _flapping_etag(exchange: Exchange) -> None:
    """The right body under a tag that was never seen before."""
    answer = exchange.answer(whole=True)
    answer.headers.pop("Last-Modified", None)
    answer.headers["ETag"] = f'"{uuid.uuid4().hex}"'
    exchange.send(answer)


def _is_zip(body: bytes) -> bool:
    return body.startswith(b"PK\x03\x04")


def _wrong_crc(body: bytes) -> bytes:
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


def _climbing(body: bytes) -> bytes:
    """Add a member that would be unpacked two folders up."""
    if not _is_zip(body):
        return body
    out = io.BytesIO(body)
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr("../../climbed.txt", "out of the folder")
    return out.getvalue()


@cache
def _packed_zeros() -> tuple[bytes, int]:
    """BOMB_BYTES zeros as a raw deflate stream, and their CRC. A block after a full flush may be repeated."""
    zeros = bytes(1 << 20)
    repeats = BOMB_BYTES // len(zeros)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(zeros) + packer.flush(zlib.Z_FULL_FLUSH)
    crc = 0
    for _ in range(repeats):
        crc = zlib.crc32(zeros, crc)
    return block * repeats + packer.flush(zlib.Z_FINISH), crc


def _zip_bomb(body: bytes) -> bytes:
    """A sound zip whose one member, named as the body's first, is a gigabyte of zeros."""
    if not _is_zip(body):
        return body
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        name = archive.namelist()[0].encode()
    packed, crc = _packed_zeros()
    common = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 33, crc, len(packed), BOMB_BYTES, len(name), 0)
    member = b"PK\x03\x04" + common + name + packed
    listed = b"PK\x01\x02" + struct.pack("<H", 20) + common + struct.pack("<HHHII", 0, 0, 0, 0, 0) + name
    return member + listed + b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(listed), len(member), 0)


def _gzip_bomb(body: bytes) -> bytes:
    packed, crc = _packed_zeros()
    return gzip.compress(b"")[:10] + packed + struct.pack("<II", crc, BOMB_BYTES & 0xFFFFFFFF)


def _gzipped(body: bytes) -> bytes:
    return body if body.startswith(b"\x1f\x8b") else gzip.compress(body, mtime=0)


FAULTS: dict[str, Send] = {
    "429": _instead(429, b"Too many requests.\n", {"Retry-After": str(RETRY_AFTER_SECONDS)}),
    "500": _instead(500, b"Internal error.\n"),
    "502": _instead(502, b"Bad gateway.\n"),
    "503": _instead(503, b"Unavailable.\n"),
    "204": _instead(204),
    "gone": _instead(410, b"Gone.\n"),
    "empty": _instead(200),
    "html": lambda exchange: exchange.send(outage_page()),
    "outage_redirect": _instead(302, headers={"Location": OUTAGE_PATH}),
    "redirect_loop": lambda exchange: exchange.send(Answer(302, {"Location": exchange.path})),
    "timeout": _timeout,
    "slow_drip": _slow_drip,
    "reset": _reset,
    "short_body": _short_body,
    "truncated": _changed(lambda body: body[: len(body) // 2]),
    "gzip_without_header": _changed(_gzipped, encoding=None),
    "gzip_bomb": _changed(_gzip_bomb, encoding="gzip"),
    "wrong_crc": _changed(_wrong_crc),
    "zip_bomb": _changed(_zip_bomb),
    "zip_climbs": _changed(_climbing),
    "flapping_etag": _flapping_etag,
}


@dataclass(slots=True)
class Fault:
    """A fault and where it strikes.

    `name`: of FAULTS. `matching`: only addresses that contain this. `first`: only the first so many requests of each
    address, after which the server is well again.
    """

    name: str
    matching: str = ""
    first: int | None = None
    _seen: Counter[str] = field(default_factory=Counter, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        if self.name not in FAULTS:
            raise UsageError(f"fault {self.name}: unknown; there are {', '.join(FAULTS)}")
        if self.name.endswith("bomb"):
            _packed_zeros()  # takes a second, which the first client should not wait for

    @classmethod
    def parse(cls, text: str) -> "Fault":
        """Read `NAME`, `NAME:FIRST`, `NAME@MATCHING` or `NAME:FIRST@MATCHING`. Raises UsageError."""
        what, _, matching = text.partition("@")
        name, _, first = what.partition(":")
        if first and not first.isdecimal():
            raise UsageError(f"fault {text}: write NAME, NAME:FIRST, NAME@PART-OF-ADDRESS or NAME:FIRST@PART")
        return cls(name, matching, int(first) if first else None)

    def strikes(self, address: str) -> bool:
        """Say whether this request of an address (`H/P?Q`, decoded) meets the fault, and count it."""
        if self.matching not in address:
            return False
        with self._lock:
            self._seen[address] += 1
            return self.first is None or self._seen[address] <= self.first

    def send(self, exchange: Exchange) -> None:
        """Misbehave."""
        FAULTS[self.name](exchange)
