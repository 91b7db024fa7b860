"""The built-in tables: free of the mistakes the linter looks for, and equal to the facts they were made from."""

import csv
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from etl.reference import store
from tools.lint_reference import described, lint


def facts(shared: Path, name: str) -> list[dict[str, str]]:
    with (shared / "facts" / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_no_table_has_a_problem() -> None:
    assert lint() == []


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the tables that a test may break."""
    for path in store.FOLDER.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(store, "FOLDER", tmp_path)
    monkeypatch.setattr("tools.lint_reference.FOLDER", tmp_path)
    _forget()
    yield tmp_path
    monkeypatch.undo()
    _forget()


def _forget() -> None:
    """Empty the caches of everything that reads the tables."""
    for name, module in list(sys.modules.items()):
        if name.startswith("etl.reference."):
            for value in vars(module).values():
                if hasattr(value, "cache_clear"):
                    value.cache_clear()


@pytest.mark.parametrize(
    ("table", "old", "new", "complaint"),
    [
        ("naics_link", "2002,2007,111211,", "2002,2007,111210,", "sources of no list"),
        ("naics_cluster", "113310,2017,20,", "113310,2017,52,", "in no known subcluster"),
        ("naics2017_nace2", "111110,01.11,0\n", "", "codes without a link"),
        ("nace_cluster_override", "2026-11-22", "lately", "lacks a date"),
        ("us_employment", "2017,113110", "2017,999999", "codes not in NAICS 2017"),
        ("us_county_link", "46113,46102", "46113,46104", "not in the current list"),
        ("us_county_area", "us_economic_area,2004,01001", "us_economic_area,2004,01002", "in no economic area"),
        ("nuts_link", "2013,2021,FR21,FRF2", "2013,2021,FR21,FRF9", "targets of no list"),
        ("nuts_region", "DE21,", "DE20,", "parents that are no region"),
        ("cluster", "1,Aerospace", "2,Aerospace", "key is given twice"),
    ],
)
def test_the_linter_finds_a_broken_table(broken: Path, table: str, old: str, new: str, complaint: str) -> None:
    path = broken / f"{table}.csv"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")
    _forget()
    assert any(complaint in problem for problem in lint()), lint()


def test_every_table_says_where_it_is_from() -> None:
    for name, about in described().items():
        assert about["title"], name
        assert len(about["origin"]) > 8, name


def test_cluster_tables_equal_the_facts(shared: Path) -> None:
    assert store.rows("cluster") == facts(shared, "clusters.csv")
    assert sorted(map(str, store.rows("subcluster"))) == sorted(map(str, facts(shared, "subclusters.csv")))


def test_industries_of_clusters_equal_the_facts(shared: Path) -> None:
    expected = {
        (row["naics_vintage"], row["naics_code"]): (row["cluster_code"], row["subcluster_code"])
        for row in facts(shared, "naics_cluster.csv")
    }
    found = {
        (vintage, row["naics_code"]): (row["cluster_code"], row["subcluster_code"])
        for row in store.rows("naics_cluster")
        for vintage in row["vintages"].split()
    }
    assert found == expected
    planner = {row["naics_code"] for row in facts(shared, "naics_cluster.csv") if row["cluster_source"] == "acr1"}
    assert {row["naics_code"] for row in store.rows("naics_cluster") if row["cluster_source"] == "acr1"} == planner
    assert len(planner) == 20


def test_links_between_industries_equal_the_facts(shared: Path) -> None:
    expected = sorted(tuple(row.values()) for row in facts(shared, "naics2017_nace2.csv"))
    assert sorted(tuple(row.values()) for row in store.rows("naics2017_nace2")) == expected
    pairs = {tuple(row.values()) for row in store.rows("nace21_nace2")}
    assert pairs == {tuple(row.values()) for row in facts(shared, "nace21_nace2.csv")} | {("46.89", "")}


@pytest.mark.parametrize("pair", [("2002", "2007"), ("2007", "2012"), ("2012", "2017"), ("2022", "2017")])
def test_links_between_vintages_equal_the_facts(shared: Path, pair: tuple[str, str]) -> None:
    from etl.harmonise.vintages import naics

    concordance = naics(int(pair[0]), int(pair[1]))
    found = sorted(zip(concordance.from_code.tolist(), concordance.to_code.tolist(), strict=True))
    assert found == sorted(tuple(row.values()) for row in facts(shared, f"naics{pair[0]}_naics{pair[1]}.csv"))


def test_regions_equal_the_facts(shared: Path) -> None:
    area = {row["county_fips"]: row["ea_code"] for row in facts(shared, "county_economic_area.csv")}
    found = {
        row["county_code"]: row["area_code"]
        for row in store.rows("us_county_area")
        if row["area_scheme"] == "us_economic_area"
    }
    # The two counties renamed in 2015 follow their old codes.
    assert found == area | {"46102": area["46113"], "02158": area["02270"]}
    delineation = {"2020": "2020", "2023": "2023", "us_cluster_mapping": "2013"}
    cbsa = {
        (delineation[row["delineation"]], row["county_fips"], row["cbsa_code"])
        for row in facts(shared, "county_cbsa.csv")
    }
    assert cbsa == {
        (row["area_vintage"], row["county_code"], row["area_code"])
        for row in store.rows("us_county_area")
        if row["area_scheme"] == "us_cbsa"
    }


def test_nuts_lists_equal_the_facts(shared: Path) -> None:
    ours = Counter(
        (code["nuts_code"], version) for code in store.rows("nuts_region") for version in code["versions"].split()
    )
    theirs = {
        (row["code"] if row["version"] != "NUTS2006" else row["code"].replace("GR", "EL", 1), row["version"][-4:])
        for row in facts(shared, "nuts_regions.csv")
        if row["version"] not in ("NUTS2003", "NUTSUK2018")
    }
    # Countries of 2024 are left out of the publisher's list, not of ours.
    assert {key for key in ours if not (key[1] == "2024" and len(key[0]) == 2)} == theirs
    assert set(ours.values()) == {1}
