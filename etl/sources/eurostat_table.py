"""What the tables of Eurostat's structural business statistics have in common as data sets: address, check, reader."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

import pyarrow.compute as pc

from etl.columns import concat
from etl.errors import SourceFormatError
from etl.sources import eurostat_cells, eurostat_formats
from etl.sources.base import ArchivedFile, Dataset, Parsed, Request, Side
from etl.sources.completeness import require_all
from etl.sources.eurostat_cells import Layout

#: A sheet with fewer rows is an extract, of which nothing is asked.
_ROWS_FROM = 10_000

#: The whole data set is asked for: with `startPeriod` the publisher must make an extraction and may refuse it (413).
_ADDRESS = "https://ec.europa.eu/eurostat/api/dissemination/sdmx/2.1/data/{code}?compressed=true&format=TSV"


class EurostatTable(Dataset):
    """A data set of Eurostat that is read into `region_industry`: one or more tables of the same layout."""

    side: ClassVar[Side] = "eu"
    publisher: ClassVar[str] = "Eurostat"
    codes: ClassVar[tuple[str, ...]]
    layout: ClassVar[Layout]
    #: Activities that every whole sheet has, where one was seen.
    expected: ClassVar[frozenset[str]] = frozenset()

    def requests(self, years: Iterable[int]) -> list[Request]:
        """One address a table; each holds every year."""
        if not set(years) & set(self.years):
            return []
        return [Request(self.name, _ADDRESS.format(code=code.upper()), code, "tsv") for code in self.codes]

    def check(self, file: ArchivedFile) -> None:
        """Refuse what is no table of this layout. Raises TransientError where Eurostat still prepares the answer."""
        eurostat_formats.check_answer(file)
        wanted = ("geo", self.layout.activity, self.layout.indicator)
        if missing := [name for name in wanted if name not in eurostat_formats.dimensions(file)]:
            raise SourceFormatError(f"{file.url}, line 1: no dimension {', '.join(missing)}")

    def profile(self, file: ArchivedFile) -> dict[str, float | list[str]]:
        """Years, areas and activities, and in each year the sum of the countries' employment over all activities.

        Reads every cell of each year on the way. Raises SourceFormatError as `parse` does.
        """
        years = eurostat_formats.periods(file)
        names: dict[str, set[str]] = {"geo": set(), self.layout.activity: set()}
        amounts: dict[str, float] = {}
        rows = 0
        for year in years:
            observations = eurostat_formats.read(file, year, self._keep())
            if observations.num_rows:
                eurostat_cells.region_industry(file, observations, self.layout, int(year))
            is_employment = pc.equal(observations.column(self.layout.indicator), self.layout.employment)
            found = observations.filter(is_employment)
            rows = max(rows, found.num_rows)
            for column, codes in names.items():
                codes.update(found.column(column).unique().to_pylist())
            nations = found.filter(pc.equal(pc.utf8_length(found.column("geo")), 2))
            amounts[f"employment {year}"] = float(pc.sum(nations.column("value")).as_py() or 0)
        if not any(amounts.values()) and not names["geo"]:
            raise SourceFormatError(f"{file.url}: no row of {self.layout.employment}")
        if rows >= _ROWS_FROM:
            require_all(file.url, "activities", set(self.expected), names[self.layout.activity], rows)
        return {
            "years": sorted(years),
            "areas": sorted(names["geo"]),
            "activities": sorted(names[self.layout.activity]),
            **amounts,
        }

    def by_year(self, files: Sequence[ArchivedFile]) -> dict[int, list[ArchivedFile]]:
        """Each sheet under every year it has a column for."""
        years: dict[int, list[ArchivedFile]] = {}
        for file in files:
            for period in eurostat_formats.periods(file):
                years.setdefault(int(period), []).append(file)
        return years

    def parse(self, files: Sequence[ArchivedFile], year: int | None) -> Parsed:
        """Read one year: persons employed, units and wages by area and activity (table region_industry)."""
        if year is None:
            raise ValueError(f"{self.name} is read by year")
        tables, notes = [], []
        for file in files:
            observations = eurostat_formats.read(file, str(year), self._keep())
            if observations.num_rows:
                table, sentences = eurostat_cells.region_industry(file, observations, self.layout, year)
                tables.append(table)
                notes += sentences
        if not tables:
            raise SourceFormatError(f"{self.name}: no file has figures of {year}")
        return Parsed({"region_industry": concat(tables)}, notes)

    def _keep(self) -> dict[str, Sequence[str]]:
        """The observations that are read: annual, of all sizes, of the three indicators."""
        total = ["TOTAL"]
        return {"freq": ["A"], "size_emp": total, "sizeclas": total, self.layout.indicator: self.layout.indicators}
