"""European source-years: withheld cells completed, every division spread over the classes of NACE.

What is published stays as it is. A row that the publisher does not have carries no mark (`employment_flag` null): the
remainders of sums, and the modelled classes. The order in which structures are used stands in `europe_structure`.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl import columns
from etl.contracts import contract
from etl.errors import DataError
from etl.estimate.common.result import Estimated
from etl.estimate.europe.classes import Classes, spread_classes
from etl.estimate.europe.grid import AreaGrid, read_grid
from etl.estimate.europe.holdout import HeldOut, hold_out
from etl.estimate.europe.imputation import TREES, ImputedGrid, impute
from etl.estimate.europe.payroll import completed_pay
from etl.estimate.europe.rows import MADE_HERE, rows_of
from etl.estimate.europe.structures import read_structures
from etl.estimate.europe.truth import class_quality

_ESTIMATED = ("derived_exactly", "bounded", "estimated")


def estimate_europe(cells: pa.Table, *, structures: Sequence[pa.Table] = ()) -> Estimated:
    """Complete a European source-year and spread its divisions over classes.

    `cells`: rows of `region_industry` of one source, year and classification, in any order; withheld cells null with
    bounds. `structures`: rows of `region_industry` of other source-years that hold classes, by region or by country.
    Rows of sums of countries are passed on as they are. Running it on its own result gives the same result.

    Raises DataError for rows of several source-years or classifications.
    """
    published = _as_published(cells)
    _refuse_mixture(published)
    is_sum = pc.equal(published.column("region_scheme"), "eu_aggregate")
    passed_on, published = published.filter(is_sum), published.filter(pc.invert(is_sum))
    if not published.num_rows:
        empty = [contract(name).empty() for name in ("estimate_quality", "contradiction")]
        return Estimated(contract("region_industry").conform(passed_on), *empty)
    grid = read_grid(published)
    done = impute(grid)
    held = hold_out(grid)
    pay = completed_pay(published, done)
    year = int(published.column("year")[0].as_py())
    known = read_structures(structures, grid.industry_scheme)
    classes = spread_classes(done, known, year)
    result = rows_of(published, done, classes, pay, held)
    table = contract("region_industry").conform(columns.concat([result, passed_on]))
    return Estimated(
        table,
        _quality(published, grid, held),
        _contradictions(published, done),
        _notes(grid, done, held, classes),
    )


def _as_published(table: pa.Table) -> pa.Table:
    """The publisher's own rows, as they were before any estimate."""
    ours = pc.and_(pc.is_null(table.column("employment_flag")), pc.is_null(table.column("employment_reported")))
    table = table.filter(pc.invert(ours))
    drop = [name for name in MADE_HERE if name in table.column_names]
    table = table.drop_columns(drop)
    table = columns.plain(table, ("employment_status", "payroll_status"))
    status = table.column("employment_status")
    reset = pc.is_in(status, pa.array(_ESTIMATED))
    nothing = pa.scalar(None, pa.float64())
    new = {
        "employment": pc.if_else(reset, nothing, table.column("employment")),
        "employment_low": pc.if_else(reset, 0.0, table.column("employment_low")),
        "employment_high": pc.if_else(reset, nothing, table.column("employment_high")),
        "employment_status": pc.if_else(reset, "withheld", status),
    }
    pay_status = table.column("payroll_status").cast(pa.string())
    pay_reset = pc.fill_null(pc.is_in(pay_status, pa.array(_ESTIMATED)), False)
    new["payroll"] = pc.if_else(pay_reset, nothing, table.column("payroll").cast(pa.float64()))
    new["payroll_status"] = pc.if_else(pay_reset, "withheld", pay_status)
    for name, values in new.items():
        table = table.set_column(table.column_names.index(name), name, values)
    return table


