"""A country blank in a year of a Eurostat sheet (its last ones, a first release of few) is unknown, in every table."""

import csv
from pathlib import Path
from typing import Any

import duckdb
import pytest
from line_cases import run

from etl.mirror import serve

ADDRESS = "https://ec.europa.eu/eurostat/api/dissemination/sdmx/2.1/data/SBS_R_NUTS06_R2?compressed=true&format=TSV"
#: Made-up persons by industry; a section is its one or two divisions.
PERSONS = {"C": 300, "C29": 200, "C10": 100, "G": 150, "G46": 150}
REGIONS = {"AT": ("AT1", "AT11"), "UK": ("UKI", "UKI3")}


def publishers(folder: Path) -> Path:
    """One sheet: Austria in two years, ten times as much in Britain in the first and nothing in the second."""
    lines = ["freq,nace_r2,indic_sb,geo\\TIME_PERIOD\t2019 \t2020 "]
    for country, times in (("AT", 1), ("UK", 10)):
        for industry, persons in PERSONS.items():
            now = f"{persons} " if country == "AT" else ": "
            areas = (country, *REGIONS[country])
            lines += [f"A,{industry},V16110,{area}\t{persons * times} \t{now}" for area in areas]
    folder.mkdir()
    (folder / "sheet.tsv").write_text("\n".join(lines) + "\n")
    with (folder / "index.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerows([["url", "path", "content_type"], [ADDRESS, "sheet.tsv", "text/tab-separated-values"]])
    return folder


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the version made of that sheet."""
    folder = tmp_path_factory.mktemp("blank")
    with serve(publishers(folder / "publishers")) as address:
        summary = run(folder / "root", address, workers=1, datasets=("eurostat_sbs",))
    return folder / "root" / "snapshots" / str(summary.version)


def rows(root: Path, table: str, where: str) -> list[dict[str, Any]]:
    with duckdb.connect() as connection:
        found = connection.sql(f"SELECT * FROM '{root}/{table}/*.parquet' WHERE {where}").to_arrow_table()
    return list(found.to_pylist())


def test_its_total_is_unknown_and_incomplete(root: Path) -> None:
    totals = rows(root, "region_total", "year = 2020 AND region_code LIKE 'UK%'")
    assert len(totals) == 3
    for total in totals:
        told = (
            "employment",
            "employment_high",
            "employment_traded",
            "employment_not_allocated",
            "employment_band_high",
        )
        assert [total[name] for name in told] == [None] * len(told)
        assert (total["employment_status"], total["is_complete"], total["employment_low"]) == ("withheld", False, 0)


def test_its_clusters_have_neither_figure_nor_growth_nor_quotient(root: Path) -> None:
    told = ("employment", "employment_high", "location_quotient", "job_creation", "employment_growth_rate")
    found = rows(root, "region_cluster", "year = 2020 AND region_code LIKE 'UK%'")
    assert found and {row["employment_status"] for row in found} == {"withheld"}
    assert all(row[name] is None for row in found for name in told)


def test_nobody_is_compared_with_a_reference_that_lacks_it(root: Path) -> None:
    found = rows(root, "region_cluster", "region_code LIKE 'AT%' AND cluster_code BETWEEN 1 AND 51")
    assert {row["location_quotient"] for row in found} == {None}


def test_what_is_printed_stands(root: Path) -> None:
    totals = rows(root, "region_total", "employment IS NOT NULL")
    assert {(row["year"], row["region_code"][:2], row["employment"]) for row in totals} == {
        (2019, "AT", 450.0), (2020, "AT", 450.0), (2019, "UK", 4500.0)
    }  # fmt: skip
