"""The gate lets good tables pass, and every one of its expectations can fail."""

import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from gate_cases import STATE, Tables, find, only, put, table_of

from etl.columns import concat
from etl.contracts import contract, contracts
from etl.errors import GateError
from etl.resources import resource_folder
from etl.storage import Storage
from etl.validate import GateReport, merged, validate
from etl.validate import gate as gate_module
from etl.validate.checks import checks_of
from etl.validate.suites import Expectation, Suite, generated, suite
from tools.generate_expectations import refreshed


def test_coherent_tables_pass_and_all_that_was_declared_was_executed(year: Tables, known: Tables) -> None:
    report = merged([validate(year, year=2017, context=known), validate(known)])
    assert report.is_passed, [one.sentence for one in report.failures("critical")]
    assert not report.failures("warning"), [one.sentence for one in report.failures("warning")]
    declared = sum(len(suite(name).expectations) for name in (*year, *known))
    assert report.declared == report.executed == declared == report.result.declared
    assert report.failing.num_rows == 0
    told = json.loads(report.as_json())
    assert told["is_passed"] and len(told["expectations"]) == declared


def test_empty_tables_pass(known: Tables) -> None:
    report = validate({name: table.empty() for name, table in contracts().items()}, context={})
    assert report.is_passed, [one.sentence for one in report.failures("critical")]


def test_every_generated_expectation_can_fail(known: Tables) -> None:
    bad = {"string": "?", "bool": None, "int16": -32_000, "int32": -1_000_000, "int64": -1_000_000, "double": -1e9}
    for name, table in contracts().items():
        spoiled = {column.name: bad[column.type] for column in table.columns}
        rows = table_of(name, {}, spoiled, spoiled)
        own = [one for one in generated(table) if one.looks_at != "checks"]
        report = validate({name: rows}, suites={name: Suite(table=name, expectations=tuple(own))})
        passed = [one.expectation for one in report.checked if one.is_met]
        assert not passed, (name, passed)
        assert all(one.failing_rows >= 1 for one in report.checked)
        assert report.failing.num_rows == sum(one.failing_rows for one in report.checked)


def test_upper_limits_are_kept_to_the_last_bits() -> None:
    share = next(
        one
        for one in generated(contract("coverage"))
        if one.columns == ("covered_share",) and "max_value" in one.kwargs
    )
    own = {"coverage": Suite(table="coverage", expectations=(share,))}
    for value, is_met in ((1.0 + 1e-12, True), (1.001, False), (0.0, True), (-1e-12, True)):
        rows = table_of("coverage", {"covered_share": value})
        assert validate({"coverage": rows}, suites=own).is_passed is is_met, value


@pytest.mark.parametrize("table", [name for name in contracts() if "employment_high" in contract(name).column_names])
def test_bounds_must_hold(table: str) -> None:
    own = {table: only(table, "bounds_hold")}
    good = {"employment": 5.0, "employment_low": 5.0, "employment_high": 5.0}
    for wrong in (
        {"employment": 6.0},
        {"employment": 4.0},
        {"employment": None, "employment_high": 3.0},
        {"employment_low": -1.0},
    ):
        report = validate({table: table_of(table, good, {**good, **wrong}, {})}, suites=own)
        assert [one.failing_rows for one in report.checked] == [1], wrong


@pytest.mark.parametrize(
    ("table", "column", "value", "check"),
    [
        ("region_cluster", "cluster_code", 60, "cluster_is_known"),
        ("region_cluster", "source", "nobody", "source_is_known"),
        ("region_cluster", "region_vintage", 1999, "region_is_known"),
        ("cluster_relatedness", "related_cluster_code", 60, "related_cluster_is_known"),
        ("region_partner", "partner_code", "XX", "partner_is_known"),
    ],
)
def test_references_must_resolve(known: Tables, table: str, column: str, value: object, check: str) -> None:
    good = {
        "source": "census_cbp", "cluster_code": 1, "related_cluster_code": 2, "region_scheme": "us_state",
        "region_code": "01", "region_vintage": 2020,
        "partner_scheme": "nuts0", "partner_code": "AT", "partner_vintage": 2021,
    }  # fmt: skip
    rows = table_of(table, good, {**good, column: value})
    report = validate({table: rows}, context=known, suites={table: only(table, check)})
    assert [one.failing_rows for one in report.checked] == [1]


def test_a_year_that_lost_rows_is_warned_about(year: Tables) -> None:
    own = {"region_total": only("region_total", "rows_do_not_vanish")}
    rows = {"region_total": year["region_total"]}
    count = year["region_total"].num_rows
    assert not validate(rows, suites=own, previous_rows={"region_total": count + 10}).failures("warning")
    report = validate(rows, suites=own, previous_rows={"region_total": count * 2})
    assert report.is_passed and len(report.failures("warning")) == 1
    assert "rows_do_not_vanish fails" in report.result.warnings[0]


def test_suites_are_what_their_contracts_say() -> None:
    for table in contracts().values():
        file = resource_folder("expectations") / f"{table.name}.json"
        fresh = refreshed(table, suite(table.name).expectations).to_text()
        assert file.read_text("utf-8") == fresh, f"{file.name} is stale; run python -m tools.generate_expectations"
    assert {file.stem for file in resource_folder("expectations").glob("*.json")} == set(contracts())


