"""The contracts of the published tables, read from `schemas/`: the one source of truth for columns and keys."""

from collections.abc import Sequence
from functools import cache
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, model_validator

from etl.errors import DataError, UsageError
from etl.resources import resource_folder

ColumnType = Literal["string", "bool", "int16", "int32", "int64", "double"]

ARROW_TYPES: dict[str, pa.DataType] = {
    "string": pa.string(),
    "bool": pa.bool_(),
    "int16": pa.int16(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "double": pa.float64(),
}


class Column(BaseModel):
    """One column: its name, type, unit and meaning, and where they are limited the values it may hold."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    type: ColumnType
    unit: str | None
    nullable: bool
    description: str
    values: tuple[str, ...] | None = None
    pattern: str | None = None
    minimum: float | None = None
    maximum: float | None = None

    @property
    def field(self) -> pa.Field:
        """The column as an Arrow field, description and unit in its metadata."""
        metadata = {"description": self.description} | ({"unit": self.unit} if self.unit else {})
        return pa.field(self.name, ARROW_TYPES[self.type], nullable=self.nullable, metadata=metadata)


class Contract(BaseModel):
    """One published table: columns, key, partition and warnings, under a semantic version."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    version: str
    title: str
    description: str
    key: tuple[str, ...]
    partition: Literal["year"] | None
    warnings: tuple[str, ...]
    columns: tuple[Column, ...]

    @model_validator(mode="after")
    def _key_is_there(self) -> "Contract":
        missing = [name for name in self.key if name not in self.column_names]
        if missing or len(set(self.column_names)) != len(self.columns):
            raise ValueError(f"{self.name}: key columns missing ({missing}) or a column named twice")
        return self

    @property
    def column_names(self) -> list[str]:
        """Column names in published order."""
        return [column.name for column in self.columns]

    @property
    def arrow_schema(self) -> pa.Schema:
        """The Arrow schema the table is written with; never inferred."""
        return pa.schema([column.field for column in self.columns])

    def empty(self) -> pa.Table:
        """The table without rows."""
        return self.arrow_schema.empty_table()

    def conform(self, table: pa.Table, *, keeps_dictionaries: bool = False) -> pa.Table:
        """Bring `table` into the contract: its columns in order and type, sorted by key, absent columns null.

        `keeps_dictionaries`: strings that come dictionary-encoded stay so, which is how large tables travel between
        steps. Raises DataError for a column the contract does not know, and for a null where none may be.
        """
        unknown = sorted(set(table.column_names) - set(self.column_names))
        if unknown:
            raise DataError(f"table {self.name}: columns not in its contract: {', '.join(unknown)}")
        arrays = [_column_as(table, column, self.name, keeps_dictionaries) for column in self.columns]
        fields = [column.field.with_type(values.type) for column, values in zip(self.columns, arrays, strict=True)]
        return sort_rows(pa.table(arrays, schema=pa.schema(fields)), self.key)


def _column_as(table: pa.Table, column: Column, table_name: str, keeps_dictionaries: bool) -> pa.ChunkedArray:
    kind = ARROW_TYPES[column.type]
    if column.name not in table.column_names:
        values = pa.chunked_array([pa.nulls(table.num_rows, kind)])
    else:
        values = table.column(column.name)
        is_kept = keeps_dictionaries and pa.types.is_dictionary(values.type) and values.type.value_type == kind
        if not is_kept:
            if pa.types.is_dictionary(values.type):
                values = pc.cast(values, values.type.value_type)
            values = pc.cast(values, kind)
    if not column.nullable and values.null_count:
        raise DataError(f"table {table_name}: {values.null_count} rows have no {column.name}")
    return values


def sort_rows(table: pa.Table, names: Sequence[str]) -> pa.Table:
    """Sort by these columns, ascending and stable; a table already in order is returned as it is.

    Strings are compared as their ranks: sorting a million rows by seven columns of text costs many times more.
    """
    if table.num_rows < 2:
        return table
    order = np.zeros(table.num_rows, np.int64)
    for name in names:
        ranks, size = _ranks(table.column(name))
        if size > 1:
            if int(order.max()) >= np.iinfo(np.int64).max // size:
                order = np.unique(order, return_inverse=True)[1].astype(np.int64)
            order = order * size + ranks
    if np.all(order[1:] >= order[:-1]):
        return table
    return table.take(pa.array(np.argsort(order, kind="stable")))


def _ranks(column: pa.ChunkedArray) -> tuple[np.ndarray, int]:
    """Position of each value among the sorted distinct values; nulls come first."""
    if pa.types.is_dictionary(column.type):
        encoded = column.unify_dictionaries().combine_chunks()
    else:
        encoded = column.combine_chunks().dictionary_encode(null_encoding="encode")
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.chunk(0)
    values = encoded.dictionary
    # One more place at the end for rows without an index: before all values.
    rank = np.empty(len(values) + 1, np.int64)
    rank[-1] = -1
    by_value = pc.array_sort_indices(values, null_placement="at_start").to_numpy()
    rank[by_value] = np.arange(len(values))
    if not encoded.indices.null_count:
        return rank[encoded.indices.to_numpy(zero_copy_only=False)], len(values)
    return rank[pc.fill_null(encoded.indices, len(values)).to_numpy()] + 1, len(values) + 1


@cache
def contracts() -> dict[str, Contract]:
    """All contracts by table name, in alphabetical order."""
    files = sorted(resource_folder("schemas").glob("*.json"))
    return {file.stem: Contract.model_validate_json(file.read_text("utf-8")) for file in files}


def contract(table: str) -> Contract:
    """The contract of one table. Raises UsageError for an unknown table."""
    try:
        return contracts()[table]
    except KeyError:
        raise UsageError(f"no table is called {table}; there are: {', '.join(contracts())}") from None
