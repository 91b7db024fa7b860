"""European cells to clusters: totals by area, weights, what is sure, NUTS 2021."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from harmonise_cases import cell, clusters, done, published_cells
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.errors import SourceFormatError
from etl.harmonise import Harmonised, coverage, harmonise
from etl.harmonise.cluster_weights import CODES, cluster_weights
from etl.harmonise.published import nace2_cluster_equal
from etl.reference.nace import nace_section

REGION = "nuts2:DE21"


def weights_of(industry: str) -> dict[int, float]:
    found = cluster_weights("nace2")
    row = found.weight[found.codes.tolist().index(industry)]
    return {code: float(weight) for code, weight in zip(CODES, row, strict=True) if weight}


@pytest.fixture(scope="module")
def cells_2015(shared: Path) -> pa.Table:
    """Eurostat's regional figures of 2015, as published."""
    return published_cells(shared, "eurostat_sbs", 2015)


@pytest.fixture(scope="module")
def printed_2015(cells_2015: pa.Table) -> dict[tuple[str, str], float]:
    """The printed total of every area of it."""
    return printed_totals(cells_2015)


@pytest.fixture(scope="module")
def europe_2015(cells_2015: pa.Table) -> Harmonised:
    """The same by cluster."""
    return harmonise(cells_2015, 2015)


def printed_totals(cells: pa.Table) -> dict[tuple[str, str], float]:
    """By area: sections B to J, L to N and S95; where a section is missing the sum of its printed divisions."""
    frame = cells.select(["region_scheme", "region_code", "industry_code", "industry_level", "employment_reported"])
    totals = {}
    for key, area in frame.to_pandas().groupby(["region_scheme", "region_code"], observed=True):
        figures = dict(zip(area.industry_code, area.employment_reported, strict=True))
        divisions = {code: figure for code, figure in figures.items() if len(code) == 2}
        total = float(np.nan_to_num(figures.get("95", 0.0)))
        for section in "BCDEFGHIJLMN":
            if not np.isnan(figures.get(section, np.nan)):
                total += figures[section]
            else:
                mine = [value for code, value in divisions.items() if nace_section(code, "nace2") == section]
                total += float(np.nansum(mine))
        totals[key] = total
    return totals


@pytest.mark.shared
def test_every_area_adds_up_to_its_printed_sections(
    printed_2015: dict[tuple[str, str], float], europe_2015: Harmonised
) -> None:
    table = europe_2015.region_cluster.to_pandas()
    found = table.groupby(["region_scheme", "region_code"], observed=True).employment_reported.sum().to_dict()
    kept = {key: total for key, total in printed_2015.items() if key in found}
    differ = {key[1] for key, total in kept.items() if found[key] != pytest.approx(total, abs=1e-6)}
    assert len(kept) > 370
    assert differ == {"NL31", "NL33", "NO02"}  # boundary shifts to NUTS 2021 under the same code
    assert table.groupby(["region_scheme", "region_code"], observed=True).size().eq(69).all()


@pytest.mark.shared
def test_sums_by_country_survive_the_way_to_nuts_2021(
    printed_2015: dict[tuple[str, str], float], europe_2015: Harmonised
) -> None:
    before: dict[tuple[str, str], float] = {}
    for (scheme, code), total in printed_2015.items():
        before[scheme, code[:2]] = before.get((scheme, code[:2]), 0.0) + total
    table = europe_2015.region_cluster.to_pandas()
    table["country"] = table.region_code.astype(str).str[:2]
    after = table.groupby(["region_scheme", "country"], observed=True).employment_reported.sum().to_dict()
    assert after.keys() == before.keys()
    for key, total in before.items():
        assert after[key] == pytest.approx(total, rel=1e-12), key
    assert set(table.region_vintage) == {2021}


