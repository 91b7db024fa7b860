"""Eurostat's table of contents: when each data set was last updated, so that an unchanged one need not be fetched.

Days only, and the publisher refreshes twice a day: a same date does not prove the same bytes.
Evidence: the table of contents of 9 August 2024.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import ClassVar
from xml.etree import ElementTree

from etl.errors import SourceFormatError
from etl.sources.base import ArchivedFile, Dataset, Parsed, Request, Side
from etl.sources.bodies import head, refuse_page, unpacked

_ADDRESS = "https://ec.europa.eu/eurostat/api/dissemination/catalogue/toc/xml"
_DATA_SET = re.compile(r"/sdmx/2\.1/data/(\w+)")
_NAMESPACE = "{urn:eu.europa.ec.eurostat.navtree}"


class EurostatToc(Dataset):
    """The table of contents of all data sets; it makes no table."""

    name = "eurostat_toc"
    side: ClassVar[Side] = "eu"
    title = "Table of contents, the change detector"
    publisher = "Eurostat"

    def requests(self, years: Iterable[int]) -> list[Request]:
        """One address, whatever the years."""
        return [Request(self.name, _ADDRESS, "toc", "xml")]

    def check(self, file: ArchivedFile) -> None:
        """Refuse what does not begin as the table of contents does."""
        refuse_page(file)
        if b"eurostat.navtree" not in head(file, 2048):
            raise SourceFormatError(f"{file.url}: not Eurostat's table of contents")

    def profile(self, file: ArchivedFile) -> dict[str, float | list[str]]:
        """Number of data sets and tables."""
        return {"data sets": float(len(last_updates(file)))}

    def parse(self, files: Sequence[ArchivedFile], year: int | None) -> Parsed:
        """No table; a note with the number of data sets and the newest update."""
        updates = [last_updates(file) for file in files]
        return Parsed(
            {}, [f"{len(found):,} data sets, the newest of {max(found.values())}" for found in updates if found]
        )


def last_updates(file: ArchivedFile) -> dict[str, date]:
    """Day of the last update of data by data set code, in small letters; sets and tables without one are left out.

    A code that stands in several places of the tree has one date; should they differ, the newest. Raises
    SourceFormatError for a body that is no XML, is cut short, or holds a date in another form.
    """
    found: dict[str, date] = {}
    try:
        for _, leaf in ElementTree.iterparse(unpacked(file.path)):
            if leaf.tag != f"{_NAMESPACE}leaf":
                continue
            code = leaf.findtext(f"{_NAMESPACE}code", "").strip().lower()
            day = leaf.findtext(f"{_NAMESPACE}lastUpdate", "").strip()
            if code and day:
                updated = datetime.strptime(day, "%d.%m.%Y").date()
                found[code] = max(updated, found.get(code, updated))
            leaf.clear()
    except (ElementTree.ParseError, OSError, ValueError) as error:
        raise SourceFormatError(f"{file.url}: the table of contents cannot be read ({error})") from error
    return found


def is_unchanged(updates: Mapping[str, date], url: str, confirmed: str) -> bool:
    """Whether the table of contents shows that a copy of a data set is still what the publisher has.

    `updates`: of a table of contents that came in this run, or the answer means nothing; `confirmed`: when the copy
    last came or was confirmed (UTC, ISO 8601). Days are compared: an update of the same day counts as later. False for
    an address that is no data set.
    """
    code = _DATA_SET.search(url)
    updated = updates.get(code[1].lower()) if code else None
    return updated is not None and updated < date.fromisoformat(confirmed[:10])
