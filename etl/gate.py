"""Checks what is new in an assembled snapshot and publishes it, or stops it and says why."""

from collections.abc import Sequence
from datetime import date

import pyarrow as pa

from etl.archive import Archived
from etl.assemble import Assembled, code_of_all_steps
from etl.cache import CachedTable, read_cached
from etl.progress import Progress
from etl.publish import Draft, Manifest, Part, Published, SourceFileState, newest_manifest, part_path, part_year, publish
from etl.storage import Storage
from etl.validate import GateReport, merged, validate

#: Tables that checks look codes up in.
CONTEXT = ("cluster", "region", "source")


def check(storage: Storage, assembled: Assembled, newest: Manifest | None, progress: Progress) -> GateReport:
    """Run the gate over the tables without a year and over each year that differs from the newest version."""
    changed = {path: part for path, part in assembled.parts.items() if _is_changed(path, part, newest)}
    context = {name: _read(storage, assembled.parts[part_path(name)]) for name in CONTEXT}
    years = sorted({year for path in changed if (year := part_year(path)) is not None})
    progress.stage("gate", 1 + len(years))
    reports = []
    for year in [None, *years]:
        # A year is checked whole: its tables are held against each other.
        tables = {
            path.split("/")[0]: _read(storage, part)
            for path, part in assembled.parts.items()
            if part_year(path) == year
        }
        before = {name: _rows_before(newest, name, year) for name in tables}
        known = {name: rows for name, rows in before.items() if rows is not None}
        reports.append(validate(tables, year=year, context=context, previous_rows=known))
        progress.advance()
    return merged(reports)


def check_and_publish(
    storage: Storage,
    snapshot_date: date,
    content_id: str,
    files: Sequence[Archived],
    assembled: Assembled,
    notes: Sequence[str],
    progress: Progress,
    *,
    is_invented: bool,
) -> Published:
    """Check, then publish as the next version of the day. Raises GateError where the gate refuses."""
    newest = newest_manifest(storage, snapshot_date)
    report = check(storage, assembled, newest, progress)
    report.stop_if_failed(storage, f"refused/{snapshot_date}/{content_id[:16]}")
    sources = _read(storage, assembled.parts[part_path("source")]).to_pylist()
    draft = Draft(
        snapshot_date=snapshot_date,
        content_id=content_id,
        code_id=code_of_all_steps(),
        parts=assembled.parts,
        gate=report.result,
        previous=newest.version if newest else None,
        sources=tuple(sources),
        source_files=tuple(_file_state(file) for file in files),
        documents={"validation/result.json": report.as_json()},
        notes=tuple(notes),
        is_invented=is_invented,
    )
    return publish(storage, draft)


def _is_changed(path: str, part: Part, newest: Manifest | None) -> bool:
    entry = newest.files.get(path) if newest else None
    return entry is None or entry.sha256 != part.sha256


def _rows_before(newest: Manifest | None, table: str, year: int | None) -> int | None:
    entry = newest.files.get(part_path(table, year)) if newest else None
    return entry.rows if entry else None


def _read(storage: Storage, part: Part) -> pa.Table:
    table = read_cached(storage, CachedTable(str(part.source), part.sha256, part.size, part.rows))
    return table.replace_schema_metadata(None)


def _file_state(file: Archived) -> SourceFileState:
    return SourceFileState(
        dataset=file.dataset,
        url=file.url,
        year=file.year,
        sha256=file.sha256,
        bytes=file.bytes,
        retrieved_at=file.confirmed,
        is_stale=file.is_stale,
        stale_reason=file.problem,
    )


