"""What each task does, as plain functions from a partition key to a small JSON result: names and hashes, never tables.

They read and write the data root that the settings name. Heavy packages are imported inside, since a DAG file imports
this module whenever it is parsed.
"""

import hashlib
import logging
from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

from etl.airflow.schedule import BEGIN_SHARE, FETCH_SHARE, Schedule, day_of_key, is_past, time_left
from etl.errors import DataError, NothingAvailableError, TransientError, UsageError

if TYPE_CHECKING:
    from etl.archive import Outcome
    from etl.run.checked_publishing import Verdict
    from etl.settings import Settings
    from etl.storage import Storage

Side = Literal["us", "eu"]
Json = dict[str, Any]

log = logging.getLogger(__name__)


def root() -> "tuple[Storage, Settings]":
    """The data root and the settings of a task; a task is one process."""
    from etl.settings import Settings
    from etl.storage import Storage

    settings = Settings(workers=1)
    return Storage(settings.data), settings


def datasets_to_ask(key: str, side: Side | None, datasets: Sequence[str] = ()) -> list[list[str]]:
    """Sort the datasets of a side into those asked by one task each; none for a day in the past.

    Eurostat's tables go together: its table of contents is asked first and says which need not be.
    Raises UsageError for a dataset that is not there.
    """
    from etl.run.refresh import TABLE_OF_CONTENTS, requests_for
    from etl.sources import DATASETS

    if unknown := [name for name in datasets if name not in DATASETS]:
        raise UsageError(f"no dataset is called {', '.join(unknown)}; there are: {', '.join(DATASETS)}")
    if is_past(day_of_key(key)):
        log.info("%s is in the past: the archive is read, nobody is asked", key)
        return []
    wanted = [name for name in DATASETS if side in (None, DATASETS[name].side) and (not datasets or name in datasets)]
    groups: dict[str, list[str]] = {}
    for name in wanted:
        if requests_for([name]):
            group = TABLE_OF_CONTENTS if name.startswith("eurostat") and TABLE_OF_CONTENTS in wanted else name
            groups.setdefault(group, []).append(name)
    return list(groups.values())


def fetch(group: list[str], key: str, started: str | None, years: Sequence[int] | None = None) -> Json:
    """Ask for a group of datasets and archive the answers.

    Raises TransientError where an address could not be reached, so that it is tried again, and DataError where a
    guard refused an answer or an address is gone. In both cases the last good bytes stand.
    """
    from etl.run.refresh import RefreshRequest, ask_publishers

    storage, settings = root()
    day = day_of_key(key)
    left = time_left(day, started, FETCH_SHARE, Schedule.from_environment())
    settings = settings.model_copy(update={"fetch_budget": min(settings.fetch_budget, left)})
    asked = RefreshRequest(day, tuple(group), tuple(years) if years else None, settings.mirror or None)
    fetched = ask_publishers(storage, asked, settings)
    log.info("%s: %s", ", ".join(group), fetched.sentence())
    failed = [outcome for outcome in fetched.outcomes if outcome.is_stale or outcome.is_left_out]
    if unreachable := [outcome for outcome in failed if outcome.status == "unreachable"]:
        raise TransientError(_told(unreachable))
    if failed:
        raise DataError(_told(failed))
    return {"datasets": group, "said": fetched.sentence(), "changed": sorted(file.sha256 for file in fetched.changed)}


def _told(outcomes: "Sequence[Outcome]") -> str:
    first = outcomes[0]
    more = f", and {len(outcomes) - 1} more addresses" if len(outcomes) > 1 else ""
    stands = "the last good bytes stand" if first.is_stale else "it was never had and is left out"
    return f"{first.request.dataset}: {first.request.url} is {first.status} ({first.reason}); {stands}{more}"


def source_years_to_build(
    key: str, side: Side | None, years: Sequence[int] = (), datasets: Sequence[str] = ()
) -> list[Json]:
    """List the source-years that are not in the cache yet, the largest first; of these years and datasets, if any."""
    from etl.run.refresh import files_as_of, unbuilt_source_years

    storage, _ = root()
    try:
        files = files_as_of(storage, day_of_key(key), side)
    except NothingAvailableError as error:
        log.info("%s", error)
        return []
    units = [
        unit
        for unit in unbuilt_source_years(storage, files)
        if (not years or unit.year in years) and (not datasets or any(f.dataset in datasets for f in unit.files))
    ]
    log.info("%s source-years to build: %s", len(units), ", ".join(unit.name for unit in units) or "all are built")
    return [{"source": unit.source, "year": unit.year} for unit in units]


def build(unit: Json, key: str, started: str | None) -> Json:
    """Take one source-year from the archive to clusters. Raises DataError naming file and code."""
    from etl.run.refresh import build_one, files_as_of

    storage, _ = root()
    day = day_of_key(key)
    time_left(day, started, BEGIN_SHARE, Schedule.from_environment())
    built = build_one(storage, files_as_of(storage, day), unit["source"], unit["year"])
    for note in built.notes:
        log.info("%s", note)
    return {**unit, "keys": [result.key for result in built.results]}


