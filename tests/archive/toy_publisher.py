"""A publisher of toy tables behind the mirror server."""

import csv
import gzip
import io
import itertools
import json
import zipfile
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from etl.archive import Fetched, fetch
from etl.errors import SourceFormatError
from etl.mirror import Fault, Seen, serve
from etl.settings import Settings
from etl.sources.base import ArchivedFile, Dataset, Parsed, Request
from etl.storage import Storage

DAY = date(2026, 3, 2)
HOST = "https://toys.example.org"
HEADER = "region,industry,employment"


def zipped(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def table(year: int, regions: int = 40, industries: int = 12) -> bytes:
    """A table of some 7 kB, another one for each year."""
    rows = (f"{r:05},{i:02},{year * 7 + r * i}" for r in range(regions) for i in range(industries))
    return ("\n".join([HEADER, *rows]) + "\n").encode()


class Toys(Dataset):
    """One dataset with an address of each kind for each year, and pages."""

    name = "toys"
    side = "us"
    title = "Toys"
    publisher = "Toy office"
    kinds: Sequence[str] = ("csv", "zip", "json", "tsv", "xml")
    key: str | None = None

    def requests(self, years: Iterable[int]) -> list[Request]:
        """Every kind of every year."""
        return [
            Request("toys", url_of(kind, year), kind, kind, year, self.key) for year in years for kind in self.kinds
        ]

    def follow(self, file: ArchivedFile) -> list[Request]:
        """A page of JSON says which is next."""
        if file.kind != "page":
            return []
        after = json.loads(file.path.read_bytes())["next"]
        return [Request("toys", after, "page", "json", file.year)] if after else []

    def check(self, file: ArchivedFile) -> None:
        """Refuse a table without its header."""
        if file.content == "csv" and not file.path.read_bytes().startswith(HEADER.encode()):
            raise SourceFormatError(f"{file.url}: the header is not {HEADER}")

    def profile(self, file: ArchivedFile) -> dict[str, float | list[str]]:
        """Employment and the regions of a table."""
        if file.content != "csv":
            return {}
        rows = [line.split(",") for line in file.path.read_text().splitlines()[1:] if line.count(",") == 2]
        return {"employment": sum(int(row[2]) for row in rows), "regions": sorted({row[0] for row in rows})}

    def parse(self, files: Sequence[ArchivedFile], year: int | None) -> Parsed:
        """Nothing here is parsed."""
        return Parsed({})


def url_of(kind: str, year: int) -> str:
    return f"{HOST}/{kind}/{year}?of=all regions&kind={kind}"


def body_of(kind: str, year: int) -> bytes:
    """What the publisher means to send; the archive holds exactly this."""
    text = table(year)
    return {
        "csv": text,
        "tsv": text.replace(b",", b"\t"),
        "zip": zipped(**{f"toys{year}.txt": text}),
        "json": json.dumps([line.split(",") for line in text.decode().splitlines()]).encode(),
        "xml": b"<?xml version='1.0'?>\n<t>" + b"".join(b"<n>%d</n>\n" % (year + n) for n in range(900)) + b"</t>",
    }[kind]


class Publisher:
    """Holds bodies by address and sends them over HTTP, with faults where asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bodies: dict[str, bytes] = {}
        self.seen: list[Seen] = []
        self._packed: set[str] = set()
        self._runs = itertools.count()

    def offer(self, url: str, body: bytes, *, packed: bool = False) -> None:
        """Serve `body`; `packed`: as Content-Encoding gzip."""
        self.bodies[url] = body
        (self._packed.add if packed else self._packed.discard)(url)

    def offer_toys(self, *years: int, kinds: Iterable[str] = Toys.kinds) -> None:
        """Serve the toys of these years; the TSV as Eurostat does, gzip without a header."""
        for year in years:
            for kind in kinds:
                self.offer(url_of(kind, year), body_of(kind, year), packed=kind == "json")

    def withdraw(self, url: str) -> None:
        """Answer 404 from now on."""
        del self.bodies[url]

    def write(self) -> None:
        """Lay the bodies out as a mirror; a file that stays as it is keeps its time."""
        self.folder.mkdir(exist_ok=True)
        with (self.folder / "index.csv").open("w", newline="", encoding="utf-8") as stream:
            out = csv.writer(stream)
            out.writerow(["url", "path", "content_type", "gzipped"])
            for number, (url, body) in enumerate(self.bodies.items()):
                is_packed = url in self._packed
                sent = gzip.compress(body, mtime=0) if is_packed or "/tsv/" in url else body
                path = self.folder / f"{number}.bin"
                if not path.exists() or path.read_bytes() != sent:
                    path.write_bytes(sent)
                out.writerow([url, path.name, "application/octet-stream", int(is_packed)])

    def fetch(
        self,
        storage: Storage,
        settings: Settings,
        *,
        faults: Sequence[str] = (),
        requests: Sequence[Request] | None = None,
        dataset: Dataset | None = None,
        day: date = DAY,
        **options: Any,
    ) -> Fetched:
        """Fetch everything the toys ask for (2020 and 2021 unless told otherwise)."""
        self.write()
        self.seen.clear()
        dataset = dataset or Toys()
        with serve(self.folder, faults=[Fault.parse(text) for text in faults], on_request=self.seen.append) as address:
            return fetch(
                dataset.requests([2020, 2021]) if requests is None else requests,
                storage,
                dataset_objects={"toys": dataset},
                mirror_base=address,
                snapshot_date=day,
                run_id=f"run{next(self._runs):03}",
                settings=settings,
                **options,
            )


def one(kind: str, year: int = 2020, content: str = "") -> list[Request]:
    """The request for one file."""
    return [Request("toys", url_of(kind, year), kind, content or kind, year)]
