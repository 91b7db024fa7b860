"""Helpers for columns of codes: numpy works on integers, people and files on strings."""

from collections.abc import Collection, Iterable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# One allocator for Arrow and numpy, so that each can use what the other let go: 250 MiB less for a full county year.
pa.set_memory_pool(pa.system_memory_pool())

STATUSES = (
    "reported",
    "noised",
    "rounded",
    "derived_exactly",
    "bounded",
    "estimated",
    "modelled",
    "withheld",
)


def codes(column: pa.ChunkedArray | pa.Array) -> tuple[np.ndarray, list[str]]:
    """Return (positions, values): `values[positions[i]]` is the code of row i; no row may be null."""
    if not pa.types.is_dictionary(column.type):
        column = pc.dictionary_encode(column)
    if isinstance(column, pa.ChunkedArray):
        column = column.unify_dictionaries().combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    return column.indices.to_numpy(zero_copy_only=False).astype(np.int32), column.dictionary.to_pylist()


def constant(value: str | int, rows: int, kind: pa.DataType | None = None) -> pa.Array:
    """A column that holds `value` in every row, stored once."""
    if isinstance(value, str):
        return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([value]))
    return pa.array(np.full(rows, value), kind or pa.int16())


def lookup(column: pa.ChunkedArray, mapping: Mapping[str, object], kind: pa.DataType) -> pa.Array:
    """Map each code through `mapping`; a code that is not there becomes null."""
    positions, values = codes(column)
    return pa.array([mapping.get(value) for value in values], kind).take(pa.array(positions))


def concat(tables: Iterable[pa.Table]) -> pa.Table:
    """Stack tables of equal columns; dictionary and plain strings mix."""
    parts = list(tables)
    kinds: dict[str, set[bool]] = {}
    for part in parts:
        for field in part.schema:
            kinds.setdefault(field.name, set()).add(pa.types.is_dictionary(field.type))
    mixed = {name for name, found in kinds.items() if len(found) > 1}
    return pa.concat_tables([plain(part, mixed) for part in parts], promote_options="permissive")


def plain(table: pa.Table, names: Collection[str] | None = None) -> pa.Table:
    """The table with its dictionary columns, or those of these names, as plain columns."""
    for at, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type) and (names is None or field.name in names):
            table = table.set_column(at, field.name, table.column(at).cast(field.type.value_type))
    return table
