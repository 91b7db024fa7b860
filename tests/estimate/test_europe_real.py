"""Eurostat's regions of 2015: what holds for every cell of a real source-year."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from europe_cases import shuffled

from etl.estimate.common.result import Estimated
from etl.estimate.europe.estimate import estimate_europe
from etl.reference.nace import nace_section
from etl.sources.base import ArchivedFile
from etl.sources.eurostat_sbs import EurostatSbs

pytestmark = pytest.mark.shared

FILE = "mirror/ec.europa.eu/eurostat/api/dissemination/sdmx/2.1/data/SBS_R_NUTS06_R2.tsv.gz"


@pytest.fixture(scope="module")
def cells(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> pa.Table:
    path = tmp_path_factory.mktemp("eurostat") / "sheet.tsv"
    path.write_bytes(gzip.decompress((shared / FILE).read_bytes()))
    dataset = EurostatSbs()
    request = dataset.requests([2015])[0]
    file = ArchivedFile(
        request.dataset, request.url, request.kind, request.content, None, "0" * 64, path.stat().st_size, path
    )
    return dataset.parse([file], 2015).tables["region_industry"]


@pytest.fixture(scope="module")
def done(cells: pa.Table) -> Estimated:
    return estimate_europe(cells)


@pytest.fixture(scope="module")
def frame(done: Estimated) -> pd.DataFrame:
    return done.cells.to_pandas()


def test_published_cells_are_unchanged_and_none_is_left_open(cells: pa.Table, frame: pd.DataFrame) -> None:
    key = ["region_scheme", "region_code", "region_vintage", "industry_code"]
    both = cells.to_pandas().merge(frame, on=key, suffixes=("_published", ""))
    assert len(both) == cells.num_rows
    known = both[both.employment_status_published != "withheld"]
    assert (known.employment == known.employment_published).all()
    assert (known.employment_status == known.employment_status_published).all()
    assert frame.employment.notna().all()
    assert both[both.employment_status_published == "withheld"].employment_reported.isna().all()


def test_estimates_lie_in_their_bounds_and_bands(frame: pd.DataFrame) -> None:
    low, high = frame.employment_low.fillna(0), frame.employment_high.fillna(np.inf)
    assert (frame.employment >= low - 1e-6).all() and (frame.employment <= high + 1e-6).all() and (low >= 0).all()
    banded = frame[frame.employment_band_low.notna()]
    assert (banded.employment >= banded.employment_band_low - 1e-6).all()
    assert (banded.employment <= banded.employment_band_high + 1e-6).all()
    assert not (frame.employment_high.isna() & (frame.employment_low == 0)).any(), "0 to nothing is no bound"
    assert not (banded.employment_low == banded.employment_high).any(), "what is exact needs no band"


def test_where_nothing_was_held_out_there_is_no_band_and_no_better_grade_than_the_bounds_give(
    frame: pd.DataFrame,
) -> None:
    open_ = frame[frame.employment_band_low.isna() & ~(frame.employment_low == frame.employment_high)]
    half = (open_.employment_high - open_.employment_low.fillna(0)) / 2 / open_.employment
    assert (open_.grade[~(half <= 0.35)] == "D").all()
    irish = frame[frame.region_code.str.startswith("IE") & (frame.employment_status != "reported")]
    made = irish[irish.industry_code.str[:2].isin([f"{n}" for n in range(10, 34)]) & (irish.employment > 1)]
    assert len(made) > 500 and (made.grade == "D").all(), "Ireland withholds its manufacturing, the nation's too"


def test_classes_add_up_to_their_divisions(frame: pd.DataFrame) -> None:
    classes = frame[frame.industry_level == "class"]
    sums = classes.groupby(["region_code", classes.industry_code.str[:2]]).employment.sum()
    divisions = frame[frame.industry_level == "division"].set_index(["region_code", "industry_code"]).employment
    sums, divisions = sums.align(divisions)
    assert np.abs(sums - divisions).max() < 1e-6
    assert frame[frame.is_leaf].industry_level.eq("class").all()


def listed(done: Estimated, kind: str) -> set[tuple[str, str]]:
    rows = done.contradictions.to_pylist()
    return {(row["region_code"], row["industry_code"]) for row in rows if row["kind"] == kind}


def test_every_area_is_the_sum_of_its_regions_but_for_rounding_and_what_is_listed(
    done: Estimated, frame: pd.DataFrame
) -> None:
    published = frame[frame.industry_level != "class"]
    for scheme, above in (("nuts2", "nuts1"), ("nuts1", "nuts0")):
        regions = published[published.region_scheme == scheme]
        parts = regions.groupby([regions.region_code.str[:-1], "industry_code"]).employment.agg(["sum", "count"])
        whole = published[published.region_scheme == above].set_index(["region_code", "industry_code"]).employment
        both = parts.join(whole.rename("whole"), how="inner")
        gap = (both["whole"] - both["sum"]).abs()
        wrong = both[gap > np.maximum(0.5 * (both["count"] + 2), 0.001 * both["whole"])]
        assert set(wrong.index) <= listed(done, "geography")
    remainders = set(published[published.region_code.isin(["BEZZ", "NLZZ"])].region_code)
    assert remainders == {"BEZZ", "NLZZ"}, "the two countries whose regions fall short of them"


def test_sections_are_the_sum_of_their_divisions_but_for_rounding_and_what_is_listed(
    done: Estimated, frame: pd.DataFrame
) -> None:
    divisions = frame[(frame.industry_level == "division") & (frame.industry_code != "95")]
    section = divisions.industry_code.map(lambda code: nace_section(code, "nace2"))
    parts = divisions.groupby(["region_code", section]).employment.agg(["sum", "count"])
    whole = frame[frame.industry_level == "section"].set_index(["region_code", "industry_code"]).employment
    both = parts.join(whole.rename("whole").rename_axis(parts.index.names), how="inner")
    gap = (both["whole"] - both["sum"]).abs()
    assert set(both[gap > 0.5 * (both["count"] + 1) + 1e-6].index) <= listed(done, "industry")


def test_the_countries_known_to_contradict_themselves_are_listed(done: Estimated) -> None:
    assert {area for area, _ in listed(done, "geography")} == {"BE", "NL"}
    industries = listed(done, "industry")
    assert ("PL", "45") in industries and ("PL", "46") in industries and ("IS", "E") in industries
    assert done.contradictions.num_rows < 250


def test_german_manufacturing_is_all_there_once_withheld_regions_are_estimated(frame: pd.DataFrame) -> None:
    rows = frame[(frame.industry_code == "C") & frame.region_code.str.startswith("DE")]
    nation = rows[rows.region_scheme == "nuts0"].employment.iloc[0]
    regions = rows[rows.region_scheme == "nuts2"]
    assert nation == 6_992_286
    assert regions[regions.employment_status == "reported"].employment.sum() / nation == pytest.approx(0.92, abs=0.003)
    assert regions.employment.sum() == pytest.approx(nation, abs=25)


def test_held_out_cells(done: Estimated) -> None:
    quality = done.quality.to_pandas().set_index("sector")
    everything = quality.loc["ALL"]
    assert everything.cells >= 400 and everything.is_calibrated
    assert everything.weighted_error < 0.30 and everything.weighted_error < 0.6 * everything.midpoint_error
    assert everything.band_coverage_high >= 0.7 and everything.band_coverage_low <= 0.9


def test_a_second_run_changes_nothing_and_order_does_not_matter(cells: pa.Table, done: Estimated) -> None:
    again = estimate_europe(done.cells)
    assert again.cells.equals(done.cells) and again.contradictions.equals(done.contradictions)
    assert estimate_europe(shuffled(cells)).cells.equals(done.cells)
