"""US Cluster Mapping: pages, one-hit objects, absent fields, and the portal's lists against ours."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from us_files import archived, json_file, request_of, text_file

from etl import reference
from etl.contracts import contract
from etl.errors import SourceFormatError
from etl.sources import uscm_lists
from etl.sources.base import ArchivedFile, Request
from etl.sources.us_cluster_mapping import PAGE_ROWS, UsClusterMapping

PORTAL = UsClusterMapping()


def row(kind: str = "state", region: str = "41", cluster: int = 1, **changes: Any) -> dict[str, Any]:
    """A row as the portal writes it; a field set to None is left out."""
    fields = {
        "id": f"cluster/{kind}/{region}/{cluster}/2016",
        "cluster_code_t": str(cluster),
        "year_t": "2016",
        "region_type_t": kind,
        "region_code_t": region,
        "traded_b": True,
        "subcluster_b": False,
        "emp_tl": 900,
        "emp_reported_tl": 300,
        "est_tl": 20,
        "ap_tl": 18_000,
        "private_wage_tf": 60_000.0,
        "lq_tf": 1.5,
        "region_emp_per_tf": 0.01,
        "cluster_emp_per_tf": 0.02,
        "strong_b": True,
        "emp_tl_rank_i": 3,
        "emp_tl_per_rank_i": 6,
        "timestamp": "2018-10-01T03:23:00.952Z",
    }
    return {name: value for name, value in (fields | changes).items() if value is not None}


def page(folder: Path, answer: object, kind: str = "state", name: str = "page") -> ArchivedFile:
    return json_file(request_of(PORTAL, 2016, kind), folder / f"{name}.json", answer)


def frame(files: list[ArchivedFile]) -> pd.DataFrame:
    table = PORTAL.parse(files, 2016).tables["published_region_cluster"]
    return contract("published_region_cluster").conform(table).to_pandas().set_index(["region_code", "cluster_code"])


def test_row_under_our_names(tmp_path: Path) -> None:
    found = frame([page(tmp_path, [row(), row(cluster=101)])]).loc["41", 1]
    assert (found.employment, found.employment_reported, found.establishments) == (900, 300, 20)
    assert (found.payroll, found.currency_code, found.average_wage) == (18_000_000, "USD", 60_000)
    assert (found.location_quotient, found.region_share, found.cluster_share) == (1.5, 0.01, 0.02)
    assert (found.is_strong, found.employment_rank, found.employment_percentile) == (True, 3, 6)
    assert (found.region_scheme, found.portal, found.year) == ("us_state", "us_cluster_mapping", 2016)


def test_what_has_no_key_is_null(tmp_path: Path) -> None:
    found = frame([page(tmp_path, [row(strong_b=None, emp_tl_rank_i=None)])]).iloc[0]
    assert found[["is_strong", "is_qualifying", "employment_rank", "average_wage_rank"]].isna().all()


def test_zero_payroll_beside_employment_and_zero_wage_are_unknown(tmp_path: Path) -> None:
    rows = [row(ap_tl=0, private_wage_tf=0.0), row(cluster=2, emp_tl=0, ap_tl=0, private_wage_tf=0.0)]
    found = frame([page(tmp_path, rows)])
    assert found[["payroll", "average_wage"]].isna().loc["41", 1].all()
    assert found.payroll["41", 2] == 0


def test_one_hit_comes_without_a_list(tmp_path: Path) -> None:
    assert len(frame([page(tmp_path, row(kind="country", region="98"), "country")])) == 1


def test_regions_and_their_lists(tmp_path: Path) -> None:
    regions = {"country": "98", "state": "41", "economic": "57008", "msa": "38900", "county": "41067"}
    files = [page(tmp_path, [row(kind, code)], kind, kind) for kind, code in regions.items()]
    found = frame(files).reset_index()
    assert set(zip(found.region_scheme, found.region_code, found.region_vintage, strict=True)) == {
        *{("us_nation", "US", 2020), ("us_state", "41", 2020), ("us_economic_area", "57008", 2004)},
        *{("us_cbsa", "38900", 2013), ("us_county", "41067", 2008)},
    }


def test_counties_of_the_portal_are_in_the_list_named() -> None:
    assert {"46113", "02270", "51515", "02105", "08014"} <= reference.counties(2008).keys()


def test_subclusters_are_left_out(tmp_path: Path) -> None:
    assert len(frame([page(tmp_path, [row(), row(sub_code_t="1", subcluster_b=True)])])) == 1


def test_a_full_page_has_a_next_one(tmp_path: Path) -> None:
    full = page(tmp_path, [{}] * PAGE_ROWS)
    following = PORTAL.follow(full)
    assert [request.url for request in following] == [full.url.replace("start=0", "start=10000")]
    assert following[0].year == 2016 and following[0].kind == "state"
    second = archived(following[0], full.path)
    assert PORTAL.follow(second)[0].url.endswith("start=20000")
    assert PORTAL.follow(page(tmp_path, [{}] * (PAGE_ROWS - 1))) == []
    assert PORTAL.follow(page(tmp_path, [])) == []
    assert PORTAL.follow(page(tmp_path, row())) == []


def test_pages_are_put_together_and_an_empty_one_adds_nothing(tmp_path: Path) -> None:
    first, last = page(tmp_path, [row()], name="0"), page(tmp_path, [], name="1")
    PORTAL.check(last)
    assert len(frame([first, last])) == 1
    assert PORTAL.parse([last], 2016).tables == {}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ([row(cluster=77)], "unknown cluster '77'"),
        ([row(), row(cluster=2, year_t="2015")], "object 2: state of 2015 instead of state of 2016"),
        ([row(kind="county", region="41067")], "county of 2016 instead of state"),
        ([row(emp_tl=None)], "object 1: no emp_tl"),
        ([row(emp_tl="many")], "not of the type"),
        (["text"], "no JSON list of objects"),
        ([row(), row()], "the same row comes twice"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, answer: object, words: str) -> None:
    with pytest.raises(SourceFormatError, match=words):
        PORTAL.parse([page(tmp_path, answer)], 2016)


@pytest.mark.parametrize("body", ["<html></html>", '{"code":"InternalError"}', "", "[1, 2]"])
def test_what_is_no_answer_is_refused(tmp_path: Path, body: str) -> None:
    with pytest.raises(SourceFormatError):
        PORTAL.check(text_file(request_of(PORTAL, 2016, "state"), tmp_path / "body", body))


def test_an_empty_list_of_clusters_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceFormatError):
        PORTAL.check(json_file(request_of(PORTAL, None, "clusters"), tmp_path / "body", []))


def test_profile_is_regions_and_employment_of_a_page(tmp_path: Path) -> None:
    assert PORTAL.profile(page(tmp_path, [row(), row(cluster=2), row(region="06")])) == {
        "regions": ["06", "41"],
        "employment": 2_700,
    }
    assert PORTAL.profile(page(tmp_path, [])) == {"regions": [], "employment": 0}


def test_addresses() -> None:
    base = "https://clustermapping.us/data"
    query = "all?limit=10000&sort=id ASC&start=0"
    assert [request.url for request in PORTAL.requests([1997, 2016])] == [
        f"{base}/meta/clusters",
        f"{base}/region",
        f"{base}/region/country/98/2016/{query}",
        *(f"{base}/region/{kind}/all/2016/{query}" for kind in ("state", "economic", "msa", "county")),
    ]
    assert all(isinstance(request, Request) for request in PORTAL.requests(range(1998, 2017)))
    assert len(PORTAL.requests(range(1990, 2030))) == 2 + 19 * 5


def documents() -> list[dict[str, Any]]:
    """The portal's definitions as ours would look there."""
    names = reference.clusters().to_pylist()
    subclusters = reference.subclusters().to_pylist()
    result = []
    for cluster in (name for name in names if name["cluster_code"] > 0):
        code = cluster["cluster_code"]
        result.append(
            {
                "cluster_code_t": str(code),
                "name_t": f"{cluster['cluster_name']} ",
                "traded_b": cluster["kind"] == "traded",
                "sub_clusters": {
                    sub["subcluster_code"]: sub["subcluster_name"] for sub in subclusters if sub["cluster_code"] == code
                },
                "naics_2012": {
                    naics: "a title" for naics, place in reference.naics_cluster(2012).items() if place == code
                },
            }
        )
    return result


