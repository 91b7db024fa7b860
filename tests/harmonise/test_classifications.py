"""The built-in concordances and the clusters of every industry, against measured facts about them."""

from collections import Counter

import numpy as np
import pytest

from etl import harmonise
from etl.contracts import contract
from etl.errors import UsageError
from etl.harmonise.cluster_weights import CODES, cluster_weights
from etl.harmonise.families import families
from etl.harmonise.published import (
    INDUSTRY_SCHEMES,
    industry_concordances,
    nace2_cluster_equal,
    unambiguous_employment_share,
)
from etl.harmonise.region_links import region_concordances
from etl.harmonise.vintages import nace2_flows, nace21_to_nace2, nace_links, naics, naics2017_to_nace2
from etl.reference import NAICS_VINTAGES, cluster_kinds, naics_cluster, naics_codes
from etl.reference.nace import nace_classes
from etl.reference.us_employment import us_employment


def kinds(concordance: object) -> Counter[str]:
    family, kind = families(concordance)  # type: ignore[arg-type]
    first = np.unique(family, return_index=True)[1]
    return Counter(kind[first].tolist())


@pytest.mark.parametrize(
    ("pair", "links", "components"),
    [
        ((2012, 2017), 1069, {"1:1": 1045, "n:1": 5, "m:n": 3}),
        ((2022, 2017), 1150, {"1:1": 928, "1:n": 26, "n:1": 1, "m:n": 4}),
        ((2002, 2007), 1200, {"1:1": 1142, "1:n": 2, "n:1": 2, "m:n": 8}),
        ((2007, 2012), 1184, {"1:1": 986, "1:n": 1, "n:1": 67, "m:n": 3}),
    ],
)
def test_components_of_naics_vintages(pair: tuple[int, int], links: int, components: dict[str, int]) -> None:
    concordance = naics(*pair)
    assert concordance.weight.size == links
    assert kinds(concordance) == components
    back = naics(pair[1], pair[0])
    assert {tuple(link) for link in zip(back.to_code, back.from_code, strict=True)} == {
        tuple(link) for link in zip(concordance.from_code, concordance.to_code, strict=True)
    }


def test_components_of_nace_21() -> None:
    concordance = nace21_to_nace2()
    assert kinds(concordance) == {"1:1": 354, "1:n": 12, "n:1": 11, "m:n": 39, "": 1}
    broken = np.isnan(concordance.weight)
    assert concordance.from_code[broken].tolist() == ["46.89"]


def test_direct_links_naics_2017_to_nace_2() -> None:
    """1,787 class links of 1,056 codes to 613 classes, and one to a group; 695 codes have one class."""
    concordance = naics2017_to_nace2()
    to_class = np.char.str_len(concordance.to_code) == 5
    assert to_class.sum() == 1787
    assert len(set(concordance.to_code[to_class].tolist())) == 613
    degree = Counter(concordance.from_code[to_class].tolist())
    assert len(degree) == 1056
    assert sum(count == 1 for count in degree.values()) == 695
    assert concordance.from_code[~to_class].tolist() == ["111336"]


def test_1997_and_2002_meet_only_where_codes_agree() -> None:
    concordance = naics(1997, 2002)
    kept = ~np.isnan(concordance.weight)
    assert kept.sum() == len(naics_codes(1997) & naics_codes(2002)) == 967
    assert (concordance.from_code[kept] == concordance.to_code[kept]).all()
    assert set(concordance.to_code[~kept].tolist()) == {""}


@pytest.mark.parametrize("older", NAICS_VINTAGES)
@pytest.mark.parametrize("newer", NAICS_VINTAGES)
def test_vintages_lead_from_every_code(older: int, newer: int) -> None:
    concordance = naics(older, newer)
    assert set(concordance.sources.tolist()) == naics_codes(older)
    assert set(concordance.targets.tolist()) - {""} <= naics_codes(newer)


def test_links_that_change_cluster() -> None:
    """Why a year's clusters come from its own list and never through a chain of vintages."""
    changed = {}
    for older, newer in ((2002, 2007), (2007, 2012), (2012, 2017)):
        links, before, after = naics(older, newer), naics_cluster(older), naics_cluster(newer)
        changed[older] = sum(before[a] != after[b] for a, b in zip(links.from_code, links.to_code, strict=True))
    assert changed == {2002: 14, 2007: 2, 2012: 0}


def test_a_vintage_without_links_is_refused() -> None:
    with pytest.raises(UsageError, match="2004"):
        naics(2004, 2007)


@pytest.mark.parametrize("scheme", INDUSTRY_SCHEMES)
def test_every_industry_is_placed_whole(scheme: str) -> None:
    found = cluster_weights(scheme)
    assert np.allclose(found.weight.sum(axis=1), 1)
    assert (found.low <= found.weight + 1e-12).all()
    assert (found.weight <= found.high + 1e-12).all()
    assert (found.low[found.low.sum(axis=1) > 0].sum(axis=1) == 1).all()
    assert (found.entropy() >= 0).all()
    sure = found.low.any(axis=1)
    assert (found.entropy()[sure] == 0).all()


