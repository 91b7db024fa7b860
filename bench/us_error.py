"""How wrong and how dear the American estimates are, on a made-up economy of which everything is known.

`python -m bench estimates` draws 7 million establishments in 3,143 counties (1.8 million cells, 57 % of them withheld),
estimates, and puts the weighted error over withheld county leaves beside the mid-point rule's, seconds and peak memory.
Drawing and estimating are processes of their own, so that the memory is the estimate's (and its input's) alone.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.measured import Clock, Row

WORKLOAD = "estimates of a made-up economy"
KEY = ["region_code", "industry_code"]
SEED = 1
MOST_WRONG = 0.04
"""Weighted error over withheld county leaves that is allowed."""

MEMORY_MIB = 1280


def draw(folder: Path) -> list[Row]:
    """Write the economy's cells and its truth."""
    from tests.estimate.synthetic import economy

    source = economy(seed=SEED)
    pq.write_table(source.cells, folder / "cells.parquet")
    pq.write_table(source.cells.select(KEY).append_column("truth", pa.array(source.truth)), folder / "truth.parquet")
    return []


def run(folder: Path) -> list[Row]:
    """Estimate the cells; what it cost. The result is left for the comparison."""
    from etl.estimate import estimate

    cells = pq.read_table(folder / "cells.parquet")
    clock = Clock(WORKLOAD)
    with clock.stage("estimate", 6) as row:
        result = estimate(cells)
    row.rows = cells.num_rows
    memory = Row(WORKLOAD, "peak memory", peak_mib=row.peak_mib)
    memory.against_memory(MEMORY_MIB)
    pq.write_table(result.cells, folder / "result.parquet")
    pq.write_table(result.contradictions, folder / "contradictions.parquet")
    return [*clock.lines, memory]


def compare(folder: Path) -> list[Row]:
    """Errors over withheld county leaves, ours and the mid-point rule's; the truth in its bounds; sums over regions."""
    from tests.estimate.synthetic import range_of

    names = [*KEY, "region_scheme", "is_leaf", "employment", "employment_low", "employment_high", "employment_reported"]
    cells = pq.read_table(folder / "result.parquet", columns=names).to_pandas()
    both = cells.merge(pq.read_table(folder / "truth.parquet").to_pandas(), on=KEY, validate="one_to_one")
    inside = float(((both.employment_low <= both.truth + 1e-6) & (both.truth <= both.employment_high + 1e-6)).mean())
    leaves = both[both.is_leaf & both.employment_reported.isna() & (both.region_scheme == "us_county")]
    truth = leaves.truth.to_numpy()
    low, high = range_of(truth)
    midpoint = np.where(np.isnan(high), low, np.round((low + high + 0.5) / 2))
    ours, theirs = (np.abs(value - truth).sum() / truth.sum() for value in (leaves.employment.to_numpy(), midpoint))
    states = both[both.region_scheme == "us_state"].set_index(KEY).employment
    counties = both[both.region_scheme == "us_county"]
    sums = counties.groupby([counties.region_code.str[:2], "industry_code"], observed=True).employment.sum()
    gap = np.abs(states.to_numpy() - sums.reindex(states.index).to_numpy())
    missed = set(states.index[gap > np.maximum(0.001 * states.to_numpy(), 0.5)])
    contradictions = pq.read_table(folder / "contradictions.parquet", filters=[("kind", "=", "geography")])
    listed = set(zip(*(contradictions[name].to_pylist() for name in KEY), strict=True))
    return [
        _finding(
            f"error over withheld county leaves: ours {ours:.1%}, mid-point rule {theirs:.1%}",
            truth.size,
            f"{MOST_WRONG:.0%} of the persons",
            bool(ours <= MOST_WRONG),
        ),
        _finding(f"truth inside the bounds: {inside:.4%} of the cells", len(both), "all cells", inside == 1),
        _finding(
            f"counties miss their state by {gap.sum() / states.sum():.5%} of the persons",
            gap.size,
            "0.1 % of the persons",
            bool(gap.sum() <= 0.001 * states.sum()),
        ),
        _finding(
            f"sums missed by more than 0.1 % and half a person: {len(missed)}, by {gap.max():.1f} persons at most",
            gap.size,
            "all listed",
            missed <= listed,
        ),
    ]


def _finding(stage: str, rows: int, budget: str, holds: bool) -> Row:
    return Row(WORKLOAD, stage, rows=rows, budget=budget, holds=holds)
