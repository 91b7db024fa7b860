"""Suites of one check, and tables with other values in one row."""

import pyarrow as pa

from etl.contracts import contract
from etl.validate.suites import Suite, suite

Tables = dict[str, pa.Table]

STATE = {"region_scheme": "us_state", "region_code": "03", "cluster_code": 7}


def only(table: str, check: str) -> Suite:
    """A suite of one check."""
    chosen = [one for one in suite(table).expectations if one.check == check]
    assert chosen, f"{table} declares no {check}"
    return Suite(table=table, expectations=tuple(chosen))


def put(table: pa.Table, row: int, **values: object) -> pa.Table:
    """The table with other values in one row."""
    for name, value in values.items():
        at = table.column_names.index(name)
        column = table[name].to_pylist()
        column[row] = value
        table = table.set_column(at, table.schema.field(name), pa.array(column, table.schema.field(name).type))
    return table


def find(table: pa.Table, **values: object) -> int:
    """Position of the first row with these values."""
    return next(
        at for at, row in enumerate(table.to_pylist()) if all(row[name] == value for name, value in values.items())
    )


def table_of(name: str, *rows: dict[str, object]) -> pa.Table:
    """Rows of a table whose other columns are null."""
    schema = contract(name).arrow_schema
    return pa.table({f.name: pa.array([row.get(f.name) for row in rows], f.type) for f in schema})
