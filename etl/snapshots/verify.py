"""Verify: whether published versions are what they were published as, down to the byte, and could be built again."""

import hashlib
import io
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from etl.archive import object_path
from etl.archive.log import LOG, verified_json
from etl.archive.objects import OBJECTS, REFUSED
from etl.cache import CACHE, kept_tables
from etl.diff import Diff, DraftSide, PublishedSide, compare, with_changes
from etl.errors import ClusterbridgeError, DataError, IntegrityError
from etl.publish.draft import Draft
from etl.publish.manifest import FileEntry, Manifest
from etl.publish.objects import CLAIM, claim_on, read_claim
from etl.publish.parquet import about, part_path, part_year
from etl.publish.versions import (
    LATEST,
    PINS,
    SNAPSHOTS,
    latest_manifest,
    manifest_path,
    read_manifest,
    started_versions,
)
from etl.publish.versions import versions as versions_of
from etl.storage import Storage
from etl.validate.checks import checks_of
from etl.validate.suites import REFERENCES


@dataclass(frozen=True, slots=True)
class Defect:
    """Something that is not as it was published; `path` lies in the data root."""

    path: str
    what: str


@dataclass(slots=True)
class VerifyReport:
    """What was looked at, and what is wrong with it. `unfinished`: versions claimed on S3 that have no manifest yet."""

    versions: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    files: int = 0
    bytes: int = 0
    problems: list[Defect] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def sentence(self) -> str:
        """Return the outcome for a person."""
        what = f"{len(self.versions)} versions, {self.files:,} files, {self.bytes / 1e6:,.1f} MB read"
        if self.unfinished:
            what += f" ({', '.join(self.unfinished)} not finished, see prune)"
        if self.is_sound:
            return f"All is as published: {what}."
        told = "; ".join(f"{problem.path}: {problem.what}" for problem in self.problems[:5])
        more = f"; and {len(self.problems) - 5} more" if len(self.problems) > 5 else ""
        return f"{len(self.problems)} problems in {what}: {told}{more}."


def verify(storage: Storage, versions: Sequence[str] | None = None) -> VerifyReport:
    """Verify versions with the archived files behind them; where none is named, everything in the data root.

    Every file's size and hash, nothing missing and nothing added, the form of every table, its keys, its references,
    the pointer and the archive's log; where no version is named, also the whole archive and the cache. Raises
    UsageError for a version that is not there; whatever is damaged is in the report.
    """
    report = VerifyReport()
    damaged, logged = _verify_log(storage, report)
    wanted: set[str] = set()
    for version in versions if versions is not None else started_versions(storage):
        manifest = _verify_version(storage, version, report)
        for file in manifest.source_files if manifest else ():
            wanted.add(object_path(file.sha256))
            if file.dataset not in damaged and (file.dataset, file.url, file.sha256) not in logged:
                what = f"no longer tells of {file.url}, which {version} was made from"
                report.problems.append(Defect(f"{LOG}/{file.dataset}", what))
    if versions is None:
        wanted |= {*storage.list(OBJECTS), *storage.list(REFUSED)}
        _verify_cache(storage, report)
        _find_strangers(storage, report)
    try:
        # A run killed right before the very first pointer leaves one version without it.
        if latest_manifest(storage) is None and len(versions_of(storage)) > 1:
            report.problems.append(Defect(LATEST, "is missing; the next run writes it"))
    except IntegrityError as error:
        report.problems.append(Defect(LATEST, str(error)))
    for path in sorted(wanted):
        _verify_bytes(storage, path, "".join(path.split("/")[-2 if path.startswith(OBJECTS) else -1 :]), None, report)
    return report


def _verify_log(storage: Storage, report: VerifyReport) -> tuple[set[str], set[tuple[str, str, str]]]:
    """Read the whole log of the archive. Returns the datasets whose log is damaged, and the copies that it tells of:
    dataset, address and SHA-256.
    """
    damaged, told = set(), set()
    for path in storage.list(LOG):
        dataset = path.split("/")[2]
        report.files += 1
        try:
            lines = [json.loads(line) for line in verified_json(storage, path).splitlines()]
        except IntegrityError as error:
            report.problems.append(Defect(path, str(error).removeprefix(f"{storage.root}/{path} ")))
            damaged.add(dataset)
            continue
        copies = [copy for line in lines for copy in line.get("copies", [line])]
        told |= {(dataset, copy["url"], copy["sha256"]) for copy in copies if "sha256" in copy}
    return damaged, told