@pytest.mark.shared
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ITH3", "ITH3"),
        ("ITI1", "ITI1"),
        ("EL51", "EL51"),
        ("EL30", "EL30"),
        ("FR21", "FRF2"),
        ("FR24", "FRB0"),
        ("FR82", "FRL0"),
        ("FRA1", "FRY1"),  # Guadeloupe, whose code means something else later
        ("FRZZ", "FRZZ"),
        ("PL11", "PL71"),
    ],
)
def test_recodes_are_exact(
    printed_2015: dict[tuple[str, str], float], europe_2015: Harmonised, old: str, new: str
) -> None:
    table = europe_2015.region_cluster.to_pandas()
    rows = table[table.region_code == new]
    assert rows.employment_reported.sum() == pytest.approx(printed_2015["nuts2", old], abs=1e-6)
    assert not rows.boundary_weight_share.fillna(0).any()
    assert old == new or not (table.region_code == old).any()


@pytest.mark.shared
def test_the_file_of_2015_says_nothing_of_finance_education_and_health(
    cells_2015: pa.Table, europe_2015: Harmonised
) -> None:
    share = {row["cluster_code"]: row["covered_share"] for row in coverage(cells_2015, 2015).to_pylist()}
    assert share[24] == share[113] == share[114] == 0
    assert share[16] < 0.05 and share[103] < 0.05 and share[13] < 0.3
    assert share[4] == share[21] == 1
    rows = [row for (_, code), row in clusters(europe_2015).items() if code == 24]
    assert all(row["employment"] is None and row["employment_high"] is None for row in rows)
    assert europe_2015.coverage.equals(coverage(cells_2015, 2015))


@pytest.mark.shared
def test_a_blank_is_never_a_zero(cells_2015: pa.Table, europe_2015: Harmonised) -> None:
    """A region without its division 30 has no figure for Aerospace, however small the other divisions' share."""
    blank = cells_2015.filter(
        pc.and_(
            pc.equal(cells_2015.column("industry_code"), "30"), pc.is_null(cells_2015.column("employment_reported"))
        )
    )
    codes = {code for code in blank.column("region_code").to_pylist() if code.startswith("AT")}
    found = clusters(europe_2015)
    assert codes
    for code in codes:
        row = found[f"nuts{len(code) - 2}:{code}", 1]
        assert row["employment"] is None and row["employment_status"] == "withheld"
        assert row["employment_reported"] > 0


@pytest.mark.shared
def test_new_regions_of_level_1_come_from_the_regions_below(cells_2015: pa.Table) -> None:
    """France's of 2016 cut across those of 2013; where NUTS 2 is complete they are its sums, not shares by people."""
    table = cells_2015.to_pandas()
    table = table[table.region_code.astype(str).str.startswith("FR") & table.region_scheme.isin(["nuts1", "nuts2"])]
    table = table[(table.industry_code == "31") & table.is_leaf.astype(bool)].copy()
    table["above"] = table.region_code.astype(str).str[:3]
    below = table[table.region_scheme == "nuts2"].groupby("above", observed=True).employment.sum(min_count=1)
    own = table[table.region_scheme == "nuts1"].set_index("region_code").employment
    assert (below.dropna() == own.loc[below.dropna().index]).sum() > 5
    result = clusters(harmonise(pa.Table.from_pandas(table.drop(columns="above"), preserve_index=False), 2015))
    for target, parts in (("FRE", ["FR30", "FR22"]), ("FRB", ["FR24"])):
        figures = table[table.region_code.isin(parts)].employment
        assert result[f"nuts1:{target}", 21]["employment"] == pytest.approx(figures.sum() * weights_of("31")[21])
        assert result[f"nuts1:{target}", 21]["boundary_weight_share"] == 0


def test_a_division_is_divided_by_its_weights() -> None:
    found = clusters(done([cell(REGION, "C", 1_000.0), cell(REGION, "29", 600.0), cell(REGION, "30", None)]))
    for cluster, weight in weights_of("29").items():
        assert found[REGION, cluster]["employment_reported"] == pytest.approx(600 * weight)
    assert found[REGION, -1]["employment_reported"] == 400
    row = found[REGION, 44]  # division 30 could add to it
    assert row["employment"] is None or row["employment_status"] == "modelled"


