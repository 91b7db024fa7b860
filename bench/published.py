"""The published versions of the rebuild: point queries over all years, and the diff of two versions."""

import time
from pathlib import Path

import duckdb
import numpy as np
import pyarrow.parquet as pq

from bench.bare import bare_rewrite_of
from bench.measured import Clock, Row, peak_mib
from etl.diff import PublishedSide, compare
from etl.publish import read_manifest, versions
from etl.sources import DATASETS
from etl.storage import Storage

QUERIES = 20


def point_queries(folder: Path) -> list[Row]:
    """One county and cluster over 26 years, by DuckDB from cold connections; the median of twenty."""
    storage = Storage(str(folder / "root"))
    files = sorted((folder / "root" / "snapshots" / versions(storage)[-1] / "region_cluster").glob("*.parquet"))
    rows = [pq.read_metadata(file).num_rows for file in files]
    wall, cpu, bare = [], [], []
    counties = _counties(files)
    for code in counties[:: max(1, len(counties) // QUERIES)][:QUERIES]:
        start = time.perf_counter(), time.process_time()
        with duckdb.connect() as connection:
            found = connection.execute(
                f"""SELECT year, employment, location_quotient FROM read_parquet({[str(file) for file in files]})
                    WHERE region_scheme = 'us_county' AND region_code = '{code}' AND cluster_code = 7 ORDER BY year"""
            ).fetchall()
        wall.append(time.perf_counter() - start[0])
        cpu.append(time.process_time() - start[1])
        assert len(found) == len(files), (code, len(found))
        start_bare = time.process_time()
        of_cell = [("region_scheme", "=", "us_county"), ("region_code", "=", code), ("cluster_code", "=", 7)]
        table = pq.read_table(files, columns=["year", "employment", "location_quotient"], filters=of_cell)
        bare.append(time.process_time() - start_bare)
        assert table.num_rows == len(files)
    size = sum(file.stat().st_size for file in files) / 2**20
    row = Row("point queries", f"one county and cluster over {len(files)} years, {size:.0f} MiB of files")
    row.ours_seconds, row.cpu_seconds = round(float(np.median(wall)), 4), round(float(np.median(cpu)), 4)
    row.peak_mib, row.rows = peak_mib(), sum(rows)
    row.beside("bare pyarrow read with the same filter", float(np.median(bare)))
    row.budget, row.holds = "0.1 s wall, best of 20", min(wall) < 0.1
    return [row]


def _counties(files: list[Path]) -> list[str]:
    """Counties that every file has."""
    columns = ["region_scheme", "region_code", "cluster_code"]
    filters = [("region_scheme", "=", "us_county"), ("cluster_code", "=", 7)]
    codes = [set(pq.read_table(file, columns=columns, filters=filters)["region_code"].to_pylist()) for file in files]
    return sorted(set.intersection(*codes))


def diff(folder: Path) -> list[Row]:
    """The last two versions of the rebuild: what has the same hash is passed over, changed years are compared."""
    storage = Storage(str(folder / "root"))
    old, new = (PublishedSide(storage, read_manifest(storage, version)) for version in versions(storage)[-2:])
    clock = Clock("diff of two full versions")
    with clock.stage("one county file changed") as row:
        compare(old, new, {name: dataset.source for name, dataset in DATASETS.items()})
    changed = [
        path for path, entry in new.files.items() if path in old.files and entry.sha256 != old.files[path].sha256
    ]
    row.stage += f": {len(changed)} of {len(new.files)} files differ"
    row.rows = sum(new.files[path].rows or 0 for path in changed)
    cells = [path for path in changed if path.startswith("region_industry/")]
    rows, seconds = bare_rewrite_of([folder / "root" / "snapshots" / new.version / path for path in cells])
    row.beside("bare pyarrow read, sort, write, by rows", seconds / rows * row.rows)
    return clock.lines