def test_a_failed_gate_says_what_and_keeps_the_rows(year: Tables, known: Tables, tmp_path: Path) -> None:
    table = year["region_cluster"]
    spoiled = put(table, find(table, **STATE), employment_status="withheld", employment=0.0)
    report = validate({**year, "region_cluster": spoiled}, year=2017, context=known)
    assert not report.is_passed
    storage = Storage(tmp_path)
    with pytest.raises(GateError) as raised:
        report.stop_if_failed(storage, "refused/2026-01-01")
    said = str(raised.value)
    assert "region_cluster of 2017: withheld_is_never_zero fails in 1 rows." in said
    assert "refused/2026-01-01/failing.parquet" in said
    failing = pq.read_table(tmp_path / "refused/2026-01-01/failing.parquet")
    row = failing.filter(pc.equal(failing["expectation"], "withheld_is_never_zero")).to_pylist()[0]
    assert row["row_key"] == "census_cbp|2017|us_state|03|2020|7"
    assert row["year"] == 2017 and json.loads(row["row"])["employment_status"] == "withheld"
    assert not json.loads((tmp_path / "refused/2026-01-01/result.json").read_bytes())["is_passed"]


def test_a_passed_gate_stops_nothing_and_writes_nothing(known: Tables, tmp_path: Path) -> None:
    validate({"source": known["source"]}).stop_if_failed(Storage(tmp_path / "root"), "refused/x")
    assert not (tmp_path / "root").exists()


def test_rows_against_an_expectation_are_capped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_module, "FAILING_ROWS_KEPT", 3)
    rows = table_of("region", *[{"region_scheme": "us_county", "region_code": "1"}] * 10)
    report = validate({"region": rows}, suites={"region": only("region", "codes_fit_their_scheme")})
    assert report.checked[0].failing_rows == 10
    assert report.failing.num_rows == 3


def _declared(table: str, **changes: object) -> dict[str, Suite]:
    one = generated(contract(table))[1]
    return {table: Suite(table=table, expectations=(one.model_copy(update=changes),))}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"type": "expect_colum_values_to_not_be_null"}, "not one of Great Expectations"),
        ({"kwargs": {"column": "source", "no_such_argument": 1}}, "not one of Great Expectations"),
        ({"looks_at": "checks"}, "there is no check source"),
        ({"looks_at": "keys", "kwargs": {"column": "licence"}}, "could not be evaluated"),
        ({"kwargs": {"column": "nonsense"}}, "source has no column nonsense, which its suite"),
    ],
)
def test_an_expectation_that_cannot_be_executed_is_an_error(
    known: Tables, changes: dict[str, object], said: str
) -> None:
    with pytest.raises(GateError, match=said):
        validate({"source": known["source"]}, suites=_declared("source", **changes))


def test_a_check_without_its_tables_is_an_error(year: Tables) -> None:
    with pytest.raises(GateError, match="region_is_known needs region, which the gate was not given"):
        validate(
            {"region_total": year["region_total"]}, suites={"region_total": only("region_total", "region_is_known")}
        )


def test_an_expectation_that_was_left_out_is_an_error(known: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    from great_expectations.datasource.fluent.interfaces import Batch

    real = Batch.validate

    def forgetful(self: Batch, *arguments: object, **more: object) -> object:
        answer = real(self, *arguments, **more)
        answer.results.pop()
        return answer

    monkeypatch.setattr(Batch, "validate", forgetful)
    with pytest.raises(GateError, match="1 expectations are declared, 0 were executed"):
        validate({"source": known["source"]})


def test_a_table_that_is_not_as_its_contract_says_is_an_error(known: Tables) -> None:
    with pytest.raises(GateError, match=r"source is not as its contract \d.* says: licence is missing"):
        validate({"source": known["source"].drop_columns(["licence"])})


def test_equal_tables_give_equal_reports(known: Tables) -> None:
    spoiled = {"region": put(known["region"], 0, region_code="1")}
    reports = [validate(spoiled, context=known) for _ in range(2)]
    assert reports[0].as_json() == reports[1].as_json()
    assert reports[0].failing_parquet() == reports[1].failing_parquet()


def test_dictionary_columns_are_checked_as_well(known: Tables) -> None:
    texts = {name for name in known["region"].column_names if pa.types.is_string(known["region"][name].type)}
    columns = {name: known["region"][name] for name in known["region"].column_names}
    encoded = pa.table({name: pc.dictionary_encode(one) if name in texts else one for name, one in columns.items()})
    assert validate({"region": encoded}, context=known).is_passed
    both = validate({"region": concat([encoded, encoded])}, context=known)
    assert [one.expectation.split("(")[0] for one in both.failures("critical")] == [
        "expect_compound_columns_to_be_unique"
    ]


def test_nothing_is_asked_of_the_network_and_nothing_heavy_is_imported_early() -> None:
    code = """
import sys, socket
import etl.validate
assert not [name for name in sys.modules if name.startswith("great_expectations")]
def refuse(*_, **__): raise AssertionError("a socket was opened")
socket.socket.connect = socket.getaddrinfo = refuse
from etl.reference import source_table
assert etl.validate.validate({"source": source_table()}).is_passed
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_checks_are_sound_sql_for_every_table_that_may_ask_them(known: Tables) -> None:
    import duckdb

    connection = duckdb.connect()
    for name, table in contracts().items():
        connection.register(name, table.empty())
    connection.register("previous_rows", pa.table({"table_name": ["x"], "rows": [1]}))
    for name in contracts():
        for expectation in suite(name).expectations:
            if expectation.check:
                assert connection.execute(checks_of(name)[expectation.check].query).fetchall() == []


def test_reports_of_several_years_become_one(known: Tables) -> None:
    assert merged([]).is_passed
    one = validate({"source": known["source"]})
    both = merged([one, one])
    assert isinstance(both, GateReport) and both.executed == 2 * one.executed


def test_names_tell_what_is_looked_at() -> None:
    key, *_ = generated(contract("source"))
    assert isinstance(key, Expectation) and key.name == "expect_column_values_to_be_unique(source)"
