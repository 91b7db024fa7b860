"""From sums by region and cluster to the rows of table region_cluster: best figure, bounds, status, grade, shares."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from etl.columns import STATUSES, constant
from etl.harmonise.arrays import Booleans, Floats, Integers
from etl.harmonise.cluster_sums import COLUMNS, WIDTH, ClusterSums
from etl.harmonise.source_year import BOUNDED, MODELLED, NO_STATUS, WITHHELD, SourceYearArrays
from etl.reference import NOT_ALLOCATED

WITHIN_B, WITHIN_C = 0.10, 0.35
"""Half-width over the figure up to which a grade is given."""

OWN_SHARE_C = 0.50
"""Own share from which a figure has at least grade C."""

BOUNDARY_SHARE = 0.20
"""Share that came through shifts of boundaries above which a grade is lost."""

GRADES = ("A", "B", "C", "D")


def region_cluster(grid: ClusterSums, data: SourceYearArrays) -> pa.Table:
    """The rows of region_cluster that this step can fill, by scheme, region and cluster.

    Every cluster, 0 and -1 for every region; for counties only those with establishments or employment, and -1 and 0
    where they hold something.
    """
    order = np.array(sorted(range(len(grid.regions)), key=grid.regions.__getitem__), np.int64)
    grid = grid.take(order)
    rows = np.flatnonzero(_is_written(grid).reshape(-1))
    region = rows // WIDTH
    flat = {name: values.reshape(-1)[rows] for name, values in grid.sums.items()}
    employment = _with_gaps(flat["known"], flat["missing"] > 0)
    # Sums of shares may differ from the bounds by rounding.
    low = np.fmin(flat["low"], employment)
    high = np.fmax(flat["high"], employment)
    status = np.where(np.isnan(employment), np.int8(WITHHELD), grid.status.reshape(-1)[rows])
    own = _share(flat["own"], flat["known"]) if data.is_nace else np.full(rows.size, np.nan)
    boundary = _share(flat["weighted"], flat["known"])
    is_allocated = np.array(COLUMNS)[rows % WIDTH] != NOT_ALLOCATED
    band_low, band_high = _band(flat, employment, low, high)
    count = rows.size
    columns = {
        "source": constant(data.source, count),
        "year": constant(data.year, count),
        "region_scheme": _names([grid.regions[row].scheme for row in range(len(grid.regions))], region),
        "region_code": _names([grid.regions[row].code for row in range(len(grid.regions))], region),
        "region_vintage": np.array([one.vintage for one in grid.regions], np.int16)[region],
        "cluster_code": np.array(COLUMNS, np.int16)[rows % WIDTH],
        "employment": _column(employment),
        "employment_low": _column(low),
        "employment_high": _column(np.where(np.isinf(high), np.nan, high)),
        "employment_band_low": _column(band_low),
        "employment_band_high": _column(band_high),
        "employment_reported": flat["reported"],
        "employment_status": _statuses(status),
        "establishments": _column(_with_gaps(flat["establishments"], flat["establishments_missing"] > 0)),
        "payroll": _column(_with_gaps(flat["payroll"], flat["payroll_missing"] > 0)),
        "payroll_status": _statuses(grid.payroll_status.reshape(-1)[rows]),
        "currency_code": pa.nulls(count, pa.string())
        if data.currency_code is None
        else constant(data.currency_code, count),
        "grade": _grades(flat, employment, low, high, status, own, boundary),
        "own_share": _column(np.where(is_allocated, own, np.nan)),
        "unambiguous_share": _column(
            np.where(is_allocated & data.is_nace, _share(flat["sure"], flat["known"]), np.nan)
        ),
        "weight_entropy": _column(
            np.where(is_allocated & data.is_nace, _ratio(flat["entropy"], flat["known"]), np.nan)
        ),
        "boundary_weight_share": _column(boundary),
        "is_complete": grid.is_complete[region],
    }
    return pa.table(columns)


def _is_written(grid: ClusterSums) -> Booleans:
    is_county = np.array([region.scheme == "us_county" for region in grid.regions], bool)
    held = grid.sums["establishments"] + np.abs(grid.sums["reported"]) + np.abs(grid.sums["known"])
    has_any = (grid.sums["members"] > 0) & ((held > 0) | (grid.sums["missing"] > 0))
    has_any[:, :2] = held[:, :2] > 0
    written: Booleans = ~is_county[:, None] | has_any
    return written


def _with_gaps(values: Floats, is_missing: Booleans) -> Floats:
    return np.where(is_missing, np.nan, values)


def _ratio(part: Floats, whole: Floats) -> Floats:
    """Part over whole; NaN where the whole is not positive."""
    result: Floats = np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
    return result


def _share(part: Floats, whole: Floats) -> Floats:
    """Part of the whole, at most 1 (sums round); NaN where the whole is not positive."""
    result: Floats = np.minimum(_ratio(part, whole), 1.0)
    return result


def _band(flat: dict[str, Floats], employment: Floats, low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """The band of the sum, where any member has one: half-widths as root of the sum of squares, within hard bounds."""
    has_band = flat["banded"] > 0
    below = np.where(has_band, employment - np.sqrt(flat["below"]), np.nan)
    above = np.where(has_band, employment + np.sqrt(flat["above"]), np.nan)
    return np.maximum(below, low), np.minimum(above, high)


def _grades(
    flat: dict[str, Floats],
    employment: Floats,
    low: Floats,
    high: Floats,
    status: npt.NDArray[np.int8],
    own: Floats,
    boundary: Floats,
) -> pa.Array:
    """The grade of each figure, null without one; one lower where over a fifth came through a shift of boundaries.

    A: printed, exact or by the publisher's own four-digit classes, and nothing unallocated could add to it; B, C: doubt
    within 10 %, 35 % of the figure; C also with an own share of at least one half; D otherwise. Doubt of a figure made
    from coarser industries is half its hard bounds; of another the bands of its members and the parts of what is not
    allocated.
    """
    is_coarse = flat["coarse"] > 0
    doubt = np.where(is_coarse, (high - low) / 2, np.sqrt(flat["half_width"]))
    is_zero = (employment == 0) & (doubt == 0)
    share = np.divide(doubt, employment, out=np.full(doubt.shape, np.inf), where=employment > 0)
    share[is_zero] = 0.0
    level = np.full(share.shape, 3)
    level[(share <= WITHIN_C) | (own >= OWN_SHARE_C)] = 2
    level[share <= WITHIN_B] = 1
    level[((status < BOUNDED) | ((status == MODELLED) & ~is_coarse)) & (share == 0)] = 0
    level = np.minimum(level + (np.nan_to_num(boundary) > BOUNDARY_SHARE), 3)
    indices = pa.array(level.astype(np.int32), mask=np.isnan(employment))
    return pa.DictionaryArray.from_arrays(indices, pa.array(GRADES, pa.string()))


def _column(values: Floats) -> pa.Array:
    return pa.array(values, from_pandas=True)


def _names(values: list[str], position: Integers) -> pa.DictionaryArray:
    distinct = sorted(set(values))
    place = {value: number for number, value in enumerate(distinct)}
    number = np.array([place[value] for value in values], np.int32)
    return pa.DictionaryArray.from_arrays(pa.array(number[position]), pa.array(distinct, pa.string()))


def _statuses(status: npt.NDArray[np.int8]) -> pa.DictionaryArray:
    indices = pa.array(status.astype(np.int32), mask=status == NO_STATUS)
    return pa.DictionaryArray.from_arrays(indices, pa.array(STATUSES, pa.string()))
