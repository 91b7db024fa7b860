"""The gate: runs the suites of the tables it is given, one year at a time, in one process."""

import json
from collections.abc import Mapping, Sequence

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from etl.contracts import Contract, contract
from etl.errors import GateError
from etl.validate.checks import Check, checks_of
from etl.validate.report import FAILING_SCHEMA, Checked, GateReport
from etl.validate.suites import Expectation, Suite, suite

#: Rows against one expectation that are kept.
FAILING_ROWS_KEPT = 10_000

_PREVIOUS_ROWS = pa.schema([("table_name", pa.string()), ("rows", pa.int64())])


def validate(
    tables: Mapping[str, pa.Table],
    *,
    year: int | None = None,
    context: Mapping[str, pa.Table] | None = None,
    previous_rows: Mapping[str, int] | None = None,
    suites: Mapping[str, Suite] | None = None,
) -> GateReport:
    """Check tables against their suites.

    `tables`: by name, in the form of their contracts: all rows of one `year`, or tables without a year. `context`:
    tables that checks look things up in and that are not checked themselves (cluster, region, source). `previous_rows`:
    rows that each table had in the version before. Raises GateError where a table is not as its contract says, where a
    check lacks a table, and where not every declared expectation could be executed; a failed expectation raises
    nothing, see `GateReport`.
    """
    chosen = {name: (suites or {}).get(name) or suite(name) for name in sorted(tables)}
    connection = duckdb.connect()
    try:
        for name, rows in {**(context or {}), **tables}.items():
            connection.register(name, rows)
        before = {"table_name": list(previous_rows or {}), "rows": list((previous_rows or {}).values())}
        connection.register("previous_rows", pa.table(before, _PREVIOUS_ROWS))
        known = {*tables, *(context or {}), "previous_rows"}
        checked: list[Checked] = []
        failing: list[pa.Table] = []
        for name, own in chosen.items():
            rows = tables[name]
            _require_contract(rows, contract(name))
            results = _run_suite(connection, rows, own, year, known)
            checked += results
            failing += _failing_rows(connection, own, results)
    finally:
        connection.close()
    declared = sum(len(own.expectations) for own in chosen.values())
    if len(checked) != declared:
        raise GateError(f"{declared} expectations are declared, {len(checked)} were executed; nothing was published")
    return GateReport(tuple(checked), declared, pa.concat_tables([FAILING_SCHEMA.empty_table(), *failing]))


def _require_contract(rows: pa.Table, rule: Contract) -> None:
    kinds = {f.name: f.type.value_type if pa.types.is_dictionary(f.type) else f.type for f in rows.schema}
    wanted = {f.name: f.type for f in rule.arrow_schema}
    if list(kinds.items()) == list(wanted.items()):
        return
    wrong = [f"{name} is {kind}" for name, kind in kinds.items() if wanted.get(name) != kind]
    wrong += [f"{name} is missing" for name in wanted if name not in kinds]
    told = ", ".join(wrong) or "its columns are in another order"
    raise GateError(f"table {rule.name} is not as its contract {rule.version} says: {told}")


def _run_suite(
    connection: duckdb.DuckDBPyConnection, rows: pa.Table, own: Suite, year: int | None, known: set[str]
) -> list[Checked]:
    from etl.validate.gx import run

    looked_at = {name for one in own.expectations if not one.check for name in one.columns}
    unknown = sorted(looked_at - set(rows.column_names))
    if unknown:
        raise GateError(
            f"table {own.table} has no column {', '.join(unknown)}, which its suite in expectations/ asks for"
        )
    checks = {one.check: _check(own.table, one.check, known) for one in own.expectations if one.check}
    frames = {
        "keys": rows.select(contract(own.table).key).to_pandas(strings_to_categorical=True),
        "values": _values(rows, {one.columns[0] for one in own.expectations if one.looks_at == "values"}),
        "checks": pd.DataFrame({name: [_count(connection, check.query)] for name, check in checks.items()}),
    }
    is_met: dict[int, bool] = {}
    for looks_at, frame in frames.items():
        places = [at for at, one in enumerate(own.expectations) if one.looks_at == looks_at]
        if places:
            told = run(f"{own.table} {looks_at}", frame, [own.expectations[at] for at in places])
            is_met |= dict(zip(places, told, strict=True))
    return [
        Checked(
            table=own.table,
            year=year,
            expectation=one.name,
            kwargs=one.kwargs,
            severity=one.severity,
            protects=one.meta.protects,
            is_met=is_met[at],
            failing_rows=0 if is_met[at] else _count(connection, _against(own.table, one)),
        )
        for at, one in enumerate(own.expectations)
        if at in is_met
    ]


