"""The whole line, from the publishers' files to a published snapshot: fetch, build, measure, check, publish.

Every piece is a plain function from the state of the data root to a result in it, so that the command line, the DAGs
and the tests call the same ones. A failure at any point leaves the version before as it was.
"""

import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from etl.archive import Archived, Fetched, fetch, in_use, known, open_archived
from etl.cache import StepResult
from etl.contracts import contracts
from etl.errors import NothingAvailableError
from etl.measure import Rules
from etl.progress import Progress, SilentProgress
from etl.publish import Published, content_id, newest_manifest, published_already
from etl.run.checked_publishing import Verdict, check_and_publish, judge
from etl.run.collect import Collected, code_of_all_steps, collect
from etl.run.processes import in_processes
from etl.run.units import (
    STRUCTURES,
    Built,
    SourceYear,
    build_source_year,
    build_year,
    find_built,
    list_notes,
    source_years,
    year_units,
)
from etl.settings import Settings
from etl.sources import DATASETS
from etl.sources.base import Request, Side
from etl.sources.configured import description_id
from etl.sources.eurostat_toc import is_unchanged, last_updates
from etl.storage import Storage

TABLE_OF_CONTENTS = "eurostat_toc"


@dataclass(frozen=True, slots=True)
class RefreshRequest:
    """What a run is asked for. `datasets` and `years` limit what publishers are asked, never what is published."""

    snapshot_date: date
    datasets: tuple[str, ...] | None = None
    years: tuple[int, ...] | None = None
    mirror: str | None = None
    fetches: bool = True
    accept: frozenset[str] = frozenset()
    is_invented: bool = False


@dataclass(slots=True)
class Summary:
    """What came of a run, for a person in one sentence and for programs as JSON."""

    version: str | None = None
    previous: str | None = None
    is_new: bool = False
    rows: int = 0
    files: int = 0
    source_years: int = 0
    fetched: Fetched | None = None
    notes: list[str] = field(default_factory=list)

    def sentence(self) -> str:
        """One line for a person."""
        heard = f" {self.fetched.sentence()}" if self.fetched else ""
        if not self.is_new:
            return f"Nothing changed: version {self.version} stands.{heard}"
        instead = f", in place of {self.previous}" if self.previous else ""
        made = f"{self.rows:,} rows in {self.files} files from {self.source_years} source-years"
        return f"Published version {self.version}{instead}: {made}.{heard}"

    def as_json(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "version": self.version,
            "previous": self.previous,
            "is_new": self.is_new,
            "rows": self.rows,
            "files": self.files,
            "source_years": self.source_years,
            "fetched": self.fetched.sentence() if self.fetched else None,
            "notes": self.notes,
        }


def refresh(storage: Storage, asked: RefreshRequest, settings: Settings, progress: Progress | None = None) -> Summary:
    """Run the whole line once.

    Raises NothingAvailableError where nothing that was asked for could be had, GateError where the gate refuses, and
    DataError where a file or a step is wrong; the version before stands in each case.
    """
    progress = progress or SilentProgress()
    fetched = fetch_datasets(storage, asked, settings, progress) if asked.fetches else None
    summary = publish_state(storage, asked.snapshot_date, settings, progress, is_invented=asked.is_invented)
    summary.fetched = fetched
    return summary


def fetch_datasets(storage: Storage, asked: RefreshRequest, settings: Settings, progress: Progress) -> Fetched:
    """Ask the publishers for what was asked for. Raises NothingAvailableError where none of it could be had."""
    fetched = ask_publishers(storage, asked, settings, progress)
    if not fetched.files:
        raise NothingAvailableError(f"nothing that was asked for could be had. {fetched.sentence()}")
    return fetched


def ask_publishers(
    storage: Storage, asked: RefreshRequest, settings: Settings, progress: Progress | None = None
) -> Fetched:
    """Ask the publishers for what was asked for, and say what came of each address.

    Eurostat's table of contents is asked first where it is among them: what it shows unchanged is not asked again.
    """
    progress = progress or SilentProgress()
    names = asked.datasets or tuple(DATASETS)
    first = [name for name in names if name == TABLE_OF_CONTENTS]
    contents = _ask(storage, requests_for(first), asked, settings, progress)
    rest = requests_for([name for name in names if name not in first], asked.years)
    fetched = _ask(storage, rest, asked, settings, progress, _unchanged_by(storage, contents))
    return Fetched(contents.outcomes + fetched.outcomes, contents.superseded + fetched.superseded)


