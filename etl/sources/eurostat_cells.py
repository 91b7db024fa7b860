"""From Eurostat's observations to rows of `region_industry`: codes resolved, versions told apart, blanks never zero."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from etl.columns import codes, constant
from etl.errors import SourceFormatError
from etl.reference.nuts import NUTS_VERSIONS, is_extra_regio, nuts_regions, nuts_version_of, nuts_version_of_code
from etl.sources import nace_codes
from etl.sources.base import ArchivedFile

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]

EU_AGGREGATES = frozenset({"EU28", "EU27_2020"})
EU_AGGREGATE_VINTAGE = 2021

#: Sums over other sets of countries, which no scheme of ours has.
IGNORED_AREAS = frozenset(
    {
        "EU", "EU15", "EU25", "EU27", "EU27_2007", "EU28_X_UK", "EA", "EA11", "EA12", "EA13", "EA15", "EA16",
        "EA17", "EA18", "EA19", "EA20", "EA21", "EEA", "EEA18", "EEA28", "EEA30", "EEA30_2007", "EEA31", "EFTA"
    }
)  # fmt: skip

_MILLION = 1e6

#: A zero marked `n`, not significant, stands for less than half of the last digit shown.
_HALF = 0.5


@dataclass(frozen=True, slots=True)
class Layout:
    """What the tables of one Eurostat data set have in common.

    `activity` and `indicator`: names of these dimensions in the file; `employment`, `units`, `wages`: indicator codes
    (`wages` in millions of euro); `total`: the activity code of everything the data set covers; `finest`: the level
    of NACE whose rows are leaves; `by_nation`: only countries are kept.
    """

    source: str
    activity: str
    industry_scheme: str
    indicator: str
    employment: str
    units: str
    wages: str
    total: str | None
    finest: str
    by_nation: bool = False

    @property
    def indicators(self) -> tuple[str, str, str]:
        """Codes of employment, units and wages."""
        return self.employment, self.units, self.wages


@dataclass(frozen=True, slots=True)
class ObservationGrid:
    """Observations as a sparse region by industry grid: one entry per cell that has an observation of any indicator."""

    region: Numbers
    industry: Numbers
    figures: Mapping[str, Floats]
    marks: npt.NDArray[np.object_]

    def has_flag(self, letter: str) -> Booleans:
        """Which employment cells carry a flag letter."""
        return np.fromiter((letter in mark.partition("@")[0] for mark in self.marks), bool, self.marks.size)


def region_industry(
    file: ArchivedFile, observations: pa.Table, layout: Layout, year: int
) -> tuple[pa.Table, list[str]]:
    """Turn the observations of one year into rows of `region_industry`, and say what was left out and why.

    A blank is withheld, bounds 0 and unknown, whatever its flag: files of different age tell confidential and missing
    apart or not. Only `z`, not applicable, makes no row. A zero marked `n` is rounded: not a true zero. An area that
    is not in the country's NUTS version of that year is no cell where it is blank. Raises SourceFormatError with file,
    line and code for an unknown code and for a cell given twice.
    """
    areas, area_names = _areas(file, observations, layout)
    industries, industry_names = _industries(file, observations, layout)
    kept = (areas >= 0) & (industries >= 0)
    grid = _grid(file, observations.filter(pa.array(kept)), areas[kept], industries[kept], len(industry_names), layout)
    vintages, notes = _vintages(grid, area_names, year)
    is_void = grid.has_flag("z") & np.isnan(grid.figures[layout.employment])
    rows = (vintages[grid.region] > 0) & ~is_void
    table = _table(grid, rows, area_names, vintages, industry_names, layout, year)
    return table, notes + _blank_note(table)


def _areas(file: ArchivedFile, observations: pa.Table, layout: Layout) -> tuple[Numbers, list[str]]:
    return _resolved(file, observations, "geo", lambda text: _area(text, layout.by_nation))


def _industries(file: ArchivedFile, observations: pa.Table, layout: Layout) -> tuple[Numbers, list[str]]:
    scheme, total = layout.industry_scheme, layout.total
    return _resolved(file, observations, layout.activity, lambda text: nace_codes.from_eurostat(text, scheme, total))


def _resolved(
    file: ArchivedFile, observations: pa.Table, column: str, resolve: Callable[[str], str | None]
) -> tuple[Numbers, list[str]]:
    """Number the codes of a column by ours, in alphabetical order; -1 where the rows are left out."""
    if column not in observations.column_names:
        raise SourceFormatError(f"{file.url}, line 1: no dimension {column}")
    positions, found = codes(observations.column(column))
    ours: list[str | None] = []
    for position, text in enumerate(found):
        try:
            ours.append(resolve(text))
        except LookupError as reason:
            line = observations.column("line")[int(np.argmax(positions == position))].as_py()
            raise SourceFormatError(f"{file.url}, line {line}: {reason.args[0]}") from None
    names = sorted({code for code in ours if code is not None})
    numbers = {code: number for number, code in enumerate(names)}
    table = np.array([-1 if code is None else numbers[code] for code in ours], np.int64)
    return (table[positions] if positions.size else positions.astype(np.int64)), names


def _area(text: str, by_nation: bool) -> str | None:
    if text in EU_AGGREGATES:
        return text
    if text in IGNORED_AREAS or (by_nation and len(text) > 2):
        return None
    if is_extra_regio(text) or any(text in nuts_regions(version) for version in NUTS_VERSIONS):
        return text
    raise LookupError(f"area {text!r} is in no NUTS version and nobody declared what to do with it")


def _grid(
    file: ArchivedFile, observations: pa.Table, areas: Numbers, industries: Numbers, width: int, layout: Layout
) -> ObservationGrid:
    cells, place = np.unique(areas * width + industries, return_inverse=True)
    indicators, names = codes(observations.column(layout.indicator))
    value = observations.column("value").to_numpy()
    figures = {}
    marks = np.full(cells.size, "", object)
    for code in layout.indicators:
        rows = np.flatnonzero(indicators == names.index(code)) if code in names else np.empty(0, np.int64)
        _refuse(file, observations, rows[value[rows] < 0], f"{code} is negative")
        times = np.bincount(place[rows], minlength=cells.size)
        _refuse(file, observations, rows[times[place[rows]] > 1], f"the file gives this cell of {code} twice")
        figures[code] = np.full(cells.size, np.nan)
        figures[code][place[rows]] = value[rows]
        if code == layout.employment:
            marks[place[rows]] = observations.column("mark").take(pa.array(rows)).to_pylist()
    return ObservationGrid(cells // width, cells % width, figures, marks)


def _refuse(file: ArchivedFile, observations: pa.Table, rows: Numbers, reason: str) -> None:
    if rows.size:
        line = observations.column("line")[int(rows[0])].as_py()
        raise SourceFormatError(f"{file.url}, line {line}: {reason}")


def _vintages(grid: ObservationGrid, areas: Sequence[str], year: int) -> tuple[Numbers, list[str]]:
    """NUTS version of each area in this year, 0 for areas that are none then, and a sentence about these."""
    is_filled = ~np.isnan(np.stack(list(grid.figures.values()))).all(axis=0)
    filled = {areas[number] for number in np.unique(grid.region[is_filled])}
    vintages = dict.fromkeys(EU_AGGREGATES & set(areas), EU_AGGREGATE_VINTAGE)
    blank: list[str] = []
    restated: list[str] = []
    older: list[str] = []
    for country in sorted({area[:2] for area in areas if area not in EU_AGGREGATES}):
        members = {area for area in areas if area.startswith(country) and area not in EU_AGGREGATES}
        version = nuts_version_of(country, members & filled, year)
        regions = nuts_regions(version)
        for area in sorted(members):
            if area in regions or is_extra_regio(area):
                vintage = version
            elif area not in filled:
                vintage = 0
                blank.append(area)
            elif _is_complete(country, len(area), regions, filled):
                vintage = 0
                restated.append(area)
            else:
                vintage = nuts_version_of_code(area, version)
                older.append(f"{area} ({vintage})")
            vintages[area] = vintage
    return np.array([vintages[area] for area in areas], np.int64), [
        *_note(blank, "areas of other NUTS versions are blank in this year and were left out"),
        *_note(
            restated, "areas of other NUTS versions repeat a territory that is there in this year's version; left out"
        ),
        *_note(older, "areas carry figures under another NUTS version than the rest of their country, and keep it"),
    ]


def _is_complete(country: str, length: int, regions: Collection[str], filled: Collection[str]) -> bool:
    """Whether all regions of a country at one level carry figures."""
    level = {code for code in regions if code.startswith(country) and len(code) == length and not is_extra_regio(code)}
    return level <= set(filled)


def _note(found: Sequence[str], words: str) -> list[str]:
    return [f"{len(found)} {words}: {' '.join(found)}"] if found else []


def _table(
    grid: ObservationGrid,
    rows: Booleans,
    areas: Sequence[str],
    vintages: Numbers,
    industries: Sequence[str],
    layout: Layout,
    year: int,
) -> pa.Table:
    region, industry = grid.region[rows], grid.industry[rows]
    employment = grid.figures[layout.employment][rows]
    wages = grid.figures[layout.wages][rows]
    is_known = ~np.isnan(employment)
    is_small = (employment == 0) & grid.has_flag("n")[rows]
    status = np.where(is_small, 2, is_known.astype(np.int64))
    levels = [nace_codes.TOTAL.lower(), *nace_codes.levels(layout.industry_scheme).values()]
    level_of = dict(zip([nace_codes.TOTAL, *nace_codes.levels(layout.industry_scheme)], levels, strict=True))
    has_wages = not np.isnan(grid.figures[layout.wages]).all()
    count = int(rows.sum())
    figure = pa.array(employment, from_pandas=True)
    return pa.table(
        {
            "source": constant(layout.source, count),
            "year": constant(year, count),
            "region_scheme": _spelled(region, [_scheme(area) for area in areas]),
            "region_code": _spelled(region, areas),
            "region_vintage": pa.array(vintages[region].astype(np.int16)),
            "industry_scheme": constant(layout.industry_scheme, count),
            "industry_code": _spelled(industry, industries),
            "industry_level": _spelled(industry, [level_of[code] for code in industries]),
            "is_leaf": pa.array(leaves(region, industry, industries, layout.industry_scheme, layout.finest)),
            "employment": figure,
            "employment_low": pa.array(np.where(is_known, employment, 0.0)),
            "employment_high": pa.array(np.where(is_small, _HALF, employment), from_pandas=True),
            "employment_reported": figure,
            "employment_status": _spelled(status, ["withheld", "reported", "rounded"]),
            "employment_flag": pa.array(grid.marks[rows].tolist(), pa.string()).dictionary_encode(),
            "establishments": pa.array(grid.figures[layout.units][rows], from_pandas=True),
            "payroll": pa.array(np.round(wages * _MILLION), from_pandas=True),
            "payroll_status": (
                _spelled((~np.isnan(wages)).astype(np.int32), ["withheld", "reported"])
                if has_wages
                else pa.nulls(count, pa.string()).dictionary_encode()
            ),
            "currency_code": constant("EUR", count),
        }
    )


def leaves(region: Numbers, industry: Numbers, industries: Sequence[str], scheme: str, finest: str) -> Booleans:
    """Which rows may be summed within their region: those of level `finest`, and those above without a row below them.

    Rows finer than `finest` are leaves only where nothing coarser stands above them: publishers give them for some
    activities only, and their sums need not meet the level above (groups of trade in Poland).
    """
    level_of = nace_codes.levels(scheme)
    order = {level: number for number, level in enumerate(nace_codes.LEVELS)}
    numbers = {code: number for number, code in enumerate(industries)}
    depth = [order[level_of[code]] if code in level_of else 0 for code in industries]
    present = np.zeros((int(region.max(initial=-1)) + 1, len(industries)), np.bool_)
    present[region, industry] = True
    has_below = np.zeros_like(present)
    has_above = np.zeros_like(present)
    for code, number in numbers.items():
        for ancestor in _ancestors(code, scheme):
            if ancestor not in numbers:
                continue
            above = numbers[ancestor]
            if depth[number] <= order[finest]:
                has_below[:, above] |= present[:, number]
            has_above[:, number] |= present[:, above]
    is_fine = np.array(depth) > order[finest]
    result: Booleans = (np.where(is_fine, ~has_above, ~has_below))[region, industry]
    return result


def _ancestors(code: str, scheme: str) -> Iterable[str]:
    if code == nace_codes.TOTAL:
        return
    above = nace_codes.parent(code, scheme)
    while above is not None:
        yield above
        above = nace_codes.parent(above, scheme)
    yield nace_codes.TOTAL


def _scheme(area: str) -> str:
    return "eu_aggregate" if area in EU_AGGREGATES else f"nuts{len(area) - 2}"


def _spelled(numbers: npt.NDArray[np.integer], values: Sequence[str]) -> pa.DictionaryArray:
    """A column of codes from numbers, each spelling stored once."""
    distinct = sorted(set(values))
    table = np.array([distinct.index(value) for value in values], np.int32)
    return pa.DictionaryArray.from_arrays(
        pa.array(table[numbers] if len(values) else []), pa.array(distinct, pa.string())
    )


def _blank_note(table: pa.Table) -> list[str]:
    withheld = table.column("employment").null_count
    return [f"{withheld:,} of {table.num_rows:,} cells are withheld or missing; the file tells them apart by flag only"]
