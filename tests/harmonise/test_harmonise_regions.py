"""Regions to one vintage: counties since 1998, areas made of counties, NUTS versions, what lacks a contributor."""

import numpy as np
import pytest
from harmonise_cases import cell, clusters, done
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.errors import SourceFormatError, UsageError
from etl.harmonise.region_links import (
    counties_to_areas,
    counties_to_current,
    nuts_to_current,
    region_concordances,
)
from etl.reference import counties, county_area, is_extra_regio, nuts_regions
from etl.reference.counties import COUNTY_LISTS
from etl.reference.nuts import NUTS_VERSIONS

AUTOMOTIVE = 4


def county_year(codes: list[str], vintage: int, amounts: list[float] | None = None) -> dict[tuple[str, int], dict]:
    given_amounts = amounts or [10.0 * (number + 1) for number in range(len(codes))]
    rows = []
    for code, amount in zip(codes, given_amounts, strict=True):
        rows += [
            cell(f"us_county:{code}", "00", amount, region_vintage=vintage),
            cell(f"us_county:{code}", "336111", amount, region_vintage=vintage),
        ]
    return clusters(done(rows))


def automotive(found: dict[tuple[str, int], dict], scheme: str = "us_county") -> dict[str, float]:
    return {
        region.split(":")[1]: row["employment"]
        for (region, cluster), row in found.items()
        if cluster == AUTOMOTIVE and region.startswith(f"{scheme}:")
    }


@pytest.mark.parametrize("year", COUNTY_LISTS)
def test_every_county_of_every_list_arrives(year: int) -> None:
    concordance = counties_to_current(year)
    assert set(concordance.sources.tolist()) == counties(year).keys()
    assert set(concordance.targets.tolist()) <= counties(2020).keys()
    assert not concordance.unmapped_share.any()


def test_connecticut_goes_back_to_its_counties_through_its_towns() -> None:
    regions = sorted(code for code in counties(2022) if code.startswith("09"))
    found = county_year(regions, 2022)
    amounts = automotive(found)
    assert sorted(amounts) == sorted(code for code in counties(2020) if code.startswith("09"))
    assert sum(amounts.values()) == pytest.approx(sum(10.0 * (n + 1) for n in range(9)))
    # Capitol: 26 of its 38 towns were in Hartford County, 12 in Tolland; northwest hills all in Litchfield or Hartford.
    links = counties_to_current(2022)
    capitol = dict(
        zip(links.to_code[links.from_code == "09110"], links.weight[links.from_code == "09110"], strict=True)
    )
    assert capitol == pytest.approx({"09003": 26 / 38, "09013": 12 / 38})
    assert set(links.weight_method[links.from_code == "09110"].tolist()) == {"equal"}
    row = found["us_county:09003", AUTOMOTIVE]
    assert 0 < row["boundary_weight_share"] <= 1 and row["region_vintage"] == 2020


def test_connecticuts_total_is_the_same_in_both_lists() -> None:
    new = sorted(code for code in counties(2022) if code.startswith("09"))
    old = sorted(code for code in counties(2020) if code.startswith("09"))
    after = sum(automotive(county_year(new, 2022, [9.0] * 9)).values())
    before = sum(automotive(county_year(old, 2020, [81.0 / 8] * 8)).values())
    assert after == pytest.approx(before) == pytest.approx(81)


def test_connecticut_lacking_a_planning_region_is_withheld_with_bounds() -> None:
    regions = sorted(code for code in counties(2022) if code.startswith("09"))[1:]
    found = county_year(regions, 2022)
    hartford = found["us_county:09003", AUTOMOTIVE]
    assert hartford["employment"] is None and hartford["employment_status"] == "withheld"
    assert hartford["employment_low"] > 0 and hartford["employment_high"] is None
    assert hartford["is_complete"] is False
    assert found["us_county:09001", AUTOMOTIVE]["employment"] is not None


@pytest.mark.parametrize(
    ("vintage", "old", "new"),
    [
        (2013, ["46113"], {"46102": 10.0}),
        (2013, ["02270"], {"02158": 10.0}),
        (2008, ["51515", "51019"], {"51019": 30.0}),
        (2021, ["02063", "02066"], {"02261": 30.0}),
        (1998, ["51560", "51005"], {"51005": 30.0}),
        (2001, ["02232"], {"02105": 5.0, "02230": 5.0}),
        (2001, ["02280"], {"02195": 5.0, "02275": 5.0}),
        (2001, ["02201"], {"02198": 10.0}),
        (1998, ["08013"], {"08013": 10.0}),
    ],
)
def test_counties_that_changed(vintage: int, old: list[str], new: dict[str, float]) -> None:
    found = automotive(county_year(old, vintage))
    assert found == pytest.approx(new)


