"""`sources --check`: one line a question, which says whether the publisher still answers as our reader expects."""

import csv
from pathlib import Path

import pytest
from typer.testing import CliRunner

from etl.archive.probe import Probe, probe_publishers, sample_requests
from etl.cli import app
from etl.mirror import serve
from etl.settings import Settings
from etl.sources import DATASETS

BRES = """DATE_NAME,GEOGRAPHY_NAME,GEOGRAPHY_CODE,INDUSTRY_NAME,OBS_VALUE,RECORD_COUNT
2021,Tees Valley,UKC1,10110 : Processing and preserving of meat,450,1
"""
QCEW = """area_fips,own_code,industry_code,size_code,year,disclosure_code,annual_avg_estabs,annual_avg_emplvl,{wages}
41000,5,10,0,2019,,1000,20000,900000000
"""


def address_of(dataset: str, part: str) -> str:
    requests = DATASETS[dataset].requests(DATASETS[dataset].years)
    return next(request.url for request in requests if part in request.url)


def mirror(folder: Path, bres: str = BRES, wages: str = "total_annual_wages") -> Path:
    bodies = {
        address_of("uk_bres", "date=2021"): bres,
        address_of("bls_qcew", "2019/a/area/41000"): QCEW.format(wages=wages),
    }
    with (folder / "index.csv").open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(["url", "path"])
        for number, (url, body) in enumerate(bodies.items()):
            (folder / f"{number}.csv").write_text(body, encoding="utf-8")
            rows.writerow([url, f"{number}.csv"])
    return folder


def probes(folder: Path) -> dict[str, Probe]:
    with serve(folder) as address:
        found = probe_publishers(DATASETS, Settings(retries=0), address)
    assert {probe.dataset for probe in found} == set(DATASETS)
    assert all("\n" not in probe.said for probe in found)
    return {probe.dataset: probe for probe in found}


def test_what_is_as_expected_says_what_was_found(tmp_path: Path) -> None:
    found = probes(mirror(tmp_path))
    assert found["uk_bres"].status == "as expected"
    assert "1 regions, jobs 450," in found["uk_bres"].said
    assert found["eurostat_sbs"].status == "not offered"
    assert found["observatory"].status == "not configured"


def test_older_years_are_asked_where_the_newest_are_not_there(tmp_path: Path) -> None:
    assert 2019 not in {request.year for request in sample_requests(DATASETS["bls_qcew"])}
    assert probes(mirror(tmp_path))["bls_qcew"].status == "as expected"


@pytest.mark.parametrize(
    ("change", "dataset", "words"),
    [
        ({"wages": "annual_wages"}, "bls_qcew", "no column total_annual_wages"),
        ({"bres": BRES.replace("OBS_VALUE", "VALUE")}, "uk_bres", "no column obs_value"),
        ({"bres": BRES.replace("UKC1", "TLC9")}, "uk_bres", "line 2: region 'TLC9'"),
        ({"bres": "<!doctype html><html></html>"}, "uk_bres", "an HTML page"),
    ],
)
def test_what_has_moved_is_named(tmp_path: Path, change: dict[str, str], dataset: str, words: str) -> None:
    found = probes(mirror(tmp_path, **change))
    assert found[dataset].status == "has changed"
    assert words in found[dataset].said


def test_the_verb_prints_a_line_each_and_fails_where_something_has_changed(tmp_path: Path) -> None:
    folder = mirror(tmp_path)
    good = CliRunner().invoke(app, ["sources", "--check", "--mirror", str(folder)])
    assert good.exit_code == 0, good.output
    assert len(good.output.splitlines()) >= len(DATASETS)
    mirror(tmp_path, wages="annual_wages")
    bad = CliRunner().invoke(app, ["sources", "--check", "--mirror", str(folder)])
    assert bad.exit_code == 1


def test_a_listing_fits_people(tmp_path: Path) -> None:
    listed = CliRunner().invoke(app, ["sources", "--data", str(tmp_path)])
    assert listed.exit_code == 0
    assert "uk_bres: Business Register and Employment Survey" in listed.output
    assert "on offer 2015-" in listed.output
    assert "not configured" in listed.output