def test_what_is_sure_and_what_is_judged() -> None:
    """Leather (15) is several clusters: own share, entropy and bounds by hand."""
    found = clusters(done([cell(REGION, "C", 200.0), cell(REGION, "15", 200.0)]))
    footwear = weights_of("15")
    for cluster, weight in footwear.items():
        row = found[REGION, cluster]
        assert row["employment"] == pytest.approx(200 * weight)
        assert row["employment_status"] == "modelled"
        assert row["own_share"] == pytest.approx(weight)
        assert row["unambiguous_share"] == 0
        entropy = -sum(share * np.log2(share) for share in footwear.values())
        assert row["weight_entropy"] == pytest.approx(entropy)
        assert (row["employment_low"], row["employment_high"]) == (0, 200)
        assert row["grade"] == ("C" if weight >= 0.5 else "D")


def test_a_whole_division_of_one_cluster_is_as_good_as_printed() -> None:
    found = clusters(
        done([cell(REGION, "H", 90.0), cell(REGION, "51", 90.0), cell(REGION, "B", 5.0), cell(REGION, "05", 5.0)])
    )
    coal = found[REGION, 7]
    assert weights_of("05") == {7: 1.0}
    assert (coal["employment"], coal["employment_low"], coal["employment_high"]) == (5, 5, 5)
    assert (coal["own_share"], coal["unambiguous_share"], coal["weight_entropy"]) == (1, 1, 0)
    assert (coal["employment_status"], coal["grade"]) == ("reported", "A")


def test_a_known_zero_stays_zero_in_all_its_clusters() -> None:
    found = clusters(done([cell(REGION, "C", 0.0), cell(REGION, "29", 0.0)]))
    row = found[REGION, 4]
    assert (row["employment"], row["employment_high"], row["employment_status"], row["grade"]) == (
        0,
        0,
        "reported",
        "A",
    )


def test_modelled_classes_are_judged_as_their_division() -> None:
    """Classes made from a division by an assumed structure are no better known than the division."""
    modelled = {"employment_status": "modelled", "employment_low": 0.0, "employment_high": 100.0, "is_leaf": True}
    mixed = [
        cell(REGION, "C", 100.0),
        cell(REGION, "32", 100.0, is_leaf=False),
        cell(REGION, "32.12", 50.0, **modelled),
        cell(REGION, "32.20", 50.0, **modelled),
    ]
    found = clusters(done(mixed))
    share = weights_of("32.12")[25] / 2
    row = found[REGION, 25]
    assert row["employment"] == pytest.approx(100 * share)
    assert row["own_share"] == pytest.approx(share)
    assert row["employment_high"] == 100 and row["unambiguous_share"] == 0
    assert row["grade"] == "D"


def test_a_modelled_cluster_holds_at_most_its_division() -> None:
    modelled = {"employment_status": "modelled", "employment_low": 0.0, "employment_high": 100.0, "is_leaf": True}
    rows = [
        cell(REGION, "C", 150.0),
        cell(REGION, "29", 100.0, is_leaf=False),
        cell(REGION, "29.10", 50.0, **modelled),
        cell(REGION, "29.32", 50.0, **modelled),
    ]
    assert weights_of("29.10").keys() & weights_of("29.32").keys() >= {4}
    assert clusters(done(rows))[REGION, 4]["employment_high"] == 100


def test_published_classes_are_their_own_unit() -> None:
    rows = [
        cell(REGION, "32.12", 50.0, is_leaf=True, source="uk_bres", employment_status="rounded"),
        cell(REGION, "32.20", 50.0, is_leaf=True, source="uk_bres", employment_status="rounded"),
    ]
    row = clusters(done(rows))[REGION, 25]
    assert row["own_share"] == pytest.approx(weights_of("32.12")[25])


def test_an_industry_of_no_list_is_refused() -> None:
    with pytest.raises(SourceFormatError, match=r"10\.99"):
        done([cell(REGION, "10.99", 1.0, is_leaf=True)])


def test_not_allocated_leaves_of_nace_go_to_minus_one() -> None:
    found = clusters(
        done([cell(REGION, "C", 10.0), cell(REGION, "31", 7.0), cell(REGION, "C~", 3.0, employment_status="estimated")])
    )
    assert found[REGION, -1]["employment"] == 3
    assert found[REGION, 4]["employment"] == 0 and found[REGION, 4]["employment_status"] == "modelled"
    assert found[REGION, 4]["employment_high"] == 3