def _verify_cache(storage: Storage, report: VerifyReport) -> None:
    """Look at the kept results of steps. They may be removed at any time, and what is damaged is made again."""
    for note in storage.list(CACHE):
        if not note.endswith(".json"):
            continue
        report.files += 1
        tables = kept_tables(storage, note)
        if tables is None:
            report.problems.append(Defect(note, "is damaged; the step runs again"))
        for table in tables or ():
            _verify_bytes(storage, table.path, table.sha256, table.bytes, report)


def _find_strangers(storage: Storage, report: VerifyReport) -> None:
    """Name files among the snapshots that belong to no version."""
    known = {LATEST} | {f"{PINS}/{version}" for version in started_versions(storage)}
    folders = tuple(f"{SNAPSHOTS}/{version}/" for version in started_versions(storage))
    hidden = f"{SNAPSHOTS}/."
    for path in storage.list(SNAPSHOTS):
        if path not in known and not path.startswith((*folders, hidden)):
            report.problems.append(Defect(path, "is no part of any version; somebody put it there"))


def _verify_version(storage: Storage, version: str, report: VerifyReport) -> Manifest | None:
    folder = f"{SNAPSHOTS}/{version}"
    there = set(storage.list(folder))
    if f"{folder}/{CLAIM}" in there and manifest_path(version) not in there:
        report.unfinished.append(version)
        return None
    report.versions.append(version)
    if there and manifest_path(version) not in there:
        report.problems.append(Defect(manifest_path(version), "is missing"))
        return None
    try:
        manifest = read_manifest(storage, version)
    except IntegrityError as error:
        report.problems.append(Defect(manifest_path(version), str(error)))
        return None
    for path in sorted(there - {f"{folder}/{path}" for path in manifest.files}):
        if path == f"{folder}/{CLAIM}":
            report.problems += _wrong_with_claim(storage, path, manifest)
        elif path != manifest_path(version):
            report.problems.append(Defect(path, "is not part of the version; somebody put it there"))
    connection = duckdb.connect()
    known: set[str] = set()
    try:
        for path in sorted(manifest.files, key=lambda path: (path not in _LOOKED_UP, path)):
            entry = manifest.files[path]
            data = _verify_bytes(storage, f"{folder}/{path}", entry.sha256, entry.bytes, report)
            if data is not None and entry.rows is not None:
                wrong = _wrong_with_table(connection, data, path, entry, manifest, known)
                report.problems += [Defect(f"{folder}/{path}", what) for what in wrong]
    finally:
        connection.close()
    return manifest


def _wrong_with_claim(storage: Storage, path: str, manifest: Manifest) -> list[Defect]:
    claim = read_claim(storage, path)
    if claim is None:
        return [Defect(path, "is damaged")]
    tables = {path: entry.sha256 for path, entry in manifest.files.items() if entry.rows is not None}
    if claim_on(manifest.content_id, manifest.previous, tables).items() <= claim.items():
        return []
    return [Defect(path, "is a claim on other content than the manifest tells of")]


#: Files of the tables that others point at; they are read first.
_LOOKED_UP = frozenset(part_path(target) for _, target, _ in REFERENCES)


def _verify_bytes(storage: Storage, path: str, sha256: str, size: int | None, report: VerifyReport) -> bytes | None:
    report.files += 1
    try:
        data = storage.read_bytes(path)
    except FileNotFoundError:
        report.problems.append(Defect(path, "is missing"))
        return None
    report.bytes += len(data)
    if size is not None and len(data) != size:
        report.problems.append(Defect(path, f"is damaged: {len(data):,} bytes, not {size:,}"))
        return None
    if hashlib.sha256(data).hexdigest() != sha256:
        report.problems.append(Defect(path, "is damaged: its SHA-256 is another"))
        return None
    return data


def _wrong_with_table(
    connection: duckdb.DuckDBPyConnection,
    data: bytes,
    path: str,
    entry: FileEntry,
    manifest: Manifest,
    known: set[str],
) -> list[str]:
    """Find what is wrong with the rows of a file whose bytes are as published.

    `known`: the sound tables so far that others point at; this one is added if it is one.
    """
    table = path.split("/")[0]
    file = pq.ParquetFile(io.BytesIO(data))
    try:
        said = about(file.metadata)
    except DataError as error:
        return [str(error)]
    wrong = []
    if said["table"] != table or said["contract_version"] != manifest.tables[table].contract_version:
        wrong.append(f"says it is {said['table']} {said['contract_version']}, the manifest says otherwise")
    if file.metadata.num_rows != entry.rows:
        wrong.append(f"has {file.metadata.num_rows:,} rows, the manifest says {entry.rows}")
    key = list(said["key"])
    names = {name for columns, _, _ in REFERENCES for name in columns} | set(key) | {"year"}
    rows = file.read([name for name in file.schema_arrow.names if name in names])
    connection.register(table, rows)
    try:
        return wrong + list(_wrong_with_rows(connection, rows, table, key, part_year(path), known))
    finally:
        if path in _LOOKED_UP:
            known.add(table)
        else:
            connection.unregister(table)


