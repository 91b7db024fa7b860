"""A published table as the bytes of a Parquet file: the same rows under the same libraries give the same bytes."""

import io
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from etl.columns import plain
from etl.contracts import Contract
from etl.errors import DataError

#: Rows of a row group. One county of one year lies in one group, and the footers of all years still read in
#: milliseconds; larger groups read more than is asked for, smaller ones cost more footer than they save.
ROW_GROUP_ROWS = 32_768

#: Row groups in which is looked how often figures repeat.
GROUPS_LOOKED_AT = 4

#: In tables of regions, figures with a fraction are estimated or worked out. They are written to 31 bits after the
#: leading one, an error of 2.3e-10 at most: what is cut off is noise, and was a quarter of every file. Whole figures,
#: as publishers print them, stay exact, and so does what is to add up to a published total.
FRACTION_BITS = 31
KEPT_EXACT = frozenset({"employment_reported"})

#: Key of our JSON in the file's metadata; readers that see no Arrow metadata find the same facts there.
METADATA_KEY = b"clusterbridge"


def part_path(table: str, year: int | None = None) -> str:
    """Path of a table's file inside its snapshot: `t/t-2017.parquet`, or `t/t.parquet` without a year."""
    return f"{table}/{table}.parquet" if year is None else f"{table}/{table}-{year}.parquet"


def part_year(path: str) -> int | None:
    """Year of a file named by `part_path`; None where it holds no single year."""
    name = path.rsplit("/", 1)[-1].removesuffix(".parquet")
    year = name.rpartition("-")[2]
    return int(year) if year.isdigit() else None


def parquet_bytes(table: pa.Table, contract: Contract, *, inputs_id: str, sources: pa.Table | None = None) -> bytes:
    """Write rows of a published table.

    The file carries its contract's version, `inputs_id` (hash of the inputs and code behind it), column descriptions
    and units, and of the table `sources` the licence and attribution of the sources in it: nothing that differs
    between two snapshots with the same content. Raises DataError for rows against the contract, and for NaN, which
    readers take for a value: a missing figure is null.
    """
    rows = contract.conform(table, keeps_dictionaries=True)
    groups = [rows.slice(start, ROW_GROUP_ROWS) for start in range(0, max(rows.num_rows, 1), ROW_GROUP_ROWS)]
    spread = _spread_columns(groups)
    rounded = _rounded_columns(contract)
    described = contract.arrow_schema.with_metadata({METADATA_KEY: _about(rows, contract, inputs_id, sources)})
    sink = io.BytesIO()
    with pq.ParquetWriter(
        sink,
        described,
        compression="zstd",
        use_dictionary=[name for name in rows.column_names if name not in spread],
        column_encoding=dict.fromkeys(spread, "BYTE_STREAM_SPLIT"),
        write_statistics=True,
        version="2.6",
    ) as writer:
        # One row group after the other: only one of them is ever held as it is written.
        for group in groups:
            whole = pa.Table.from_arrays(plain(group).combine_chunks().columns, schema=described)
            _refuse_nan(whole, contract)
            for name in rounded:
                at = described.get_field_index(name)
                whole = whole.set_column(at, described.field(at), _rounded(whole.column(at)))
            writer.write_table(whole, ROW_GROUP_ROWS)
    return sink.getvalue()


def _refuse_nan(rows: pa.Table, contract: Contract) -> None:
    for field in rows.schema:
        if pa.types.is_floating(field.type) and pc.any(pc.is_nan(rows[field.name])).as_py():
            raise DataError(f"table {contract.name}: {field.name} holds NaN; a missing figure must be null")


def about(data: pq.FileMetaData) -> dict[str, Any]:
    """What the file says of itself. Raises DataError for a file that is not ours."""
    text = (data.metadata or {}).get(METADATA_KEY)
    if text is None:
        raise DataError("the Parquet file carries no metadata of Clusterbridge")
    described: dict[str, Any] = json.loads(text)
    return described


def _rounded_columns(contract: Contract) -> list[str]:
    """Columns whose fractions are rounded; what a portal published stays as it is."""
    if contract.partition is None or "region_code" not in contract.key or "portal" in contract.key:
        return []
    return [column.name for column in contract.columns if column.type == "double" and column.name not in KEPT_EXACT]


def _rounded(column: pa.ChunkedArray) -> pa.Array:
    values = pc.fill_null(column, 0.0).to_numpy()
    cut = np.uint64(52 - FRACTION_BITS)
    bits = (values.view(np.uint64) + (np.uint64(1) << (cut - np.uint64(1)))) >> cut << cut
    rounded = np.where(values == np.rint(values), values, bits.view(np.float64))
    return pa.array(rounded, mask=pc.is_null(column).to_numpy())


def _spread_columns(groups: Sequence[pa.Table]) -> list[str]:
    """Columns of doubles that hardly repeat within a row group: split into bytes they are smaller than with a
    dictionary. A few groups, evenly apart, tell.
    """
    looked_at = [groups[at] for at in np.unique(np.linspace(0, len(groups) - 1, GROUPS_LOOKED_AT).astype(int))]
    spread = []
    for field in groups[0].schema:
        if pa.types.is_floating(field.type):
            columns = [group[field.name] for group in looked_at]
            filled = sum(len(column) - column.null_count for column in columns)
            if sum(pc.count_distinct(column).as_py() for column in columns) > filled / 2:
                spread.append(field.name)
    return spread


def _about(rows: pa.Table, contract: Contract, inputs_id: str, sources: pa.Table | None) -> bytes:
    used = set(pc.unique(rows["source"]).to_pylist()) if "source" in rows.column_names else None
    notes = [
        {name: row[name] for name in ("source", "publisher", "licence", "attribution")}
        for row in (sources.to_pylist() if sources is not None else [])
        if used is None or row["source"] in used
    ]
    described = {
        "table": contract.name,
        "title": contract.title,
        "description": contract.description,
        "contract_version": contract.version,
        "inputs_id": inputs_id,
        "key": contract.key,
        "warnings": contract.warnings,
        "columns": {
            column.name: {"unit": column.unit, "description": column.description} for column in contract.columns
        },
        "sources": sorted(notes, key=lambda note: str(note["source"])),
    }
    return json.dumps(described, ensure_ascii=False, separators=(",", ":")).encode()