def delivery(key: str, side: Side) -> Json:
    """Say in what state a side is as of the day: fresh, stale or archive, and what is missing.

    Raises DataError where it is stale and the settings say to wait.
    """
    from etl.run.refresh import files_as_of, requests_for, unbuilt_source_years
    from etl.sources import DATASETS

    storage, _ = root()
    day = day_of_key(key)
    try:
        files = files_as_of(storage, day, side)
    except NothingAvailableError:
        files = []
    had = {file.dataset for file in files}
    wanted = Schedule.from_environment().asked or tuple(DATASETS)
    names = [name for name in wanted if name in DATASETS and DATASETS[name].side == side and requests_for([name])]
    stale = {file.dataset: file.problem for file in files if file.is_stale}
    if not is_past(day):
        unasked = had.intersection(names) - _asked_on(storage, day)
        stale |= dict.fromkeys(sorted(unasked), "it was not asked: no time, or the task failed")
    left_out = [name for name in names if name not in had]
    unbuilt = [unit.name for unit in unbuilt_source_years(storage, files)]
    freshness = "archive" if is_past(day) else "stale" if stale or not files else "fresh"
    told = {"side": side, "freshness": freshness, "files": len(files), "stale": stale, "unbuilt": unbuilt}
    log.info("%s as of %s: %s, %s files", side, key, freshness, len(files))
    if freshness == "stale" and Schedule.from_environment().stale == "wait":
        why = "; ".join(f"{name}: {problem}" for name, problem in stale.items()) or "nothing of it was ever had"
        raise DataError(f"{side} is stale and is waited for ({why}); clear this run once the publisher answers again")
    return {**told, "left_out": left_out}


def _asked_on(storage: "Storage", day: date) -> set[str]:
    """The datasets whose publishers were asked on a day, whatever they answered."""
    from etl.archive.log import read_histories

    histories = read_histories(storage, day).items()
    return {name for name, had in histories if any(entry["snapshot_date"] == day.isoformat() for entry in had.entries)}


def measure(key: str) -> Json:
    """Build what is missing, and measure and assemble the snapshot as of a day.

    Raises NothingAvailableError where the archive knows nothing of that day.
    """
    from etl.progress import SilentProgress
    from etl.run.refresh import measure_state, published_state

    storage, settings = root()
    day = day_of_key(key)
    done = published_state(storage, day, settings)
    if done is not None:
        log.info("nothing changed: version %s stands", done.version)
        return {"version": done.version}
    measured = measure_state(storage, day, settings, SilentProgress())
    log.info("%s rows from %s source-years", f"{measured.assembled.rows:,}", measured.source_years)
    return {"content_id": measured.content_id, "rows": measured.assembled.rows}


def validate(key: str) -> Json:
    """Run the gate and keep what it said. `refusal`: why it refuses, None where it passes or nothing is to be done."""
    from etl.progress import SilentProgress
    from etl.run.refresh import judge_measured, measure_state, published_state

    storage, settings = root()
    day = day_of_key(key)
    if published_state(storage, day, settings) is not None:
        return {"refusal": None, "verdict": None}
    progress = SilentProgress()
    verdict = judge_measured(storage, measure_state(storage, day, settings, progress), progress)
    data = verdict.to_bytes()
    digest = hashlib.sha256(data).hexdigest()
    storage.write(f"cache/gate/{digest}.json", data)
    log.info("gate: %s of %s expectations executed", verdict.result.executed, verdict.result.declared)
    return {"refusal": verdict.refusal, "verdict": digest, "content_id": verdict.content_id}


def publish(key: str, verdict: str | None, released_by: str | None = None) -> Json:
    """Publish the snapshot as of a day, or find that nothing changed. `verdict`: hash of what the gate said.

    Raises GateError where the gate refuses and nobody released it, DataError where what was released is not what the
    archive holds any more.
    """
    from etl.progress import SilentProgress
    from etl.publish import read_manifest
    from etl.run.refresh import Summary, measure_state, publish_measured, published_state

    storage, settings = root()
    day = day_of_key(key)
    done = published_state(storage, day, settings)
    if done is not None:
        summary = Summary(done.version, done.previous)
    else:
        measured = measure_state(storage, day, settings, SilentProgress())
        said = _kept_verdict(storage, verdict)
        if released_by and (said is None or said.content_id != measured.content_id):
            raise DataError(
                "the archive has changed since the gate's refusal was released; clear the run from validate on"
            )
        summary = publish_measured(storage, measured, SilentProgress(), said, released_by)
    manifest = read_manifest(storage, str(summary.version))
    gate = manifest.gate.model_dump(mode="json")
    return {
        "version": manifest.version,
        "previous": manifest.previous,
        "is_new": summary.is_new,
        "rows": sum(table.rows for table in manifest.tables.values()),
        "files": len(manifest.files),
        "changes": manifest.changes,
        "gate": gate,
        "said": summary.sentence(),
    }


def _kept_verdict(storage: "Storage", digest: str | None) -> "Verdict | None":
    from etl.run.checked_publishing import Verdict

    if digest is None:
        return None
    try:
        data = storage.read_bytes(f"cache/gate/{digest}.json")
    except FileNotFoundError:
        return None
    return Verdict.from_bytes(data) if hashlib.sha256(data).hexdigest() == digest else None


def overdue(day: date) -> str | None:
    """Say why the snapshot of a day is not what it should be by now; None where it is published."""
    from etl.run.refresh import published_state
    from etl.sources import DATASETS

    storage, settings = root()
    asked = {DATASETS[name].side for name in _asked_on(storage, day) if name in DATASETS}
    if silent := sorted({"us", "eu"} - asked):
        return f"no publisher of {' and '.join(silent)} was asked on {day}: the ingest runs did not get that far"
    try:
        done = published_state(storage, day, settings)
    except NothingAvailableError as error:
        return str(error)
    if done is None:
        return f"what the archive holds of {day} is not published; the version before still stands"
    return None
