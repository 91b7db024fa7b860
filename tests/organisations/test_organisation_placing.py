"""Table cluster_organisation: decisions before codes before text, regions of every kind, gaps both ways."""

from pathlib import Path

import pyarrow as pa
import pytest

from etl.contracts import contract
from etl.demo.organisations import LIST, organisation_files, organisations_configured
from etl.errors import DataError
from etl.organisations import (
    PlacedRegion,
    cluster_organisation,
    organisations_in,
    organisations_without_strength,
    overlap,
    strong_without_organisation,
)
from etl.organisations.codes import CLUSTERS, code_weights
from etl.organisations.gaps import NOT_KNOWN, NOT_MEASURED, NOT_PLACED, NOT_STRONG
from etl.organisations.region_matching import match_region
from etl.sources import DATASETS
from etl.sources.base import ArchivedFile
from etl.sources.cluster_organisations import COLUMNS


def organisations(*rows: dict[str, str]) -> pa.Table:
    return pa.table({name: pa.array([row.get(name, "") for row in rows], pa.string()) for name in COLUMNS})


def decisions(*rows: tuple[str, str, str]) -> pa.Table:
    names = ("organisation_id", "cluster_code", "reason")
    return pa.table({name: pa.array([row[at] for row in rows], pa.string()) for at, name in enumerate(names)})


MILL = {
    "organisation_id": "1", "organisation_name": "Sawmill Forum", "country_code": "FI", "region_code": "FI1C",
    "industry_codes": "29.10", "cluster": "Furniture",
}  # fmt: skip


def placed(row: dict[str, str], *decided: tuple[str, str, str]) -> list[tuple[int, str, str]]:
    table = cluster_organisation(organisations(row), decisions(*decided))
    rows = sorted(table.to_pylist(), key=lambda row: row["link_rank"])
    return [(row["cluster_code"], row["link_method"], row["evidence"]) for row in rows]


def test_people_decide_before_the_list_before_codes_before_text() -> None:
    assert placed(MILL, ("1", "5", "they told us"), ("1", "0", "")) == [
        (5, "decision", "they told us"),
        (0, "decision", "decided by a person"),
    ]
    assert placed(MILL) == [(21, "codes", "cluster 21")]
    without = MILL | {"cluster": ""}
    assert placed(without)[0] == (4, "codes", "nace2:29.10")
    assert placed(without | {"industry_codes": "99.99"})[0][:2] == (51, "text")
    assert placed(without | {"industry_codes": "", "cluster": "Paper mills"})[0][1] == "text"


def test_rows_keep_the_contract() -> None:
    table = cluster_organisation(organisations(MILL, {"organisation_id": "2", "organisation_name": "Qwxz"}))
    assert table.column_names == list(contract("cluster_organisation").column_names)
    first, second = table.to_pylist()
    assert (first["region_scheme"], first["region_code"], first["region_vintage"]) == ("nuts2", "FI1C", 2021)
    assert (second["cluster_code"], second["score"], second["country_code"], second["region_code"]) == (
        -1,
        0,
        None,
        None,
    )
    assert cluster_organisation(organisations()).num_rows == 0


@pytest.mark.parametrize(
    ("decided", "words"), [(("9", "4", ""), "9 is not in the list"), (("1", "99", ""), "99 is the")]
)
def test_a_decision_about_nothing_is_refused(decided: tuple[str, str, str], words: str) -> None:
    with pytest.raises(DataError, match=words):
        cluster_organisation(organisations(MILL), decisions(decided))


@pytest.mark.parametrize(
    ("code", "country", "name", "cluster"),
    [
        ("29.10", "DE", "nace2:29.10", 4),
        ("2910", "DE", "nace2:29.10", 4),
        ("C29.1", "DE", "nace2:29.1", 4),
        ("C", "DE", "nace2:C", None),
        ("NACE Rev. 2: 10.11", "", "nace2:10.11", 28),
        ("336411", "DE", "naics2017:336411", 1),
        ("3364", "US", "naics2017:3364", 1),
        ("nace2:30.30", "US", "nace2:30.30", 1),
        ("NAICS2012:5415", "DE", "naics2017:5415", 6),
        ("31-33", "US", "naics2017:31-33", None),
        ("315228", "US", "naics2007:315228", 3),
    ],
)
def test_codes_of_every_kind(code: str, country: str, name: str, cluster: int | None) -> None:
    found = code_weights(code, country)
    assert found is not None and found[0] == name and 0 < found[1].sum() <= 1 + 1e-9
    if cluster is not None:
        assert CLUSTERS[found[1].argmax()] == cluster


@pytest.mark.parametrize("code", ["99.99", "abc", "", "000000", "-", "33-11"])
def test_codes_of_no_list(code: str) -> None:
    assert code_weights(code, "DE") is None


