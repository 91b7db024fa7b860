"""Where the page's figures come from: the tables of a version that is being made, or of one that is published."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from etl.archive import Archived, open_archived
from etl.cache import CachedTable, cached_file
from etl.publish import Part, part_path, part_year
from etl.site.shapes import Boundaries
from etl.snapshots import Snapshot
from etl.sources import nuts_boundaries, us_boundaries
from etl.storage import Storage

Read = Callable[[str, int | None, Sequence[str]], pa.Table]


@dataclass(frozen=True, slots=True)
class Tables:
    """Published tables to read: `years` each table has, and `read(name, year, columns)`; year None for the others."""

    years: Mapping[str, tuple[int, ...]]
    read: Read


def tables_of_parts(storage: Storage, parts: Mapping[str, Part]) -> Tables:
    """Read the files of a version that is about to be published; each is verified once, when it is first read."""
    verified: dict[str, Path] = {}

    def read(name: str, year: int | None, columns: Sequence[str]) -> pa.Table:
        path = part_path(name, year)
        if path not in verified:
            part = parts[path]
            verified[path] = cached_file(storage, CachedTable(str(part.source), part.sha256, part.size, part.rows))
        rows = pq.ParquetFile(verified[path]).read(list(columns))
        return rows.select(list(columns)).replace_schema_metadata(None)

    return Tables(_years(parts), read)


def tables_of_snapshot(snapshot: Snapshot) -> Tables:
    """Read a published version."""

    def read(name: str, year: int | None, columns: Sequence[str]) -> pa.Table:
        return snapshot.table(name, columns, None if year is None else pc.field("year") == year)

    return Tables(_years(snapshot.manifest.files), read)


def _years(paths: Mapping[str, object]) -> dict[str, tuple[int, ...]]:
    found: dict[str, list[int]] = {}
    for path in sorted(paths):
        year = part_year(path)
        years = found.setdefault(path.split("/")[0], [])
        if year is not None:
            years.append(year)
    return {name: tuple(sorted(years)) for name, years in found.items()}


def boundaries_of(storage: Storage, files: Sequence[Archived]) -> Boundaries:
    """The publishers' boundaries among the files of an archive; None for a side that has none."""
    latest = {file.dataset: file for file in files}
    counties, nuts2 = latest.get("us_boundaries"), latest.get("nuts_boundaries")
    return Boundaries(
        us_boundaries.features(open_archived(storage, counties)) if counties else None,
        nuts_boundaries.features(open_archived(storage, nuts2)) if nuts2 else None,
    )
