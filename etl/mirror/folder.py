"""Finds the file that stands for a publisher's address in a folder of their files.

With `index.csv` (columns url, path, and where known content_type, gzipped) an address is looked up by host, path and
query; queries compare as sets of decoded pairs, and a `key` is ignored. Without it, `https://H/P` is the file `H/P`.
"""

import csv
import logging
import mimetypes
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, unquote

from etl.errors import UsageError

_logger = logging.getLogger(__name__)
_HOST = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+(:\d+)?")

Pairs = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class MirrorFile:
    """A file of the folder; `is_gzipped`: it is the gzip of the body."""

    path: Path
    content_type: str
    is_gzipped: bool


class MirrorFolder:
    """A folder laid out by publishers' addresses. Raises UsageError where it is not one."""

    def __init__(self, folder: Path) -> None:
        self._root = folder.resolve()
        if not self._root.exists():
            raise UsageError(f"mirror {folder}: there is no such folder")
        if not self._root.is_dir():
            raise UsageError(f"mirror {folder}: this is a file, not a folder")
        index = self._root / "index.csv"
        self._index: dict[tuple[str, Pairs], MirrorFile] | None = None
        if index.is_file():
            self._index = dict(self._read_index(index))
            if not self._index:
                raise UsageError(f"mirror {folder}: its index.csv lists no file")
        elif not any(_HOST.fullmatch(inside.name) and inside.is_dir() for inside in self._root.iterdir()):
            raise UsageError(
                f"mirror {folder}: there is neither an index.csv nor a folder named as a host, such as www2.census.gov"
            )

    def find(self, target: str) -> MirrorFile | None:
        """Return the file for a request's target `/H/P?Q`, None where there is none inside the folder."""
        path, _, query = target.partition("?")
        address = unquote(path).lstrip("/")
        pairs = frozenset(pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] != "key")
        if self._index is not None:
            return self._index.get((address, pairs))
        if pairs:
            return None
        file = self._inside(address)
        if file is None or file.parent == self._root:
            return None
        return MirrorFile(file, mimetypes.guess_type(file.name)[0] or "application/octet-stream", False)

    def _read_index(self, index: Path) -> Iterator[tuple[tuple[str, Pairs], MirrorFile]]:
        try:
            with index.open(encoding="utf-8", newline="") as stream:
                rows = list(csv.DictReader(stream))
        except (UnicodeDecodeError, csv.Error) as error:
            raise UsageError(f"mirror {index}: this is no CSV text ({error})") from error
        for row in rows:
            if not row.get("url") or not row.get("path"):
                raise UsageError(f"mirror {index}: every row needs a url and a path")
            file = self._inside(row["path"])
            if file is None:
                _logger.warning("%s: %s is not a file inside the folder; its address answers 404", index, row["path"])
                continue
            content_type = row.get("content_type") or "application/octet-stream"
            yield _key(row["url"]), MirrorFile(file, content_type, row.get("gzipped") == "1")

    def _inside(self, relative: str) -> Path | None:
        """Resolve every symlink and `..` first: what then lies outside is not served."""
        try:
            file = (self._root / relative).resolve()
            return file if file.is_relative_to(self._root) and file.is_file() else None
        except (OSError, ValueError):
            return None


def _key(url: str) -> tuple[str, Pairs]:
    """The address as it is looked up; the index holds it without percent-encoding."""
    address, _, query = url.partition("://")[2].partition("?")
    pairs = (part.partition("=")[::2] for part in query.split("&") if part)
    return address, frozenset((name, value) for name, value in pairs if name != "key")