@pytest.mark.parametrize("vintage", NAICS_VINTAGES[:-1])
def test_naics_needs_no_judgement(vintage: int) -> None:
    found = cluster_weights(f"naics{vintage}")
    assert (found.low == found.weight).all() and (found.weight == found.high).all()
    own = naics_cluster(vintage)
    for code, row in zip(found.codes.tolist(), found.weight, strict=True):
        assert CODES[int(row.argmax())] == own.get(code, 0)


def test_every_traded_cluster_is_reached_from_nace() -> None:
    found = cluster_weights("nace2")
    is_class = np.char.str_len(found.codes) == 5
    reached = {code for code, total in zip(CODES, found.weight[is_class].sum(axis=0), strict=True) if total > 0}
    assert reached == {0, *(code for code, kind in cluster_kinds().items() if kind != "none")}


@pytest.mark.parametrize(
    ("nace", "cluster"),
    [
        ("01.42", 0),  # cattle: farms are in no cluster, and never apparel (14.1)
        ("02.10", 20),  # timber: Forestry, not pharmaceuticals (21.0)
        ("06.20", 35),  # natural gas: Oil and Gas, not programming (62.0)
        ("07.21", 31),  # uranium: Metal Mining, not research (72.1)
        ("14.13", 3),
        ("21.20", 5),
        ("72.11", 13),
        ("49.20", 0),
        ("53.10", 0),
        ("98.10", 0),
        ("84.11", 0),
    ],
)
def test_classes_are_where_they_belong(nace: str, cluster: int) -> None:
    found = cluster_weights("nace2")
    row = found.weight[found.codes.tolist().index(nace)]
    assert CODES[int(row.argmax())] == cluster
    assert row.max() > 0.5


def test_levels_above_are_the_employment_of_their_classes() -> None:
    found = cluster_weights("nace2")
    codes = found.codes.tolist()
    mass: Counter[str] = Counter()
    for (_, nace), flow in zip(nace_links()[0], nace2_flows(), strict=True):
        mass[nace] += float(flow)
    for code in ("29", "29.3", "C", "47", "S"):
        below = [one for one in nace_classes("nace2") if code in _line(one)]
        expected = sum(mass[one] * found.weight[codes.index(one)] for one in below) / sum(mass[one] for one in below)
        assert np.allclose(found.weight[codes.index(code)], expected)


def _line(code: str) -> tuple[str, ...]:
    from etl.harmonise.cluster_weights import line_of

    return line_of(code, "nace2")


def test_industries_outside_us_employment_widen_the_bounds_and_weigh_nothing() -> None:
    """Division 53: post (53.10) is in no US figure; its share is 0, its upper bound 1, and no other bound is sure."""
    found = cluster_weights("nace2")
    row = found.codes.tolist().index("53")
    assert (found.weight[row, 0], found.low[row, 0], found.high[row, 0]) == (0, 0, 1)
    assert not found.low[row].any()


def test_the_plain_table_counts_as_measured() -> None:
    """946 pairs; 354 classes in one cluster, 199 with a largest, 22 tied, 40 in none; 419 traded, 156 local."""
    table = nace2_cluster_equal()
    of_class: dict[str, list[tuple[float, int]]] = {}
    for code, cluster, weight in zip(table.from_code, table.to_code, table.weight, strict=True):
        of_class.setdefault(str(code), []).append((-round(float(weight), 9), int(cluster)))
    none = [code for code, found in of_class.items() if found == [(-1.0, 0)]]
    one = [code for code, found in of_class.items() if len(found) == 1 and code not in none]
    tied = [code for code, found in of_class.items() if len(found) > 1 and sorted(found)[0][0] == sorted(found)[1][0]]
    assert len(of_class) == 615
    assert (len(one), 615 - len(one) - len(tied) - len(none), len(tied), len(none)) == (354, 199, 22, 40)
    assert sum(map(len, of_class.values())) - len(none) == 946
    primary = Counter(sorted(found)[0][1] < 100 for code, found in of_class.items() if code not in none)
    assert (primary[True], primary[False]) == (419, 156)
    assert {sorted(found)[0][1] for found in of_class.values()} >= set(range(1, 52))
    shares = {cluster: -weight for weight, cluster in of_class["29.10"]}
    assert shares == pytest.approx({4: 0.682, 44: 0.182, 40: 0.136}, abs=5e-4)


def test_ten_traded_clusters_are_nearly_free_of_judgement() -> None:
    share = unambiguous_employment_share()
    assert sum(share[code] >= 0.8 for code in range(1, 52)) == 10
    assert all(share[code] == 0 for code in (1, 5, 30, 38))  # aerospace, biopharma, medical devices, plastics