def test_broomfield_before_it_was_is_a_break() -> None:
    links = counties_to_current(1998)
    to_broomfield = links.to_code == "08014"
    assert sorted(links.from_code[to_broomfield].tolist()) == ["08001", "08013", "08059", "08123"]
    assert np.isnan(links.weight[to_broomfield]).all() and links.is_partial[to_broomfield].all()
    later = counties_to_current(2001)
    assert "08014" in later.sources.tolist()
    assert later.from_code[np.isnan(later.weight)].tolist() == ["02201"]


def test_a_county_of_another_list_is_refused() -> None:
    with pytest.raises(SourceFormatError, match="us_county:09110 is not in the list of 2020"):
        county_year(["09110"], 2020)


def test_the_statewide_remainder_stays_with_its_state_and_in_no_area() -> None:
    found = county_year(["26163", "26999"], 2020, [70.0, 30.0])
    assert automotive(found) == {"26163": 70.0, "26999": 30.0}
    areas = {code: row for (code, cluster), row in found.items() if code.startswith("us_economic") and cluster == 4}
    assert sum(row["employment_reported"] for row in areas.values()) == 70


def test_every_county_is_in_one_area_and_areas_make_the_nation() -> None:
    for scheme, count in (("us_economic_area", 179), ("us_state", 51)):
        links = counties_to_areas(scheme)
        assert links.is_unique and set(links.sources.tolist()) == counties(2020).keys()
        assert links.targets.size == count
    with pytest.raises(UsageError, match="us_nation"):
        counties_to_areas("us_nation")


def test_an_area_is_complete_when_all_its_counties_are_there() -> None:
    area = county_area("us_economic_area", 2004)
    denver = sorted(code for code in counties(2020) if area[code] == area["08031"])
    whole = county_year(denver, 2020)
    key = f"us_economic_area:{area['08031']}"
    assert whole[key, AUTOMOTIVE]["is_complete"] is True
    assert whole[key, AUTOMOTIVE]["employment"] == sum(10.0 * (n + 1) for n in range(len(denver)))
    lacking = county_year(denver[1:], 2020)
    row = lacking[key, AUTOMOTIVE]
    assert row["is_complete"] is False and row["employment"] is None and row["employment_high"] is None
    assert row["employment_low"] == row["employment_reported"] > 0


def test_a_county_without_any_cell_is_no_gap_where_its_state_is_closed() -> None:
    """Where counties make up the state's printed total, a county that is not in the file has nothing."""
    area = county_area("us_economic_area", 2004)
    inside = sorted(code for code in counties(2020) if area[code] == area["15003"])
    rows = [cell("us_state:15", "00", 100.0), cell("us_state:15", "336111", 100.0)]
    present = [code for code in inside if code != "15005"]  # Kalawao
    for number, code in enumerate(present):
        amount = 100.0 - 10 * (len(present) - 1) if number == 0 else 10.0
        rows += [cell(f"us_county:{code}", "00", amount), cell(f"us_county:{code}", "336111", amount)]
    row = clusters(done(rows))[f"us_economic_area:{area['15003']}", AUTOMOTIVE]
    assert row["is_complete"] is True and row["employment"] == 100


def test_published_metropolitan_areas_give_way_to_counties() -> None:
    rows = [
        cell("us_cbsa:33860", "00", 99.0),
        cell("us_cbsa:33860", "336111", 99.0),
        cell("us_county:01001", "00", 10.0),
        cell("us_county:01001", "336111", 10.0),
    ]
    result = done(rows)
    assert clusters(result)["us_cbsa:33860", AUTOMOTIVE]["employment_reported"] == 10
    assert any("give way" in note for note in result.notes)
    alone = done(rows[:2])
    assert clusters(alone)["us_cbsa:33860", AUTOMOTIVE]["employment"] == 99
    other = done([{**row, "region_vintage": 2013} for row in rows[:2]] + [cell("us_state:01", "00", 1.0)])
    assert "us_cbsa:33860" not in {region for region, _ in clusters(other)}
    assert any("another delineation" in note for note in other.notes)


