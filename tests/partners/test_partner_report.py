"""The verb partners: what it shows of a region, narrowed by size and cluster, and what it says where there is none."""

import json
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from partner_cases import NUTS, STATES, common, portfolios
from typer.testing import CliRunner

import etl.snapshots
from etl.cli import app
from etl.contracts import contract
from etl.errors import UsageError
from etl.organisations import cluster_organisation
from etl.partners import region_partner
from etl.partners.report import explained, partner_report
from etl.partners.suggestions import suggestions
from etl.reference import clusters, nuts_regions, states
from etl.sources.cluster_organisations import COLUMNS


class Tables:
    """A snapshot in memory."""

    version = "2026-11-23"
    manifest = SimpleNamespace(is_invented=True)

    def __init__(self, tables: Mapping[str, pa.Table]) -> None:
        self.tables = tables

    def table(
        self, name: str, columns: Sequence[str] | None = None, filters: Sequence[tuple[str, str, Any]] | None = None
    ) -> pa.Table:
        found = self.tables[name]
        found = found.filter(pq.filters_to_expression([list(filters)])) if filters else found
        return found.select(list(columns)) if columns else found


def flags(year: int, seed: int) -> pa.Table:
    """`region_cluster` of states in two kinds, each strong in clusters of its own; later years gain more of them."""
    random = np.random.default_rng(seed)
    kind = np.arange(60) % 2
    own = (np.arange(51) % 2)[None, :] == kind[:, None]
    strong = own & (np.random.default_rng(1).random((60, 51)) < 0.6)
    strong |= own & (random.random((60, 51)) < (0.3 if year > 2011 else 0.0))
    rows = [
        {
            "source": "census_cbp", "year": year, "region_scheme": "us_state", "region_code": f"{12 + state:02d}",
            "region_vintage": 2020, "cluster_code": 1 + cluster, "grade": "A", "employment_reported": 1.0,
            "location_quotient": 2.0 if strong[state, cluster] else 0.5, "is_strong": bool(strong[state, cluster]),
            "employment_status": "reported", "is_complete": True,
        }
        for state in range(60)
        for cluster in range(51)
    ]  # fmt: skip
    table = contract("region_cluster")
    return table.conform(pa.Table.from_pylist(rows, table.arrow_schema))


def regions() -> pa.Table:
    rows = [("us_state", code, 2020, name, "US") for code, name in states().items()]
    rows += [(f"nuts{len(c) - 2}", c, 2021, name, c[:2]) for c, name in nuts_regions(2021).items() if len(c) < 4]
    names = ("region_scheme", "region_code", "region_vintage", "region_name", "country_code")
    made = [dict(zip(names, row, strict=True)) | {"is_extra_regio": False} for row in rows]
    return contract("region").conform(pa.Table.from_pylist(made, contract("region").arrow_schema))


@pytest.fixture(scope="module")
def tables() -> dict[str, pa.Table]:
    employment = portfolios(7)
    employment["us_state", "01"][22] = employment["nuts1", "DE1"][22] = 150_000.0
    employment["nuts1", "DE2"] = [jobs / 50 for jobs in employment["nuts1", "DE2"]]
    measured = common(employment, spread=0.1, grade_d={("us_state", "04"): range(1, 51)})
    listed = [
        ("1", "Silicon Circle", "US", "01"),
        ("2", "Neckar Software Forum", "DE", "DE11"),
        ("3", "Oilers", "DE", "DE1"),
    ]
    organisations = {
        name: [
            dict(zip(("organisation_id", "organisation_name", "country_code", "region_code"), row, strict=True)).get(
                name, ""
            )
            for row in listed
        ]
        for name in COLUMNS
    }
    return {
        "cluster": clusters(),
        "region": regions(),
        "region_cluster_common": measured,
        "region_partner": region_partner(measured, 2019),
        "cluster_organisation": cluster_organisation(pa.table(organisations)),
        "region_cluster": pa.concat_tables([flags(2011, 2), flags(2019, 2)]),
    }


@pytest.fixture(scope="module")
def snapshot(tables: dict[str, pa.Table]) -> Tables:
    return Tables(tables)


