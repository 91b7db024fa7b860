"""Each rule of consistency holds on what we measure, and fails when it is broken."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from measure_cases import STATES, coverage, generated, nuts

from etl.measure import Rules, consistency, measure_common, measure_year

GREAT_BRITAIN = [code for code in nuts(2, "UK") if code != "UKN0"]


@pytest.fixture(scope="module")
def measured() -> dict[str, pa.Table]:
    this, last = (generated({"us_state": STATES}, year=year, seed=year) for year in (2019, 2018))
    tables = {
        ("census_cbp", 2019): this,
        ("uk_bres", 2019): generated({"nuts2": GREAT_BRITAIN}, "uk_bres", nation=None),
    }
    done = measure_year({"census_cbp": this}, year=2019, previous={"census_cbp": (2018, last)})
    full, shaken = (
        measure_common(
            tables | {("census_cbp", 2019): rows}, year=2019, coverage=coverage(*tables), rules=Rules(common_draws=1)
        )
        for rows in (this, _shaken(this))
    )
    at = shaken.column_names.index("variant")
    coarse = shaken.set_column(at, shaken.schema.field("variant"), pa.array(["coarse"] * shaken.num_rows))
    return done | {"common": pa.concat_tables([full, coarse.filter(pc.equal(coarse["level"], "L"))])}


def _shaken(rows: pa.Table) -> pa.Table:
    noise = np.random.default_rng(1).uniform(0.9, 1.1, rows.num_rows)
    at = rows.column_names.index("employment")
    return rows.set_column(at, "employment", pa.array(rows["employment"].to_numpy() * noise))


def changed(rows: pa.Table, name: str, factor: float, at: int = 100) -> pa.Table:
    values = rows[name].to_numpy(zero_copy_only=False).copy()
    values[at] = (values[at] or 1) * factor + 1
    return rows.set_column(rows.column_names.index(name), rows.schema.field(name), pa.array(values, from_pandas=True))


def _first_strong(rows: pa.Table) -> int:
    usable = pc.and_kleene(pc.equal(rows["region_scheme"], "us_state"), pc.greater(rows["location_quotient"], 0.5))
    return int(np.flatnonzero(pc.fill_null(usable, False).to_numpy(zero_copy_only=False))[0])


Rule = Callable[[dict[str, pa.Table]], pa.Table]
RULES: dict[str, tuple[Rule, str, str]] = {
    "clusters add up": (
        lambda t: consistency.clusters_add_up_to_the_region(t["region_cluster"], t["region_total"]),
        "region_cluster",
        "employment_reported",
    ),
    "quotients average to one": (
        lambda t: consistency.quotients_average_to_one(t["region_cluster"]),
        "region_cluster",
        "location_quotient",
    ),
    "shares sum to one": (
        lambda t: consistency.cluster_shares_sum_to_one(t["region_cluster"], "us_state", 1e-9),
        "region_cluster",
        "cluster_share",
    ),
    "shift-share adds up": (
        lambda t: consistency.shift_share_parts_add_up(t["region_cluster"]),
        "region_cluster",
        "shift_mix",
    ),
}


@pytest.mark.parametrize("name", RULES)
def test_the_rule_holds_and_fails_when_broken(name: str, measured: dict[str, pa.Table]) -> None:
    rule, where, column = RULES[name]
    assert rule(measured).num_rows == 0
    at = _first_strong(measured["region_cluster"])
    assert rule(measured | {where: changed(measured[where], column, 1.5, at)}).num_rows > 0


def test_the_share_of_strong_clusters_is_between_8_and_30_percent(measured: dict[str, pa.Table]) -> None:
    assert consistency.strong_share_is_plausible(measured["common"]).num_rows == 0
    all_strong = _replaced(measured["common"], "is_strong", True)
    found = consistency.strong_share_is_plausible(all_strong)
    # Both sides at level L, full and coarse, and Great Britain alone at level M, where no area is.
    assert found.num_rows == 5 and set(found["strong_mean"].to_pylist()) == {1.0}


def _replaced(rows: pa.Table, name: str, value: bool) -> pa.Table:
    return rows.set_column(rows.column_names.index(name), name, pa.array([value] * rows.num_rows))


def test_jumps_are_listed_and_counted() -> None:
    columns = {"employment": [5000.0, 5000.0, 100.0, None], "job_creation": [3000.0, 2000.0, 90.0, None]}
    rows = pa.table({name: pa.array(values, pa.float64()) for name, values in columns.items()})
    assert consistency.jumps(rows)["employment"].to_pylist() == [5000]
    assert not consistency.jumps_are_few(rows)
    assert consistency.jumps_are_few(rows.slice(1))


def test_the_coarse_variant_must_agree_with_the_full_one(measured: dict[str, pa.Table]) -> None:
    common = measured["common"]
    assert consistency.coarse_agrees_with_full(common).num_rows == 0
    coarse = pc.equal(common["variant"], "coarse")
    order = np.random.default_rng(0).permutation(int(pc.sum(coarse).as_py()))
    shuffled = common.filter(coarse)
    for name in ("location_quotient", "is_strong"):
        at = shuffled.column_names.index(name)
        shuffled = shuffled.set_column(at, shuffled.schema.field(name), shuffled[name].take(pa.array(order)))
    mixed = pa.concat_tables([common.filter(pc.invert(coarse)), shuffled])
    (row,) = consistency.coarse_agrees_with_full(mixed).to_pylist()
    assert row["level"] == "L" and row["rank_correlation"] < 0.3