michigan = sorted(code for code in counties(2020) if code.startswith("26"))


@given(
    st.dictionaries(
        st.sampled_from(michigan), st.tuples(st.integers(0, 9_999), st.integers(0, 9_999)), min_size=1, max_size=12
    )
)
@settings(max_examples=30)
def test_mapping_then_summing_regions_is_summing_then_mapping(figures: dict[str, tuple[int, int]]) -> None:
    """Clusters of counties added up to areas are the clusters of areas added up from counties."""
    rows, by_area = [], {}
    area = county_area("us_economic_area", 2004)
    for county, (first, second) in figures.items():
        for code, amount in (("00", first + second), ("336111", first), ("541511", second)):
            rows.append(cell(f"us_county:{county}", code, float(amount)))
            key = (area[county], code)
            by_area[key] = by_area.get(key, 0.0) + amount
    summed_last = clusters(done(rows))
    # The same areas, added up before: as if published by states.
    areas = sorted({one for one, _ in by_area})
    stand_in = dict(zip(areas, ("01", "02", "04", "05", "06", "08", "09", "10", "11", "12", "13", "15"), strict=False))
    summed_first = clusters(
        done([cell(f"us_state:{stand_in[one]}", code, amount) for (one, code), amount in by_area.items()])
    )
    for one in areas:
        for cluster in (AUTOMOTIVE, 6, 0, -1):
            first = summed_first[f"us_state:{stand_in[one]}", cluster]["employment_reported"]
            assert summed_last[f"us_economic_area:{one}", cluster]["employment_reported"] == first


@pytest.mark.parametrize("version", [version for version in NUTS_VERSIONS if version < 2021])
def test_every_older_region_of_level_0_to_2_arrives(version: int) -> None:
    links = nuts_to_current(version)
    upper = np.char.str_len(links.from_code) <= 4
    assert not np.isnan(links.weight[upper]).any()
    assert set(links.to_code[upper].tolist()) <= nuts_regions(2021).keys()
    assert {code for code in nuts_regions(version) if len(code) <= 4} <= set(links.sources.tolist())


@pytest.mark.parametrize("version", [version for version in NUTS_VERSIONS if version < 2021])
def test_a_region_of_level_1_that_splits_has_only_changed_regions_below(version: int) -> None:
    """Else shares by people would leave out those that stay."""
    links = nuts_to_current(version)
    split = {
        code
        for code, weight in zip(links.from_code.tolist(), links.weight, strict=True)
        if len(code) == 3 and weight < 1
    }
    changed = {
        code
        for code, target in zip(links.from_code.tolist(), links.to_code.tolist(), strict=True)
        if len(code) == 4 and code != target
    }
    for code in nuts_regions(version):
        if len(code) == 4 and code[:3] in split and not is_extra_regio(code):
            assert code in changed


def test_codes_with_two_meanings_are_told_apart_by_version() -> None:
    """UKM6 and NL31 kept their code and changed their territory; FRA1 to FRA5 belong to one version alone."""
    old = nuts_to_current(2010)
    assert sorted(old.to_code[old.from_code == "UKM6"].tolist()) == ["UKM6", "UKM8"]
    assert sorted(nuts_to_current(2013).to_code[nuts_to_current(2013).from_code == "NL33"].tolist()) == ["NL31", "NL33"]
    with pytest.raises(SourceFormatError, match="nuts2:FRA1 is not in the list of 2016"):
        done([cell("nuts2:FRA1", "29", 1.0, region_vintage=2016)])


def nuts_year(figures: dict[str, float | None], vintage: int) -> dict[tuple[str, int], dict]:
    rows = []
    for code, amount in figures.items():
        region = f"nuts{len(code) - 2}:{code}"
        rows += [cell(region, "C", amount, region_vintage=vintage), cell(region, "05", amount, region_vintage=vintage)]
    return clusters(done(rows))


COAL = 7


def test_a_shift_of_boundaries_is_weighted_and_marked() -> None:
    found = nuts_year({"HU10": 100.0}, 2013)
    first, second = found["nuts2:HU11", COAL], found["nuts2:HU12", COAL]
    assert first["employment"] + second["employment"] == pytest.approx(100)
    assert first["employment"] == pytest.approx(58.1, abs=0.05)
    assert first["boundary_weight_share"] == 1
    assert first["grade"] == "B"  # printed, but through weights
    assert first["region_vintage"] == 2021


