"""County Business Patterns of the US Census Bureau, bulk files: nation, states, counties, metropolitan areas.

Addresses: `https://www2.census.gov/programs-surveys/cbp/datasets/YYYY/cbpYYgeo.zip`, geo `us`, `st`, `co`, `msa`; the
national file of 1998 to 2007 is plain text, `cbpYYus.txt`. Members of the zips are named as the file, some with a
capital C.

Headers, found by name in any order and in any case:

* 1998-2006: `empflag,emp,qp1,ap,est,n1_4…`: range letters, no noise;
* 2007-2016: besides these `emp_nf, qp1_nf, ap_nf`: noise flags; `lfo` (legal form) in the national file from 2008 and
  in the state file from 2010, of which only `-` (all forms) is read;
* 2017: `n<5` for `n1_4`; 2018 on: no `empflag`.

Meaning: employees in the pay period with 12 March, establishments, annual payroll in thousands of dollars (turned into
dollars here). Marks of withheld and noisy cells: `census_disclosure`. NAICS vintages and regions: `census_cells`.
County 999 of a state holds what has no county. Sectors stand by their first number (`31----`).

Evidence: national files of 2001, 2005, 2009-11 and 2017-21 and state files of 2005 and 2009-11 read byte by byte (those
but 2001 and 2017 rebuilt in the publisher's layout with fewer columns); county and metropolitan files, and 2022-23,
from record layouts and public readers.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl import columns, reference
from etl.sources.base import ArchivedFile, Dataset, Parsed, Request, Side, years_on_offer
from etl.sources.census_api_answers import read_answers
from etl.sources.census_cells import (
    COLUMNS,
    GEOGRAPHIES,
    NEWEST_SEEN,
    SOURCE,
    outline,
    read_cells,
    required_columns,
)
from etl.sources.tabular import Block, check_header, read_blocks

FIRST_METRO_YEAR = 2003
"""Metropolitan files before hold the four-digit areas of the 1990s, which are no core based areas."""


class CensusCbp(Dataset):
    """The bulk files of County Business Patterns; reads a source-year together with the API's answers, if any."""

    name: ClassVar[str] = "census_cbp"
    source: ClassVar[str | None] = SOURCE
    side: ClassVar[Side] = "us"
    title: ClassVar[str] = "County Business Patterns, bulk files"
    publisher: ClassVar[str] = "US Census Bureau"
    #: A year comes out from April of the second year after it on: that of 2024 was not there in August 2026.
    years: ClassVar[Sequence[int]] = years_on_offer(1998, 15)
    newest_seen: ClassVar[int | None] = NEWEST_SEEN
    is_first: ClassVar[bool] = True
    megabytes: ClassVar[float] = 22

    def requests(self, years: Iterable[int]) -> list[Request]:
        """The national, state, county and metropolitan file of each year on offer."""
        return [self._request(year, kind) for year in years if year in self.years for kind in GEOGRAPHIES]

    def _request(self, year: int, kind: str) -> Request:
        return Request(self.name, bulk_address(year, kind), kind, "csv" if _is_plain(year, kind) else "zip", year)

    def check(self, file: ArchivedFile) -> None:
        """Refuse a file without the columns every era has."""
        check_header(file, required_columns(file.kind), _member(file.kind))

    def profile(self, file: ArchivedFile) -> dict[str, float | list[str]]:
        """Regions, sectors, and what is printed in the regions' totals; of the areas of the 1990s nothing.

        Raises ImplausibleError also where a file of all states lacks one.
        """
        if file.year is None or _is_before_metro(file.kind, file.year):
            return {}
        return outline(_blocks(file), file.kind, file.year, has_marks=True, is_of_all_states=True)

    def parse(self, files: Sequence[ArchivedFile], year: int | None) -> Parsed:
        """Read a year into `region_industry`, with the establishments by size class as further columns.

        Files of the API are read too and combined with the bulk files, see `combine`. Raises SourceFormatError naming
        file, line and the code or mark nobody declared.
        """
        if year is None:
            return Parsed({})
        bulk = _read_bulk([file for file in files if file.dataset == self.name], year)
        answers = read_answers([file for file in files if file.dataset != self.name], year)
        return combine(bulk, answers)


def bulk_address(year: int, kind: str) -> str:
    """Where the bulk file of a year and kind of geography is."""
    folder = f"https://www2.census.gov/programs-surveys/cbp/datasets/{year}"
    return f"{folder}/cbp{year % 100:02d}{kind}.{'txt' if _is_plain(year, kind) else 'zip'}"


