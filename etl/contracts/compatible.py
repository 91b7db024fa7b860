"""Views that give a table the form of its last major version, for readers who have not moved yet."""

import json
from collections.abc import Mapping

from etl.contracts.model import Column, Contract, contracts
from etl.contracts.released import released, released_folder, releases, version_numbers

_SQL_TYPES = {
    "string": "VARCHAR",
    "bool": "BOOLEAN",
    "int16": "SMALLINT",
    "int32": "INTEGER",
    "int64": "BIGINT",
    "double": "DOUBLE",
}


def compatible_views() -> dict[str, bytes]:
    """Return a SQL file for every table whose major version moved since some release, by path in the snapshot."""
    now = contracts()
    before = _before(now)
    renamed = _renamed()
    return {
        f"views/{name}_v{_major(old)}.sql": view(old, now[name], renamed.get(name, {})).encode()
        for name, old in before.items()
    }


def _before(now: Mapping[str, Contract]) -> dict[str, Contract]:
    """Return the last released contract of each table's previous major version."""
    every = [old for version in releases() for old in released(version).values() if old.name in now]
    return {old.name: old for old in every if _major(old) == _major(now[old.name]) - 1}


def _major(table: Contract) -> int:
    return version_numbers(table.version)[0]


def _renamed() -> dict[str, dict[str, str]]:
    """Return the columns that only changed their name, by table: old name to new; kept in schemas/released/renamed."""
    file = released_folder() / "renamed" / "columns.json"
    names: dict[str, dict[str, str]] = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    return names


def view(old: Contract, new: Contract, renamed: Mapping[str, str]) -> str:
    """Write the view of a table in its old form. What is no longer published is null, and a comment says so."""
    columns = {column.name: column for column in new.columns}
    lines = [_line(column, columns.get(renamed.get(column.name, column.name))) for column in old.columns]
    body = "\n".join(
        f"    {text}{',' if at < len(lines) else ''}{comment}" for at, (text, comment) in enumerate(lines, 1)
    )
    return (
        f"-- Table {new.name} (contract {new.version}) in the form of contract {old.version}.\n"
        "-- For DuckDB, run in the folder of the snapshot.\n"
        f"CREATE OR REPLACE VIEW {new.name}_v{_major(old)} AS\nSELECT\n{body}\n"
        f"FROM read_parquet('{new.name}/*.parquet');\n"
    )


def _line(old: Column, new: Column | None) -> tuple[str, str]:
    kind = _SQL_TYPES[old.type]
    if new is None:
        return f"CAST(NULL AS {kind}) AS {old.name}", "  -- no longer published"
    if new.type != old.type:
        return f"CAST({new.name} AS {kind}) AS {old.name}", ""
    return (new.name if new.name == old.name else f"{new.name} AS {old.name}"), ""
