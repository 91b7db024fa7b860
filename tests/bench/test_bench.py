"""The results of the benchmark: their form, and that what is compared is the same work with the same answers."""

import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest

from bench import peers
from bench.county_files import DROPPED, LETTERS, Era, write_files
from bench.county_year import ours_without_estimates
from bench.measured import Row, cpu_seconds
from bench.report import as_page, as_text

ROOT = Path(__file__).parents[2]
KINDS = {
    "workload": str,
    "stage": str,
    "ours_seconds": float | None,
    "cpu_seconds": float | None,
    "peak_mib": float | None,
    "rows": int | None,
    "peer": str | None,
    "peer_seconds": float | None,
    "ratio": float | None,
    "budget": str | None,
    "holds": bool | None,
}


@pytest.fixture(scope="module")
def results() -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads((ROOT / "bench" / "results.json").read_text("utf-8"))
    return found


def test_every_line_of_the_results_has_the_declared_fields(results: list[dict[str, object]]) -> None:
    assert results and [field.name for field in fields(Row)] == list(KINDS)
    for line in results:
        assert list(line) == list(KINDS)
        assert all(isinstance(line[name], kind) for name, kind in KINDS.items()), line


def test_a_ratio_is_ours_over_the_peers(results: list[dict[str, object]]) -> None:
    compared = [line for line in results if line["peer"]]
    for line in compared:
        assert line["ratio"] == pytest.approx(line["cpu_seconds"] / line["peer_seconds"], abs=0.011)


def test_a_budget_is_held_or_not(results: list[dict[str, object]]) -> None:
    assert all((line["budget"] is None) == (line["holds"] is None) for line in results)
    for line in results:
        limit, unit = str(line["budget"]).partition(" ")[::2]
        if unit in ("s", "MiB"):
            figure = line["cpu_seconds" if unit == "s" else "peak_mib"]
            assert line["holds"] == (figure <= float(limit)), line


def test_the_page_is_made_of_the_results(results: list[dict[str, object]]) -> None:
    assert (ROOT / "docs" / "performance.md").read_text("utf-8") == as_page(results)
    assert len(as_text(results).splitlines()) == len(results) + 1


def test_a_missed_budget_is_named_on_the_page() -> None:
    line = Row("work", "stage", 1.0, 3.0, 10.0, 1)
    line.against(2)
    row = {name: getattr(line, name) for name in KINDS}
    assert "work, stage: 3 s against 2 s" in as_page([row])
    assert "None." in as_page([{**row, "holds": True}])


@pytest.fixture(scope="module", params=[LETTERS, DROPPED], ids=["letters", "dropped"])
def small(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Era]:
    folder = tmp_path_factory.mktemp("small")
    assert write_files(folder, request.param, counties=40, industries=200) > 10_000
    return folder, request.param


def test_ours_and_both_peers_give_the_same_clusters_and_quotients(small: tuple[Path, Era]) -> None:
    folder, era = small
    digits = f"{era.year % 100:02d}"
    notebook = peers.with_pandas(folder, digits, era.naics_vintage)
    sql = peers.with_duckdb(folder, digits, era.naics_vintage, has_letters=not era.drops)
    ours = ours_without_estimates(folder, era)
    county = ours.filter(pc.equal(ours["region_scheme"], "us_county")).to_pandas()
    both = notebook.merge(county, on=["region_code", "cluster_code"], suffixes=("", "_ours"))
    assert len(both) == len(notebook) == len(sql) > 500
    for name in ("employment", "location_quotient"):
        np.testing.assert_allclose(sql[name], notebook[name], rtol=1e-9)
    np.testing.assert_allclose(both["employment_ours"], both["employment"], rtol=1e-9)
    # Where small cells are dropped the sum of leaves is no total, and without estimates we give no quotient.
    if not era.drops:
        np.testing.assert_allclose(both["location_quotient_ours"], both["location_quotient"], rtol=1e-9)


def test_reading_and_measuring_costs_no_more_than_a_few_notebooks(small: tuple[Path, Era]) -> None:
    folder, era = small
    spent = {}
    for name, work in {
        "ours": lambda: ours_without_estimates(folder, era),
        "pandas": lambda: peers.with_pandas(folder, f"{era.year % 100:02d}", era.naics_vintage),
    }.items():
        tries = []
        for _ in range(3):
            start = cpu_seconds()
            work()
            tries.append(cpu_seconds() - start)
        spent[name] = min(tries)
    # On so few rows ours is its fixed cost: linking vintages, ledgers and all measures, which the notebook has not.
    assert spent["ours"] < 12 * spent["pandas"]
