"""Every check of what the tables mean can fail, and says in how many rows."""

from collections.abc import Callable

import pytest
from gate_cases import STATE, Tables, find, only, put, table_of

from etl.contracts import contract, contracts
from etl.validate import validate
from etl.validate.checks import DOMAIN
from etl.validate.suites import suite


def _industry(**values: object) -> Callable[[Tables], Tables]:
    return lambda tables: {"region_industry": put(tables["region_industry"], 5, **values)}


def _cluster(row: dict[str, object], **values: object) -> Callable[[Tables], Tables]:
    def spoil(tables: Tables) -> Tables:
        table = tables["region_cluster"]
        return {"region_cluster": put(table, find(table, **row), **values)}

    return spoil


def _rows(name: str, *rows: dict[str, object]) -> Callable[[Tables], Tables]:
    return lambda _: {name: table_of(name, *rows)}


def _total(row: dict[str, object], **values: object) -> Callable[[Tables], Tables]:
    def spoil(tables: Tables) -> Tables:
        table = tables["region_total"]
        return {"region_total": put(table, find(table, **row), **values)}

    return spoil


COUNTRY = {"region_scheme": "nuts0", "region_code": "AT", "cluster_code": 7}
JUMP = {"source": "census_cbp", "year": 2017, "cluster_code": 1, "previous_year": 2016, "employment": 9000.0}
LINK = {"from_scheme": "nace2", "from_code": "10", "to_scheme": "naics2017"}
PAIR = {"portal": "p", "measure": "employment", "basis": "rebuilt"}

SPOILERS: dict[tuple[str, str], Callable[[Tables], Tables]] = {
    ("region_industry", "withheld_is_never_zero"): _industry(
        employment_status="withheld", employment=0.0, employment_reported=0.0
    ),
    ("region_industry", "what_is_not_withheld_has_a_figure"): _industry(employment_status="estimated", employment=None),
    ("region_industry", "printed_figures_stand"): _industry(
        employment_status="noised", employment=7.0, employment_reported=8.0
    ),
    ("region_industry", "figures_are_not_negative"): _industry(employment=-1.0),
    ("region_industry", "leaves_add_up_to_the_total"): _industry(
        region_scheme="us_state", region_code="77", is_leaf=False, industry_level="total", employment=5.0
    ),
    ("region_cluster", "clusters_add_up_to_the_region"): _cluster(STATE, employment_reported=123456.0),
    ("region_cluster", "all_clusters_are_there"): _cluster(
        {"region_scheme": "us_nation", "cluster_code": 7}, cluster_code=0
    ),
    ("region_cluster", "withheld_is_never_zero"): _cluster(STATE, employment_status="withheld", employment=0.0),
    ("region_cluster", "what_is_not_withheld_has_a_figure"): _cluster(
        STATE, employment_status="estimated", employment=None
    ),
    ("region_cluster", "figures_are_not_negative"): _cluster(STATE, employment=-5.0),
    ("region_cluster", "quotients_fit_shares_of_their_class"): _cluster(STATE, location_quotient=3.25),
    ("region_cluster", "region_shares_add_up_to_one"): _cluster(STATE, region_share=0.5),
    ("region_cluster", "european_quotients_average_to_one"): _cluster(COUNTRY, location_quotient=9.0),
    ("region_cluster", "quotients_of_states_average_to_one"): _cluster(STATE, location_quotient=900.0),
    ("region_cluster", "missing_quotients_have_a_reason"): _cluster(
        STATE, location_quotient=None, quotient_reason=None
    ),
    ("region_cluster", "strong_clusters_are_significant_and_qualifying"): _cluster(
        STATE, is_strong=True, is_significant=False
    ),
    ("region_cluster", "shift_share_parts_add_up"): _cluster(
        STATE, shift_reference=1.0, shift_mix=1.0, shift_regional=1.0, job_creation=4.0
    ),
    ("region_cluster", "sudden_jumps_are_rare"): _rows(
        "region_cluster", *[{**JUMP, "job_creation": 8000.0}] * 2, *[{**JUMP, "job_creation": 10.0}] * 98
    ),
    ("region_total", "totals_are_the_published_ones"): _total(
        {"region_scheme": "us_nation"}, employment_reported=1.0
    ),
    ("region_total", "classes_add_up_to_the_total"): _total({"region_scheme": "us_nation"}, employment_traded=1.0),
    ("region_total", "withheld_is_never_zero"): _total(
        {"region_scheme": "us_nation"}, employment_status="withheld", employment=0.0
    ),
    ("region_cluster_common", "strong_share_is_plausible"): _rows(
        "region_cluster_common",
        *[{"level": "L", "variant": "full", "year": 2017, "region_scheme": "us_state", "is_strong": True}] * 9,
    ),
    ("region_cluster_common", "strong_needs_a_quotient_of_one"): _rows(
        "region_cluster_common", {"is_strong": True, "location_quotient": 0.9}
    ),
    ("conservation_ledger", "nothing_is_lost_or_made_up"): _rows(
        "conservation_ledger",
        {"amount_in": 1000.0, "amount_out": 998.0, "amount_unmapped": 1.0, "difference": 0.0},
    ),
    ("industry_cluster", "weights_of_an_industry_sum_to_one"): _rows(
        "industry_cluster", {"industry_scheme": "nace2", "industry_code": "10", "weight": 0.9}
    ),
    ("industry_cluster", "weights_lie_within_their_bounds"): _rows(
        "industry_cluster", {"weight": 0.5, "weight_low": 0.6, "weight_high": 1.0}
    ),
    ("concordance", "weights_of_a_code_sum_to_one"): _rows("concordance", {**LINK, "weight": 0.5}),
    ("concordance_alternative", "weights_of_a_code_sum_to_one"): _rows(
        "concordance_alternative", {**LINK, "weight_method": "equal", "weight": 0.5}
    ),
    ("region", "parents_are_regions"): _rows(
        "region", {"region_scheme": "us_state", "region_code": "01", "parent_scheme": "us_nation", "parent_code": "XX"}
    ),
    ("region", "codes_fit_their_scheme"): _rows("region", {"region_scheme": "us_county", "region_code": "1001"}),
    ("estimate_quality", "bands_cover_what_they_promise"): _rows(
        "estimate_quality",
        {"sector": "ALL", "is_calibrated": True, "cells": 400, "band_coverage_low": 0.5, "band_coverage_high": 0.6},
    ),
    ("reconciliation", "differences_have_a_reason"): _rows(
        "reconciliation", {**PAIR, "published": 10.0, "rebuilt": 11.0}
    ),
    ("reconciliation", "few_differences_are_unexplained"): _rows(
        "reconciliation",
        *[{**PAIR, "published": 1.0, "rebuilt": 2.0, "reason": "unexplained"}] * 2,
        *[{**PAIR, "published": 1.0, "rebuilt": 1.0}] * 90,
    ),
    ("region_partner", "partners_are_across_the_atlantic"): _rows(
        "region_partner", {"region_scheme": "us_state", "partner_scheme": "us_state"}
    ),
}  # fmt: skip


