"""How wrong and how dear the American estimates are, on a made-up economy of which everything is known.

    python -m bench.us_error [SEED]

draws 7 million establishments in 3,143 counties (1.8 million cells, 57 % of them withheld), estimates, and prints the
weighted error over withheld county leaves beside the mid-point rule's, seconds and peak memory. Drawing and estimating
are processes of their own, so that the memory is the estimate's (and its input's) alone.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

KEY = ["region_code", "industry_code"]


def draw(folder: Path, seed: int) -> None:
    """Write the economy's cells and its truth."""
    from tests.estimate.synthetic import economy

    source = economy(seed=seed)
    pq.write_table(source.cells, folder / "cells.parquet")
    pq.write_table(source.cells.select(KEY).append_column("truth", pa.array(source.truth)), folder / "truth.parquet")


def run(folder: Path) -> None:
    """Estimate the cells; say what it cost, write the result."""
    from etl.estimate import estimate

    cells = pq.read_table(folder / "cells.parquet")
    began, used = time.perf_counter(), time.process_time()
    result = estimate(cells)
    seconds, processor = time.perf_counter() - began, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(f"{cells.num_rows:,} cells: {seconds:.1f} s ({processor:.1f} s of processor), peak memory {peak:.2f} GiB")
    print(result.notes[0])
    pq.write_table(result.cells, folder / "result.parquet")


def compare(folder: Path) -> None:
    """Errors over withheld county leaves, ours and the mid-point rule's, and how the sums over regions close."""
    from tests.estimate.synthetic import range_of

    names = [*KEY, "region_scheme", "is_leaf", "employment", "employment_low", "employment_high", "employment_reported"]
    cells = pq.read_table(folder / "result.parquet", columns=names).to_pandas()
    both = cells.merge(pq.read_table(folder / "truth.parquet").to_pandas(), on=KEY, validate="one_to_one")
    inside = (both.employment_low <= both.truth + 1e-6) & (both.truth <= both.employment_high + 1e-6)
    print(f"truth inside the bounds: {inside.mean():.6f} of the cells")
    leaves = both[both.is_leaf & both.employment_reported.isna() & (both.region_scheme == "us_county")]
    truth = leaves.truth.to_numpy()
    low, high = range_of(truth)
    midpoint = np.where(np.isnan(high), low, np.round((low + high + 0.5) / 2))
    for name, value in (("ours", leaves.employment.to_numpy()), ("mid-point rule", midpoint)):
        error = np.abs(value - truth)
        large = truth >= 100
        print(
            f"{name}: weighted error {error.sum() / truth.sum():.4f} over {truth.size:,} withheld county leaves, "
            f"{error[large].sum() / truth[large].sum():.4f} over those of 100 and more; "
            f"bias {(value - truth).sum() / truth.sum():+.4f}"
        )
    states = both[both.region_scheme == "us_state"].set_index(KEY).employment
    counties = both[both.region_scheme == "us_county"]
    sums = counties.groupby([counties.region_code.str[:2], "industry_code"], observed=True).employment.sum()
    gap = np.abs(states.to_numpy() - sums.reindex(states.index).to_numpy())
    beyond = gap > np.maximum(0.001 * states.to_numpy(), 0.5)
    print(
        f"counties miss their state by {gap.sum() / states.sum():.1e} of the persons; {beyond.sum():,} of {gap.size:,} "
        "sums by more than 0.1 % and half a person"
    )


def main() -> None:
    """Draw, estimate and compare, each in its own process."""
    if len(sys.argv) > 2:
        step, folder = sys.argv[1], Path(sys.argv[2])
        {"run": run, "compare": compare}[step](folder) if step != "draw" else draw(folder, int(sys.argv[3]))
        return
    seed = sys.argv[1] if len(sys.argv) > 1 else "1"
    with tempfile.TemporaryDirectory() as name:
        for step in ("draw", "run", "compare"):
            subprocess.run([sys.executable, "-m", "bench.us_error", step, name, seed], check=True)


if __name__ == "__main__":
    main()
