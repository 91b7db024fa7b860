"""The European rule: specialisation on all covered employment against Europe; stars for size, specialisation, focus."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from etl.measure import reasons as why
from etl.measure.grid import IS_LOCAL, IS_TRADED, NO_CLUSTER, Flags, Grid, flag, number
from etl.measure.quantiles import Floats, column_quantiles
from etl.measure.reasons import Reasons
from etl.measure.rules import REFERENCE_AREAS, StarRule, reference_area_of

STARS = ("star_size", "star_specialisation", "star_focus")


@dataclass(frozen=True, slots=True)
class Reference:
    """A European reference area, built from the national rows of its members.

    `employment` (69,) by cluster: sums over `members`, those with figures for every cluster; None where they are too
    few. `lacking`: members without figures.
    """

    name: str
    employment: Floats | None
    members: tuple[str, ...]
    lacking: tuple[str, ...]

    @property
    def reason(self) -> str | None:
        """What a reader must know of it, None where all members are in it."""
        if len(self.lacking) > 5:
            size = len(REFERENCE_AREAS[self.name])
            return (
                f"reference area {self.name}: the source has figures for {size - len(self.lacking)} of {size} members"
            )
        return f"reference area {self.name} without {', '.join(self.lacking)}" if self.lacking else None


def build_reference(grid: Grid, year: int, minimum_share: float) -> Reference:
    """The reference area of a year: EU28 to 2019, EU27_2020 from 2020, over the source's national rows.

    A member with a withheld cluster is left out of every cluster, so that quotients still average to 1. There is no
    reference where a member is not in the source at all or has no figure in it, since nothing tells what is lacking
    then, or where those with figures hold less than `minimum_share` of the reported employment.
    """
    name = reference_area_of(year)
    positions = {code: grid.position("nuts0", code) for code in REFERENCE_AREAS[name]}
    employment, reported = grid.amounts("employment"), grid.amounts("employment_reported").sum(axis=1)
    present = [code for code, at in positions.items() if at is not None and not grid.is_incomplete[at]]
    members = [code for code in present if not np.isnan(employment[positions[code]]).any()]
    lacking = tuple(code for code in positions if code not in members)
    held = sum(reported[positions[code]] for code in members)
    if len(present) < len(positions) or held < minimum_share * sum(reported[positions[code]] for code in present):
        return Reference(name, None, tuple(members), lacking)
    return Reference(name, sum_over(grid, members), tuple(members), lacking)


def sum_over(grid: Grid, members: Sequence[str]) -> Floats:
    """Employment by cluster (69,) over the national rows of some countries; NaN where one is withheld or not there."""
    positions = [at for code in members if (at := grid.position("nuts0", code)) is not None]
    if not members or len(positions) < len(members):
        return np.full(grid.shape[1], np.nan)
    total: Floats = grid.amounts("employment")[positions].sum(axis=0)
    return total


@dataclass(frozen=True, slots=True)
class EuropeanMeasures:
    """Results of the rule: matrices (r, 69); a star holds where `known` of the same name does."""

    figures: dict[str, Floats]
    stars: dict[str, Flags]
    known: dict[str, Flags]
    quotient_reasons: Reasons
    star_reasons: Reasons


def covered_quotients(employment: Floats, reference: Floats) -> tuple[Floats, Floats, Floats]:
    """Region share, cluster share and quotient (r, k) on all covered employment, against a reference area (k,).

    A region or cluster without any employment has no share: NaN.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        region_share = employment / employment.sum(axis=1, keepdims=True)
        cluster_share = employment / reference
        quotient = region_share / (reference / reference.sum())
    return _known(region_share), _known(cluster_share), _known(quotient)


def _known(ratio: Floats) -> Floats:
    return np.where(np.isfinite(ratio), ratio, np.nan)


def measure(grid: Grid, reference: Reference, rule: StarRule) -> EuropeanMeasures:
    """Shares, quotients and stars of one European source-year."""
    employment = grid.amounts("employment")
    known = reference.employment if reference.employment is not None else np.full(grid.shape[1], np.nan)
    region_share, cluster_share, quotient = covered_quotients(employment, known)
    reasons = Reasons(grid.shape)
    reasons.add(NO_CLUSTER, why.NOT_A_CLUSTER)
    reasons.add(grid.is_remainder[:, None], why.REMAINDER)
    reasons.add(grid.is_incomplete[:, None], why.REGION_INCOMPLETE)
    reasons.add(np.isnan(employment), why.WITHHELD)
    reasons.add(np.isnan(employment.sum(axis=1, keepdims=True)), why.COVERED_TOTAL_WITHHELD)
    reasons.add(np.isnan(known), reference.reason or why.NO_REFERENCE)
    reasons.add(np.isnan(quotient), why.ZERO_DENOMINATOR)
    quotient[~reasons.none] = np.nan
    region_share[:, NO_CLUSTER], cluster_share[:, NO_CLUSTER] = np.nan, np.nan
    region_share[grid.is_incomplete], cluster_share[grid.is_incomplete] = np.nan, np.nan
    stars, star_known, star_reasons = _stars(grid, reference, rule, region_share, quotient, reasons)
    if reference.reason is not None:
        reasons.add(True, reference.reason)
    figures = {"region_share": region_share, "cluster_share": cluster_share, "location_quotient": quotient}
    return EuropeanMeasures(figures, stars, star_known, reasons, star_reasons)


