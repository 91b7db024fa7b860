"""The explanation of a figure names every row, weight, denominator, rule and threshold behind it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from measure_cases import STATES, coverage, generated, nuts
from yardstick import yardsticks

from etl.contracts import contract
from etl.errors import UsageError
from etl.measure import measure_common, measure_year
from etl.measure.explain import explain
from etl.measure.explain_text import persons
from etl.measure.rules import EU28
from etl.reference import county_area

AUTOMOTIVE = 4
AREA = "57057"


class Memory:
    """A snapshot held in memory."""

    def __init__(self, tables: dict[str, pa.Table]) -> None:
        self.tables = {name: contract(name).conform(rows) for name, rows in tables.items()}

    def table(self, name: str, columns: Sequence[str] | None = None, filters: Sequence[Any] | None = None) -> pa.Table:
        rows = self.tables[name]
        if filters:
            rows = rows.filter(pq.filters_to_expression([list(filters)]))
        return rows.select(list(columns)) if columns else rows


def industry(scheme: str, region: str, code: str, employment: float | None, **more: Any) -> dict[str, Any]:
    return {
        "source": "census_cbp",
        "year": 2019,
        "region_scheme": scheme,
        "region_code": region,
        "region_vintage": 2020,
        "industry_scheme": "naics2017",
        "industry_code": code,
        "industry_level": "national_industry",
        "is_leaf": True,
        "employment": employment,
        "employment_low": 0.0 if employment is None else employment,
        "employment_high": employment,
        "employment_status": "withheld" if employment is None else "noised",
        "employment_flag": "G",
    } | more


@pytest.fixture(scope="module")
def snapshot() -> Memory:
    american = generated({"us_state": STATES, "us_economic_area": [AREA]}, seed=2)
    europe = generated({"nuts0": nuts(0, *EU28), "nuts2": nuts(2, *EU28)}, "eurostat_sbs", nation=None, seed=3)
    british = generated({"nuts2": [code for code in nuts(2, "UK") if code != "UKN0"]}, "uk_bres", nation=None, seed=4)
    tables = {("census_cbp", 2019): american, ("eurostat_sbs", 2019): europe, ("uk_bres", 2019): british}
    done = measure_year({source: rows for (source, _), rows in tables.items()}, year=2019)
    counties = [code for code, area in county_area("us_economic_area", 2004).items() if area == AREA][:2]
    areas = {"region_scheme": "us_economic_area", "region_code": AREA, "region_vintage": 2004}
    cells = [
        industry("us_state", "26", "336111", 1000.0),
        industry("us_state", "26", "336112", None),
        industry("us_state", "26", "541511", 77.0),
        industry("us_state", "26", "3361", 5000.0, is_leaf=False),
        industry("us_state", "26", "00~", 9.0, industry_level="not_allocated"),
        *(industry("us_county", county, "336111", 20.0) for county in counties),
    ]
    links = [
        {"industry_scheme": scheme, "industry_code": code, "cluster_code": cluster, "weight": weight}
        | {"weight_low": weight, "weight_high": weight, "weight_method": "unique"}
        for scheme, code, cluster, weight in (
            ("naics2017", "336111", 4, 1.0),
            ("naics2017", "336112", 4, 0.5),
            ("naics2012", "541511", 4, 1.0),
        )
    ]
    region = {"region_scheme": "us_state", "region_code": "26", "region_vintage": 2020, "region_name": "Michigan"}
    names = [
        {"cluster_code": AUTOMOTIVE, "cluster_name": "Automotive", "short_name": "Automotive", "kind": "traded"},
    ]
    source = {
        "source": "census_cbp",
        "publisher": "Census Bureau",
        "concept": "employees in March",
        "is_invented": False,
    }
    clusters = done["region_cluster"].to_pandas()
    clusters.loc[clusters.region_code.eq(AREA), "region_vintage"] = 2004
    return Memory(
        {
            "region_cluster": pa.Table.from_pandas(clusters, preserve_index=False),
            "region_cluster_common": measure_common(tables, year=2019, coverage=coverage(*tables)),
            "region_industry": pa.Table.from_pylist(cells),
            "industry_cluster": pa.Table.from_pylist(links),
            "region": pa.Table.from_pylist(
                [region | {"country_code": "US"}, areas | {"region_name": "Detroit", "country_code": "US"}]
            ),
            "cluster": pa.Table.from_pylist(names),
            "source": pa.Table.from_pylist([source | {"is_invented": False}]),
        }
    )


def row_of(snapshot: Memory, scheme: str, region: str, cluster: int, source: str) -> dict[str, Any]:
    columns = ("region_scheme", scheme), ("region_code", region), ("cluster_code", cluster), ("source", source)
    (row,) = snapshot.table("region_cluster", filters=[(name, "=", value) for name, value in columns]).to_pylist()
    return row


def test_a_state_tells_rows_weights_denominators_and_thresholds(snapshot: Memory) -> None:
    text = "\n".join(explain(snapshot, "us_state", "26", AUTOMOTIVE, 2019))
    row = row_of(snapshot, "us_state", "26", AUTOMOTIVE, "census_cbp")
    assert text.startswith("Michigan (us_state:26), cluster 4 Automotive, 2019")
    assert "Source census_cbp: Census Bureau, employees in March" in text
    lines = {words[0]: words for line in text.splitlines() if (words := line.split())}
    assert lines["336111"][1:] == ["1,000", "1,000", "to", "1,000", "noised", "G", "1", "1,000"]
    assert lines["336112"][1:] == ["-", "0", "to", "-", "withheld", "G", "0.5", "-"]
    assert "541511" not in lines and "3361" not in lines and "00~" not in lines
    assert f"Location quotient {row['location_quotient']:.6g} = (" in text
    peers = snapshot.tables["region_cluster"].to_pandas().query("region_scheme == 'us_state' and cluster_code == 4")
    peers = peers[peers.employment > 0]
    assert f"> {persons(float(np.quantile(peers.employment, 0.25)))}" in text
    assert f">= {np.quantile(peers.location_quotient, 0.75):.6g} and 1" in text
    assert f">= {np.quantile(peers.location_quotient, 0.9):.6g} and 1" in text
    assert f"among {len(peers)} of 50 us_state regions" in text
    nation = row_of(snapshot, "us_nation", "US", AUTOMOTIVE, "census_cbp")
    assert f"nation's cluster {nation['employment']:,.0f}" in " ".join(text.split())
    assert "Common rule, level L, full: census_cbp 2019 beside 2019 of the other side" in text
    common = snapshot.tables["region_cluster_common"].to_pandas().query("region_code == '26' and level == 'L'")
    assert f"the region's {persons(common.employment.sum())} in common traded clusters" in text


def test_what_is_not_allocated_is_told_too(snapshot: Memory) -> None:
    text = "\n".join(explain(snapshot, "us_state", "26", -1, 2019))
    assert "00~" in text and "No quotient: not a cluster" in text


def test_an_economic_area_is_told_from_its_counties(snapshot: Memory) -> None:
    text = "\n".join(explain(snapshot, "us_economic_area", AREA, AUTOMOTIVE, 2019))
    assert "summed over 2 of the area's" in text
    assert "2 noised" in text
    assert "null: comparison set incomplete" in text


def test_a_european_region_tells_its_reference_area_and_star_rule(snapshot: Memory) -> None:
    text = "\n".join(explain(snapshot, "nuts2", "DE11", AUTOMOTIVE, 2019))
    assert "Source rows: none under this code" in text
    assert "cluster in EU28 (28 of 28 members)" in text
    assert "specialisation: at least 2 (unsure)" in text
    assert "top 10% by employment from" in text


def test_a_region_of_two_sources_is_told_by_both(snapshot: Memory) -> None:
    text = "\n".join(explain(snapshot, "nuts2", "UKC1", AUTOMOTIVE, 2019))
    assert "Source eurostat_sbs" in text and "Source uk_bres" in text
    assert "(reference area EU28: the source has figures for 0 of 28 members)" in text


@pytest.mark.parametrize(
    ("scheme", "region", "cluster", "sentence"),
    [
        ("us_state", "26", 77, "77 is no cluster"),
        ("us_state", "99", 4, "no cluster 4 for us_state:99 in 2019"),
    ],
)
def test_what_is_not_there_is_said_in_a_sentence(
    snapshot: Memory, scheme: str, region: str, cluster: int, sentence: str
) -> None:
    with pytest.raises(UsageError, match=sentence):
        explain(snapshot, scheme, region, cluster, 2019)


def test_it_takes_no_more_than_six_yardsticks(snapshot: Memory) -> None:
    assert yardsticks(lambda: explain(snapshot, "us_state", "26", AUTOMOTIVE, 2019)) < 6
