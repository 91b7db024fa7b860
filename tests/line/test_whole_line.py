"""From publishers to snapshot: what goes in comes out, nothing is published twice, and what is wrong stops the run."""

import os
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from line_cases import DAY, Line, published_files, run

import etl.run.units
from etl.demo.european import regions as european_regions
from etl.demo.truth import american_truth, european_truth
from etl.errors import ConservationError, GateError, NothingAvailableError
from etl.harmonise import harmonise
from etl.measure import measure_year
from etl.progress import SilentProgress
from etl.run.refresh import RefreshRequest, measure_state, published_state, refresh
from etl.settings import Settings
from etl.storage import Storage

HERE = Path(__file__).parent


def test_the_first_refresh_publishes_every_table(line: Line) -> None:
    assert line.first.is_new and line.first.version == DAY.isoformat()
    tables = {path.split("/")[2] for path in published_files(line.root)}
    assert {
        *("cluster", "subcluster", "region", "source", "source_file", "concordance", "industry_cluster", "coverage"),
        *("region_industry", "region_cluster", "region_cluster_common", "region_total", "published_region_cluster"),
        *("reconciliation", "conservation_ledger", "estimate_quality", "revision"),
    } <= tables


@pytest.mark.parametrize("year", [2016, 2019])
@pytest.mark.parametrize("scheme", ["us_nation", "us_state", "us_county"])
def test_reported_employment_adds_up_to_the_published_total(line: Line, year: int, scheme: str) -> None:
    truth = american_truth(year)
    region_of = {"us_nation": lambda c: "US", "us_state": lambda c: c[:2], "us_county": lambda c: c}[scheme]
    expected: dict[str, int] = {}
    for county, jobs in zip(truth.counties, truth.employment.sum(axis=1), strict=True):
        expected[region_of(county)] = expected.get(region_of(county), 0) + int(jobs)
    rows = line.answer(
        f"""SELECT region_code, sum(employment_reported) FROM '{{root}}/region_cluster/*.parquet'
            WHERE source = 'census_cbp' AND year = {year} AND region_scheme = '{scheme}' GROUP BY ALL"""
    )
    assert {code: jobs for code, jobs in expected.items() if jobs} == {code: total for code, total in rows if total}


def test_europe_adds_up_to_each_regions_own_sections(line: Line) -> None:
    truth = european_truth(2019, european_regions())
    total = dict(zip(truth.regions, truth.employment.sum(axis=1).tolist(), strict=True))
    rows = line.answer(
        """SELECT region_code, sum(employment_reported) FROM '{root}/region_cluster/*.parquet'
           WHERE source = 'eurostat_sbs' AND year = 2019 AND region_scheme = 'nuts2'
           GROUP BY ALL HAVING max(coalesce(boundary_weight_share, 0)) = 0"""
    )
    assert len(rows) > 300
    assert {code: pytest.approx(jobs, rel=1e-12) for code, jobs in rows} == {code: total[code] for code, _ in rows}
    # Regions whose boundary moved since are right together.
    moved = line.answer(
        """SELECT sum(employment_reported) FROM '{root}/region_cluster/*.parquet'
           WHERE source = 'eurostat_sbs' AND year = 2019 AND region_scheme = 'nuts2'"""
    )
    assert moved[0][0] == pytest.approx(sum(total.values()), rel=1e-12)


def test_every_row_of_the_ledger_closes(line: Line) -> None:
    rows = line.answer(
        "SELECT count(*), max(abs(difference) / greatest(1, amount_in)) FROM '{root}/conservation_ledger/*.parquet'"
    )
    assert rows[0][0] > 50 and rows[0][1] <= 1e-9


def test_no_withheld_figure_is_a_zero(line: Line) -> None:
    rows = line.answer(
        """SELECT count(*) FILTER (employment_status = 'withheld' AND employment IS NOT NULL),
                  count(*) FILTER (employment_reported = 0 AND establishments > 20),
                  count(*) FILTER (employment_low > employment OR employment > employment_high)
           FROM '{root}/region_industry/*.parquet'"""
    )
    assert rows == [(0, 0, 0)]


def test_figures_of_the_demo_say_that_they_are_invented(line: Line) -> None:
    assert line.answer("SELECT bool_and(is_invented) FROM '{root}/source/*.parquet'") == [(True,)]


def test_a_second_refresh_publishes_nothing_new(line: Line) -> None:
    before = published_files(line.root)
    again = run(line.root, line.mirror)
    assert not again.is_new and again.version == line.first.version and "Nothing changed" in again.sentence()
    assert published_files(line.root) == before


