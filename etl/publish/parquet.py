"""A published table as the bytes of a Parquet file: the same rows under the same libraries give the same bytes."""

import io
import json
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from etl.errors import DataError
from etl.schema import Contract

#: Rows of a row group. One county of one year lies in one group, and the footers of all years still read in
#: milliseconds; larger groups read more than is asked for, smaller ones cost more footer than they save.
ROW_GROUP_ROWS = 32_768

#: Units of figures that are worked out of others. In tables of facts they are written to 31 bits after the leading one,
#: an error of 2.3e-10 at most: what is cut off is noise, and was a fifth of every file. Counts and amounts stay exact.
RATIO_UNITS = frozenset(
    {"ratio", "share", "probability", "index", "score", "log2", "bits", "rate a year", "currency units a person"}
)
RATIO_BITS = 31

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
    rows = contract.conform(table).combine_chunks()
    for field in rows.schema:
        if pa.types.is_floating(field.type) and pc.any(pc.is_nan(rows[field.name])).as_py():
            raise DataError(f"table {contract.name}: {field.name} holds NaN; a missing figure must be null")
    rows = _with_rounded_ratios(rows, contract).combine_chunks()
    spread = _spread_columns(rows)
    sink = io.BytesIO()
    pq.write_table(
        rows.replace_schema_metadata({METADATA_KEY: _about(rows, contract, inputs_id, sources)}),
        sink,
        compression="zstd",
        row_group_size=ROW_GROUP_ROWS,
        use_dictionary=[name for name in rows.column_names if name not in spread],
        column_encoding=dict.fromkeys(spread, "BYTE_STREAM_SPLIT"),
        write_statistics=True,
        version="2.6",
    )
    return sink.getvalue()


def about(data: pq.FileMetaData) -> dict[str, Any]:
    """What the file says of itself. Raises DataError for a file that is not ours."""
    text = (data.metadata or {}).get(METADATA_KEY)
    if text is None:
        raise DataError("the Parquet file carries no metadata of Clusterbridge")
    described: dict[str, Any] = json.loads(text)
    return described


def _with_rounded_ratios(rows: pa.Table, contract: Contract) -> pa.Table:
    """Round ratios and bands of estimates; what a portal published stays as it is."""
    if contract.partition is None or "portal" in contract.key:
        return rows
    for at, column in enumerate(contract.columns):
        is_band = column.unit == "persons" and "_band_" in column.name
        if column.type == "double" and (column.unit in RATIO_UNITS or is_band):
            rows = rows.set_column(at, rows.schema.field(at), _rounded(rows[column.name]))
    return rows


def _rounded(column: pa.ChunkedArray) -> pa.Array:
    cut = np.uint64(52 - RATIO_BITS)
    bits = pc.fill_null(column, 0.0).to_numpy().view(np.uint64)
    bits = (bits + (np.uint64(1) << (cut - np.uint64(1)))) >> cut << cut
    return pa.array(bits.view(np.float64), mask=pc.is_null(column).to_numpy())


def _spread_columns(rows: pa.Table) -> list[str]:
    """Return the columns of doubles that hardly repeat: split into bytes they are smaller than with a dictionary."""
    spread = []
    for field in rows.schema:
        values = rows[field.name]
        filled = rows.num_rows - values.null_count
        if pa.types.is_floating(field.type) and pc.count_distinct(values).as_py() > filled / 2:
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
