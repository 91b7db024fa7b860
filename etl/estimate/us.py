"""The American half of the estimate: nation, states and counties of one source-year from one set of leaves.

Method: `docs/methodology.md`. Metropolitan rows pass through as they are; their employment is summed from counties
later, so that all regions come from the same leaves.
"""

import pyarrow as pa
import pyarrow.compute as pc

from etl import cells as rows
from etl.estimate.holdout import HoldOut, hold_out
from etl.estimate.payroll import estimate_payroll
from etl.estimate.result import Estimated
from etl.estimate.solve import solve
from etl.estimate.us_findings import contradiction_rows, nothing_found, quality_rows
from etl.estimate.us_problem import pose
from etl.estimate.us_tables import SCHEMES, completed_rows
from etl.schema import contract

ESTIMATED = ("derived_exactly", "bounded", "estimated", "modelled")


def estimate_us(cells: pa.Table, *, previous: pa.Table | None = None) -> Estimated:
    """Fill the withheld cells of one source-year of `region_industry`, and make explicit what is missing.

    `cells`: as the readers give them; columns `establishments_…` of size classes are used and not passed on.
    `previous`: the same source's rows of the year before, used as a further prior where given.

    Printed figures stay. Rows are added for cells the file dropped and for remainders (see `etl.estimate.complete`).
    A table that already holds estimates is returned as it is. Raises DataError where a cell stands there twice.
    """
    columns = [name for name in contract("region_industry").column_names if name in cells.column_names]
    is_ours = pc.is_in(cells.column("region_scheme"), pa.array(SCHEMES))
    ours, others = cells.filter(is_ours), cells.filter(pc.invert(is_ours)).select(columns)
    is_done = pc.any(pc.is_in(ours.column("employment_status"), pa.array(ESTIMATED))).as_py()
    if is_done or not ours.num_rows:
        return Estimated(cells.select(columns), *nothing_found())
    source, year = (ours.column(name)[0].as_py() for name in ("source", "year"))
    posed = pose(ours, previous)
    solution = solve(posed.problem)
    held_out = hold_out(posed.problem)
    payroll = estimate_payroll(posed.problem, solution)
    completed = completed_rows(ours, posed, solution, held_out.calibration, payroll)
    contradictions = contradiction_rows(posed, solution, ours)
    return Estimated(
        rows.concat([completed, others]) if others.num_rows else completed,
        quality_rows(posed, held_out, source, year),
        contradictions,
        [_summary(source, year, completed, held_out, contradictions.num_rows)],
    )


def _summary(source: str, year: int, completed: pa.Table, held_out: HoldOut, contradictions: int) -> str:
    counts = {
        pair["values"]: pair["counts"] for pair in pc.value_counts(completed.column("employment_status")).to_pylist()
    }
    parts = [f"{counts[name]:,} {name.replace('_', ' ')}" for name in ESTIMATED if counts.get(name)]
    text = f"{source} {year}: of {completed.num_rows:,} cells {', '.join(parts) or 'none estimated'}"
    if held_out.truth.size:
        error = abs(held_out.estimate - held_out.truth).sum() / held_out.truth.sum()
        text += f"; {held_out.truth.size:,} printed cells held out: weighted error {error:.1%}"
    return text + (f"; {contradictions} contradictions in the source" if contradictions else "")
