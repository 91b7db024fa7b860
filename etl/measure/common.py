"""The common rule: both sides of the Atlantic in one distribution, under one definition of a strong cluster.

Employment is compared with the traded employment that both sides cover, in the region and in a reference area that
pools the USA and the European countries with data. A cluster is strong at or above the pooled 80th percentile of its
quotient, at least 1, and above the first quartile of employment and, where they are known, of establishments: between
the top quarter of the American rule and the top fifth of the European one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from etl.columns import concat, constant
from etl.contracts import contract
from etl.measure import reasons as why
from etl.measure.detail import Detail
from etl.measure.draws import seeds
from etl.measure.grid import CLUSTERS, TRADED, Flags, flag, make_grid, number
from etl.measure.pairing import ComparedSide, SourceAndYear, choose_sides
from etl.measure.panel import AMOUNTS, Panel, ReferenceArea, nuts_codes, stack
from etl.measure.pool import quotients, strong_probability, strong_regions
from etl.measure.quantiles import Floats
from etl.measure.reasons import Reasons
from etl.measure.rules import LEVELS, Rules

TRADED_CODES = CLUSTERS[TRADED]
_UNKNOWN = np.full(len(TRADED_CODES), np.nan)


def measure_common(
    tables: Mapping[SourceAndYear, pa.Table],
    *,
    year: int,
    coverage: pa.Table,
    cells: Mapping[SourceAndYear, Callable[[], pa.Table]] | None = None,
    rules: Rules | None = None,
) -> pa.Table:
    """`region_cluster_common` of one year.

    `tables`: `region_cluster` by source and year, of `year` and the years within the window around it. `coverage`:
    the share of each cluster that those source-years cover. `cells`: reads the estimated `region_industry` of a
    source-year; called for those that are compared, to cut American clusters to the industries that Europe covers and
    to make the coarse variant. Without them clusters stay whole and there is no coarse variant. A side without data
    of the year itself takes its nearest year, the earlier of two; where neither side has the year there are no rows.
    """
    rules = rules or Rules()
    full = {key: make_grid(table) for key, table in tables.items() if table.num_rows}
    covered = _coverage_by_source(coverage)
    same_detail = Detail(tables, cells or {})
    parts = []
    for level in LEVELS:
        american, european = choose_sides(full, level, year, rules)
        if not any(side is not None and side.year == year for side in (american, european)):
            continue
        for variant, replaced in same_detail.variants(american, european).items():
            grids = full | {key: make_grid(table) for key, table in replaced.items()}
            compared = _compare(*choose_sides(grids, level, year, rules), year, covered, rules)
            parts.append(_rows(compared, {"level": level, "variant": variant, "year": year}))
    result = contract("region_cluster_common")
    return result.conform(concat(parts)) if parts else result.empty()


@dataclass(frozen=True, slots=True)
class _Compared:
    """Both sides' regions (n,) under the common rule: figures (n, 51) and why they are null.

    `has_quotient`, `has_flag`: where no reason keeps them back.
    """

    panel: Panel
    year: NDArray[np.int64]
    paired_year: Floats
    reference_area: str | None
    covered_share: Floats
    quotient: Floats
    is_strong: Flags
    has_flag: Flags
    probability: Floats
    reasons: Reasons


def _compare(
    american: ComparedSide | None,
    european: ComparedSide | None,
    year: int,
    covered: Mapping[SourceAndYear, Floats],
    rules: Rules,
) -> _Compared:
    """Score the regions of two sides; one of them is None where it has no year near."""
    present = [side for side in (american, european) if side is not None]
    panel = stack([side.panel for side in present])
    years = _by_region(present, [side.year for side in present]).astype(np.int64)
    own_cover = np.array([covered.get(origin, _UNKNOWN) for origin in zip(panel.source, years.tolist(), strict=True)])
    lowest = np.min([covered.get(origin, _UNKNOWN) for side in present for origin in side.origins], axis=0)
    usable = lowest >= rules.common_coverage
    areas, lacking = reference_areas(present, usable, rules.common_reference)

    reasons = Reasons(panel.employment.shape)
    if len(present) < 2:
        other = "American" if american is None else "European"
        reasons.add(True, f"no {other} year within {rules.common_year_window} years of {year}")
    reasons.add(~panel.is_complete[:, None], why.REGION_INCOMPLETE)
    reasons.add(own_cover == 0, why.NOT_COVERED)
    reasons.add(np.isnan(panel.employment), why.WITHHELD)
    reasons.add(np.isnan(lowest), why.COVERAGE_UNKNOWN)
    reasons.add(~usable, f"less than {rules.common_coverage:.0%} of the cluster is covered on both sides")
    reasons.add(np.isnan(panel.employment[:, usable].sum(axis=1, keepdims=True)), why.CLASS_WITHHELD)
    if lacking:
        reasons.add(True, f"no reference area: no figures for {', '.join(lacking)}")
    for side in present:
        blank = np.count_nonzero(side.panel.is_blank)
        if blank > (1 - rules.common_pool) * len(side.panel.region):
            reasons.add(True, f"no reference area: {blank} of {len(side.panel.region)} regions have no figure")
    reference = np.sum([area.employment for area in areas], axis=0) if areas else _UNKNOWN
    quotient = np.where(reasons.none, quotients(panel.employment, reference, usable), np.nan)
    reasons.add(np.isnan(quotient), why.ZERO_DENOMINATOR)

    is_pooled = panel.is_complete
    expected = _expected_regions(present, rules)
    pooled = np.count_nonzero(~np.isnan(quotient), axis=0)
    for count in np.unique(pooled[pooled < rules.common_pool * expected]):
        reasons.add(pooled == count, f"pool too small: {count} of {expected} regions")
    reasons.add(panel.grade == "D", why.GRADE)
    has_flag = reasons.none
    is_strong, probability = _strong(panel, years, quotient, reference, usable, is_pooled, has_flag, rules)
    reasons.add(np.isnan(probability), why.NO_BOUNDS)
    reasons.add(np.isnan(panel.establishments), why.NO_ESTABLISHMENTS)
    is_paired = len(present) == 2
    return _Compared(
        panel=panel,
        year=years,
        paired_year=_by_region(present, [other.year if is_paired else np.nan for other in present[::-1]]),
        reference_area=" + ".join(area.name for area in areas) if is_paired and areas else None,
        covered_share=own_cover,
        quotient=quotient,
        is_strong=is_strong,
        has_flag=has_flag,
        probability=probability,
        reasons=reasons,
    )


def reference_areas(
    present: Sequence[ComparedSide], usable: Flags, countries: Sequence[str] = ()
) -> tuple[list[ReferenceArea], list[str]]:
    """The areas of the reference, and the codes of those that should be in it but have no figures.

    The USA and every European country with a figure for each `usable` cluster; or the USA and exactly `countries`.
    """
    whole = [area for side in present for area in side.areas if not np.isnan(area.employment[usable]).any()]
    wanted = {"US", *(countries or [area.code for area in whole])}
    chosen = [area for area in whole if area.code in wanted]
    return chosen, sorted(wanted - {area.code for area in chosen})


def _strong(
    panel: Panel,
    years: NDArray[np.int64],
    quotient: Floats,
    reference: Floats,
    usable: Flags,
    is_pooled: Flags,
    has_flag: Flags,
    rules: Rules,
) -> tuple[Flags, Floats]:
    """Flags and probabilities (n, 51) over the pooled regions; a probability is NaN without flag or bounds."""
    is_strong = np.zeros(quotient.shape, np.bool_)
    probability = np.full(quotient.shape, np.nan)
    if not has_flag.any():
        return is_strong, probability
    amounts = {name: values[is_pooled] for name, values in panel.amounts.items()}
    establishments = panel.establishments[is_pooled]
    is_strong[is_pooled] = strong_regions(
        amounts["employment"], establishments, quotient[is_pooled], rules.common_quantile
    )
    seed = np.empty(quotient.shape, np.uint64)
    for year in np.unique(years):
        of_year = np.flatnonzero(years == year)
        seed[of_year] = seeds([panel.keys[i] for i in of_year], TRADED_CODES.tolist(), int(year))
    drawn = strong_probability(
        amounts, establishments, reference, usable, seed[is_pooled], rules.common_draws, rules.common_quantile
    )
    probability[is_pooled] = drawn
    _, low, high, band_low, band_high = (panel.amounts[name] for name in AMOUNTS)
    unbounded = (np.isnan(low) | np.isnan(high)) & (np.isnan(band_low) | np.isnan(band_high))
    probability[~has_flag | unbounded] = np.nan
    return is_strong, probability


def _expected_regions(present: Sequence[ComparedSide], rules: Rules) -> int:
    """How many regions the level has in the areas compared: all of the USA's, and those NUTS lists for each country."""
    expected = 0
    for side in present:
        scheme = str(side.panel.scheme[0])
        if scheme.startswith("us_"):
            expected += rules.us_regions[scheme]
        else:
            expected += len(nuts_codes(int(scheme.removeprefix("nuts")), [area.code for area in side.areas]))
    return expected