@pytest.mark.parametrize(("table", "check"), SPOILERS)
def test_every_domain_check_can_fail(year: Tables, known: Tables, table: str, check: str) -> None:
    own = {table: only(table, check)}
    context = {**known, **year}
    before = validate({table: context.get(table, contract(table).empty())}, context=context, suites=own)
    assert all(one.is_met for one in before.checked)
    spoiled = SPOILERS[table, check](context)
    report = validate(spoiled, context=context, suites=own)
    assert [one.is_met for one in report.checked] == [False]
    assert report.checked[0].failing_rows >= 1
    assert report.failing.num_rows == report.checked[0].failing_rows
    assert report.is_passed is (report.checked[0].severity == "warning")


@pytest.mark.parametrize(
    "row",
    [
        {"cells": 399, "band_coverage_low": 0.5, "band_coverage_high": 0.6},
        {"cells": 400, "band_coverage_low": 0.5, "band_coverage_high": 0.71},
        {"cells": 400, "band_coverage_low": 0.89, "band_coverage_high": 0.99},
        {"cells": 400, "band_coverage_low": 0.5, "band_coverage_high": 0.6, "is_calibrated": False},
    ],
)
def test_a_band_is_judged_on_400_cells_and_by_its_whole_interval(row: dict[str, object]) -> None:
    name = "estimate_quality"
    rows = table_of(name, {"sector": "ALL", "is_calibrated": True, **row})
    report = validate({name: rows}, suites={name: only(name, "bands_cover_what_they_promise")})
    assert all(one.is_met for one in report.checked)


@pytest.mark.parametrize(("kind", "is_looked_at"), [("geography", True), ("industry", False), ("range", False)])
def test_only_contradictions_of_industries_excuse_leaves(
    year: Tables, known: Tables, kind: str, is_looked_at: bool
) -> None:
    name, check = "region_industry", "leaves_add_up_to_the_total"
    spoiled = SPOILERS[name, check](year)
    # The row that was spoiled went from one region to another.
    both = (year[name].slice(5, 1), spoiled[name].slice(5, 1))
    keys = ("source", "year", "region_scheme", "region_code")
    listed = table_of("contradiction", *(one.select(keys).to_pylist()[0] | {"kind": kind} for one in both))
    report = validate(spoiled, context={**known, **year, "contradiction": listed}, suites={name: only(name, check)})
    assert [one.is_met for one in report.checked] == [not is_looked_at]


def test_every_domain_check_is_declared_and_tested() -> None:
    checks = {(table, name) for table, own in DOMAIN.items() for name in own}
    declared = {
        (name, one.check) for name in contracts() for one in suite(name).expectations if one.meta.origin == "domain"
    }
    assert checks == declared == set(SPOILERS)
