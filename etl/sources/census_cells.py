"""Cells of County Business Patterns, the same from bulk files and from the API: codes, vintages, size classes."""

from collections.abc import Callable, Iterable
from math import nan

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from etl import reference
from etl.errors import SourceFormatError
from etl.sources.census_disclosure import Marks
from etl.sources.completeness import EXACT, SMALL_AREAS, RequiredParts, require_all, sectors_of
from etl.sources.naics_codes import TOTAL, CodeLists, assumed, known_codes, level
from etl.sources.plausible import require_plausible
from etl.sources.tabular import CODE, Block, CodeNumbers
from etl.sources.us_cells import (
    NO_STATUS,
    AmericanCells,
    Floats,
    Numbers,
    OneEach,
    Place,
    Statuses,
    nullable,
    region_industry,
)

SOURCE = "census_cbp"

VINTAGES = ((2017, 2017), (2012, 2012), (2008, 2007), (2003, 2002), (1998, 1997))
"""First data year and NAICS vintage from then on, newest first."""

NEWEST_SEEN = 2023
"""Public readers read this year as NAICS 2017; that later ones are is an assumption, checked by their codes."""

DELINEATIONS = (2013, 2020, 2023)
"""The metropolitan delineations whose areas have names here; see `_delineation`."""

SIZE_CLASSES: dict[str, tuple[str, ...]] = {
    "establishments_1_4": ("n<5", "n1_4"),
    "establishments_5_9": ("n5_9",),
    "establishments_10_19": ("n10_19",),
    "establishments_20_49": ("n20_49",),
    "establishments_50_99": ("n50_99",),
    "establishments_100_249": ("n100_249",),
    "establishments_250_499": ("n250_499",),
    "establishments_500_999": ("n500_999",),
    "establishments_1000": ("n1000",),
    "establishments_1000_1499": ("n1000_1",),
    "establishments_1500_2499": ("n1000_2",),
    "establishments_2500_4999": ("n1000_3",),
    "establishments_5000": ("n1000_4",),
}
"""Establishments by size, int32, for the estimator: our name and the publisher's. Null where not available. From 2017
the first class also counts establishments without employees on the day."""


GEOGRAPHIES: dict[str, tuple[str, tuple[str, ...]]] = {
    "us": ("us_nation", ("uscode",)),
    "st": ("us_state", ("fipstate",)),
    "co": ("us_county", ("fipstate", "fipscty")),
    "msa": ("us_cbsa", ("msa",)),
}
"""Kind of file to its region scheme and the columns that make a region's code."""

COLUMNS: dict[str, pa.DataType] = {
    **dict.fromkeys(("uscode", "fipstate", "fipscty", "msa", "naics", "lfo", "empflag", "emp_nf", "ap_nf"), CODE),
    **dict.fromkeys(("emp", "ap", "est"), pa.int64()),
    **{name: pa.int32() for names in SIZE_CLASSES.values() for name in names},
}


def naics_vintage(year: int) -> int:
    """NAICS vintage of a data year. Raises SourceFormatError for a year before the first."""
    for first, vintage in VINTAGES:
        if year >= first:
            return vintage
    raise SourceFormatError(f"County Business Patterns of {year}: not in NAICS, which begins with {first}")


def required_columns(kind: str) -> frozenset[str]:
    """The columns that every era of a kind of file has."""
    return frozenset({"naics", "emp", "est", *GEOGRAPHIES[kind][1]})


def code_lists(year: int) -> CodeLists:
    """The NAICS codes of a data year: all known ones; nothing to mend, nothing to leave out."""
    vintage = naics_vintage(year)
    assumption = assumed("County Business Patterns", year, NEWEST_SEEN, vintage)
    return CodeLists(vintage, known_codes(vintage), assumption=assumption)


