"""Prune: removes what nobody needs, and only when told to. First the plan, then, on a second word, the removal."""

import shutil
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from etl.cache import CACHE
from etl.errors import IntegrityError, UsageError
from etl.publish.folder import BUILDING_PREFIX
from etl.publish.manifest import FileEntry
from etl.publish.objects import CLAIM, claim_of, read_claim
from etl.publish.versions import (
    PINS,
    SNAPSHOTS,
    latest_version,
    manifest_path,
    newest_version,
    read_manifest,
    started_versions,
    version_order,
    versions,
)
from etl.storage import Storage, size_on_disk
from etl.storage.locks import is_held

#: What the name of a version's folder starts with while it is removed.
REMOVING_PREFIX = ".removing-"
#: Seconds after which what a run left unfinished is taken for dead, where nothing else tells.
UNFINISHED_AFTER = 86_400.0
_NOT_KEPT, _KILLED = "version that is not kept", "left by a run that was killed"


@dataclass(frozen=True, slots=True)
class Removal:
    """A file or a folder (its path ends in a slash) to be removed, and why."""

    path: str
    bytes: int
    reason: str


@dataclass(frozen=True, slots=True)
class PrunePlan:
    """What would be removed. Files that a kept version shares free no space until the last of them is removed."""

    removals: tuple[Removal, ...]
    kept: tuple[str, ...]
    unfinished_after: float = UNFINISHED_AFTER

    @property
    def bytes(self) -> int:
        """Size of all that would be removed."""
        return sum(removal.bytes for removal in self.removals)

    def sentence(self) -> str:
        """Return the plan for a person."""
        kept = f"{len(self.kept)} versions stay"
        if not self.removals:
            return f"Nothing to remove: {kept}."
        return f"{len(self.removals)} removals, up to {self.bytes / 1e6:,.1f} MB: {kept}."


def pin(storage: Storage, version: str) -> None:
    """Keep a version whatever `prune` is told. Raises UsageError where there is no such version."""
    read_manifest(storage, version)
    storage.write(f"{PINS}/{version}", b"")


def unpin(storage: Storage, version: str) -> None:
    """Let `prune` remove a version again."""
    version_order(version)
    storage.delete(f"{PINS}/{version}")


def pinned(storage: Storage) -> set[str]:
    """Versions that are pinned."""
    return {path.rsplit("/", 1)[-1] for path in storage.list(PINS)}


def plan_prune(
    storage: Storage,
    *,
    keep: int | None = None,
    remove: Sequence[str] = (),
    cache: bool = False,
    unfinished_after: float = UNFINISHED_AFTER,
) -> PrunePlan:
    """Say what would be removed: leftovers of killed runs, and further what is asked for.

    `keep`: all versions but so many of the newest; `remove`: these versions; `cache`: the cached results of steps.
    The latest version and pinned ones always stay. `unfinished_after`: seconds after which temporary files and claims
    without a version are leftovers. Raises UsageError where `remove` names a version that must stay or is not there.
    """
    published = versions(storage)
    protected = _protected(storage)
    chosen = set(remove)
    for version in remove:
        if version not in published:
            raise UsageError(f"{storage.root} holds no version {version}")
        if version in protected:
            raise UsageError(f"version {version} is {protected[version]} and stays")
    if keep is not None:
        if keep < 1:
            raise UsageError(f"--keep {keep}: at least one version stays")
        chosen |= {version for version in published[:-keep] if version not in protected}
    kept = tuple(version for version in published if version not in chosen)
    removals = [
        *_versions(storage, sorted(chosen, key=version_order), kept),
        *_unfinished(storage, published, unfinished_after),
        *_buildings(storage),
        *_temporary(storage, unfinished_after),
    ]
    if cache:
        # The note of a result goes before its tables: what has no note is not there.
        paths = sorted(storage.list(CACHE), key=lambda path: (not path.endswith(".json"), path))
        removals += [Removal(path, storage.size(path), "cached result of a step") for path in paths]
    return PrunePlan(tuple(removals), kept, unfinished_after)


def prune(storage: Storage, plan: PrunePlan) -> None:
    """Remove what a plan says, but for what has come to be needed since it was made.

    A version ceases to exist before the first of its files is gone.
    """
    for removal in plan.removals:
        path = removal.path.rstrip("/")
        if removal.reason == _KILLED:
            _remove_left(storage, path)
        elif not removal.path.endswith("/"):
            storage.delete(path)
        elif _is_due(storage, removal, plan):
            remove = _remove_objects if _is_s3(storage) else _remove_folder
            remove(storage, path)


def _is_due(storage: Storage, removal: Removal, plan: PrunePlan) -> bool:
    """Say whether a version may still go: it was not pinned meanwhile, nor finished, nor its claim made anew."""
    version = removal.path.rstrip("/").rsplit("/", 1)[-1]
    if removal.reason == _NOT_KEPT:
        return version not in _protected(storage)
    # A claim made anew after this has another tag.
    tag = storage.tag(f"{SNAPSHOTS}/{version}/{CLAIM}")
    is_abandoned = _is_abandoned(storage, version, versions(storage), plan.unfinished_after)
    return is_abandoned and _taken_over(storage, version, tag)


