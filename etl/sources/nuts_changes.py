"""Eurostat's workbook of the change from NUTS 2021 to NUTS 2024, compared with the built-in lists of regions.

Sheets read: the regions of 2024 (`NUTS2024`, and `Statistical Regions` outside the Union) and the changes
(`NUTS2021- NUTS2024`), which name every code of 2021. Evidence: the workbook itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from etl.reference.nuts import nuts_regions
from etl.sources.base import ArchivedFile, Dataset, Parsed, Request, Side
from etl.sources.comparison import differences
from etl.sources.workbooks import named_sheet, rows_below

_ADDRESS = "https://ec.europa.eu/eurostat/documents/345175/629341/NUTS2021-NUTS2024.xlsx"
_LISTS = {"NUTS2024": "NUTS", "Statistical Regions": "SR"}
_CHANGES = "NUTS2021- NUTS2024"


class NutsChanges(Dataset):
    """The official workbook; it makes no table, a difference from the built-in lists is a warning with its rows."""

    name = "nuts_changes"
    side: ClassVar[Side] = "eu"
    title = "NUTS 2021 to NUTS 2024, official workbook"
    publisher = "Eurostat"

    def requests(self, years: Iterable[int]) -> list[Request]:
        """One address, whatever the years."""
        return [Request(self.name, _ADDRESS, "workbook", "xlsx")]

    def check(self, file: ArchivedFile) -> None:
        """Refuse a workbook without the sheets and columns that are compared."""
        for sheet, prefix in _LISTS.items():
            _regions(file, sheet, prefix)
        _codes_before(file)

    def parse(self, files: Sequence[ArchivedFile], year: int | None) -> Parsed:
        """Compare: the regions of 2024 by code and name, the codes of 2021 by presence."""
        notes = []
        for file in files:
            listed = {code: name for sheet, prefix in _LISTS.items() for code, name in _regions(file, sheet, prefix)}
            notes += differences("the list of NUTS 2024", _built_in(2024, listed), listed)
            before = dict.fromkeys(_codes_before(file), "listed")
            notes += differences("the list of NUTS 2021", dict.fromkeys(_built_in(2021, before), "listed"), before)
        return Parsed({}, notes)


def _built_in(version: int, listed: Mapping[str, str]) -> dict[str, str]:
    """Our regions of the countries and levels that the workbook lists."""
    scope = {(code[:2], len(code)) for code in listed}
    return {code: _plain(name) for code, name in nuts_regions(version).items() if (code[:2], len(code)) in scope}


def _regions(file: ArchivedFile, sheet: str, prefix: str) -> list[tuple[str, str]]:
    rows = rows_below(named_sheet(file, sheet), [f"{prefix} Code", f"{prefix} label"], file)
    return [(row[f"{prefix} Code"], row[f"{prefix} label"]) for row in rows if row[f"{prefix} Code"]]


def _codes_before(file: ArchivedFile) -> list[str]:
    rows = rows_below(named_sheet(file, _CHANGES), ["Code 2021"], file)
    return [row["Code 2021"] for row in rows if row["Code 2021"]]


def _plain(name: str) -> str:
    return " ".join(name.split())
