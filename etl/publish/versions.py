"""Names and order of versions, their manifests, and the pointer to the latest one."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import date

from etl.contracts import Contract
from etl.errors import DataError, IntegrityError, TransientError, UsageError
from etl.publish.manifest import Manifest
from etl.storage import Storage
from etl.storage.checksummed import json_bytes

SNAPSHOTS = "snapshots"
LATEST = f"{SNAPSHOTS}/latest.json"
#: One empty file by the name of each version that `prune` must leave alone.
PINS = f"{SNAPSHOTS}/pins"

_VERSION = re.compile(r"(\d{4}-\d{2}-\d{2})(?:\.([1-9]\d*))?")
_POINTER_TRIES = 20


def version_order(version: str) -> tuple[date, int]:
    """Date and number of a version, by which versions are ordered. Raises UsageError for no name of a version."""
    match = _VERSION.fullmatch(version)
    try:
        if match is None or match[2] == "1":
            raise ValueError(version)
        return date.fromisoformat(match[1]), int(match[2] or 1)
    except ValueError:
        raise UsageError(f"{version} is not a version; one is written 2026-11-23, or 2026-11-23.2") from None


def version_name(day: date, number: int) -> str:
    """Name of the version of a day by its number, counted from 1."""
    return day.isoformat() if number == 1 else f"{day.isoformat()}.{number}"


def manifest_path(version: str) -> str:
    """Path of a version's manifest in the data root."""
    return f"{SNAPSHOTS}/{version}/manifest.json"


def started_versions(storage: Storage) -> list[str]:
    """Versions that have a folder, published or not, oldest first."""
    names = [name for name in storage.folders(SNAPSHOTS) if _VERSION.fullmatch(name)]
    return sorted(names, key=version_order)


def versions(storage: Storage) -> list[str]:
    """All published versions, oldest first."""
    return [version for version in started_versions(storage) if storage.exists(manifest_path(version))]


def newest_version(storage: Storage, until: date | None = None) -> str | None:
    """The newest published version, of those up to a day where one is given."""
    for version in reversed(started_versions(storage)):
        if (until is None or version_order(version)[0] <= until) and storage.exists(manifest_path(version)):
            return version
    return None


def read_manifest(storage: Storage, version: str) -> Manifest:
    """Read a version's manifest. Raises UsageError where there is no version, IntegrityError where it is damaged."""
    version_order(version)
    try:
        return _manifest(storage.read_bytes(manifest_path(version)), version)
    except FileNotFoundError:
        known = versions(storage)
        listed = ", ".join(known[-5:]) if known else "none yet"
        raise UsageError(f"{storage.root} holds no version {version}; the newest are: {listed}") from None


def newest_manifest(storage: Storage, until: date | None = None) -> Manifest | None:
    """Manifest of the newest published version, of those up to a day where one is given; None before the first."""
    while (version := newest_version(storage, until)) is not None:
        with suppress(FileNotFoundError):  # A newer one came meanwhile, and prune removed this one.
            return _manifest(storage.read_bytes(manifest_path(version)), version)
    return None


def latest_version(storage: Storage) -> str | None:
    """The version that the pointer names; None before the first. Raises IntegrityError for a damaged pointer."""
    return _pointed_at(storage, LATEST)[0]


def latest_manifest(storage: Storage) -> Manifest | None:
    """Manifest of the version that the pointer names; None before the first.

    Raises IntegrityError where the pointer or the manifest is damaged, or the two do not fit each other.
    """
    version, digest = _pointed_at(storage, LATEST)
    if version is None:
        return None
    path = manifest_path(version)
    try:
        data = storage.read_bytes(path)
    except FileNotFoundError:
        raise IntegrityError(f"{LATEST} names version {version}, which is not there") from None
    manifest = _manifest(data, version)
    if hashlib.sha256(data).hexdigest() != digest:
        raise IntegrityError(f"{LATEST} is damaged (it does not fit {path})")
    return manifest


def advance_pointer(storage: Storage) -> None:
    """Point at the newest published version. The pointer never moves back, by date then number.

    One that is damaged, or names a version that is gone, is mended. Raises IntegrityError naming a damaged manifest.
    """
    for _ in range(_POINTER_TRIES):
        newest = newest_version(storage)
        if newest is None:
            return
        tag = storage.tag(LATEST)
        try:
            data = storage.read_bytes(manifest_path(newest))
        except FileNotFoundError:  # A newer one came meanwhile, and prune removed this one.
            continue
        _manifest(data, newest)
        try:
            current = latest_manifest(storage)
        except IntegrityError:
            current = None
        if current is not None and version_order(current.version) >= version_order(newest):
            return
        digest = hashlib.sha256(data).hexdigest()
        # Another publisher may have moved it in between: look again, until it names the newest.
        storage.replace_if(LATEST, json_bytes({"version": newest, "manifest_sha256": digest}), tag)
    raise TransientError(f"{LATEST} keeps changing under this run; run again")


def content_id(inputs: Iterable[str], code_id: str, contracts: Mapping[str, Contract]) -> str:
    """Hash over everything that decides what a snapshot holds: inputs (addresses with hashes), code, contracts."""
    parts = ["inputs", *sorted(inputs), "code", code_id, "contracts"]
    parts += [contracts[name].model_dump_json() for name in sorted(contracts)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _manifest(data: bytes, version: str) -> Manifest:
    path = manifest_path(version)
    manifest = Manifest.from_bytes(data, path)
    if manifest.version != version:
        raise IntegrityError(f"{path} is damaged (it is the manifest of {manifest.version})")
    return manifest


def _pointed_at(storage: Storage, path: str) -> tuple[str | None, str | None]:
    try:
        data = storage.read_bytes(path)
    except FileNotFoundError:
        return None, None
    try:
        content = json.loads(data)
        version, digest = content["version"], content["manifest_sha256"]
        version_order(version)
        if data != json_bytes(content):
            raise DataError("it is not as it was written")
    except (ValueError, KeyError, TypeError, UsageError, DataError) as error:
        raise IntegrityError(f"{path} is damaged ({error})") from error
    return version, digest
