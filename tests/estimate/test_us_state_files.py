"""The real state files with range letters against the national file of the same year."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from etl.estimate import Estimated, estimate
from etl.sources.base import ArchivedFile
from etl.sources.census_cbp import CensusCbp
from tests.estimate.synthetic import range_of

pytestmark = pytest.mark.shared

YEARS = (2005, 2009, 2010, 2011)


def read(shared: Path, year: int) -> pa.Table:
    """National and state cells of a year."""
    host = "www2.census.gov/programs-surveys/cbp/datasets"
    files = []
    for kind in ("us", "st"):
        name = f"cbp{year % 100:02d}{kind}." + ("txt" if kind == "us" and year <= 2007 else "zip")
        path = shared / "mirror" / host / str(year) / name
        content = "csv" if path.suffix == ".txt" else "zip"
        url = f"https://{host}/{year}/{name}"
        files.append(ArchivedFile("census_cbp", url, kind, content, year, "", path.stat().st_size, path))
    return CensusCbp().parse(files, year).tables["region_industry"]


@pytest.fixture(scope="module", params=YEARS)
def year(request: pytest.FixtureRequest, shared: Path) -> tuple[pd.DataFrame, Estimated, pa.Table]:
    cells = read(shared, request.param)
    return cells.to_pandas(), estimate(cells), cells


def test_every_estimate_is_within_its_range_letter(year: tuple[pd.DataFrame, Estimated, pa.Table]) -> None:
    printed, result, _ = year
    both = printed.merge(result.cells.to_pandas(), on=["region_code", "industry_code"], suffixes=("", "_out"))
    assert len(both) == len(printed)
    assert (both.employment_out >= both.employment_low.where(both.employment.isna(), both.employment) - 1e-6).all()
    above = both.employment_high.where(both.employment.isna(), both.employment).fillna(np.inf)
    assert (both.employment_out <= above + 1e-6).all()
    assert result.contradictions.num_rows == 0


def test_states_meet_the_nation_wherever_both_are_published(year: tuple[pd.DataFrame, Estimated, pa.Table]) -> None:
    printed, result, _ = year
    cells = result.cells.to_pandas()
    nation = printed[(printed.region_code == "US") & printed.employment.notna()].set_index("industry_code").employment
    states = cells[cells.region_scheme == "us_state"].groupby("industry_code").employment.sum()
    common = nation.index.intersection(states.index)
    assert {"total", "sector", "subsector", "industry_group", "national_industry"} <= set(
        printed.set_index("industry_code").industry_level[common]
    )
    assert set(nation.index[nation.index.str.len() == 6]) <= set(common), "every six-digit code is in the states"
    assert states[common].to_numpy() == pytest.approx(nation[common].to_numpy(), rel=1e-3, abs=1e-3)


def test_leaves_add_up_to_each_region(year: tuple[pd.DataFrame, Estimated, pa.Table]) -> None:
    cells = year[1].cells.to_pandas()
    totals = cells[cells.industry_code == "00"].set_index("region_code").employment
    leaves = cells[cells.is_leaf].groupby("region_code").employment.sum()
    assert leaves.to_numpy() == pytest.approx(totals[leaves.index].to_numpy(), rel=1e-9)


def test_hidden_cells_are_found_again(year: tuple[pd.DataFrame, Estimated, pa.Table]) -> None:
    """Printed cells behind the letter they would have had: a fraction of the mid-point rule's error."""
    printed, _, cells = year
    rng = np.random.default_rng(20)
    known = printed.employment.notna() & (printed.region_code != "US") & (printed.industry_code.str.len() == 6)
    hidden = (known & (rng.random(len(printed)) < 0.05)).to_numpy()
    truth = printed.employment.to_numpy()
    low, high = range_of(np.nan_to_num(truth))
    masked = cells
    for name, values in (("employment", np.nan), ("employment_reported", np.nan), ("payroll", np.nan)):
        masked = put(masked, name, np.where(hidden, values, printed[name]))
    masked = put(masked, "employment_low", np.where(hidden, low, printed.employment_low))
    masked = put(masked, "employment_high", np.where(hidden, high, printed.employment_high))
    status = np.where(hidden, "withheld", printed.employment_status.astype(str))
    masked = masked.set_column(masked.column_names.index("employment_status"), "employment_status", pa.array(status))
    found = estimate(masked).cells.to_pandas().set_index(["region_code", "industry_code"])
    own = found.loc[pd.MultiIndex.from_frame(printed.loc[hidden, ["region_code", "industry_code"]])]
    error = np.abs(own.employment.to_numpy() - truth[hidden]).sum() / truth[hidden].sum()
    middle = np.where(np.isnan(high), low, (low + high + 1) / 2)
    midpoint = np.abs(middle - truth)[hidden].sum() / truth[hidden].sum()
    print(f"{int(printed.year.iloc[0])}: {hidden.sum()} hidden, error {error:.4f}, mid-point {midpoint:.4f}")
    assert error < 0.01 and error < midpoint / 20
    assert ((own.employment_low <= truth[hidden] + 1e-6) & (truth[hidden] <= own.employment_high + 1e-6)).all()


def put(table: pa.Table, name: str, values: np.ndarray) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, pa.array(values, from_pandas=True))


def test_held_out_cells_are_enough_to_judge_the_band(year: tuple[pd.DataFrame, Estimated, pa.Table]) -> None:
    quality = year[1].quality.to_pandas().query("sector == 'ALL'").iloc[0]
    assert quality.cells >= 400
    assert quality.weighted_error < 0.08 < 0.2 < quality.midpoint_error
    assert quality.band_coverage_high > 0.7 and quality.band_coverage_low < 0.9