def read_cells(blocks: Iterable[Block], kind: str, year: int, where: str, *, has_marks: bool) -> pa.Table:
    """Turn the blocks of one file into `region_industry`, with the size classes as further columns.

    Blocks have the columns of the bulk files' header, in lower case; `where` names them in errors. A blank range
    letter beside a zero says that the zero is a figure, unless the publisher leaves marks out (`has_marks` False).
    Raises SourceFormatError naming file, line and the code or mark nobody declared.
    """
    scheme, code_columns = GEOGRAPHIES[kind]
    regions = _Regions(code_columns)
    industries = CodeNumbers(code_lists(year).resolve)
    marks = Marks()
    found = [_cells(block, regions, industries, marks, has_marks=has_marks) for block in blocks]
    codes = regions.codes.values
    place = Place(SOURCE, year, scheme, _region_vintage(kind, year, codes), f"naics{naics_vintage(year)}")
    return region_industry(place, found, codes, industries.values, marks.flags.values, where)


def outline(
    blocks: Iterable[Block], kind: str, year: int, *, has_marks: bool, is_of_all_states: bool = False
) -> dict[str, float | list[str]]:
    """What a later copy of a file is compared with: regions, sectors, and what is printed in the regions' totals.

    Reads every cell as `read_cells` does, a block at a time, and keeps none. Raises SourceFormatError as `read_cells`
    does, and ImplausibleError where the totals cannot be or their parts are missing.
    """
    regions = _Regions(GEOGRAPHIES[kind][1])
    industries = CodeNumbers(code_lists(year).resolve, [TOTAL])
    marks = Marks()
    once = OneEach(regions.codes.values, industries.values)
    parts = RequiredParts(regions.codes.values, industries.values)
    employment = establishments = payroll = 0.0
    where = ""
    for block in blocks:
        where = block.file.url
        found = _cells(block, regions, industries, marks, has_marks=has_marks)
        once.take(found.region, found.industry, where)
        parts.take(found.region, found.industry, _floats(found.establishments), _floats(found.employment))
        is_total = pa.array(found.industry == 0)
        employment += pc.sum(found.employment.filter(is_total)).as_py() or 0.0
        establishments += pc.sum(found.establishments.filter(is_total)).as_py() or 0.0
        payroll += pc.sum(found.payroll.filter(is_total)).as_py() or 0.0
    _region_vintage(kind, year, regions.codes.values)
    require_plausible(where, employment, establishments, payroll)
    if is_of_all_states and kind in ("st", "co"):
        states = {code[:2] for code in regions.codes.values}
        require_all(where, "states", set(reference.states()), states, parts.rows)
    if kind != "msa":
        require_all(where, "sectors", sectors_of(naics_vintage(year)), set(industries.values), parts.rows)
    parts.require_whole(where, EXACT.get(GEOGRAPHIES[kind][0], SMALL_AREAS))
    return {
        "regions": sorted(regions.codes.values),
        "sectors": sorted(code for code in industries.values if level(code) == "sector"),
        "employment": employment,
        "establishments": establishments,
        "payroll": payroll,
    }


def _floats(column: pa.Array) -> Floats:
    values: Floats = column.to_numpy(zero_copy_only=False)
    return values


def _region_vintage(kind: str, year: int, regions: list[str]) -> int:
    if kind == "co":
        return reference.county_vintage(regions)
    return _delineation(regions, year) if kind == "msa" else 2020


def _delineation(areas: list[str], year: int) -> int:
    """The built-in delineation with the fewest foreign areas; between equals the one nearest to the data year.

    The files do not say which delineation they use; it changes every few years (lists of 2003 to 2009, 2013, 2015,
    2018, 2020, 2023), so an area of a year between may have a county more or less than in the list named.
    """
    given = set(areas)
    return min(
        DELINEATIONS,
        key=lambda list_year: (len(given - reference.area_names("us_cbsa", list_year).keys()), abs(list_year - year)),
    )