def _ask(
    storage: Storage,
    requests: Sequence[Request],
    asked: RefreshRequest,
    settings: Settings,
    progress: Progress,
    is_current: Callable[[Request, Archived], bool] | None = None,
) -> Fetched:
    if not requests:
        return Fetched(())
    return fetch(
        requests,
        storage,
        dataset_objects=DATASETS,
        snapshot_date=asked.snapshot_date,
        run_id=f"{asked.snapshot_date}-{uuid.uuid4().hex[:12]}",
        settings=settings,
        mirror_base=asked.mirror,
        accept=asked.accept,
        is_current=is_current,
        progress=progress,
    )


def _unchanged_by(storage: Storage, contents: Fetched) -> Callable[[Request, Archived], bool] | None:
    """What Eurostat's table of contents of this run says about a copy in hand; None where it did not come."""
    good = [o.archived for o in contents.outcomes if o.archived is not None and o.status in ("fetched", "unchanged")]
    if not good:
        return None
    updates = last_updates(open_archived(storage, good[0]))
    return lambda request, archived: is_unchanged(updates, request.url, archived.confirmed)


def requests_for(datasets: Iterable[str], years: Sequence[int] | None = None) -> list[Request]:
    """The addresses of these datasets, limited to these years where some are given."""
    requests: list[Request] = []
    for name in datasets:
        dataset = DATASETS[name]
        wanted = [year for year in dataset.years if years is None or year in years]
        if wanted or not dataset.years:
            requests += dataset.requests(wanted)
    return requests


def publish_state(
    storage: Storage, snapshot_date: date, settings: Settings, progress: Progress, *, is_invented: bool = False
) -> Summary:
    """Build, measure, check and publish what the archive holds as of a day; what is built already stands."""
    done = published_state(storage, snapshot_date, settings, is_invented=is_invented)
    if done is not None:
        return Summary(done.version, done.previous)
    measured = measure_state(storage, snapshot_date, settings, progress, is_invented)
    return publish_measured(storage, measured, progress, workers=settings.workers)


def published_state(
    storage: Storage, snapshot_date: date, settings: Settings, *, is_invented: bool = False
) -> Published | None:
    """Say which version holds already what the archive holds as of a day; None where it is still to be published."""
    files = files_as_of(storage, snapshot_date)
    is_invented = is_invented or _holds_invented(storage)
    return published_already(storage, snapshot_date, content_of(files, settings, is_invented=is_invented))


def _holds_invented(storage: Storage) -> bool:
    """Whether the newest version holds invented figures: what is built on the same archive holds them, too."""
    newest = newest_manifest(storage)
    return newest is not None and newest.is_invented


@dataclass(frozen=True, slots=True)
class MeasuredSnapshot:
    """Everything of a snapshot as of a day, measured and waiting for the gate."""

    snapshot_date: date
    content_id: str
    files: tuple[Archived, ...]
    assembled: Collected
    source_years: int
    notes: tuple[str, ...]
    is_invented: bool


def measure_state(
    storage: Storage, snapshot_date: date, settings: Settings, progress: Progress, is_invented: bool = False
) -> MeasuredSnapshot:
    """Build, measure and assemble what the archive holds as of a day; what is in the cache already is only found."""
    files = files_as_of(storage, snapshot_date)
    is_invented = is_invented or _holds_invented(storage)
    content = content_of(files, settings, is_invented=is_invented)
    built = build_source_years(storage, files, settings, progress)
    years = build_years(storage, built, settings, progress)
    assembled = collect(storage, files, built, years, is_invented=is_invented)
    notes = list_notes(storage, files) + [note for one in built for note in one.notes]
    return MeasuredSnapshot(snapshot_date, content, tuple(files), assembled, len(built), tuple(notes), is_invented)


def judge_measured(storage: Storage, measured: MeasuredSnapshot, progress: Progress) -> Verdict:
    """Run the gate over a measured snapshot and keep what it found, without publishing."""
    return judge(storage, measured.snapshot_date, measured.content_id, measured.assembled, progress)


def publish_measured(
    storage: Storage,
    measured: MeasuredSnapshot,
    progress: Progress,
    verdict: Verdict | None = None,
    released_by: str | None = None,
    workers: int = 1,
) -> Summary:
    """Publish a measured snapshot if the gate lets it pass, or a person has released it."""
    published = check_and_publish(
        storage,
        measured.snapshot_date,
        measured.content_id,
        measured.files,
        measured.assembled,
        measured.notes,
        progress,
        is_invented=measured.is_invented,
        verdict=verdict,
        released_by=released_by,
        workers=workers,
    )
    return Summary(
        published.version,
        published.previous,
        published.is_new,
        measured.assembled.rows,
        len(measured.assembled.parts),
        measured.source_years,
        notes=list(measured.notes),
    )


