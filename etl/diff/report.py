"""What a comparison found: for programs as JSON, for a person in lines."""

from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from etl.storage.checksummed import json_bytes

KINDS = ("new", "gone", "source_revised", "method_revised", "reclassified", "region_changed")

_WORDS = {
    "new": "new",
    "gone": "gone",
    "source_revised": "revised by the source",
    "method_revised": "revised by a change of method",
    "reclassified": "reclassified",
    "region_changed": "moved by a change of regions",
}


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class Change(_Model):
    """One cell that changed."""

    table: str
    row_key: str = Field(description="Values of the table's key, joined by a bar.")
    column: str
    old: float | str | None
    new: float | str | None
    kind: str = Field(description=", ".join(KINDS))
    relative_size: float | None = Field(description="Change over the width of the bounds, at least one person.")


class TableDiff(_Model):
    """What changed in one table."""

    table: str
    status: Literal["identical", "changed", "new", "gone", "skipped"] = Field(
        description="identical: every file has the same bytes. skipped: not compared, see reason."
    )
    reason: str | None = Field(default=None, description="Why it was skipped.")
    rows_old: int = 0
    rows_new: int = 0
    files_unchanged: int = Field(default=0, description="Files with the same bytes on both sides; they were not read.")
    files_compared: int = 0
    cells: dict[str, int] = Field(default_factory=dict, description="Cells by kind; a new or gone row counts once.")
    columns: dict[str, dict[str, int]] = Field(default_factory=dict, description="Cells by column and kind.")
    columns_added: tuple[str, ...] = ()
    columns_removed: tuple[str, ...] = ()


class Diff(_Model):
    """What changed between two versions."""

    old: str | None = Field(description="The version compared with; null for the first version.")
    new: str
    is_identical: bool = Field(description="True only if every table has the same bytes; never if one was skipped.")
    tables: tuple[TableDiff, ...]
    top: tuple[Change, ...] = Field(description="The largest changes, measured by the bounds of their cells.")

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Cells that changed by table and kind, as the manifest has them."""
        return {table.table: table.cells for table in self.tables if table.cells}

    def as_json(self) -> bytes:
        """Return the diff for programs."""
        return json_bytes(self.model_dump(mode="json"))

    def lines(self) -> Iterator[str]:
        """Yield the diff for a person: what changed, by table, then the largest changes."""
        if self.is_identical:
            yield f"{self.old} and {self.new} hold the same bytes."
            return
        yield f"From {self.old} to {self.new}:"
        for table in self.tables:
            yield from _table_lines(table)
        if self.top:
            yield "Largest changes, measured by the bounds of the cell:"
        for change in self.top:
            size = "" if change.relative_size is None else f", {change.relative_size:,.1f} times its bounds"
            yield (
                f"  {change.table} {change.row_key} {change.column}: {_shown(change.old)} -> {_shown(change.new)}"
                f" ({_WORDS[change.kind]}{size})"
            )


def _table_lines(table: TableDiff) -> Iterator[str]:
    if table.status == "skipped":
        yield f"  {table.table}: NOT COMPARED, {table.reason}"
    elif table.status in {"new", "gone"}:
        yield f"  {table.table}: the table is {table.status}, {max(table.rows_old, table.rows_new):,} rows"
    elif table.status == "changed":
        told = ", ".join(f"{table.cells[kind]:,} {_WORDS[kind]}" for kind in KINDS if table.cells.get(kind))
        columns = [f"column {name} added" for name in table.columns_added]
        columns += [f"column {name} removed" for name in table.columns_removed]
        told = "; ".join([told or "no cell beyond the last bits", *columns])
        yield f"  {table.table}: {told} ({table.files_unchanged} files unchanged)"


def _shown(value: float | str | None) -> str:
    if value is None:
        return "none"
    return f"{value:,.6g}" if isinstance(value, float) else value
