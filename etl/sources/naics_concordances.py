"""Concordances between NAICS vintages, and from NAICS to ISIC, by the US Census Bureau.

Addresses: `https://www.census.gov/naics/concordances/` with `2007_to_2002_NAICS.xls`, `2012_to_2007_NAICS.xls`,
`2017_to_2012_NAICS.xlsx`, `2022_to_2017_NAICS.xlsx` (two columns of codes, below titles) and
`2017_NAICS_to_ISIC_4.xlsx` (a star marks a part of a code).

The files are kept and compared with the built-in links and code lists, which is what everything else uses: a difference
is a warning. Evidence: the workbooks 2017 to 2012 and 2017 to ISIC 4 read whole; the others' addresses from public
readers.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import ClassVar

from etl import reference
from etl.errors import SourceFormatError
from etl.reference.store import rows as built_in_rows
from etl.sources.base import ArchivedFile, Dataset, Parsed, Request, Side
from etl.sources.comparison import compare_workbooks, differences
from etl.sources.workbooks import first_sheet, is_workbook

FOLDER = "https://www.census.gov/naics/concordances"
FILES = (
    "2007_to_2002_NAICS.xls",
    "2012_to_2007_NAICS.xls",
    "2017_to_2012_NAICS.xlsx",
    "2022_to_2017_NAICS.xlsx",
    "2017_NAICS_to_ISIC_4.xlsx",
)


class NaicsConcordances(Dataset):
    """The concordance workbooks; `kind` of a file is its name without the ending."""

    name: ClassVar[str] = "naics_concordances"
    side: ClassVar[Side] = "us"
    title: ClassVar[str] = "Concordances between NAICS vintages and to ISIC"
    publisher: ClassVar[str] = "US Census Bureau"

    def requests(self, years: Iterable[int]) -> list[Request]:
        """All workbooks; they belong to no data year."""
        requests = []
        for file in FILES:
            kind, content = file.split(".")
            requests.append(Request(self.name, f"{FOLDER}/{file}", kind, content))
        return requests

    def check(self, file: ArchivedFile) -> None:
        """Refuse what is no workbook."""
        if not is_workbook(file):
            raise SourceFormatError(f"{file.url}: the answer is no Excel workbook")

    def profile(self, file: ArchivedFile) -> dict[str, float | list[str]]:
        """Nothing: a later list may differ as it likes. The sheet is read whole, as `parse` does."""
        self.parse([file], None)
        return {}

    def parse(self, files: Sequence[ArchivedFile], year: int | None) -> Parsed:
        """Compare the workbooks with the built-in links and codes; the differences are notes."""
        return Parsed({}, compare_workbooks(files, _differences))


def _differences(file: ArchivedFile) -> list[str]:
    sheet = first_sheet(file)
    if file.kind.endswith("ISIC_4"):
        codes = _column_below(sheet, r"(\d{4}) NAICS US", file)
        return _code_differences(file, {vintage: set(found) - {"0"} for vintage, found in codes.items()})
    columns = _column_below(sheet, r"(\d{4}) NAICS Code", file)
    if len(columns) != 2:
        raise SourceFormatError(f"{file.url}: two columns of codes were expected, {len(columns)} are there")
    (first, ours), (second, theirs) = columns.items()
    links = {pair for pair in zip(ours, theirs, strict=True) if all(pair)}
    notes = differences(f"{file.url}: the changed codes", _targets(_built_in(first, second)), _targets(_changed(links)))
    return notes + _code_differences(file, {first: {a for a, _ in links}, second: {b for _, b in links}})


def _column_below(sheet: list[list[str]], name: str, file: ArchivedFile) -> dict[int, list[str]]:
    """The columns whose header matches `name`, by the vintage in it; six digits, blank where there is no code."""
    for number, row in enumerate(sheet):
        found = {at: int(match[1]) for at, cell in enumerate(row) if (match := re.fullmatch(name, cell, re.I))}
        if found:
            below = sheet[number + 1 :]
            return {
                vintage: [line[at] if line[at].isdigit() else "" for line in below] for at, vintage in found.items()
            }
    raise SourceFormatError(f"{file.url}: no column of the first sheet is named like {name}")


def _changed(links: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Links of codes that do not simply stay as they are."""
    moved = {code for a, b in links if a != b for code in (a, b)}
    return {(a, b) for a, b in links if a in moved or b in moved}


def _built_in(first: int, second: int) -> set[tuple[str, str]]:
    found = set()
    for row in built_in_rows("naics_link"):
        vintages = (int(row["from_vintage"]), int(row["to_vintage"]))
        if vintages == (first, second):
            found.add((row["from_code"], row["to_code"]))
        elif vintages == (second, first):
            found.add((row["to_code"], row["from_code"]))
    return _changed(found)


def _targets(links: set[tuple[str, str]]) -> dict[str, frozenset[str]]:
    targets: dict[str, set[str]] = defaultdict(set)
    for a, b in links:
        targets[a].add(b)
    return {code: frozenset(found) for code, found in targets.items()}


def _code_differences(file: ArchivedFile, codes: dict[int, set[str]]) -> list[str]:
    notes = []
    for vintage, found in codes.items():
        built_in = dict.fromkeys(reference.naics_codes(vintage), "a code")
        notes += differences(
            f"{file.url}: the list of codes of NAICS {vintage}", built_in, dict.fromkeys(found - {""}, "a code")
        )
    return notes
