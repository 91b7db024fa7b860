"""The American half of the estimate: nation, states and counties of one source-year from one set of leaves.

Method: `docs/methodology.md`. Metropolitan rows pass through as they are; their employment is summed from counties
later, so that all regions come from the same leaves.
"""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl import columns as rows
from etl.contracts import contract
from etl.estimate.common.result import Estimated
from etl.estimate.us.findings import contradiction_rows, nothing_found, quality_rows
from etl.estimate.us.holdout import HoldOut, hold_out
from etl.estimate.us.payroll import estimate_payroll
from etl.estimate.us.problem_from_rows import build_problem
from etl.estimate.us.solve import solve
from etl.estimate.us.tables import SCHEMES, completed_rows

ESTIMATED = ("derived_exactly", "bounded", "estimated", "modelled")


def estimate_us(cells: pa.Table, *, previous: pa.Table | None = None) -> Estimated:
    """Fill the withheld cells of one source-year of `region_industry`, and make explicit what is missing.

    `cells`: as the readers give them; columns `establishments_…` of size classes are used and not passed on.
    `previous`: the same source's rows of the year before, used as a further prior where given.

    Printed figures stay. Rows are added for cells the file dropped and for remainders (see `missing_cells`).
    A table that already holds estimates is returned as it is. Raises DataError where a cell stands there twice.
    """
    columns = [name for name in contract("region_industry").column_names if name in cells.column_names]
    ours, others = _of_schemes(cells)
    is_done = set(pc.unique(ours.column("employment_status")).to_pylist()) & set(ESTIMATED)
    if is_done or not ours.num_rows:
        return Estimated(cells.select(columns), *nothing_found())
    source, year = (ours.column(name)[0].as_py() for name in ("source", "year"))
    posed = build_problem(ours, previous)
    solution = solve(posed.problem)
    held_out = hold_out(posed.problem)
    contradictions = contradiction_rows(posed, solution, ours)
    posed = replace(posed, problem=replace(posed.problem, sizes=None))  # a tenth of the memory, no longer needed
    payroll = estimate_payroll(posed.problem, solution)
    completed = completed_rows(ours, posed, solution, held_out.calibration, payroll)
    return Estimated(
        rows.concat([completed, others.select(columns)]) if others.num_rows else completed,
        quality_rows(posed, held_out, source, year),
        contradictions,
        [_summary(completed, held_out, contradictions.num_rows)],
    )


def _of_schemes(cells: pa.Table) -> tuple[pa.Table, pa.Table]:
    """The rows of nation, states and counties, and the others."""
    positions, schemes = rows.codes(cells.column("region_scheme"))
    is_ours = np.array([scheme in SCHEMES for scheme in schemes], bool)[positions]
    if is_ours.all():
        return cells, cells.slice(0, 0)
    return cells.filter(pa.array(is_ours)), cells.filter(pa.array(~is_ours))


def _summary(completed: pa.Table, held_out: HoldOut, contradictions: int) -> str:
    counts = {
        pair["values"]: pair["counts"] for pair in pc.value_counts(completed.column("employment_status")).to_pylist()
    }
    parts = [f"{counts[name]:,} {name.replace('_', ' ')}" for name in ESTIMATED if counts.get(name)]
    text = f"of {completed.num_rows:,} cells {', '.join(parts) or 'none estimated'}"
    if held_out.truth.size:
        error = abs(held_out.estimate - held_out.truth).sum() / held_out.truth.sum()
        text += f"; {held_out.truth.size:,} printed cells held out: weighted error {error:.1%}"
    return text + (f"; {contradictions} contradictions in the source" if contradictions else "")