divisions = st.sampled_from(
    sorted(code for code in cluster_weights("nace2").codes.tolist() if len(code) == 2 and code.isdigit())
)


@given(st.dictionaries(divisions, st.one_of(st.none(), st.integers(0, 100_000)), min_size=1, max_size=12))
@settings(max_examples=50)
def test_any_region_is_conserved(figures: dict[str, int | None]) -> None:
    rows = [cell(REGION, code, None if amount is None else float(amount)) for code, amount in figures.items()]
    sections: dict[str, float] = {}
    for code, amount in figures.items():
        section = nace_section(code, "nace2")
        sections[section] = sections.get(section, 0.0) + (amount or 0) + 10
    rows += [cell(REGION, section, amount) for section, amount in sections.items()]
    found = clusters(done(rows))
    total = sum(sections.values())
    assert sum(row["employment_reported"] for row in found.values()) == pytest.approx(total, rel=1e-12)
    for row in found.values():
        assert row["employment_reported"] >= 0
        for name in ("own_share", "unambiguous_share"):
            assert row[name] is None or 0 <= row[name] <= 1
        if row["employment"] is not None and row["cluster_code"] >= 0:
            assert row["employment_low"] <= row["employment"]
            assert row["employment_high"] is None or row["employment"] <= row["employment_high"]
            assert row["unambiguous_share"] is None or row["unambiguous_share"] <= (row["own_share"] or 0) + 1e-9


@given(
    st.lists(st.integers(0, 10_000), min_size=5, max_size=5), st.lists(st.integers(0, 10_000), min_size=5, max_size=5)
)
@settings(max_examples=30)
def test_clusters_of_a_sum_of_regions_are_the_sums_of_their_clusters(first: list[int], second: list[int]) -> None:
    industries = ["10", "29", "46", "62", "95"]

    def one(region: str, amounts: list[int]) -> list[dict[str, object]]:
        rows = [cell(region, code, float(amount)) for code, amount in zip(industries, amounts, strict=True)]
        return [*rows, cell(region, "TOTAL", float(sum(amounts)))]

    apart = clusters(done([*one("nuts2:DE21", first), *one("nuts2:DE22", second)]))
    together = clusters(done(one("nuts2:DE21", [a + b for a, b in zip(first, second, strict=True)])))
    for cluster in (-1, *CODES):
        both = [apart[f"nuts2:{code}", cluster]["employment_reported"] for code in ("DE21", "DE22")]
        assert sum(both) == pytest.approx(together["nuts2:DE21", cluster]["employment_reported"], rel=1e-9, abs=1e-9)


@pytest.mark.shared
def test_great_britain_by_the_plain_table_is_as_measured(shared: Path) -> None:
    """2021, primary clusters of the unweighted table: 12.57 million traded, 17.68 million local (farms apart)."""
    cells = published_cells(shared, "uk_bres", 2021)
    leaves = cells.filter(cells.column("is_leaf"))
    moved = (
        nace2_cluster_equal().dominant().apply(leaves.column("industry_code"), leaves.column("employment").to_numpy())
    )
    totals = dict(zip(nace2_cluster_equal().dominant().targets.astype(int).tolist(), moved.amounts[0], strict=True))
    assert sum(amount for code, amount in totals.items() if 0 < code < 100) == 12_571_210
    assert sum(amount for code, amount in totals.items() if code > 100) == 17_684_970
    assert moved.unmapped.sum() == 0


@pytest.mark.shared
def test_great_britain_by_class_is_grade_a(shared: Path) -> None:
    result = harmonise(published_cells(shared, "uk_bres", 2021), 2021)
    table = result.region_cluster.to_pandas()
    assert table.region_code.nunique() == 40
    assert table.employment_reported.sum() == pytest.approx(30_941_315)
    assert set(table[table.employment > 0].grade) == {"A"}
    assert all(row["covered_share"] == 1 for row in result.coverage.to_pylist())
