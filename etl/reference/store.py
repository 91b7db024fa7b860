"""Reads the built-in tables of `tables/`: CSV files of codes and facts that travel with the package."""

from functools import cache
from pathlib import Path

import pyarrow as pa
from pyarrow import csv

from etl.errors import UsageError

FOLDER = Path(__file__).parent / "tables"


@cache
def read(table: str) -> dict[str, list[str]]:
    """The columns of one built-in table, every value a string, in file order. Do not change the lists.

    Raises UsageError for an unknown table.
    """
    path = FOLDER / f"{table}.csv"
    if not path.is_file():
        raise UsageError(f"there is no built-in table {table}; there are: {', '.join(names())}")
    with path.open(encoding="utf-8") as lines:
        header = lines.readline().rstrip("\n").split(",")
    options = csv.ConvertOptions(column_types={name: pa.string() for name in header}, strings_can_be_null=False)
    columns: dict[str, list[str]] = csv.read_csv(path, convert_options=options).to_pydict()
    return columns


def rows(table: str) -> list[dict[str, str]]:
    """The rows of one built-in table as dictionaries."""
    columns = read(table)
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def names() -> list[str]:
    """The built-in tables, in alphabetical order."""
    return sorted(path.stem for path in FOLDER.glob("*.csv"))