def test_a_band_is_divided_like_its_figure() -> None:
    rows = [
        cell(
            "nuts2:HU10",
            "05",
            100.0,
            region_vintage=2013,
            employment_status="estimated",
            employment_low=0.0,
            employment_high=200.0,
            employment_band_low=80.0,
            employment_band_high=120.0,
        )
    ]
    row = clusters(done(rows))["nuts2:HU11", COAL]
    assert row["employment_band_high"] - row["employment_band_low"] == pytest.approx(40 * row["employment"] / 100)


def test_a_target_that_lacks_a_contributor_is_withheld() -> None:
    found = nuts_year({"IE01": 100.0}, 2013)
    whole, lacking = found["nuts2:IE04", COAL], found["nuts2:IE06", COAL]
    assert whole["employment"] == pytest.approx(66.8, abs=0.05)
    assert lacking["employment"] is None and lacking["employment_high"] is None and lacking["is_complete"] is False
    assert lacking["employment_low"] == pytest.approx(33.2, abs=0.05)
    assert nuts_year({"IE01": 100.0, "IE02": 50.0}, 2013)["nuts2:IE06", COAL]["employment"] is not None


def test_extra_regio_stays_with_its_country() -> None:
    found = nuts_year({"FRZZ": 5.0, "ELZZ": 6.0, "FR10": 1.0}, 2013)
    assert found["nuts2:FRZZ", COAL]["employment"] == 5
    assert found["nuts2:ELZZ", COAL]["employment"] == 6


def test_nuts_2024_by_recode_and_its_shifts_are_not_supported() -> None:
    """PT1A and PT1B are the old PT17; PT1D takes from PT16 and PT18, and nobody has published how much."""
    found = nuts_year({"PT19": 10.0, "PT1A": 20.0, "PT1B": 30.0, "PT1C": 40.0, "PT1D": 5.0, "PT11": 1.0}, 2024)
    assert found["nuts2:PT17", COAL]["employment"] == 50
    assert found["nuts2:PT11", COAL]["employment"] == 1
    for code, low in (("PT16", 10), ("PT18", 40)):
        row = found[f"nuts2:{code}", COAL]
        assert row["employment"] is None and row["is_complete"] is False
        assert (row["employment_low"], row["employment_high"]) == (low, low + 5)
    ledger = done([cell("nuts2:PT1D", "05", 5.0, region_vintage=2024)]).ledger.to_pylist()
    moved = next(
        row for row in ledger if row["step"] == "regions_to_regions" and row["measure"] == "employment_reported"
    )
    assert (moved["amount_in"], moved["amount_out"], moved["amount_unmapped"]) == (5, 0, 5)


def test_level_1_is_split_as_its_regions_below() -> None:
    """PL1 of 2013 went to PL7 (Łódzkie) and PL9 (Mazowieckie); PL3 to PL7 and PL8."""
    below = {"PL11": 10.0, "PL12": 90.0, "PL31": 5.0, "PL32": 6.0, "PL33": 7.0, "PL34": 8.0}
    found = nuts_year({**below, "PL1": 100.0, "PL3": 26.0}, 2013)
    assert found["nuts1:PL7", COAL]["employment"] == pytest.approx(17)
    assert found["nuts1:PL9", COAL]["employment"] == pytest.approx(90)
    assert found["nuts1:PL8", COAL]["employment"] == pytest.approx(19)
    assert found["nuts1:PL7", COAL]["boundary_weight_share"] == 0
    by_people = nuts_year({"PL1": 100.0, "PL3": 26.0}, 2013)
    assert by_people["nuts1:PL9", COAL]["employment"] == pytest.approx(68.5, abs=0.1)
    assert by_people["nuts1:PL9", COAL]["boundary_weight_share"] == 1


def test_all_published_region_links_are_named_by_their_year() -> None:
    names = [(one.from_scheme, one.to_scheme) for one in region_concordances()]
    assert ("nuts2013", "nuts2021") in names and ("us_county2022", "us_county2020") in names
    assert ("us_county2020", "us_economic_area2004") in names
    assert len(set(names)) == len(names)