def test_a_region_is_told_its_partners_and_who_is_there(snapshot: Tables) -> None:
    report = partner_report(snapshot, "us_state", "01", any_size=True)
    assert (report.name, report.year, report.why_none) == ("Alabama", 2019, None)
    twin = next(row for row in report.partners if row["kind"] == "twin")
    assert (twin["partner_name"], twin["partner_country"], twin["partner_rank"]) == ("Baden-Württemberg", "DE", 1)
    assert twin["explanation"][0] == "IT & Analytical Instruments"
    assert twin["organisations"] == ["Neckar Software Forum"]
    assert {row["organisation_name"] for row in report.organisations} == {"Silicon Circle"}
    assert report.lacking and "IT & Analytical Instruments" not in report.lacking
    assert report.without_strength == []


def test_little_of_a_cluster_is_said_so(snapshot: Tables) -> None:
    report = partner_report(snapshot, "us_state", "05", any_size=True)
    quotient = {
        row["cluster_code"]: row["location_quotient"]
        for row in snapshot.table("region_cluster_common").to_pylist()
        if row["region_code"] == "05"
    }
    for row in report.partners:
        if row["kind"] != "complement":
            codes = [code for (code,) in explained(row["explaining_clusters"])]
            assert [text.endswith("(little of it)") for text in row["explanation"]] == [quotient[c] < 1 for c in codes]


def test_partners_of_like_size_unless_all_are_asked_for(snapshot: Tables) -> None:
    every, alike = (partner_report(snapshot, "us_state", "01", any_size=size).partners for size in (True, False))
    assert all(0.25 <= row["size_ratio"] <= 4 for row in alike)
    assert [row for row in every if 0.25 <= row["size_ratio"] <= 4] == alike and len(every) > len(alike)


def test_a_cluster_narrows_partners_and_organisations(snapshot: Tables) -> None:
    report = partner_report(snapshot, "us_state", "01", cluster=23, any_size=True)
    assert report.partners and len(report.partners) < len(
        partner_report(snapshot, "us_state", "01", any_size=True).partners
    )
    for row in report.partners:
        assert row["partner_is_strong"] or any(23 in link for link in explained(row["explaining_clusters"]))
        assert row["partner_quotient"] > 0
    assert {row["cluster_code"] for row in report.organisations} == {23} and report.lacking == []


@pytest.mark.parametrize(
    ("where", "words"),
    [
        (("nuts0", "DE", None), "us_state with nuts1"),
        (("us_state", "99", None), "compares no such region; did you mean us_state:"),
        (("us_state", "AL", None), r"did you mean us_state:01 \(Alabama\)\?"),
        (("us_county", "01001", None), r"us_state with nuts1 .* did you mean us_state:01 \(Alabama\)\?"),
        (("nuts2", "DE11", None), r"did you mean nuts1:DE1 \(Baden-Württemberg\)\?"),
        (("us_state", "01", 101), "no traded cluster"),
    ],
)
def test_what_cannot_be_asked_is_said(snapshot: Tables, where: tuple[str, str, int | None], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        partner_report(snapshot, where[0], where[1], cluster=where[2])


def test_a_year_that_is_not_compared_is_answered_by_those_that_are(snapshot: Tables) -> None:
    with pytest.raises(UsageError, match="not compared in 1999, but in 2019"):
        partner_report(snapshot, "us_state", "01", year=1999)


def test_without_a_list_of_organisations_nothing_is_lacking(tables: dict[str, pa.Table]) -> None:
    empty = Tables({**tables, "cluster_organisation": contract("cluster_organisation").empty()})
    report = partner_report(empty, "us_state", "01", cluster=23, any_size=True)
    assert report.partners and not report.has_organisations and report.organisations == report.lacking == []


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("Alabama", "us_state:01 (Alabama)"),
        ("Alabma", "us_state:01 (Alabama)"),
        ("us_state:AL", "us_state:01 (Alabama)"),
        ("57045", "us_economic_area:57045 (Denver-Aurora-Boulder, CO)"),
        ("Denvr", "us_economic_area:57045 (Denver-Aurora-Boulder, CO)"),
        ("us_economic_area:99999", "us_economic_area:57045 (Denver-Aurora-Boulder, CO)"),
        ("nuts3:DE111", "nuts2:DE11 (Stuttgart)"),
        ("nuts0:DE", "nuts1:DE1 (Baden-Württemberg)"),
        ("us_county:08031", "us_economic_area:57045 (Denver-Aurora-Boulder, CO)"),
        ("qqqq", None),
    ],
)
def test_what_somebody_may_have_meant(text: str, first: str | None) -> None:
    known = [
        ("nuts1", "DE1", "Baden-Württemberg"),
        ("nuts2", "DE11", "Stuttgart"),
        ("us_economic_area", "57045", "Denver-Aurora-Boulder, CO"),
        ("us_state", "01", "Alabama"),
    ]
    assert next(iter(suggestions(text, known)), None) == first