def files_as_of(storage: Storage, snapshot_date: date, side: Side | None = None) -> list[Archived]:
    """The last good copies as of a day, of one side of the Atlantic or both. Raises NothingAvailableError for none."""
    files = list(in_use(known(storage, snapshot_date), DATASETS).values())
    if not files:
        raise NothingAvailableError(
            f"nothing known on that day: the archive holds no file of {snapshot_date} or before"
        )
    return [file for file in files if side is None or DATASETS[file.dataset].side == side]


def content_of(files: Sequence[Archived], settings: Settings, *, is_invented: bool) -> str:
    """Hash of everything that decides what a snapshot of these files holds."""
    inputs = [f"{file.dataset} {file.kind} {file.url}={file.sha256}" for file in files]
    inputs += [f"rules={rules_of(settings)}", f"is_invented={is_invented}"]
    inputs.append(f"organisations={description_id(settings.cluster_organisations)}")
    return content_id(inputs, code_of_all_steps(), contracts())


def rules_of(settings: Settings) -> Rules:
    """The rules of the measures as the settings have them."""
    return Rules(common_year_window=settings.common_year_window)


def build_source_years(
    storage: Storage, files: Sequence[Archived], settings: Settings, progress: Progress
) -> list[Built]:
    """Take every source-year to clusters: first those that others lean on, then the rest, the largest first."""
    units = source_years(storage, files)
    dependencies = {name for names in STRUCTURES.values() for name in names}
    first = [unit for unit in units if unit.source in dependencies]
    rest = [unit for unit in units if unit.source not in dependencies]
    progress.stage("source-years", len(units))
    built = in_processes(settings.workers, [(build_source_year, (storage, unit, ())) for unit in first], progress)
    jobs = [(build_source_year, (storage, unit, structures_for(unit, built))) for unit in rest]
    built += in_processes(settings.workers, jobs, progress)
    return sorted(built, key=lambda one: (one.source, one.year))


def unbuilt_source_years(storage: Storage, files: Sequence[Archived]) -> list[SourceYear]:
    """The source-years that are still to be built, the largest first. One that another of them leans on is left out:
    `build_one` builds it on the way.
    """
    units = source_years(storage, files)
    dependencies = {name for names in STRUCTURES.values() for name in names}
    below = {unit.name: find_built(storage, unit) for unit in units if unit.source in dependencies}
    built = [one for one in below.values() if one is not None]
    missing, on_the_way = [], set()
    for unit in units:
        unbuilt_below = [name for name in _dependencies_of(unit) if name in below and below[name] is None]
        one = below[unit.name] if unit.name in below else find_built(storage, unit, structures_for(unit, built))
        if unbuilt_below or one is None:
            missing.append(unit)
            on_the_way.update(unbuilt_below)
    return [unit for unit in missing if unit.name not in on_the_way]


def _dependencies_of(unit: SourceYear) -> list[str]:
    return [f"{source} {unit.year}" for source in STRUCTURES.get(unit.source, ())]


def build_one(storage: Storage, files: Sequence[Archived], source: str, year: int) -> Built:
    """Build one source-year, and first those of its year that it leans on. Raises NothingAvailableError for none."""
    names = (source, *STRUCTURES.get(source, ()))
    mine = [file for file in files if DATASETS[file.dataset].source in names]
    units = {unit.source: unit for unit in source_years(storage, mine) if unit.year == year}
    if source not in units:
        raise NothingAvailableError(f"{source} {year}: the archive holds no file of it")
    below = [build_source_year(storage, units[name]) for name in names[1:] if name in units]
    return build_source_year(storage, units[source], structures_for(units[source], below))


def structures_for(unit: SourceYear, built: Sequence[Built]) -> tuple[Built, ...]:
    """The built source-years that tell how a unit's coarse cells are made up, in order of precedence."""
    names = STRUCTURES.get(unit.source, ())
    return tuple(one for name in names for one in built if one.source == name)


def build_years(storage: Storage, built: Sequence[Built], settings: Settings, progress: Progress) -> list[StepResult]:
    """Measure every year and write its tables."""
    units = year_units(built, settings.common_year_window)
    progress.stage("years", len(units))
    rules = rules_of(settings)
    results = in_processes(settings.workers, [(build_year, (storage, unit, rules)) for unit in units], progress)
    return sorted(results, key=lambda result: result.year or 0)
