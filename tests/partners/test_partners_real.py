"""Real figures: known pairs, relatedness beside the published one, the back-test of density from 2011 to 2019."""

from pathlib import Path

import pandas as pd
import pytest
from real_measures import Harmonised, common, source_year

from etl.measure import measure_year
from etl.partners import back_test, cluster_relatedness, region_partner

Parts = dict[tuple[str, int], Harmonised]


@pytest.fixture(scope="module")
def parts(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Parts:
    folder = tmp_path_factory.mktemp("real")
    british = source_year(shared, folder, "uk_bres", 2015)
    return {
        ("census_cbp", 2011): source_year(shared, folder, "census_cbp", 2011),
        ("census_cbp", 2019): source_year(shared, folder, "census_cbp", 2019, ("census_cbp", "census_cbp_api")),
        ("uk_bres", 2015): british,
        ("uk_bres", 2019): source_year(shared, folder, "uk_bres", 2019),
        ("eurostat_sbs", 2015): source_year(shared, folder, "eurostat_sbs", 2015, structures=[british.cells]),
    }


@pytest.fixture(scope="module")
def twins(parts: Parts) -> pd.DataFrame:
    """Twins of states with Great Britain in 2019, and with Europe in 2015 by the states of 2011."""
    britain = common({key: parts[key] for key in parts if key[1] == 2019}, 2019, 2)
    europe = common({key: parts[key] for key in parts if key[1] != 2019}, 2015, 4)
    found = pd.concat([region_partner(britain, 2019).to_pandas(), region_partner(europe, 2015).to_pandas()])
    return found[(found.kind == "twin") & (found.level == "L")]


def rank(twins: pd.DataFrame, year: int, region: str, partner: str) -> int:
    row = twins[(twins.year == year) & (twins.region_code == region) & (twins.partner_code == partner)]
    return int(row.partner_rank.iloc[0]) if len(row) else 99


# Of 11 regions of Great Britain.
@pytest.mark.parametrize(
    ("state", "region", "at_most"),
    [
        ("26", "UKG", 1),  # Michigan, West Midlands: cars
        ("36", "UKI", 1),  # New York, London: media, finance
        ("06", "UKI", 2),  # California, London
        ("06", "UKJ", 2),  # California, South East
        ("53", "UKK", 1),  # Washington, South West: aircraft
        ("02", "UKM", 1),  # Alaska, Scotland: fish, oil
        ("22", "UKM", 1),  # Louisiana, Scotland: oil
        ("37", "UKF", 3),  # North Carolina, East Midlands: textiles
    ],
)
def test_known_pairs_of_2019(twins: pd.DataFrame, state: str, region: str, at_most: int) -> None:
    assert rank(twins, 2019, state, region) <= at_most


# Of 106 regions of Europe: the first 5 %.
@pytest.mark.parametrize(
    ("state", "region"),
    [
        ("26", "DE9"),  # Michigan, Niedersachsen with Braunschweig: cars
        ("26", "DE1"),  # Michigan, Baden-Württemberg with Stuttgart: cars
        ("26", "UKG"),  # Michigan, West Midlands: cars
        ("18", "DE9"),  # Indiana, Niedersachsen: cars
        ("20", "FRJ"),  # Kansas with Wichita, Occitanie with Toulouse: aircraft
        ("53", "UKK"),  # Washington, South West England: aircraft
        ("36", "UKI"),  # New York, London
        ("48", "UKM"),  # Texas, Scotland: oil
        ("22", "UKM"),  # Louisiana, Scotland: oil
        ("55", "FI1"),  # Wisconsin, Finland: paper and its machines
        ("28", "PL6"),  # Mississippi with Tupelo, northern Poland with Warmińsko-mazurskie: furniture
    ],
)
def test_known_pairs_of_2015(twins: pd.DataFrame, state: str, region: str) -> None:
    assert rank(twins, 2015, state, region) <= 5


def test_relatedness_beside_the_published_one(parts: Parts, shared: Path) -> None:
    """Where clusters' employment goes together the published relatedness is high; specialisation is another thing."""
    path = shared / "extra" / "us_related_clusters.csv"
    if not path.is_file():
        pytest.skip("the published relatedness (../shared/extra) is not here")
    britain = common({key: parts[key] for key in parts if key[1] == 2019}, 2019, 2)
    own = cluster_relatedness(britain, 2019).to_pandas().query("level == 'L'")
    published = pd.read_csv(path)[["cluster_code", "related_cluster_code", "relatedness"]]
    both = own.merge(published, on=["cluster_code", "related_cluster_code"], suffixes=("", "_published"))
    both = both[both.cluster_code < both.related_cluster_code]
    found = {
        area: rows[["relatedness", "employment_correlation"]].corrwith(rows.relatedness_published, method="spearman")
        for area, rows in both.groupby("area")
    }
    print("\nrank correlation with the published relatedness, 2019:")
    print(pd.DataFrame(found).round(3).to_string())
    assert found["US"].employment_correlation > 0.7
    assert found["US"].relatedness > 0.1


def test_density_foretells_what_became_strong(parts: Parts) -> None:
    measured = {
        year: measure_year({"census_cbp": parts["census_cbp", year].clusters}, year=year)["region_cluster"]
        for year in (2011, 2019)
    }
    test = back_test(measured[2011], measured[2019])
    print(f"\n{test.sentence()}")
    assert test.is_passed and test.cells > 1500 and test.became > 50