class _Regions:
    """Numbers the regions of one file, block by block; a county's code stands in two columns.

    States and counties are those of the built-in lists; the areas of a delineation are looked up later, by name.
    """

    def __init__(self, code_columns: tuple[str, ...]) -> None:
        self.codes = CodeNumbers(_county if len(code_columns) > 1 else str)
        self._parts = {column: CodeNumbers(_RESOLVE[column]) for column in code_columns}

    def of(self, block: Block) -> Numbers:
        """The number of each row's region."""
        columns = [(parts.of(block, column), parts.values) for column, parts in self._parts.items()]
        numbers, codes = columns[0][0].astype(np.int32), columns[0][1]
        for more, endings in columns[1:]:
            numbers = numbers * len(endings) + more
            codes = [code + ending for code in codes for ending in endings]
        is_used = np.bincount(numbers, minlength=len(codes)) > 0
        table = np.zeros(len(codes), np.int16)
        for position in np.flatnonzero(is_used):
            try:
                table[position] = self.codes.number(self.codes.resolve(codes[position]) or "")
            except LookupError as reason:
                line = block.line_of(int(np.argmax(numbers == position)))
                raise SourceFormatError(f"{block.file.url}, line {line}: {reason.args[0]}") from None
        found: Numbers = table[numbers]
        return found


_Resolver = Callable[[str], str]


def _digits(count: int, what: str) -> _Resolver:
    def resolve(text: str) -> str:
        if len(text) != count or not text.isdigit():
            raise LookupError(f"{text!r} is no {what} code of {count} digits")
        return text

    return resolve


def _state(text: str) -> str:
    if text not in reference.states():
        raise LookupError(f"{text!r} is no state code of 2 digits that the built-in list has")
    return text


def _county(code: str) -> str:
    """A county of any list since 1998, or what its state has outside counties. Raises LookupError for any other."""
    if not reference.is_county(code):
        raise LookupError(f"county {code!r} is in no list since 1998 and nobody declared what to do with it")
    return code


def _nation(text: str) -> str:
    if text != "98":
        raise LookupError(f"{text!r} is not the code of the United States, 98")
    return "US"


_RESOLVE: dict[str, _Resolver] = {
    "uscode": _nation,
    "fipstate": _state,
    "fipscty": _digits(3, "county"),
    "msa": _digits(5, "metropolitan area"),
}


def _cells(block: Block, regions: _Regions, industries: CodeNumbers, marks: Marks, *, has_marks: bool) -> AmericanCells:
    region, industry = regions.of(block), industries.of(block, "naics")
    keep = _is_all_legal_forms(block) & (industry >= 0)
    if not keep.all():
        block, region, industry = block.keep(keep), region[keep], industry[keep]
    is_zero_printed = has_marks and block.has("empflag")
    employment = marks.disclose(block, "emp", "empflag", "emp_nf", is_zero_printed=is_zero_printed)
    payroll, payroll_status = _payroll(block, marks, is_zero_printed)
    return AmericanCells(
        region,
        industry,
        nullable(employment.figure),
        nullable(employment.low),
        nullable(employment.high),
        employment.status,
        employment.flag,
        nullable(block.floats("est")),
        nullable(payroll),
        payroll_status,
        {name: _size_class(block, found) for name, found in SIZE_CLASSES.items()},
    )


def _payroll(block: Block, marks: Marks, is_zero_printed: bool) -> tuple[Floats, Statuses]:
    """Payroll in dollars and its status. It has noise flags of its own; where it has none, the range letter speaks."""
    rows = block.rows.num_rows
    if not block.has("ap"):
        return np.full(rows, nan), np.full(rows, NO_STATUS, np.int8)
    letter_column = None if block.has("ap_nf") else "empflag"
    found = marks.disclose(block, "ap", letter_column, "ap_nf", is_zero_printed=is_zero_printed)
    return found.figure * 1000, found.status


def _is_all_legal_forms(block: Block) -> npt.NDArray[np.bool_]:
    """Rows of all legal forms together (`lfo` is `-`); the others would count everything twice."""
    if not block.has("lfo"):
        return np.ones(block.rows.num_rows, np.bool_)
    form = block.rows.column("lfo")
    is_all = np.array([value == "-" for value in form.dictionary.to_pylist()], np.bool_)
    rows: npt.NDArray[np.bool_] = is_all[form.indices.to_numpy()]
    return rows


def _size_class(block: Block, found: tuple[str, ...]) -> pa.Array:
    for name in found:
        if block.has(name):
            return block.rows.column(name)
    return pa.nulls(block.rows.num_rows, pa.int32())
