"""What changed since an earlier year: job creation, growth rates and shift-share."""

import numpy as np
import pyarrow as pa

from etl.measure.grid import Grid, number
from etl.measure.quantiles import Floats


def growth_rate(before: Floats, after: Floats, years: int) -> Floats:
    """Compound annual growth rate; NaN where nothing was there before."""
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = (after / before) ** (1 / years) - 1
    return np.where(before > 0, rate, np.nan)


def expected_job_creation(before: Floats, reference_before: Floats, reference_after: Floats) -> Floats:
    """Job creation (r, k) had each cluster grown as in the reference area (k,); NaN where that had none before."""
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = before * ((reference_after - reference_before) / reference_before)
    return np.where(np.isfinite(expected), expected, np.nan)


def shift_share(
    before: Floats, after: Floats, reference_before: Floats, reference_after: Floats
) -> tuple[Floats, Floats, Floats]:
    """Split a change (r, k) into growth of the reference area, of its cluster above that, of the region above both.

    With E the employment before and g growth rates: E·g_REF + E·(g_c - g_REF) + E·(g_rc - g_c) = change. The last
    part is what remains, so a cluster that is new in a region is all regional and the parts always add up.
    """
    expected = expected_job_creation(before, reference_before, reference_after)
    total_before = np.full_like(reference_before, reference_before.sum())
    total_after = np.full_like(reference_after, reference_after.sum())
    reference = expected_job_creation(before, total_before, total_after)
    return reference, expected - reference, (after - before) - expected


def columns(
    grid: Grid, earlier: Grid, years: int, reference_before: Floats, reference_after: Floats
) -> dict[str, pa.Array]:
    """Growth columns of `region_cluster` against an earlier source-year of the same source, `years` before.

    `reference_before`, `reference_after` (69,): the nation, or the reference area over the same members. Regions that
    the earlier year does not have, or has in parts, are null; a cluster without a row there had no employment.
    """
    at = grid.positions_in(earlier)
    before = earlier.amounts("employment")[at]
    incomparable = (at < 0) | grid.is_incomplete | earlier.is_incomplete[at]
    before[incomparable] = np.nan
    after = grid.amounts("employment")
    reference, mix, regional = shift_share(before, after, reference_before, reference_after)
    figures = {
        "job_creation": after - before,
        "expected_job_creation": expected_job_creation(before, reference_before, reference_after),
        "employment_growth_rate": growth_rate(before, after, years),
        "shift_reference": reference,
        "shift_mix": mix,
        "shift_regional": regional,
    }
    result = {name: number(grid.by_row(values)) for name, values in figures.items()}
    year = np.where(incomparable, np.nan, _year(grid) - years)
    result["previous_year"] = number(grid.by_row(np.broadcast_to(year[:, None], grid.shape)), pa.int16())
    return result


def _year(grid: Grid) -> int:
    return int(grid.table.column("year")[0].as_py())