def _values(rows: pa.Table, names: set[str]) -> pd.DataFrame:
    """Return what an expectation on single values must see of each column: every text, the ends of numbers, a null.

    Great Expectations looks at values one by one; looking at each of them once gives the same answer.
    """
    columns: dict[str, pa.Array] = {}
    for name in sorted(names):
        column = rows[name]
        if pa.types.is_string(column.type) or pa.types.is_dictionary(column.type) or pa.types.is_boolean(column.type):
            columns[name] = pc.unique(column)
        else:
            ends = pc.min_max(column)
            seen = [ends["min"].as_py(), ends["max"].as_py()] + [None] * bool(column.null_count)
            columns[name] = pa.array(seen if rows.num_rows else [], column.type)
    longest = max((len(column) for column in columns.values()), default=0)
    even = {
        name: column.take(pa.array([at % len(column) for at in range(longest)], pa.int64()))
        for name, column in columns.items()
    }
    frame: pd.DataFrame = pa.table(even).to_pandas()
    return frame


def _check(table: str, name: str, known: set[str]) -> Check:
    check = checks_of(table).get(name)
    if check is None:
        raise GateError(f"table {table}: there is no check {name}, which its suite asks for")
    missing = sorted(set(check.needs) - known)
    if missing:
        raise GateError(f"table {table}: {check.name} needs {', '.join(missing)}, which the gate was not given")
    return check


def _count(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM ({query})").fetchall()[0][0])


def _failing_rows(connection: duckdb.DuckDBPyConnection, own: Suite, results: Sequence[Checked]) -> list[pa.Table]:
    """Keep the keys of the rows against each failed expectation."""
    found = []
    for one, result in zip(own.expectations, results, strict=True):
        if result.is_met:
            continue
        query = _against(own.table, one)
        rows = connection.sql(f"SELECT * FROM ({query}) LIMIT {FAILING_ROWS_KEPT}").to_arrow_table()
        key = contract(own.table).key
        lines = rows.to_pylist()
        found.append(
            pa.table(
                {
                    "table_name": [own.table] * len(lines),
                    "year": [result.year] * len(lines),
                    "expectation": [one.name] * len(lines),
                    "severity": [one.severity] * len(lines),
                    "row_key": ["|".join(str(line[name]) for name in key if name in line) for line in lines],
                    "row": [json.dumps({k: v for k, v in line.items() if v is not None}) for line in lines],
                },
                FAILING_SCHEMA,
            )
        )
    return found


def _against(table: str, expectation: Expectation) -> str:
    """Return a query for the rows of a table that are against an expectation."""
    if expectation.check:
        return checks_of(table)[expectation.check].query
    kwargs, columns = expectation.kwargs, expectation.columns
    column = columns[0]
    if expectation.type in {"expect_column_values_to_be_unique", "expect_compound_columns_to_be_unique"}:
        return f"SELECT * FROM {table} QUALIFY count(*) OVER (PARTITION BY {', '.join(columns)}) > 1"
    if expectation.type == "expect_column_values_to_not_be_null":
        return f"SELECT * FROM {table} WHERE {column} IS NULL"
    if expectation.type == "expect_column_values_to_be_in_set":
        values = ", ".join("'" + str(value).replace("'", "''") + "'" for value in kwargs["value_set"])
        return f"SELECT * FROM {table} WHERE {column} NOT IN ({values})"
    if expectation.type == "expect_column_values_to_match_regex":
        pattern = str(kwargs["regex"]).replace("'", "''")
        return f"SELECT * FROM {table} WHERE NOT regexp_matches({column}, '{pattern}')"
    if expectation.type == "expect_column_values_to_be_between":
        limits = [f"{column} < {kwargs['min_value']}"] if "min_value" in kwargs else []
        limits += [f"{column} > {kwargs['max_value']}"] if "max_value" in kwargs else []
        return f"SELECT * FROM {table} WHERE {' OR '.join(limits)}"
    raise GateError(f"table {table}: the gate cannot list the rows against {expectation.type}")
