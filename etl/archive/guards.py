"""Guards at the door of the archive: what a body must be, and how far it may differ from its last good copy.

A body is told by its bytes, never by its name or header. Guards on what it *is* cannot be overruled; those on how it
*changed* can be, with `--accept`.
"""

import re
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path, PureWindowsPath
from statistics import median
from typing import Any
from xml.parsers import expat

from etl.archive.bodies import RefusalError
from etl.settings import Settings

_CHUNK = 1 << 20
_HEAD = 4096
_TAIL = 4096
#: The size and rows of answers smaller than this may change as they like: an empty page may fill.
_BAND_FROM = 4096
_ZIP = (b"PK\x03\x04",)
_OLE = (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",)
#: How far the totals of the same regions may lie apart in two years: from 0.7 to 1.5 times, and 3 % a year wider.
_YEARS_BAND = (0.7, 1.5)
_GROWTH_A_YEAR = 1.03
_YEARS_ASKED, _YEARS_NEEDED = 4, 2
#: Share of their regions that two copies have in common at least, to be of the same ones.
_SAME = 0.8
#: Rows differ between eras of a file, and money loses its value.
_NOT_AMONG_YEARS = frozenset({"rows", "payroll", "wages"})
#: First bytes by Request.content; text kinds are told apart below.
_MAGIC = {"zip": _ZIP, "xlsx": _ZIP, "xls": _OLE, "gzip": (b"\x1f\x8b",)}
_TEXT = frozenset({"csv", "tsv", "json", "xml", "text"})
CONTENTS = frozenset(_MAGIC) | _TEXT


def check_content(path: Path, content: str) -> None:
    """Refuse a body that is empty or not of the kind asked for: an outage page, a fault message, half an answer."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
        stream.seek(max(0, size - _TAIL))
        tail = stream.read()
    if not head.strip():
        raise RefusalError("empty", "the body is empty")
    found = _kind(head)
    if content in _MAGIC:
        if not head.startswith(_MAGIC[content]):
            raise RefusalError("content", f"{found} instead of {content}")
        if content in ("zip", "xlsx"):
            _check_zip(path, content)
        return
    expected = {"json": ("JSON",), "xml": ("XML",), "text": ("text", "a table")}.get(content, ("a table",))
    if found not in expected:
        raise RefusalError("content", f"{found} instead of {content}")
    if content in ("csv", "tsv"):
        _check_last_line(head, tail)
    elif content == "json" and not _is_closed_json(path):
        raise RefusalError("content", "JSON that is cut off")
    elif content == "xml":
        _check_xml(path)


def _kind(head: bytes) -> str:
    """Say in a word or two what a body is."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    for kind, magics in _MAGIC.items():
        if text.startswith(magics):
            return kind
    if b"\0" in head:
        return "binary data"
    if re.match(rb"(?i)(<!--.*?-->\s*)?<(!doctype\s+html|html|head|body|script)", text, re.DOTALL):
        return "an HTML page"
    if text.startswith(b"<"):
        return "an HTML page" if re.search(rb"(?i)<(html|!doctype html)", text) else "XML"
    if text.startswith((b"{", b"[")):
        return "JSON"
    return "a table" if re.search(rb"[,;\t|]", text.split(b"\n", 1)[0]) else "text"


def _check_last_line(head: bytes, tail: bytes) -> None:
    """A last line without its line end is fine where it has as many fields as the first; else the body is cut off."""
    first, last = head.split(b"\n", 1)[0], tail.rsplit(b"\n", 1)[-1]
    if not last.strip():
        return
    separator = max(b",;\t|", key=lambda code: first.count(bytes([code])))
    if last.count(separator) < first.count(separator):
        raise RefusalError("cut_off", "the last line has no end and too few fields", is_change=True)
    if separator == ord("\t") and b" " not in last.rsplit(b"\t", 1)[-1]:  # Eurostat writes a blank behind every figure
        raise RefusalError("cut_off", "the last line has no end and its last figure may be cut", is_change=True)


def check_end(path: Path, content: str) -> None:
    """Refuse a table of unknown length without a last line end: its last number may be cut. None at all is no table."""
    if content not in ("csv", "tsv") or not path.stat().st_size:
        return
    with path.open("rb") as stream:
        stream.seek(-1, 2)
        if stream.read() not in (b"\n", b"\r"):
            raise RefusalError("cut_off", "neither a length nor a last line end says that it is whole")


def _is_closed_json(path: Path) -> bool:
    """Whether every bracket and quote that opens also closes. The reader sees to the rest; this takes no memory."""
    depth, is_in_string, carry = 0, False, b""
    with path.open("rb") as stream:
        while chunk := carry + stream.read(_CHUNK):
            text = chunk.rstrip(b"\\")
            carry = chunk[len(text) :]
            if not text:
                return False
            pieces = text.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')
            outside = b"".join(pieces[int(is_in_string) :: 2])
            depth += outside.count(b"[") + outside.count(b"{") - outside.count(b"]") - outside.count(b"}")
            is_in_string ^= len(pieces) % 2 == 0
    return depth == 0 and not is_in_string


def _check_xml(path: Path) -> None:
    parser = expat.ParserCreate()
    try:
        with path.open("rb") as stream:
            parser.ParseFile(stream)
    except expat.ExpatError as error:
        raise RefusalError("content", f"XML that is broken or cut off: {error}") from error


def _check_zip(path: Path, content: str) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise RefusalError("zip", f"its list of members cannot be read: {error}") from error
    names = [member.orig_filename for member in members]
    if not names:
        raise RefusalError("zip", "it has no members")
    for member, name in zip(members, names, strict=True):
        # A name is read as Windows reads it too: drive letters and backslashes climb out there.
        if name.startswith(("/", "\\")) or PureWindowsPath(name).drive or ".." in PureWindowsPath(name).parts:
            raise RefusalError("member_names", f"the member {name!r} would be unpacked outside its folder")
        if member.flag_bits & 1:
            raise RefusalError("zip", f"the member {name!r} is encrypted")
    if content == "xlsx" and "[Content_Types].xml" not in names:
        raise RefusalError("content", "zip instead of xlsx")


def check_change(
    size: int, profile: Mapping[str, Any], last_size: int, last: Mapping[str, Any], settings: Settings
) -> None:
    """Refuse a body whose size, rows or totals left their band, or that lost what its last good copy had.

    Profiles map a name to a number, compared within `amounts_band`, or to a list, of which nothing may be lost; `rows`
    has a band of its own. A name that one of them lacks is not compared. Where a list has grown (a year more, or all
    regions after a copy that lacked some), figures may grow as much beyond their band.
    """
    is_small = last_size < _BAND_FROM
    growth = _growth(profile, last)
    if not is_small:
        _check_band("bytes", size, last_size, settings.bytes_band, growth)
    for name, before in last.items():
        if name == "rows" and is_small:
            continue
        now = profile.get(name)
        if isinstance(before, list) and isinstance(now, list):
            lost = sorted(set(before) - set(now))
            if lost:
                shown = ", ".join(str(one) for one in lost[:5]) + (" …" if len(lost) > 5 else "")
                raise RefusalError("lost", f"{len(lost)} of {len(before)} {name} are gone: {shown}", is_change=True)
        elif isinstance(before, int | float) and isinstance(now, int | float):
            _check_band(name, now, before, settings.rows_band if name == "rows" else settings.amounts_band, growth)


def check_among_years(year: int, profile: Mapping[str, Any], others: Iterable[tuple[int, Mapping[str, Any]]]) -> None:
    """Refuse a first copy whose totals are far from those of the same regions in other years.

    `others`: years and profiles of other copies. Those of the same regions are asked, the nearest years first, at
    least two, and only where they agree among themselves; what is allowed widens with the years between.
    """
    alike = [(abs(other - year), found) for other, found in others if other != year and _share(profile, found) >= _SAME]
    nearest = sorted(alike, key=lambda one: one[0])[:_YEARS_ASKED]
    for name, now in profile.items():
        amounts = [(apart, found[name]) for apart, found in nearest if found.get(name)]
        if isinstance(now, list) or name in _NOT_AMONG_YEARS or len(amounts) < _YEARS_NEEDED:
            continue
        usual = median(amount for _, amount in amounts)
        widest = _GROWTH_A_YEAR ** max(apart for apart, _ in amounts)
        low, high = _YEARS_BAND[0] / widest, _YEARS_BAND[1] * widest
        if all(low <= amount / usual <= high for _, amount in amounts) and not low <= now / usual <= high:
            reason = f"{name} of {year}: {now:,}, but around {usual:,.0f} in other years, of the same regions"
            raise RefusalError("years", reason, is_change=True)


def regions_of(profile: Mapping[str, Any]) -> list[str]:
    """The regions that a profile names: its first list."""
    return next((value for value in profile.values() if isinstance(value, list)), [])


def _share(profile: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    """Regions that two profiles share, of all that they name."""
    here, there = set(regions_of(profile)), set(regions_of(other))
    return len(here & there) / max(len(here | there), 1)


def _growth(profile: Mapping[str, Any], last: Mapping[str, Any]) -> float:
    """How much longer the list is that has grown most; 1 where none has."""
    pairs = [(profile.get(name), before) for name, before in last.items()]
    lengths = [len(now) / len(was) for now, was in pairs if isinstance(now, list) and isinstance(was, list) and was]
    return max(1.0, *lengths) if lengths else 1.0


def _check_band(name: str, now: float, before: float, band: tuple[float, float], growth: float) -> None:
    low, high = band[0], band[1] * growth
    if before > 0 and not low <= now / before <= high:
        limits = f"{low:.0%} and {high:.0%}"
        reason = f"{name}: {now:,} after {before:,} last time, {now / before:.0%}; allowed is between {limits}"
        raise RefusalError(name if name in ("bytes", "rows") else "amounts", reason, is_change=True)
