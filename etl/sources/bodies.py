"""What every reader needs of a body in the archive: its first bytes, and its text unpacked."""

import gzip
import zlib
from pathlib import Path

import pyarrow as pa

from etl.errors import SourceFormatError
from etl.sources.base import ArchivedFile

_GZIP = b"\x1f\x8b"


def is_gzip(path: Path) -> bool:
    """Whether the body is a gzip stream, told from its first bytes: publishers send one without saying so."""
    with path.open("rb") as stream:
        return stream.read(2) == _GZIP


def unpacked(path: Path) -> pa.NativeFile:
    """Open a body for reading, unpacked on the way, never whole in memory."""
    return pa.input_stream(str(path), compression="gzip" if is_gzip(path) else None)


def head(file: ArchivedFile, size: int = 65536) -> bytes:
    """Return the first bytes of a body, unpacked. Raises SourceFormatError for a gzip stream that is broken."""
    try:
        with gzip.open(file.path) if is_gzip(file.path) else file.path.open("rb") as stream:
            return stream.read(size)
    except (OSError, EOFError, zlib.error) as error:
        raise SourceFormatError(f"{file.url}: the packed body is damaged or cut short ({error})") from error


def first_line(file: ArchivedFile) -> str:
    """Return the first line of a text body, without the byte order mark. Raises SourceFormatError if it has none."""
    line = head(file).removeprefix(b"\xef\xbb\xbf").split(b"\n", 1)[0].rstrip(b"\r")
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SourceFormatError(f"{file.url}: the first line is no UTF-8 text ({error})") from error
    if not text.strip():
        raise SourceFormatError(f"{file.url}: the answer is empty")
    return text


def refuse_page(file: ArchivedFile) -> None:
    """Refuse a web page that was sent where data were asked for: an outage page often comes with status 200."""
    start = head(file, 1024).removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head")):
        raise SourceFormatError(f"{file.url}: a web page came instead of data; the publisher may be out of service")