def test_the_next_day_without_news_makes_no_version(line: Line) -> None:
    assert not run(line.root, line.mirror, date(2026, 6, 21)).is_new


def in_another_process(code: str, **environment: str) -> str:
    """Run Python code beside these tests, with strings hashed otherwise, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": "7", **environment},
        cwd=HERE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_publishers_of_the_demo_are_the_same_everywhere(publishers: Path, tmp_path: Path) -> None:
    code = f"from pathlib import Path; from etl.demo import write_publishers; write_publishers(Path({str(tmp_path)!r}))"
    in_another_process(code)
    assert (tmp_path / "index.csv").read_bytes() == (publishers / "index.csv").read_bytes()


def test_another_root_process_and_number_of_workers_give_the_same_bytes(line: Line, tmp_path: Path) -> None:
    root = tmp_path / "other"
    code = f"""
from pathlib import Path
from line_cases import run
if __name__ == "__main__":
    print(run(Path({str(root)!r}), {line.mirror!r}, workers=1).is_new)
"""
    assert in_another_process(code, PYTHONPATH=os.pathsep.join(sys.path)) == "True\n"
    assert published_files(root) == published_files(line.root)


def test_a_past_day_reads_the_archive_alone(line: Line) -> None:
    with pytest.raises(NothingAvailableError, match="nothing known on that day"):
        run(line.root, None, date(2020, 1, 1), fetches=False)
    assert not run(line.root, None, fetches=False).is_new


def test_a_dataset_or_a_year_asked_for_alone_leaves_the_rest_published(line: Line) -> None:
    asked = run(line.root, line.mirror, datasets=("census_cbp",), years=(2019,))
    assert not asked.is_new and asked.fetched is not None
    assert {outcome.request.dataset for outcome in asked.fetched.outcomes} == {"census_cbp"}
    assert {outcome.request.year for outcome in asked.fetched.outcomes} == {2019}


def leaky(cells: pa.Table, year: int) -> Any:
    """A step that drops rows on its way."""
    return harmonise(cells.slice(0, cells.num_rows - 50), year)


def test_a_step_that_loses_employment_stops_the_run(
    line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "root"
    shutil.copytree(line.root / "archive", root / "archive")
    shutil.copytree(line.root / "cache" / "estimate", root / "cache" / "estimate")
    monkeypatch.setattr(etl.run.units, "harmonise", leaky)
    with pytest.raises(ConservationError, match="leaves of industries and their clusters"):
        run(root, None, workers=1, fetches=False)
    assert not (root / "snapshots" / "latest.json").exists()


def wrong_bounds(*args: Any, **kwargs: Any) -> dict[str, pa.Table]:
    """Measures whose upper bounds are the lower ones."""
    made = measure_year(*args, **kwargs)
    table = made["region_cluster"]
    at = table.column_names.index("employment_high")
    return made | {"region_cluster": table.set_column(at, "employment_high", table["employment_low"])}


def test_a_refused_gate_leaves_the_version_before(line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "root"
    shutil.copytree(line.root, root)
    before = (root / "snapshots" / "latest.json").read_bytes()
    monkeypatch.setattr(etl.run.units, "measure_year", wrong_bounds)
    settings = Settings(data=str(root), workers=1, common_year_window=1)
    with pytest.raises(GateError, match=r"region_cluster.*employment_high|employment_high.*region_cluster"):
        refresh(Storage(root), RefreshRequest(DAY, fetches=False, is_invented=True), settings)
    assert (root / "snapshots" / "latest.json").read_bytes() == before
    assert [path.name for path in (root / "snapshots").iterdir() if path.is_dir()] == [line.first.version]
    (failing,) = root.rglob("failing.parquet")
    keys = duckdb.sql(f"SELECT count(*), count(DISTINCT table_name) FROM '{failing}'").fetchall()
    assert keys[0][0] > 0


def test_a_root_of_invented_figures_stays_one(line: Line) -> None:
    """Whoever refreshes the demo's root by other words gets no version that hides where its figures are from."""
    again = refresh(Storage(line.root), RefreshRequest(DAY, fetches=False), Settings(data=str(line.root)))
    assert not again.is_new and again.version == line.first.version
    # The same piece by piece, as the tasks of Airflow run it.
    storage, settings = Storage(line.root), Settings(data=str(line.root))
    done = published_state(storage, DAY, settings)
    assert done is not None and done.version == line.first.version
    assert measure_state(storage, DAY, settings, SilentProgress()).is_invented
