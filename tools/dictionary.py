"""Writes the data dictionary, docs/dictionary.md, from the contracts: `python -m tools.dictionary`."""

from pathlib import Path

from etl.contracts import Column, Contract, contracts
from etl.contracts.usage_warnings import WARNINGS
from etl.publish.parquet import part_path

FILE = Path(__file__).parent.parent / "docs" / "dictionary.md"

_HEAD = """# Data dictionary

Generated from the contracts in `schemas/` by `python -m tools.dictionary`; a test fails where it is stale. How to read
the tables from DuckDB, pandas, Polars, Spark, R and over plain HTTP stands in [reading.md](reading.md).

Codes are text and keep their leading zeros; only `cluster_code` is a number. Missing, zero, withheld and not applicable
are four things: a withheld figure is null and its status says `withheld`; a zero was published as one.
"""


def dictionary() -> str:
    """Return the data dictionary as Markdown."""
    tables = contracts()
    index = [f"| [{name}](#{name}) | {_cell(table.description)} |" for name, table in tables.items()]
    parts = [_HEAD, "\n".join(["| table | what it holds |", "|---|---|", *index])]
    return "\n".join([*parts, *(_table(table) for table in tables.values())]) + "\n"


def _table(table: Contract) -> str:
    files = part_path(table.name, 2017) + " and so on, one a year" if table.partition else part_path(table.name)
    warnings = [f"> **{name.replace('_', ' ')}**: {WARNINGS[name]}" for name in table.warnings]
    lines = [
        f"\n## {table.name}",
        f"\n**{table.title}.** {table.description}\n",
        f"* Contract {table.version}; files `{files}`",
        f"* Key: {', '.join(f'`{name}`' for name in table.key)}",
        *(["", "\n>\n".join(warnings)] if warnings else []),
        "",
        "| column | type | unit | null | values | meaning |",
        "|---|---|---|---|---|---|",
        *(_column(column) for column in table.columns),
    ]
    return "\n".join(lines)


def _column(column: Column) -> str:
    null = "yes" if column.nullable else ""
    cells = (f"`{column.name}`", column.type, column.unit or "", null, _values(column), column.description)
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _values(column: Column) -> str:
    if column.values:
        return ", ".join(f"`{value}`" for value in column.values)
    if column.pattern:
        return f"`{column.pattern}`"
    limits = (column.minimum, column.maximum)
    if limits == (None, None):
        return ""
    low, high = (("" if limit is None else f"{limit:g}") for limit in limits)
    return f"{low} to {high}" if low and high else f"from {low}" if low else f"to {high}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    FILE.write_text(dictionary(), "utf-8")
