"""What every publisher's dataset has in common: what to ask for, and how to read the answer."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import ClassVar, Literal

import pyarrow as pa

Side = Literal["us", "eu"]


@dataclass(frozen=True, slots=True)
class Request:
    """One address to ask a publisher for.

    `url` is the publisher's own address, not percent-encoded and without any key; `kind` tells the reader what the
    answer holds; `content` is what the body must be, told from its bytes: zip, gzip, csv, json, tsv, xml, xlsx, xls
    or text. `secret` names the setting whose value is sent as the query parameter `key`, never logged. `better`: an
    address whose answer holds all that this one's does; this one is asked only where that one is not to be had.
    """

    dataset: str
    url: str
    kind: str
    content: str
    year: int | None = None
    secret: str | None = None
    better: str | None = None


@dataclass(frozen=True, slots=True)
class ArchivedFile:
    """Bytes in the archive that answered a request; `path` may only be read."""

    dataset: str
    url: str
    kind: str
    content: str
    year: int | None
    sha256: str
    bytes: int
    path: Path


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a reader found in the files of one source-year.

    `tables`: by published table name (`region_industry`, `published_region_cluster`, `region` …), each with columns
    of that table's contract. `notes`: sentences for the run's summary (fixes applied, answers compared).
    """

    tables: dict[str, pa.Table]
    notes: list[str] = field(default_factory=list)


def years_on_offer(first: int, months: int, today: date | None = None) -> range:
    """The years from `first` to the newest that could be out: since its end `months` have passed. Nobody promises a
    day, so the newest is asked for as a probe.
    """
    today = today or datetime.now(UTC).date()
    return range(first, max(first, (today.year * 12 + today.month - 1 - months) // 12))


class Dataset(ABC):
    """One dataset of one publisher: its addresses and its reader, which change together."""

    #: `source` is what the figures go to: a source of the facts, a portal, or a structure; None for lists and maps.
    name: ClassVar[str]
    source: ClassVar[str | None] = None
    side: ClassVar[Side]
    title: ClassVar[str]
    publisher: ClassVar[str]
    years: ClassVar[Sequence[int]] = ()
    #: The newest year whose file was seen, or is known from public traces: years after it are asked for as a probe.
    newest_seen: ClassVar[int | None] = None
    #: Asked only where it is named, by the caller or in the settings.
    is_optional: ClassVar[bool] = False
    #: What a first run asks for before all else.
    is_first: ClassVar[bool] = False
    #: About how many megabytes come over the wire: a year, or for a dataset without a file a year, altogether.
    megabytes: ClassVar[float] = 0.0

    @abstractmethod
    def requests(self, years: Iterable[int]) -> list[Request]:
        """The addresses for these years, plus those of no single year; the first pages where answers are paged."""

    def sample(self, years: Iterable[int]) -> list[Request]:
        """Small addresses of these years, to see whether the publisher still answers as `parse` expects."""
        found = self.requests(years)
        return found[:1] if self.years else found

    def follow(self, file: ArchivedFile) -> list[Request]:
        """Further addresses that an answer points to: its next page. None by default."""
        return []

    def check(self, file: ArchivedFile) -> None:
        """Refuse an answer that is not what `parse` reads. Raises SourceFormatError. Cheap: looks at the head only."""

    def profile(self, file: ArchivedFile) -> dict[str, float | list[str]]:
        """Say what a later copy of this address is compared with, by name: amounts, which may move within a band, and
        lists (of regions, of years), of which nothing may be lost. None by default. Raises SourceFormatError.
        """
        return {}

    def by_year(self, files: Sequence[ArchivedFile]) -> dict[int, list[ArchivedFile]]:
        """Sort files into reference years; one that holds many years belongs to each. By default, the file's own."""
        years: dict[int, list[ArchivedFile]] = {}
        for file in files:
            if file.year is not None:
                years.setdefault(file.year, []).append(file)
        return years

    @abstractmethod
    def parse(self, files: Sequence[ArchivedFile], year: int | None) -> Parsed:
        """Read the files of one source-year. Raises SourceFormatError naming file, line and code."""
