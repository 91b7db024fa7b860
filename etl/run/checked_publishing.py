"""Checks what is new in an assembled snapshot and publishes it, or stops it and says why."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import pyarrow as pa

from etl.archive import Archived
from etl.cache import CachedTable, forget, read_cached, release_memory
from etl.contracts import contract
from etl.diff import with_changes
from etl.errors import GateError
from etl.progress import Progress
from etl.publish import (
    DamagedPartError,
    Draft,
    GateResult,
    Manifest,
    Part,
    Published,
    SourceFileState,
    newest_manifest,
    part_path,
    part_year,
    publish,
)
from etl.run.collect import Collected, code_of_all_steps
from etl.run.processes import in_processes
from etl.sources import DATASETS
from etl.storage import Storage
from etl.validate import GateReport, merged, validate

#: Tables that checks look codes up in.
CONTEXT = ("cluster", "contradiction", "region", "source")
#: Those of them that all years share.
LOOKED_UP = ("cluster", "region", "source")


def check(
    storage: Storage, assembled: Collected, newest: Manifest | None, progress: Progress, workers: int = 1
) -> GateReport:
    """Run the gate over the tables without a year and over each year that differs from the newest version.

    Years are independent of each other: where many changed, as in a first build, `workers` processes share them.
    """
    changed = {path: part for path, part in assembled.parts.items() if _is_changed(path, part, newest)}
    context = {name: assembled.parts[part_path(name)] for name in CONTEXT}
    # Codes that are looked up are those of every year.
    touched = assembled.parts if any(part_path(name) in changed for name in LOOKED_UP) else changed
    years = sorted({year for path in touched if (year := part_year(path)) is not None})
    progress.stage("gate", 1 + len(years))
    jobs = []
    for year in [None, *years]:
        # A year is checked whole: its tables are held against each other.
        parts = {path.split("/")[0]: part for path, part in assembled.parts.items() if part_year(path) == year}
        before = {name: rows for name in parts if (rows := _rows_before(newest, name, year)) is not None}
        jobs.append((_check_year, (storage, parts, year, context, before)))
    return merged(in_processes(workers, jobs, progress))


def _check_year(
    storage: Storage,
    parts: Mapping[str, Part],
    year: int | None,
    context: Mapping[str, Part],
    previous_rows: Mapping[str, int],
) -> GateReport:
    known = {name: _read(storage, name, part) for name, part in context.items()}
    tables = {name: _read(storage, name, part) for name, part in parts.items()}
    report = validate(tables, year=year, context=known, previous_rows=previous_rows)
    del tables
    release_memory()
    return report


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate said of one content compared with one version before.

    `refusal`: the sentences for people where it refuses; `report`: validation/result.json.
    """

    content_id: str
    previous: str | None
    result: GateResult
    report: bytes
    refusal: str | None

    def to_bytes(self) -> bytes:
        """Serialise, to be kept between two tasks."""
        fields = {"content_id": self.content_id, "previous": self.previous, "refusal": self.refusal}
        result, report = self.result.model_dump(mode="json"), base64.b64encode(self.report).decode()
        return json.dumps({**fields, "result": result, "report": report}).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Verdict":
        """Read what `to_bytes` wrote."""
        kept = json.loads(data)
        result, report = GateResult.model_validate(kept["result"]), base64.b64decode(kept["report"])
        return cls(kept["content_id"], kept["previous"], result, report, kept["refusal"])


def judge(
    storage: Storage,
    snapshot_date: date,
    content_id: str,
    assembled: Collected,
    progress: Progress,
    workers: int = 1,
) -> Verdict:
    """Run the gate. Where it refuses, the report and the failing rows are kept under refused/."""
    newest = newest_manifest(storage, snapshot_date)
    report = check(storage, assembled, newest, progress, workers)
    refusal = None
    try:
        report.stop_if_failed(storage, f"refused/{snapshot_date}/{content_id[:16]}")
    except GateError as error:
        refusal = str(error)
    failures = tuple(one.sentence for one in report.failures("critical"))
    result = report.result.model_copy(update={"failures": failures})
    return Verdict(content_id, newest.version if newest else None, result, report.as_json(), refusal)


def check_and_publish(
    storage: Storage,
    snapshot_date: date,
    content_id: str,
    files: Sequence[Archived],
    assembled: Collected,
    notes: Sequence[str],
    progress: Progress,
    *,
    is_invented: bool,
    verdict: Verdict | None = None,
    released_by: str | None = None,
    workers: int = 1,
) -> Published:
    """Check, then publish as the next version of the day. Raises GateError where the gate refuses.

    `verdict`: what the gate said before; it counts only for this content against the version that still is the newest.
    `released_by`: the person who lets this content pass although the gate refused it; the manifest says so.
    """
    from etl.site import site_documents

    newest = newest_manifest(storage, snapshot_date)
    previous = newest.version if newest else None
    if verdict is None or (verdict.content_id, verdict.previous) != (content_id, previous):
        verdict = judge(storage, snapshot_date, content_id, assembled, progress, workers)
    if verdict.refusal is not None and released_by is None:
        raise GateError(verdict.refusal)
    gate = verdict.result.model_copy(update={"released_by": released_by if verdict.refusal else None})
    progress.stage("page", 1)
    page = site_documents(storage, assembled.parts, files, content_id=content_id, is_invented=is_invented)
    documents = {"validation/result.json": verdict.report, **page}
    draft = Draft(
        snapshot_date=snapshot_date,
        content_id=content_id,
        code_id=code_of_all_steps(),
        parts=assembled.parts,
        gate=gate,
        previous=previous,
        sources=tuple(_read(storage, "source", assembled.parts[part_path("source")]).to_pylist()),
        source_files=tuple(_file_state(file) for file in files),
        documents=documents,
        notes=tuple(notes),
        is_invented=is_invented,
    )
    source_of = {name: dataset.source for name, dataset in DATASETS.items()}
    try:
        return publish(storage, with_changes(storage, draft, newest, source_of))
    except DamagedPartError as error:
        forget(storage, error.path)
        raise


def _is_changed(path: str, part: Part, newest: Manifest | None) -> bool:
    """Whether a version has other bytes there; the empty part of a year is not published, so none is there."""
    entry = newest.files.get(path) if newest else None
    if entry is None:
        return newest is None or part.rows > 0 or part_year(path) is None
    return entry.sha256 != part.sha256


def _rows_before(newest: Manifest | None, table: str, year: int | None) -> int | None:
    entry = newest.files.get(part_path(table, year)) if newest else None
    return entry.rows if entry else None


def _read(storage: Storage, name: str, part: Part) -> pa.Table:
    texts = [field.name for field in contract(name).arrow_schema if pa.types.is_string(field.type)]
    cached = CachedTable(str(part.source), part.sha256, part.size, part.rows)
    table = read_cached(storage, cached, codes=texts)
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
