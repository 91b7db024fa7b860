"""All native measures of one year: each source by its own rule, then beside what the portals published."""

from collections.abc import Collection, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl.columns import concat, constant
from etl.contracts import contract
from etl.measure import dynamics, native_europe, native_us, portfolio
from etl.measure.grid import Flags, Grid, make_grid
from etl.measure.quantiles import Floats
from etl.measure.reasons import NOT_COVERED
from etl.measure.reconciliation import reconcile
from etl.measure.rules import Rules
from etl.measure.totals import region_total

TABLES = ("region_cluster", "region_total", "reconciliation")


def measure_year(
    tables: Mapping[str, pa.Table],
    *,
    year: int,
    previous: Mapping[str, tuple[int, pa.Table]] | None = None,
    published: pa.Table | None = None,
    coverage: pa.Table | None = None,
    rules: Rules | None = None,
) -> dict[str, pa.Table]:
    """Complete the harmonised clusters of one year with every native measure.

    `tables`: by source, that year's `region_cluster` as `harmonise` leaves it, all region schemes stacked.
    `previous`: by source, the earlier year growth is measured from and its table. `published`: the portals' rows of
    the year. `coverage`: which share of each cluster the source-years cover; a cluster that a source does not cover at
    all is no part of its totals. Without it every cluster counts.

    Returns `region_cluster`, `region_total` and `reconciliation`, as their contracts have them.
    Raises DataError where a table has two rows for one region and cluster, or an unknown cluster.
    """
    rules = rules or Rules()
    clusters, totals = [], []
    for source in sorted(tables):
        if tables[source].num_rows:
            earlier = (previous or {}).get(source)
            gaps = uncovered_clusters(coverage, source, year) if coverage is not None else ()
            completed, total = measure_source(tables[source], year=year, previous=earlier, gaps=gaps, rules=rules)
            clusters.append(completed)
            totals.append(total)
    result = {
        "region_cluster": _stacked("region_cluster", clusters),
        "region_total": _stacked("region_total", totals),
    }
    rows = reconcile(published, result["region_cluster"], rules) if published is not None else None
    result["reconciliation"] = _stacked("reconciliation", [rows] if rows is not None else [])
    return result


def measure_source(
    table: pa.Table,
    *,
    year: int,
    previous: tuple[int, pa.Table] | None = None,
    gaps: Collection[int] = (),
    rules: Rules,
) -> tuple[pa.Table, pa.Table]:
    """`region_cluster` and `region_total` of one source-year, by the rule of its side of the Atlantic.

    `gaps`: clusters that the source does not cover. Their rows stay, with nothing but the reason.
    """
    grid = make_grid(_without(table, gaps))
    is_american = any(scheme.startswith("us_") for scheme in grid.schemes)
    earlier = None
    if previous is not None and previous[1].num_rows:
        earlier = (previous[0], make_grid(_without(previous[1], gaps)))
    complete = _american if is_american else _european
    columns, is_strong, is_known = complete(grid, year, earlier, rules)
    parts = [grid.with_columns(columns)]
    if gaps:
        left = table.filter(pc.is_in(table.column("cluster_code"), pa.array(sorted(gaps), pa.int16())))
        reason = constant(NOT_COVERED, left.num_rows)
        parts.append(left.append_column("quotient_reason", reason).append_column("flag_reason", reason))
    return concat(parts), region_total(grid, is_strong, is_known)


def uncovered_clusters(coverage: pa.Table, source: str, year: int) -> tuple[int, ...]:
    """The clusters of which a source-year covers nothing."""
    here = pc.and_(pc.equal(coverage.column("source"), source), pc.equal(coverage.column("year"), year))
    nothing = pc.and_(here, pc.equal(coverage.column("covered_share"), 0))
    return tuple(coverage.filter(nothing).column("cluster_code").to_pylist())


def _without(table: pa.Table, clusters: Collection[int]) -> pa.Table:
    if not clusters:
        return table
    return table.filter(pc.invert(pc.is_in(table.column("cluster_code"), pa.array(sorted(clusters), pa.int16()))))


_Completed = tuple[dict[str, pa.Array], Flags | None, Flags | None]


def _american(grid: Grid, year: int, earlier: tuple[int, Grid] | None, rules: Rules) -> _Completed:
    nation = nation_of(grid)
    measured = native_us.measure(grid, nation, rules.us_regions)
    columns = native_us.columns(grid, measured)
    columns |= _transformed(grid, measured.figures["location_quotient"])
    if earlier is not None:
        before_year, before = earlier
        national = [_or_unknown(nation_of(one).employment, one) for one in (before, grid)]
        columns |= dynamics.columns(grid, before, year - before_year, *national)
    return columns, measured.flags["is_strong"], measured.flag_reasons.none


def _european(grid: Grid, year: int, earlier: tuple[int, Grid] | None, rules: Rules) -> _Completed:
    reference = native_europe.build_reference(grid, year, rules.reference_minimum_share)
    measured = native_europe.measure(grid, reference, rules.stars)
    columns = native_europe.columns(grid, measured, rules.stars)
    columns["average_wage"] = pa.array(grid.by_row(native_us.average_wage(grid)), pa.float64(), from_pandas=True)
    columns |= _transformed(grid, measured.figures["location_quotient"])
    if earlier is not None:
        before_year, before = earlier
        # The same members in both years; where they lack a figure in one of them, growth against Europe is unknown.
        members = reference.members if reference.employment is not None else ()
        totals = [native_europe.sum_over(one, members) for one in (before, grid)]
        columns |= dynamics.columns(grid, before, year - before_year, *totals)
    return columns, None, None


def nation_of(grid: Grid) -> native_us.Nation:
    """The national figures of an American source-year, if it has any."""
    at = grid.position("us_nation", "US")
    if at is None:
        return native_us.Nation(None)
    return native_us.Nation(grid.amounts("employment")[at], grid.where("grade", "D")[at])


def _transformed(grid: Grid, quotient: Floats) -> dict[str, pa.Array]:
    return portfolio.columns(grid.by_row(quotient), grid.by_row(grid.amounts("employment")))


def _or_unknown(employment: Floats | None, grid: Grid) -> Floats:
    return np.full(grid.shape[1], np.nan) if employment is None else employment


def _stacked(name: str, parts: list[pa.Table]) -> pa.Table:
    """Tables of sources in their order, which is the first part of the key: conformed one by one they stay sorted."""
    return pa.concat_tables([contract(name).conform(part) for part in parts]) if parts else contract(name).empty()