def _refuse_mixture(table: pa.Table) -> None:
    for name in ("source", "year", "industry_scheme"):
        found = sorted({str(value) for value in pc.unique(table.column(name)).to_pylist()})
        if len(found) > 1:
            raise DataError(f"cells of several {name}s cannot be estimated together: {', '.join(found)}")


def _quality(published: pa.Table, grid: AreaGrid, held: HeldOut) -> pa.Table:
    """Rows of `estimate_quality`: held-out divisions; classes spread and compared where there are any by region."""
    rows = [
        {"region_scheme": "nuts2", "sector": section or "ALL", **held.quality(section)}
        for section in (None, *sorted(set(held.section.tolist())))
        if held.value.size
    ]
    rows += class_quality(grid)
    head = {name: published.column(name)[0].as_py() for name in ("source", "year")} if rows else {}
    return contract("estimate_quality").conform(
        pa.Table.from_pylist([head | row for row in rows]) if rows else contract("estimate_quality").empty()
    )


def _contradictions(published: pa.Table, done: ImputedGrid) -> pa.Table:
    """Rows of `contradiction`: sums their members cannot meet, and countries their regions fall short of."""
    width = len(done.grid.industries)
    rows = []
    for conflict in [*done.conflicts, *done.shortfalls]:
        area = done.grid.areas[conflict.cell // width]
        nearest = conflict.members_high if conflict.low > conflict.members_high else conflict.members_low
        rows.append(
            {
                "region_scheme": area.scheme,
                "region_code": area.code,
                "region_vintage": area.vintage,
                "industry_scheme": done.grid.industry_scheme,
                "industry_code": done.grid.industries[conflict.cell % width],
                "kind": TREES[conflict.tree],
                "amount_published": conflict.low,
                "amount_possible_low": conflict.members_low,
                "amount_possible_high": conflict.members_high,
                "difference": conflict.low - nearest,
            }
        )
    if not rows:
        return contract("contradiction").empty()
    head = {name: published.column(name)[0].as_py() for name in ("source", "year")}
    return contract("contradiction").conform(pa.Table.from_pylist([head | row for row in rows]))


def _notes(grid: AreaGrid, done: ImputedGrid, held: HeldOut, classes: Classes) -> list[str]:
    silent = int(done.is_silent.sum())
    withheld = int((grid.present & ~grid.is_known).sum()) - silent
    notes = []
    if withheld:
        notes.append(f"{withheld:,} withheld cells of {int(grid.present.sum()):,} estimated")
    if silent:
        areas = [done.grid.areas[number].code for number in np.unique(np.nonzero(done.is_silent)[0]).tolist()]
        shown = " ".join(areas[:20]) + (" …" if len(areas) > 20 else "")
        notes.append(f"{silent:,} cells stay withheld: nothing published tells their size ({shown})")
    if held.is_enough:
        found = held.quality(None)
        notes.append(
            f"{found['cells']} held-out cells: error {found['weighted_error']:.1%}, "
            f"mid-points {found['midpoint_error']:.1%}; {found['band_coverage']:.0%} inside the 80 % band"
        )
    elif withheld:
        notes.append(f"{held.value.size} cells could be held out: too few to calibrate the band of completed cells")
    if done.conflicts or done.shortfalls:
        notes.append(
            f"{len(done.conflicts)} sums contradict their members and {len(done.shortfalls)} countries exceed their "
            "regions; listed"
        )
    if classes.exists.any():
        amounts = np.bincount(classes.origin[classes.exists], classes.value[classes.exists])
        shares: dict[str, float] = {}
        for origin, amount in zip(classes.origins, amounts / max(amounts.sum(), 1e-9), strict=False):
            shares[origin.words] = shares.get(origin.words, 0.0) + float(amount)
        parts = [f"{words} {share:.0%}" for words, share in sorted(shares.items(), key=lambda pair: -pair[1]) if share]
        notes.append(f"divisions spread over classes by: {', '.join(parts)} (of all areas' persons)")
    return notes
