"""The American rule: quotients within traded or local clusters, strong clusters, ranks, as US Cluster Mapping has them.

The formulas and the strict and non-strict signs are those of the portal's processing code (clustermapping/cmp, 2020);
with its own employment and establishments they give its published figures.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from etl.measure import reasons as why
from etl.measure.grid import IS_LOCAL, LOCAL, NO_CLUSTER, TRADED, Flags, Grid, Positions, flag, number
from etl.measure.quantiles import Floats, column_quantiles, column_ranks
from etl.measure.reasons import Reasons
from etl.measure.rules import DISTRICT_OF_COLUMBIA

FLAGS = ("is_qualifying", "is_significant", "is_strong", "is_strong_top_decile")
RANKED = ("employment", "establishments", "average_wage", "location_quotient")


@dataclass(frozen=True, slots=True)
class Nation:
    """The figures regions are compared with: employment (69,) by cluster, NaN where withheld; None: there are none."""

    employment: Floats | None
    is_weak: Flags | None = None


@dataclass(frozen=True, slots=True)
class AmericanMeasures:
    """Results of a rule: matrices (r, 69) by column name, and the reasons where they are null.

    `flags` hold only where `flag_reasons` has none.
    """

    figures: dict[str, Floats]
    flags: dict[str, Flags]
    quotient_reasons: Reasons
    flag_reasons: Reasons


def class_quotients(employment: Floats, nation: Floats) -> tuple[Floats, Floats, Floats]:
    """Region share, cluster share and quotient (r, k) of the clusters of one class against the nation (k,).

    Denominators are the class's own totals. A zero denominator gives 0, as the portal writes it; NaN spreads.
    """
    region_share = _ratio(employment, employment.sum(axis=1, keepdims=True))
    cluster_share = _ratio(employment, nation)
    quotient = _ratio(region_share, _ratio(nation, nation.sum()))
    return region_share, cluster_share, quotient


def _ratio(part: Floats, whole: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        result = part / whole
    return np.where((whole == 0) & ~np.isnan(part), 0.0, result)


def strong_flags(employment: Floats, establishments: Floats, quotient: Floats) -> dict[str, Flags]:
    """The portal's four flags for the regions of one type and year (n, k), cluster by cluster.

    Quartiles are taken over regions with employment; a region alone is not above its own quartile.
    """
    active = employment > 0
    employment_floor, establishments_floor, quotients = (
        column_quantiles(np.where(active, values, np.nan), *shares)
        for values, shares in ((employment, (0.25,)), (establishments, (0.25,)), (quotient, (0.25, 0.5, 0.75, 0.9)))
    )
    base = (employment > employment_floor) & (establishments > establishments_floor)
    q25, q50, q75, q90 = quotients
    return {
        "is_qualifying": base & (quotient > q25),
        "is_significant": base & (quotient > q50),
        "is_strong": base & (quotient >= q75) & (quotient >= 1),
        "is_strong_top_decile": base & (quotient >= q90) & (quotient >= 1),
    }


def percentiles(ranks: Floats, counts: Floats | int, scheme: str) -> Floats:
    """Percentile of each rank as the portal computes it, 0 the top; for states it is the rank itself."""
    if scheme == "us_state":
        return ranks
    with np.errstate(divide="ignore", invalid="ignore"):
        result: Floats = np.floor(100 / counts * (ranks - 0.5) + 0.5)
    return result


def average_wage(grid: Grid) -> Floats:
    """Payroll over the employment it belongs to (r, 69): printed with printed, the best figure with an estimate.

    Withheld cells are in neither sum. NaN where no employment stands against the payroll.
    """
    reported, employment = grid.amounts("employment_reported"), grid.amounts("employment")
    estimated = grid.where("payroll_status", "derived_exactly", "bounded", "estimated", "modelled")
    persons = np.where(estimated, employment, reported)
    with np.errstate(divide="ignore", invalid="ignore"):
        wage = grid.amounts("payroll") / persons
    return np.where(persons > 0, wage, np.nan)


def measure(grid: Grid, nation: Nation, set_sizes: Mapping[str, int]) -> AmericanMeasures:
    """Quotients, shares, flags, ranks and percentiles of one source-year.

    `set_sizes`: how many regions a scheme must have before its regions are compared with each other.
    """
    figures, quotient_reasons = _quotients(grid, nation)
    figures["average_wage"] = average_wage(grid)
    flags, flag_reasons = _flags(grid, nation, figures["location_quotient"], quotient_reasons, set_sizes)
    return AmericanMeasures(figures | _ranks(grid, figures, set_sizes), flags, quotient_reasons, flag_reasons)


def _quotients(grid: Grid, nation: Nation) -> tuple[dict[str, Floats], Reasons]:
    employment = grid.amounts("employment")
    reasons = Reasons(grid.shape)
    reasons.add(NO_CLUSTER, why.NOT_A_CLUSTER)
    reasons.add(grid.is_remainder[:, None], why.REMAINDER)
    reasons.add(grid.is_incomplete[:, None], why.REGION_INCOMPLETE)
    reasons.add(np.isnan(employment), why.WITHHELD)
    names = ("region_share", "cluster_share", "location_quotient")
    figures = {name: np.full(grid.shape, np.nan) for name in names}
    known = nation.employment if nation.employment is not None else np.full(grid.shape[1], np.nan)
    for part in (TRADED, LOCAL):
        for name, values in zip(names, class_quotients(employment[:, part], known[part]), strict=True):
            figures[name][:, part] = values
        withheld = np.zeros(grid.shape, np.bool_)
        withheld[:, part] = np.isnan(employment[:, part].sum(axis=1, keepdims=True))
        reasons.add(withheld, why.CLASS_WITHHELD)
    if nation.employment is None:
        reasons.add(True, why.NO_NATION)
    reasons.add(np.isnan(known), why.NATION_WITHHELD)
    reasons.add(np.isnan(figures["location_quotient"]), why.NATION_CLASS_WITHHELD)
    figures["location_quotient"][~reasons.none] = np.nan
    figures["region_share"][grid.is_incomplete] = np.nan
    figures["cluster_share"][grid.is_incomplete] = np.nan
    return figures, reasons


def _flags(
    grid: Grid, nation: Nation, quotient: Floats, quotient_reasons: Reasons, set_sizes: Mapping[str, int]
) -> tuple[dict[str, Flags], Reasons]:
    employment, establishments = grid.amounts("employment"), grid.amounts("establishments")
    reasons = Reasons(grid.shape)
    reasons.add(NO_CLUSTER, why.NOT_A_CLUSTER)
    reasons.add(IS_LOCAL, why.LOCAL_CLUSTER)
    reasons.take_over(quotient_reasons)
    flags = {name: np.zeros(grid.shape, np.bool_) for name in FLAGS}
    for scheme in dict.fromkeys(grid.schemes):
        rows, members, is_whole = comparison_set(grid, scheme, set_sizes)
        outside = np.zeros(grid.shape, np.bool_)
        outside[np.setdiff1d(rows, members)] = True
        reasons.add(outside, why.NOT_COMPARED)
        traded = (slice(None), TRADED)
        found = strong_flags(*(matrix[members][traded] for matrix in (employment, establishments, quotient)))
        for name, values in found.items():
            flags[name][members, TRADED] = values
        reasons.add(np.isnan(establishments) & (grid.schemes == scheme)[:, None], why.ESTABLISHMENTS_WITHHELD)
        lacking = np.isnan(employment[members]) | np.isnan(establishments[members]) | np.isnan(quotient[members])
        unusable = np.zeros(grid.shape, np.bool_)
        unusable[rows] = lacking.any(axis=0) | (not is_whole)
        reasons.add(unusable, why.SET_INCOMPLETE)
    if nation.is_weak is not None:
        reasons.add(nation.is_weak, why.NATION_GRADE)
    reasons.add(grid.where("grade", "D"), why.GRADE)
    return flags, reasons


def comparison_set(grid: Grid, scheme: str, set_sizes: Mapping[str, int]) -> tuple[Positions, Positions, bool]:
    """A scheme's regions, those of them that are compared, and whether all that should be are there with all parts.

    What is no place is never compared, and states are the 50 of the portal: the District of Columbia has its quotient
    only.
    """
    rows = grid.rows_of(scheme)
    compared = ~grid.is_remainder[rows]
    if scheme == "us_state":
        compared &= grid.regions[rows] != DISTRICT_OF_COLUMBIA
    members = rows[compared]
    is_whole = len(members) >= set_sizes.get(scheme, len(members) + 1) and not grid.is_incomplete[members].any()
    return rows, members, is_whole


def _ranks(grid: Grid, figures: Mapping[str, Floats], set_sizes: Mapping[str, int]) -> dict[str, Floats]:
    result: dict[str, Floats] = {}
    below_grade = grid.where("grade", "D")
    for name in RANKED:
        values = figures[name] if name in figures else grid.amounts(name)
        ranks, percents = np.full(grid.shape, np.nan), np.full(grid.shape, np.nan)
        for scheme in dict.fromkeys(grid.schemes):
            _, members, is_whole = comparison_set(grid, scheme, set_sizes)
            if not is_whole:
                continue
            own = values[members]
            # A wage is unknown for many regions and the others are still ranked; any other figure must be there.
            if name != "average_wage":
                own = np.where(np.isnan(own).any(axis=0), np.nan, own)
            count = np.count_nonzero(own > 0, axis=0) if name == "location_quotient" else len(members)
            ranks[members] = column_ranks(own)
            percents[members] = percentiles(ranks[members], count, scheme)
        if name != "establishments":
            ranks[below_grade], percents[below_grade] = np.nan, np.nan
        ranks[:, NO_CLUSTER], percents[:, NO_CLUSTER] = np.nan, np.nan
        result[f"{name}_rank"], result[f"{name}_percentile"] = ranks, percents
    return result


def columns(grid: Grid, measured: AmericanMeasures) -> dict[str, pa.Array]:
    """The results as columns of `region_cluster`, in the order of the grid's rows."""
    result: dict[str, pa.Array] = {}
    for name, values in measured.figures.items():
        kind = pa.int32() if name.endswith("_rank") else pa.int16() if name.endswith("_percentile") else pa.float64()
        result[name] = number(grid.by_row(values), kind)
    known = grid.by_row(measured.flag_reasons.none)
    result |= {name: flag(grid.by_row(values), known) for name, values in measured.flags.items()}
    result["quotient_reason"] = measured.quotient_reasons.column(grid.cell)
    result["flag_reason"] = measured.flag_reasons.column(grid.cell)
    return result