def _wrong_with_rows(
    connection: duckdb.DuckDBPyConnection,
    rows: pa.Table,
    table: str,
    key: Sequence[str],
    year: int | None,
    known: Collection[str],
) -> Iterable[str]:
    twice = _count(connection, f"SELECT {', '.join(key)} FROM {table} GROUP BY ALL HAVING count(*) > 1")
    if twice:
        yield f"has {twice:,} keys twice"
    if year is not None and _count(connection, f"SELECT 1 FROM {table} WHERE year <> {year}"):
        yield f"has rows of other years than {year}"
    for columns, target, name in REFERENCES:
        if set(columns) <= set(rows.column_names) and target in known:
            lost = _count(connection, checks_of(table)[name].query)
            if lost:
                yield f"has {lost:,} rows whose {', '.join(columns)} is not in table {target}"


def _count(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM ({query})").fetchall()[0][0])


@dataclass(frozen=True, slots=True)
class RebuildReport:
    """A version against the same version built again from the archive.

    `has_same_code`: only then are equal bytes to be expected; with other code the values are compared. `not_compared`:
    files that could not be built again, with the reason.
    """

    version: str
    has_same_code: bool
    files: int
    different: tuple[str, ...]
    not_compared: Mapping[str, str]
    diff: Diff | None

    @property
    def is_reproduced(self) -> bool:
        """Whether every file that was compared has the same bytes."""
        return not self.different

    @property
    def is_confirmed(self) -> bool:
        """Whether the bytes are the same or, built with other code, all values of all tables."""
        if self.is_reproduced or self.has_same_code or self.diff is None:
            return self.is_reproduced
        return not self.diff.counts and all(table.status in ("identical", "changed") for table in self.diff.tables)

    def sentence(self) -> str:
        """Return the outcome for a person."""
        skipped = (
            {table.table: table.reason for table in self.diff.tables if table.status == "skipped"} if self.diff else {}
        )
        aside = "".join(f" {what} was not compared: {why}." for what, why in {**self.not_compared, **skipped}.items())
        if self.is_reproduced:
            return f"Version {self.version} was built again byte for byte: {self.files} files.{aside}"
        told = f"{len(self.different)} of {self.files} files differ, first {self.different[0]}"
        if self.has_same_code:
            return f"Version {self.version} could NOT be built again: {told}.{aside}"
        cells = sum(sum(kinds.values()) for kinds in self.diff.counts.values()) if self.diff else 0
        return (
            f"Version {self.version} was built with other code than is installed, so values were compared: {told}; "
            f"{cells:,} cells differ.{aside}"
        )


def verify_rebuild(storage: Storage, version: str, rebuild: Callable[[Manifest], Draft]) -> RebuildReport:
    """Build a version again and compare it.

    `rebuild` builds the draft of a manifest from the archived files it names. Raises UsageError for a version that is
    not there, IntegrityError where an archived file behind it is missing or damaged.
    """
    manifest = read_manifest(storage, version)
    draft = rebuild(manifest)
    revision, not_compared = part_path("revision"), {}
    try:
        before = read_manifest(storage, manifest.previous) if manifest.previous else None
        draft = with_changes(storage, replace(draft, content_id=manifest.content_id), before)
    except ClusterbridgeError:
        not_compared[revision] = f"version {manifest.previous}, which it compares with, is not there"
    side = DraftSide(storage, draft)
    built = {path: entry.sha256 for path, entry in side.files.items() if path not in not_compared}
    published = {p: e.sha256 for p, e in manifest.files.items() if e.rows is not None and p not in not_compared}
    different = tuple(sorted(p for p in built.keys() | published.keys() if built.get(p) != published.get(p)))
    diff = compare(PublishedSide(storage, manifest), side).diff if different else None
    return RebuildReport(
        version=version,
        has_same_code=draft.code_id == manifest.code_id,
        files=len(built.keys() | published.keys()),
        different=different,
        not_compared=not_compared,
        diff=diff,
    )