def _coverage_by_source(coverage: pa.Table) -> dict[SourceAndYear, Floats]:
    """Covered share of the traded clusters (51,) by source and year; a cluster that is not listed is not covered."""
    result: dict[SourceAndYear, Floats] = {}
    for row in coverage.select(["source", "year", "cluster_code", "covered_share"]).to_pylist():
        shares = result.setdefault((row["source"], row["year"]), np.zeros(len(TRADED_CODES)))
        shares[row["cluster_code"] == TRADED_CODES] = row["covered_share"]
    return result


def _by_region(present: Sequence[ComparedSide], values: Sequence[float]) -> Floats:
    """A value of each side, repeated for its regions."""
    return np.repeat(np.array(values, np.float64), [len(side.panel.region) for side in present])


def _rows(compared: _Compared, key: Mapping[str, str | int]) -> pa.Table:
    """One row for every region and traded cluster."""
    panel, shape = compared.panel, compared.quotient.shape
    rows = shape[0] * shape[1]

    def by_region(values: NDArray[np.generic], kind: pa.DataType) -> pa.Array:
        return pa.array(np.repeat(values, shape[1]), kind, from_pandas=True)

    columns = {name: constant(value, rows) for name, value in key.items()}
    columns |= {
        "region_scheme": by_region(panel.scheme, pa.string()),
        "region_code": by_region(panel.region, pa.string()),
        "region_vintage": by_region(panel.vintage, pa.int16()),
        "cluster_code": pa.array(np.tile(TRADED_CODES, shape[0]), pa.int16()),
        "source": by_region(panel.source, pa.string()),
        "source_year": by_region(compared.year, pa.int16()),
        "paired_year": number(np.repeat(compared.paired_year, shape[1]), pa.int16()),
        "reference_area": pa.array([compared.reference_area] * rows, pa.string()),
        **{name: number(panel.amounts[name].reshape(-1)) for name in AMOUNTS},
        "location_quotient": number(compared.quotient.reshape(-1)),
        "is_strong": flag(compared.is_strong.reshape(-1), compared.has_flag.reshape(-1)),
        "strong_probability": number(compared.probability.reshape(-1)),
        "is_complete": by_region(panel.is_complete, pa.bool_()),
        "grade": pa.array(panel.grade.reshape(-1), pa.string()),
        "covered_share": number(compared.covered_share.reshape(-1)),
        "reason": compared.reasons.column(np.arange(rows)),
    }
    return pa.table(columns)