def test_equal_definitions_need_no_words() -> None:
    assert uscm_lists.compare_clusters(documents()) == []


def test_a_moved_industry_is_told_with_its_row() -> None:
    changed = documents()
    source = next(document for document in changed if document["cluster_code_t"] == "3")
    code = sorted(source["naics_2012"])[0]
    del source["naics_2012"][code]
    changed[0]["naics_2012"]["999998"] = "new"
    (note,) = uscm_lists.compare_clusters(changed)
    assert "NAICS 2012, differs from the built-in table in 2 rows" in note
    assert f"{code}: built in 3, published nothing" in note
    assert f"999998: built in nothing, published {changed[0]['cluster_code_t']}" in note


def test_a_renamed_cluster_and_subcluster_are_told() -> None:
    changed = documents()
    changed[0]["name_t"] = "Another name"
    changed[1]["sub_clusters"]["99"] = "A new one"
    assert len(uscm_lists.compare_clusters(changed)) == 2


def test_a_county_moved_to_another_area_is_told(tmp_path: Path) -> None:
    def area(kind: str, code: str, counties: list[str]) -> dict[str, Any]:
        return {"region_type_t": kind, "region_code_t": code, "regions_txt": [f"region/county/{c}" for c in counties]}

    areas: dict[tuple[str, str], list[str]] = {}
    for kind, scheme, vintage in (("economic", "us_economic_area", 2004), ("msa", "us_cbsa", 2013)):
        for county, code in reference.county_area(scheme, vintage).items():
            areas.setdefault((kind, code), []).append(county)
    same = [area(kind, code, counties) for (kind, code), counties in areas.items()]
    assert uscm_lists.compare_regions(same) == []
    same[0]["regions_txt"], moved = same[0]["regions_txt"][1:], same[0]["regions_txt"][0]
    same[1]["regions_txt"].append(moved)
    (note,) = uscm_lists.compare_regions(same)
    assert f"{moved[-5:]}: built in {same[0]['region_code_t']}, published {same[1]['region_code_t']}" in note
    file = json_file(request_of(PORTAL, None, "regions"), tmp_path / "regions.json", same)
    assert PORTAL.parse([file], None).notes == [note]
