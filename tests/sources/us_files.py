"""Bodies for the tests of the American readers: made here in the publishers' layouts, or taken from the real ones."""

import csv
import gzip
import json
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from etl.sources.base import ArchivedFile, Dataset, Request

SIZES = ("n5_9", "n10_19", "n20_49", "n50_99", "n100_249", "n250_499", "n500_999", "n1000")
OPEN_SIZES = ("n1000_1", "n1000_2", "n1000_3", "n1000_4")


def archived(request: Request, path: Path) -> ArchivedFile:
    """The answer to a request, as the archive hands it out."""
    return ArchivedFile(
        request.dataset, request.url, request.kind, request.content, request.year, "0" * 64, path.stat().st_size, path
    )


def text_file(request: Request, path: Path, text: str) -> ArchivedFile:
    """A plain text body."""
    path.write_text(text, encoding="utf-8")
    return archived(request, path)


def zip_file(request: Request, path: Path, members: dict[str, str]) -> ArchivedFile:
    """A zip of text members."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return archived(request, path)


def json_file(request: Request, path: Path, answer: object) -> ArchivedFile:
    """A JSON body."""
    return text_file(request, path, json.dumps(answer))


def request_of(dataset: Dataset, year: int | None, kind: str) -> Request:
    """The first request of a kind."""
    years = [] if year is None else [year]
    return next(request for request in dataset.requests(years) if request.kind == kind)


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Text as the Census Bureau quotes it: strings in quotes, numbers not, empty cells bare."""

    def cell(value: object) -> str:
        return "" if value in ("", None) else f'"{value}"' if isinstance(value, str) else str(value)

    lines = [",".join(f'"{name}"' for name in header), *(",".join(map(cell, row)) for row in rows)]
    return "\r\n".join(lines) + "\r\n"


def mirrored(shared: Path, folder: Path, dataset: Dataset, years: Iterable[int]) -> list[ArchivedFile]:
    """The real answers to a dataset's requests that lie beside the checkout, unpacked into `folder`."""
    with (shared / "mirror" / "index.csv").open(encoding="utf-8", newline="") as stream:
        index = {row["url"]: row for row in csv.DictReader(stream)}
    files = []
    for request in dataset.requests(years):
        row = index.get(request.url)
        if row is None:
            continue
        path = shared / "mirror" / row["path"]
        if row["gzipped"] == "1":
            unpacked = folder / row["sha256"]
            unpacked.write_bytes(gzip.decompress(path.read_bytes()))
            path = unpacked
        files.append(archived(request, path))
    return files
