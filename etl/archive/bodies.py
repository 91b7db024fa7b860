"""What came over the wire, unpacked and counted, a piece at a time."""

import gzip
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from etl.settings import Settings

_CHUNK = 1 << 20
_GZIP = b"\x1f\x8b"
_LAYERS_MAX = 3
#: Below this an unpacked size is harmless, whatever its ratio; a column of zeros packs very well.
_RATIO_FROM = 64 << 20


class RefusalError(Exception):
    """A guard refuses a body. `is_change`: because it differs from last time, which may be taken deliberately."""

    def __init__(self, guard: str, reason: str, *, is_change: bool = False) -> None:
        super().__init__(reason)
        self.guard = guard
        self.reason = reason
        self.is_change = is_change


class _Budget:
    """How much may come out of a packed body of so many bytes."""

    def __init__(self, settings: Settings, packed: int) -> None:
        self._settings = settings
        self._packed = packed
        self._unpacked = 0

    def spend(self, size: int) -> None:
        """Count unpacked bytes. Raises RefusalError where they are too many."""
        self._unpacked += size
        ratio = self._unpacked / max(self._packed, 1)
        if self._unpacked > self._settings.unpacked_bytes_max:
            raise RefusalError("bomb", f"it unpacks to more than {self._settings.unpacked_bytes_max:,} bytes")
        if self._unpacked > _RATIO_FROM and ratio > self._settings.compression_ratio_max:
            raise RefusalError("bomb", f"it unpacks to more than {self._settings.compression_ratio_max} times its size")


def unpack(part: Path, content: str, settings: Settings) -> Path:
    """Take the gzip off a body that is not to be one, whether the answer's header spoke of it or not.

    Publishers send gzip with a header, without one, or twice. Raises RefusalError for a broken stream or a bomb.
    """
    for layer in range(_LAYERS_MAX):
        if content == "gzip" or not _is_gzip(part):
            return part
        target = part.with_name(f"{part.name}.{layer}")
        with target.open("wb") as out:
            for chunk in _unpacked_gzip(part, settings):
                out.write(chunk)
        part = target
    raise RefusalError("gzip", f"packed {_LAYERS_MAX} times and more")


def count_rows(path: Path, content: str, settings: Settings) -> int:
    """Count a body's rows; what is packed is unpacked for it, which tests every CRC.

    Rows are line ends in text (of all members, in a zip), opening brackets in JSON and opening angles in XML: no exact
    count, but one that tells whether much was lost. Raises RefusalError.
    """
    marks = {"json": (b"[", b"{"), "xml": (b"<",)}.get(content, (b"\n",))
    chunks = _PACKED.get(content, _plain)(path, settings)
    return sum(chunk.count(mark) for chunk in chunks for mark in marks)


def _plain(path: Path, settings: Settings) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(len(_GZIP)) == _GZIP


def _unpacked_gzip(path: Path, settings: Settings) -> Iterator[bytes]:
    budget = _Budget(settings, path.stat().st_size)
    try:
        with gzip.open(path) as stream:
            while chunk := stream.read(_CHUNK):
                budget.spend(len(chunk))
                yield chunk
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise RefusalError("gzip", f"the packed bytes are broken: {error}") from error


def _unpacked_zip(path: Path, settings: Settings) -> Iterator[bytes]:
    budget = _Budget(settings, path.stat().st_size)
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                with archive.open(info) as member:
                    while chunk := member.read(_CHUNK):
                        budget.spend(len(chunk))
                        yield chunk
    except (zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError, RuntimeError, ValueError) as error:
        raise RefusalError("zip", f"a member cannot be read: {error}") from error


_PACKED: dict[str, Callable[[Path, Settings], Iterator[bytes]]] = {
    "zip": _unpacked_zip,
    "xlsx": _unpacked_zip,
    "gzip": _unpacked_gzip,
}