def test_why_there_are_no_partners(tables: dict[str, pa.Table]) -> None:
    snapshot = Tables(tables)
    assert partner_report(snapshot, "us_state", "04").why_none == (
        "no partners: figures of grade A to C are there for 1 of the clusters, 10 are needed"
    )
    employment = portfolios(7)
    unknown = common(employment, unknown={key: range(1, 52) for key in employment})
    nothing = Tables({**tables, "region_cluster_common": unknown, "region_partner": region_partner(unknown, 2019)})
    assert "less than 80% of the cluster is covered" in str(partner_report(nothing, "us_state", "01").why_none)


def test_density_is_shown_only_where_it_foretells(tables: dict[str, pa.Table]) -> None:
    shown = partner_report(Tables(tables), "us_state", "01")
    assert len(shown.opportunities) == 5 and "2011 to 2019" in str(shown.test)
    densities = [row["density"] for row in shown.opportunities]
    assert densities == sorted(densities, reverse=True)
    strong = {
        row["cluster_code"]
        for row in tables["region_cluster_common"].to_pylist()
        if row["region_code"] == "01" and row["is_strong"]
    }
    assert not strong & {row["cluster_code"] for row in shown.opportunities}
    shuffled = flags(2019, 2)
    drawn = np.random.default_rng(3).random(shuffled.num_rows) < 0.4
    at = shuffled.column_names.index("is_strong")
    chance = pa.concat_tables([flags(2011, 2), shuffled.set_column(at, "is_strong", pa.array(drawn))])
    hidden = partner_report(Tables({**tables, "region_cluster": chance}), "us_state", "01")
    assert hidden.opportunities == [] and "0.5 is chance" in str(hidden.test)
    one_year = partner_report(Tables({**tables, "region_cluster": flags(2019, 2)}), "us_state", "01")
    assert (one_year.opportunities, one_year.test) == ([], None)


def test_the_verb_prints_tables_and_json(snapshot: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(etl.snapshots, "open", lambda *_: snapshot)
    monkeypatch.setenv("COLUMNS", "200")
    printed = CliRunner().invoke(app, ["partners", "us_state:01", "--any-size", "--count", "2"])
    assert printed.exit_code == 0, printed.output
    for words in (
        "Alabama (us_state:01), 2019",
        "invented figures",
        "Twins: alike",
        "Baden-Württemberg (DE)",
        "Silicon Circle",
    ):
        assert words in printed.output
    cluster = CliRunner().invoke(app, ["partners", "nuts1:DE1", "--cluster", "23", "--any-size"])
    assert "quotient" in cluster.output and "Alabama" in cluster.output
    told = json.loads(
        CliRunner().invoke(app, ["partners", "us_state:01", "--json", "--any-size", "--count", "1"]).output
    )
    assert told["region"] == "us_state:01" and told["partners"][0]["kind"] == "twin" and told["is_invented"]
    assert [row["partner_rank"] for row in told["partners"]] == [1, 1, 1]
    unknown = CliRunner().invoke(app, ["partners", "Alabama"])
    assert unknown.exit_code != 0 and "did you mean us_state:01 (Alabama)?" in str(unknown.exception)


def test_links_are_read_back() -> None:
    assert explained("4,32") == [(4,), (32,)]
    assert explained("4>32,23>27") == [(4, 32), (23, 27)]
    assert explained(None) == explained("") == []


def test_the_cases_are_of_both_sides() -> None:
    assert set(STATES) <= set(states()) and set(NUTS) <= set(nuts_regions(2021))
