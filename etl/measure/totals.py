"""Totals of regions over their clusters."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl.columns import STATUSES
from etl.measure.grid import LOCAL, TRADED, Flags, Grid, number
from etl.measure.portfolio import entropy, herfindahl, shares_of_total
from etl.measure.quantiles import Floats

_PRINTED = ("reported", "noised", "rounded")


def cluster_strength(employment: Floats, is_strong: Flags, is_known: Flags) -> Floats:
    """Share of a region's traded employment (r, 51) in strong clusters.

    NaN where a cluster with employment has no flag: its employment could belong on either side.
    """
    total = employment.sum(axis=1)
    undecided = (~is_known & (employment != 0)).any(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(is_strong & is_known, employment, 0.0).sum(axis=1) / total
    return np.where(undecided | (total == 0), np.nan, share)


def region_total(grid: Grid, is_strong: Flags | None, is_known: Flags | None) -> pa.Table:
    """`region_total` of one source-year; `is_strong` and `is_known` (r, 69), None where the rule has no strong cluster.

    Reported employment over all clusters, 0 and -1 is the region's published total. Where the best figures add up to
    it the total is printed, whatever was withheld below it; its bounds are then those of the printed figures.
    """
    employment, reported = grid.amounts("employment"), grid.amounts("employment_reported").sum(axis=1)
    total = employment.sum(axis=1)
    is_printed = np.abs(total - reported) <= 1e-6 * np.maximum(reported, 1.0)
    status, exact = _status(grid, is_printed, np.isnan(total))
    low, high = grid.amounts("employment_low").sum(axis=1), grid.amounts("employment_high").sum(axis=1)
    # What is printed is there, whichever cluster it belongs to.
    low = np.fmin(np.fmax(low, reported), np.where(np.isnan(total), high, total))
    strength = np.full(len(total), np.nan)
    if is_strong is not None and is_known is not None:
        strength = cluster_strength(employment[:, TRADED], is_strong[:, TRADED], is_known[:, TRADED])
    shares = shares_of_total(employment[:, TRADED])
    first = np.flatnonzero(np.append(True, np.diff(grid.cell // grid.shape[1]) > 0)) if len(grid.cell) else grid.cell
    key = ["source", "year", "region_scheme", "region_code", "region_vintage"]
    columns = {name: grid.table.column(name).take(pa.array(first)) for name in key}
    columns |= {
        "employment": number(total),
        "employment_low": number(np.where(exact, total, low)),
        "employment_high": number(np.where(exact, total, high)),
        "employment_band_low": number(np.where(exact, total, np.nan)),
        "employment_band_high": number(np.where(exact, total, np.nan)),
        "employment_reported": number(reported),
        "employment_status": pa.array(status, pa.string()),
        "employment_traded": number(employment[:, TRADED].sum(axis=1)),
        "employment_local": number(employment[:, LOCAL].sum(axis=1)),
        "employment_unclassified": number(employment[:, 1]),
        "employment_not_allocated": number(employment[:, 0]),
        "establishments": number(grid.amounts("establishments").sum(axis=1)),
        "payroll": number(grid.amounts("payroll").sum(axis=1)),
        "cluster_strength": number(strength),
        "herfindahl": number(herfindahl(shares)),
        "portfolio_entropy": number(entropy(shares)),
        "is_complete": pa.array(~grid.is_incomplete, pa.bool_()),
    }
    if "currency_code" in grid.table.column_names:
        columns["currency_code"] = _first_known(grid, "currency_code")
    return pa.table(columns)


def _status(grid: Grid, is_printed: Flags, is_withheld: Flags) -> tuple[np.ndarray, Flags]:
    """Status of each total, and where the total is exact: the worst status below it that could have made it."""
    worst = np.zeros(len(is_printed), np.int64)
    for rank, name in enumerate(STATUSES):
        has = grid.where("employment_status", name).any(axis=1)
        counts = has & (~is_printed | np.bool_(name in _PRINTED))
        worst = np.where(counts, rank, worst)
    worst = np.where(is_withheld, STATUSES.index("withheld"), worst)
    status = np.array(STATUSES, object)[worst]
    return status, is_printed & (status == "reported")


def _first_known(grid: Grid, name: str) -> pa.Array:
    """A text that is the same in all rows of a region, from the first row that has it."""
    column = grid.table.column(name)
    known = np.flatnonzero(pc.is_valid(column).to_numpy())[::-1]
    first = np.full(grid.shape[0], -1, np.int64)
    first[grid.cell[known] // grid.shape[1]] = known
    return column.take(pa.array(first, mask=first < 0)).cast(pa.string())