@pytest.mark.parametrize(
    ("region", "country", "expected"),
    [
        ("MI", "US", ("us_state", "26")),
        ("26", "US", ("us_state", "26")),
        ("michigan", "US", ("us_state", "26")),
        ("us_economic_area:57047", "US", ("us_economic_area", "57047")),
        ("26163", "US", ("us_county", "26163")),
        ("19820", "US", ("us_cbsa", "19820")),
        ("DE11", "DE", ("nuts2", "DE11")),
        ("FR62", "FR", ("nuts2", "FRJ2")),
        ("GR30", "EL", ("nuts2", "EL30")),
        ("Toscana", "IT", ("nuts2", "ITI1")),
        ("DE112", "", ("nuts3", "DE112")),
        ("DE11X", "DE", ("nuts2", "DE11")),
        ("Atlantis", "IT", ("nuts0", "IT")),
        ("", "US", ("us_nation", "US")),
        ("", "", None),
        ("ITZZ", "IT", ("nuts0", "IT")),
    ],
)
def test_regions_of_every_kind(region: str, country: str, expected: tuple[str, str] | None) -> None:
    found = match_region(region, country)
    assert (found and found[:2]) == expected


def test_overlap_is_of_territory() -> None:
    michigan, detroit, ohio = match_region("MI", "US"), match_region("57047", "US"), match_region("OH", "US")
    assert michigan and detroit and ohio
    assert overlap(michigan, detroit) and overlap(detroit, michigan) and not overlap(michigan, ohio)
    north, stuttgart, germany = (PlacedRegion(f"nuts{len(code) - 2}", code, 2021) for code in ("DE9", "DE11", "DE"))
    assert overlap(stuttgart, PlacedRegion("nuts1", "DE1", 2021)) and not overlap(stuttgart, north)
    assert not overlap(stuttgart, germany) and not overlap(michigan, stuttgart)


def common(*rows: tuple[str, str, int, bool | None]) -> pa.Table:
    """Rows of `region_cluster_common`: scheme, region, cluster, whether strong."""
    fixed = {"level": "L", "variant": "full", "year": 2019, "source": "s", "source_year": 2019, "is_complete": True}
    table = contract("region_cluster_common")
    made = [
        {
            **fixed, "region_scheme": scheme, "region_code": code, "cluster_code": cluster, "is_strong": strong,
            "region_vintage": 2020 if scheme.startswith("us") else 2021,
        }
        for scheme, code, cluster, strong in rows
    ]  # fmt: skip
    return table.conform(pa.Table.from_pylist(made, table.arrow_schema))


def test_gaps_both_ways() -> None:
    cars, mill, wood, unknown, everywhere = (
        {"organisation_id": name, "organisation_name": text, "country_code": country, "region_code": region}
        for name, text, country, region in (
            ("cars", "Automotive Council", "US", "57047"),
            ("mill", "Sawmill Forum", "FI", "FI1C"),
            ("wood", "Forest Owners", "US", "26"),
            ("none", "Qwxz", "US", "26"),
            ("all", "Automotive Federation", "DE", ""),
        )
    )
    table = cluster_organisation(organisations(cars, mill, wood, unknown, everywhere))
    measured = common(
        ("us_state", "26", 4, True), ("us_state", "26", 12, True), ("us_state", "26", 20, False),
        ("nuts1", "FI1", 51, None), ("nuts1", "DE1", 4, True),
    )  # fmt: skip
    lacking = strong_without_organisation(measured, table).to_pylist()
    assert [(row["region_code"], row["cluster_code"]) for row in lacking] == [("DE1", 4), ("26", 12)]
    gaps = {row["organisation_id"]: row["gap"] for row in organisations_without_strength(measured, table).to_pylist()}
    assert gaps == {"mill": NOT_KNOWN, "wood": NOT_STRONG, "none": NOT_PLACED}
    assert organisations_without_strength(common(), table).to_pylist()[0]["gap"] == NOT_MEASURED
    there = organisations_in(table, PlacedRegion("us_state", "26", 2020))
    assert {row["organisation_id"] for row in there} == {"cars", "wood", "none"}


def test_the_demo_list_is_placed_as_it_was_made(tmp_path: Path) -> None:
    files = []
    for url, body in organisation_files().items():
        path = tmp_path / url.rsplit("/", 1)[1]
        path.write_bytes(body)
        kind = "table" if url == LIST else "decisions"
        files.append(ArchivedFile("cluster_organisations", url, kind, "csv", None, "", len(body), path))
    dataset = DATASETS["cluster_organisations"]
    assert dataset.parse(files, None).tables == {}
    with organisations_configured(tmp_path):
        assert {(request.url, request.kind) for request in dataset.requests([])} == {(f.url, f.kind) for f in files}
        for file in files:
            dataset.check(file)
        tables = dataset.parse(files, None).tables
    assert dataset.requests([]) == []
    rows = cluster_organisation(tables["organisation"], tables["decision"]).to_pylist()
    first = {row["organisation_id"]: row["cluster_code"] for row in rows if row["link_rank"] == 1}
    assert first == {
        "A01": 1, "A02": 1, "A03": 4, "A04": 21, "A05": 32, "A06": 5, "A07": 35, "A08": 18, "A09": 45, "A10": 36,
        "A11": 22, "A12": 9, "A13": -1, "E01": 4, "E02": 1, "E03": 19, "E04": 42, "E05": 21, "E06": 5, "E07": 35,
        "E08": 18, "E09": 51, "E10": 49, "E11": 16, "E12": 38, "E13": 17, "E14": 40,
    }  # fmt: skip
    assert all(row["region_code"] for row in rows)
    assert {row["link_method"] for row in rows} == {"codes", "text", "decision"}