def _taken_over(storage: Storage, version: str, tag: str | None) -> bool:
    """Make a claim nobody's, so that no run finishes what is being removed; False where one has just come to do so."""
    is_mine = storage.replace_if(f"{SNAPSHOTS}/{version}/{CLAIM}", claim_of({"content_id": None}), tag)
    return is_mine and not storage.exists(manifest_path(version))


def _protected(storage: Storage) -> dict[str, str]:
    try:
        pointed = latest_version(storage)
    except IntegrityError:
        pointed = None
    latest = {version: "the latest" for version in (pointed, newest_version(storage)) if version is not None}
    return dict.fromkeys(pinned(storage), "pinned") | latest


def _versions(storage: Storage, chosen: Iterable[str], kept: Iterable[str]) -> list[Removal]:
    """Return the removals of versions; bytes that a kept version shares are not counted."""
    shared = {entry.sha256 for version in kept for entry in _files(storage, version)}
    removals = []
    for version in chosen:
        own = {entry.sha256: entry.bytes for entry in _files(storage, version) if entry.sha256 not in shared}
        shared |= own.keys()
        removals.append(Removal(f"{SNAPSHOTS}/{version}/", sum(own.values()), _NOT_KEPT))
    return removals


def _files(storage: Storage, version: str) -> list[FileEntry]:
    try:
        return list(read_manifest(storage, version).files.values())
    except (IntegrityError, UsageError):  # It is damaged, or another prune has just removed it.
        return []


def _unfinished(storage: Storage, published: Sequence[str], after: float) -> list[Removal]:
    """Return versions that were begun and never finished."""
    removals = []
    for version in started_versions(storage):
        if _is_abandoned(storage, version, published, after):
            folder = f"{SNAPSHOTS}/{version}"
            size = sum(storage.size(path) for path in storage.list(folder))
            removals.append(Removal(f"{folder}/", size, "version that was never finished"))
    return removals


def _is_abandoned(storage: Storage, version: str, published: Sequence[str], after: float) -> bool:
    """Say whether nobody will finish a version: newer ones of its day have passed it, or its claim is old."""
    if version in published:
        return False
    day, number = version_order(version)
    is_passed = any(order[0] == day and order[1] > number for order in map(version_order, published))
    return is_passed or _age(storage, version) > after


def _age(storage: Storage, version: str) -> float:
    """Return the seconds since a version was claimed; without a readable claim nobody is at work on it."""
    claim = read_claim(storage, f"{SNAPSHOTS}/{version}/{CLAIM}")
    if claim is None or claim["content_id"] is None:
        return float("inf")
    return (datetime.now(UTC) - datetime.fromisoformat(claim["claimed_at"])).total_seconds()


def _buildings(storage: Storage) -> list[Removal]:
    removals = []
    for name in storage.folders(SNAPSHOTS) if not _is_s3(storage) else []:
        folder = _local(storage, f"{SNAPSHOTS}/{name}")
        with suppress(FileNotFoundError):  # Its run has just finished it.
            is_building = name.startswith(BUILDING_PREFIX) and not is_held(folder)
            if is_building or name.startswith(REMOVING_PREFIX):
                removals.append(Removal(f"{SNAPSHOTS}/{name}/", size_on_disk(folder), _KILLED))
    return removals


def _temporary(storage: Storage, after: float) -> list[Removal]:
    """Return half-written files, folders and uploads that lie in no folder which goes as a whole."""
    found = storage.leftovers(after).items()
    whole = (f"{SNAPSHOTS}/{BUILDING_PREFIX}", f"{SNAPSHOTS}/{REMOVING_PREFIX}")
    return [Removal(path, size, _KILLED) for path, size in sorted(found) if not path.startswith(whole)]


def _is_s3(storage: Storage) -> bool:
    return storage.root.startswith("s3://")


def _remove_left(storage: Storage, path: str) -> None:
    if path.startswith((f"{SNAPSHOTS}/{BUILDING_PREFIX}", f"{SNAPSHOTS}/{REMOVING_PREFIX}")):
        folder = _local(storage, path)
        with suppress(FileNotFoundError):  # Its run has just finished it, or another prune was faster.
            if not (folder.name.startswith(BUILDING_PREFIX) and is_held(folder)):
                shutil.rmtree(folder, ignore_errors=True)
    else:
        storage.remove_leftover(path)


def _remove_folder(storage: Storage, path: str) -> None:
    folder = _local(storage, path)
    aside = folder.with_name(f"{REMOVING_PREFIX}{folder.name}")
    with suppress(FileNotFoundError):  # Another prune was faster.
        folder.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)


def _remove_objects(storage: Storage, path: str) -> None:
    """Remove a version: first its manifest, last the claim that keeps its name from being taken meanwhile."""
    storage.delete(manifest_path(path.rsplit("/", 1)[-1]))
    for file in sorted(storage.list(path), key=lambda file: file.endswith(f"/{CLAIM}")):
        storage.delete(file)


def _local(storage: Storage, path: str) -> Path:
    return Path(storage.root).expanduser().absolute() / path