def _stars(
    grid: Grid, reference: Reference, rule: StarRule, focus: Floats, quotient: Floats, quotient_reasons: Reasons
) -> tuple[dict[str, Flags], dict[str, Flags], Reasons]:
    employment = grid.amounts("employment")
    stars = {name: np.zeros(grid.shape, np.bool_) for name in STARS}
    is_whole = np.zeros(grid.shape, np.bool_)
    for scheme in dict.fromkeys(grid.schemes):
        rows = grid.rows_of(scheme)
        members = rows[~grid.is_remainder[rows]]
        countries = {region[:2] for region in grid.regions[members]}
        whole = set(REFERENCE_AREAS[reference.name]) <= countries and not grid.is_incomplete[members].any()
        is_whole[rows] = whole & ~np.isnan(employment[members]).any(axis=0)
        for name, values in star_flags(employment[members], quotient[members], focus[members], rule).items():
            stars[name][members] = values
    eligible = IS_TRADED & ~grid.is_remainder[:, None] & ~grid.is_incomplete[:, None] & ~grid.where("grade", "D")
    eligible = eligible & ~np.isnan(employment)
    by_quotient = eligible & ~np.isnan(quotient)
    known = {
        "star_size": eligible & is_whole,
        "star_specialisation": by_quotient if rule.specialisation else by_quotient & is_whole,
        "star_focus": eligible & is_whole & ~np.isnan(focus),
    }
    if rule.focus_share is None:
        known["star_focus"] = np.zeros(grid.shape, np.bool_)
    reasons = Reasons(grid.shape)
    reasons.add(NO_CLUSTER, why.NOT_A_CLUSTER)
    reasons.add(IS_LOCAL, why.LOCAL_CLUSTER)
    reasons.take_over(quotient_reasons)
    reasons.add(grid.where("grade", "D"), why.GRADE)
    reasons.add(~is_whole, why.SET_INCOMPLETE)
    return stars, known, reasons


def star_flags(employment: Floats, quotient: Floats, focus: Floats, rule: StarRule) -> dict[str, Flags]:
    """Stars of the regions of one scheme (n, k), cluster by cluster.

    Top shares are taken over regions with employment; a region on the edge of the top share has the star.
    """
    active = employment > 0
    large_enough = active & (employment >= rule.minimum.value)

    def among_top(values: Floats, share: float) -> Flags:
        (edge,) = column_quantiles(np.where(active, values, np.nan), 1 - share)
        top: Flags = large_enough & (values >= edge)
        return top

    nowhere = np.zeros(employment.shape, np.bool_)
    specialised = nowhere
    if rule.specialisation:
        specialised = large_enough & (quotient >= rule.specialisation.value)
    elif rule.specialisation_share:
        specialised = among_top(quotient, rule.specialisation_share.value)
    return {
        "star_size": among_top(employment, rule.size_share.value),
        "star_specialisation": specialised,
        "star_focus": among_top(focus, rule.focus_share.value) if rule.focus_share else nowhere,
    }


def columns(grid: Grid, measured: EuropeanMeasures, rule: StarRule) -> dict[str, pa.Array]:
    """The results as columns of `region_cluster`, in the order of the grid's rows."""
    result = {name: number(grid.by_row(values)) for name, values in measured.figures.items()}
    known = {name: grid.by_row(values) for name, values in measured.known.items()}
    result |= {name: flag(grid.by_row(values), known[name]) for name, values in measured.stars.items()}
    any_star = np.any(list(known.values()), axis=0)
    label = pa.array([rule.label], pa.string())
    result["star_rule"] = pa.DictionaryArray.from_arrays(
        pa.array(np.zeros(len(any_star), np.int32), mask=~any_star), label
    )
    result["quotient_reason"] = measured.quotient_reasons.column(grid.cell)
    result["flag_reason"] = measured.star_reasons.column(grid.cell)
    return result