def test_us_totals_survive_the_way_to_nace_but_for_the_overrides() -> None:
    """Weights are made from this employment, so its clusters come back; five classes were set to none by hand."""
    links, found, own = naics2017_to_nace2(), cluster_weights("nace2"), naics_cluster(2017)
    amounts = {code: value for code, value in us_employment(2017).items() if own.get(code)}
    moved = links.apply(list(amounts), list(amounts.values()))
    rows = np.searchsorted(found.codes, links.targets)
    totals = moved.amounts[0] @ found.weight[rows]
    for column, cluster in enumerate(CODES[1:], start=1):
        direct = sum(value for code, value in amounts.items() if own[code] == cluster)
        assert totals[column] == pytest.approx(direct, rel=0.03), cluster
    assert totals[0] == pytest.approx(sum(amounts.values()) - totals[1:].sum())
    assert totals[0] / sum(amounts.values()) == pytest.approx(0.00225, abs=1e-5)


@pytest.mark.parametrize("name", ["industry_cluster", "concordance", "concordance_alternative", "definition_break"])
def test_published_tables_follow_their_contracts(name: str) -> None:
    table = getattr(harmonise, f"{name}_table")()
    assert table.schema.equals(contract(name).arrow_schema)
    keys = table.select(list(contract(name).key))
    assert keys.group_by(keys.column_names).aggregate([]).num_rows == table.num_rows > 0


def test_weights_of_published_concordances_sum_to_one() -> None:
    table = harmonise.concordance_table().to_pandas()
    known = table[table.weight.notna()]
    sums = known.groupby(["from_scheme", "from_code", "to_scheme"]).weight.sum()
    broken = table[table.weight.isna()].set_index(["from_scheme", "from_code", "to_scheme"]).index
    assert np.allclose(sums[~sums.index.isin(broken)], 1)
    assert len(industry_concordances()) + len(region_concordances()) == len(table.groupby(["from_scheme", "to_scheme"]))


def test_weights_of_industries_over_clusters_sum_to_one() -> None:
    table = harmonise.industry_cluster_table().to_pandas()
    assert np.allclose(table.groupby(["industry_scheme", "industry_code"]).weight.sum(), 1)
    assert set(table.industry_scheme) == set(INDUSTRY_SCHEMES)
    unique = table[(table.industry_scheme == "naics2017") & (table.cluster_code > 0)]
    assert len(unique) == 970
    assert unique.subcluster_code.notna().all()


def test_breaks_of_definition_move_nothing_in_total() -> None:
    table = harmonise.definition_break_table().to_pandas()
    sums = table.groupby(["from_scheme", "to_scheme"])[["employment_before", "employment_after", "difference"]].sum()
    assert np.allclose(sums.employment_before, sums.employment_after)
    moved = table[table.difference.abs() > 0.5]
    assert set(moved.from_scheme) == {"naics2002", "naics2007"}
    assert set(moved[moved.from_scheme == "naics2007"].cluster_code) == {10, 115}


def test_the_cluster_table_says_how_sure_each_cluster_is() -> None:
    table = harmonise.cluster_table().to_pandas().set_index("cluster_code")
    assert table.unambiguous_employment_share.loc[[0, -1]].isna().all()
    assert table.unambiguous_employment_share.drop([0, -1]).between(0, 1).all()


def test_links_for_people() -> None:
    rows = harmonise.concordance_rows("naics2017", "541990", "nace2")
    assert [row["weight"] for row in rows] == sorted((row["weight"] for row in rows), reverse=True)
    assert rows[0]["name"] and {row["partial"] for row in rows} == {"yes"}
    assert [row["to"] for row in harmonise.concordance_rows("naics2017", "336411", "nace2")] == ["30.30"]
    assert harmonise.concordance_rows("naics2017", "336411", "cluster")[0]["name"] == "Aerospace Vehicles and Defense"
    assert harmonise.concordance_rows("naics2002", "339111", "naics2017")
    assert harmonise.concordance_rows("nuts2013", "HU10", "nuts2021")[0]["method"] == "population"
    assert harmonise.concordance_rows("naics1997", "233110", "naics2002")[0]["weight"] == ""


@pytest.mark.parametrize(
    ("scheme", "code", "to", "words"),
    [
        ("naics2017", "999999", "nace2", "no code 999999"),
        ("nace2", "10.11", "isic4", "no concordance leads from nace2 to isic4; there are: naics2017, cluster"),
        ("sic", "1", "nace2", "no concordance leads from sic; there are some from: nace2, nace21, naics1997"),
        ("sic", "1", "cluster", "no industry scheme"),
    ],
)
def test_a_look_up_that_cannot_be_says_why(scheme: str, code: str, to: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        harmonise.concordance_rows(scheme, code, to)