def _is_plain(year: int, kind: str) -> bool:
    return kind == "us" and year <= 2007


def _member(kind: str) -> str:
    return rf"cbp\d\d{kind}\.txt"


def _is_before_metro(kind: str, year: int) -> bool:
    return kind == "msa" and year < FIRST_METRO_YEAR


def _blocks(file: ArchivedFile) -> Iterator[Block]:
    return read_blocks(file, COLUMNS, required_columns(file.kind), _member(file.kind))


def _read_bulk(files: Sequence[ArchivedFile], year: int) -> Parsed:
    tables, notes = [], []
    for file in sorted(files, key=lambda file: list(GEOGRAPHIES).index(file.kind)):
        if _is_before_metro(file.kind, year):
            notes.append(f"{file.url}: left out, its areas are those of the 1990s, not core based areas")
            continue
        table = read_cells(_blocks(file), file.kind, year, file.url, has_marks=True)
        if file.kind == "msa":
            table, note = _named_areas(table, file)
            notes += note
        tables.append(table)
    return Parsed({"region_industry": columns.concat(tables)} if tables else {}, notes)


def _named_areas(table: pa.Table, file: ArchivedFile) -> tuple[pa.Table, list[str]]:
    """Leave out the areas that the built-in delineation does not have: nothing is published without a name."""
    vintage = table.column("region_vintage")[0].as_py()
    names = reference.area_names("us_cbsa", vintage)
    positions, codes = columns.codes(table.column("region_code"))
    is_named = np.array([code in names for code in codes], np.bool_)
    if is_named.all():
        return table, []
    unnamed = ", ".join(code for code in codes if code not in names)
    note = f"{file.url}: areas not in the delineation of {vintage} are left out: {unnamed}"
    return table.filter(pa.array(is_named[positions])), [note]


def combine(bulk: Parsed, answers: Parsed) -> Parsed:
    """Join bulk and API cells of one year: where both give a cell the bulk file's stands, and the two are compared.

    The comparison is of employment where both print it; its outcome is a note.
    """
    if not bulk.tables or not answers.tables:
        return Parsed(bulk.tables or answers.tables, bulk.notes + answers.notes)
    first = bulk.tables["region_industry"]
    second = _in_county_list_of(first, answers.tables["region_industry"])
    both = columns.concat([first, second])
    key = _cell_keys(both)
    order = np.argsort(key[: first.num_rows])
    sorted_key = key[: first.num_rows][order]
    place = np.minimum(np.searchsorted(sorted_key, key[first.num_rows :]), first.num_rows - 1)
    is_in_bulk = sorted_key[place] == key[first.num_rows :]
    notes = _comparison(first.take(pa.array(order[place[is_in_bulk]])), second.filter(pa.array(is_in_bulk)))
    table = columns.concat([first, second.filter(pa.array(~is_in_bulk))])
    return Parsed({"region_industry": table}, bulk.notes + answers.notes + notes)


def _in_county_list_of(bulk: pa.Table, answers: pa.Table) -> pa.Table:
    """Give the API's counties the county list of the bulk file's: a few states tell less about it than all do."""
    is_county = pc.equal(bulk.column("region_scheme"), "us_county")
    lists = pc.unique(bulk.column("region_vintage").filter(is_county)).to_pylist()
    if not lists:
        return answers
    own = answers.column("region_vintage")
    vintage = pc.if_else(pc.equal(answers.column("region_scheme"), "us_county"), pa.scalar(lists[0], own.type), own)
    return answers.set_column(answers.column_names.index("region_vintage"), "region_vintage", vintage)


def _cell_keys(table: pa.Table) -> np.ndarray:
    """One number a cell: region scheme, region and industry."""
    key = np.zeros(table.num_rows, np.int64)
    for name in ("region_scheme", "region_code", "industry_code"):
        positions, values = columns.codes(table.column(name))
        key = key * len(values) + positions
    return key


def _comparison(bulk: pa.Table, answers: pa.Table) -> list[str]:
    if not bulk.num_rows:
        return []
    ours, theirs = bulk.column("employment_reported"), answers.column("employment_reported")
    differ = pc.not_equal(ours, theirs)
    compared = len(differ) - differ.null_count
    return [
        f"bulk files and API give {bulk.num_rows:,} cells in common; employment compared in {compared:,}, "
        f"{pc.sum(differ).as_py() or 0:,} differ; the bulk file's stand"
    ]
