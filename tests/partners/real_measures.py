"""Real figures of both sides for the tests of partners: read, estimated, brought to clusters and measured."""

import csv
import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa

from etl.columns import concat
from etl.contracts import contract
from etl.estimate import estimate
from etl.harmonise import harmonise
from etl.measure import Rules, measure_common
from etl.sources import DATASETS, SOURCES
from etl.sources.base import ArchivedFile


@dataclass(frozen=True)
class Harmonised:
    """One source-year: its cells, clusters and coverage."""

    cells: pa.Table
    clusters: pa.Table
    coverage: pa.Table


def source_year(
    shared: Path,
    folder: Path,
    source: str,
    year: int,
    datasets: Sequence[str] = (),
    structures: Sequence[pa.Table] = (),
) -> Harmonised:
    """A source-year of the real files; without American counties, which no test here needs."""
    with (shared / "mirror" / "index.csv").open(encoding="utf-8", newline="") as stream:
        index = {row["url"]: row for row in csv.DictReader(stream)}
    files: list[ArchivedFile] = []
    requests = [request for dataset in datasets or (source,) for request in DATASETS[dataset].requests([year])]
    while requests:
        request = requests.pop(0)
        row = index.get(request.url)
        if row is None or "for=county" in request.url:
            continue
        path = shared / "mirror" / row["path"]
        if row["gzipped"] == "1":
            (folder / row["sha256"]).write_bytes(gzip.decompress(path.read_bytes()))
            path = folder / row["sha256"]
        about = (request.dataset, request.url, request.kind, request.content, request.year)
        files.append(ArchivedFile(*about, "", path.stat().st_size, path))
        requests += DATASETS[request.dataset].follow(files[-1])
    printed = SOURCES[source].parse(files, year).tables["region_industry"].unify_dictionaries()
    estimated = estimate(printed, structures=structures).cells
    published = [name for name in contract("region_industry").column_names if name in estimated.column_names]
    cells = contract("region_industry").conform(estimated.select(published))
    done = harmonise(cells, year)
    return Harmonised(cells, done.region_cluster, done.coverage)


def common(parts: dict[tuple[str, int], Harmonised], year: int, window: int) -> pa.Table:
    """`region_cluster_common` of a year from these source-years."""
    return measure_common(
        {key: one.clusters for key, one in parts.items()},
        year=year,
        coverage=concat([one.coverage for one in parts.values()]),
        cells={key: partial(lambda table: table, one.cells) for key, one in parts.items()},
        rules=Rules(common_year_window=window),
    )
