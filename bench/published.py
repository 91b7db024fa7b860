"""Published tables of full size: point queries over all years, and the diff of two versions."""

import sys
import time
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bench.measured import Clock, Row, peak_mib
from etl.diff import DraftSide, compare
from etl.publish import Draft, GateResult, Part, part_path
from etl.publish.parquet import parquet_bytes
from etl.reference import source_table
from etl.schema import contract
from etl.storage import Storage

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "snapshots"))
from full_size import county_codes, region_cluster

YEARS = range(1998, 2024)
DIFFED = range(2020, 2024)


def _bytes(table: pa.Table) -> bytes:
    return parquet_bytes(table, contract("region_cluster"), inputs_id="0" * 64, sources=source_table())


def _of_year(table: pa.Table, year: int) -> pa.Table:
    at = table.column_names.index("year")
    return table.set_column(at, table.schema.field(at), pa.array(np.full(table.num_rows, year), pa.int16()))


def point_queries(folder: Path) -> list[Row]:
    """One region and cluster over 26 years of every county, by DuckDB from cold connections; the median of twenty."""
    table, size = region_cluster(2017), 0
    for year in YEARS:
        file = folder / part_path("region_cluster", year)
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(_bytes(_of_year(table, year)))
        size += file.stat().st_size
    wall, cpu = [], []
    for code in county_codes()[100::150]:
        start = time.perf_counter(), time.process_time()
        with duckdb.connect() as connection:
            found = connection.execute(
                f"""SELECT year, employment, location_quotient FROM read_parquet('{folder}/region_cluster/*.parquet')
                    WHERE region_scheme = 'us_county' AND region_code = '{code}' AND cluster_code = 7 ORDER BY year"""
            ).fetchall()
        wall.append(time.perf_counter() - start[0])
        cpu.append(time.process_time() - start[1])
        assert [row[0] for row in found] == list(YEARS)
    row = Row("point queries", f"one region and cluster over {len(YEARS)} years, {size / 2**20:.0f} MiB of files")
    row.ours_seconds, row.cpu_seconds = round(float(np.median(wall)), 4), round(float(np.median(cpu)), 4)
    row.peak_mib, row.rows = peak_mib(), len(YEARS) * table.num_rows
    row.budget, row.holds = "0.1 s wall, best of 20", min(wall) < 0.1
    return [row]


def diff(folder: Path) -> list[Row]:
    """Two versions of four county years; every tenth figure of employment differs in each of them."""
    before = region_cluster(2017)
    at = before.column_names.index("employment")
    moved = pc.if_else(
        pa.array(np.arange(before.num_rows) % 10 == 0), pc.add(before["employment"], 1), before["employment"]
    )
    after = before.set_column(at, before.schema.field(at), moved)
    storage = Storage(str(folder / "diff"))
    sides = []
    for table in (before, after):
        parts = {
            part_path("region_cluster", year): Part.of(_bytes(_of_year(table, year)), table.num_rows, "0" * 64)
            for year in DIFFED
        }
        gate = GateResult(declared=1, executed=1)
        sides.append(DraftSide(storage, Draft(date(2026, 1, 1), "0" * 64, "code", parts, gate)))
    clock = Clock("diff")
    with clock.stage(f"two versions of {len(DIFFED)} county years, a tenth of the rows changed") as row:
        compare(*sides)
    row.rows = len(DIFFED) * before.num_rows
    return clock.lines
