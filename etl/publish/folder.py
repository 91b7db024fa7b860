"""Publishing in a local folder: built beside under a name of its own, synced, renamed in one step."""

import errno
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from etl.errors import TransientError, UsageError
from etl.publish.catalogue import documents
from etl.publish.draft import Draft, Part
from etl.publish.manifest import FileEntry
from etl.publish.outcome import OvertakenError, Published, settled
from etl.publish.part_files import check_part, write_part
from etl.publish.versions import SNAPSHOTS, started_versions, version_name, version_order
from etl.storage import TEMPORARY_PREFIX, Storage, hash_file
from etl.storage.locks import held

#: What the name of a folder starts with while a version is built in it; killed runs leave it to `prune`.
BUILDING_PREFIX = ".building-"


def publish_in_folder(storage: Storage, draft: Draft, parts: Mapping[str, Part]) -> Published:
    """Build the version beside the others and rename it. Raises as `publish` does."""
    taken = [version_order(version) for version in started_versions(storage)]
    number = 1 + max((number for day, number in taken if day == draft.snapshot_date), default=0)
    version = version_name(draft.snapshot_date, number)
    snapshots = Path(storage.root).expanduser().absolute() / SNAPSHOTS
    with _building_folder(storage, snapshots, version) as building:
        name = f"{SNAPSHOTS}/{building.name}"
        for path, part in parts.items():
            write_part(storage, f"{name}/{path}", part)
        texts = documents(draft, parts, version)
        for path, data in texts.items():
            storage.write(f"{name}/{path}", data)
        for path, part in parts.items():
            check_part(part, hash_file(building / path), path)
        entries = {path: FileEntry(sha256=_sha256(data), bytes=len(data)) for path, data in texts.items()}
        storage.write(f"{name}/manifest.json", draft.manifest(parts, entries, version).to_bytes())
        done = settled(storage, draft)
        if done is not None:
            return done
        try:
            building.rename(snapshots / version)
        except OSError as error:
            if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
                raise
            return settled(storage, draft) or _overtaken(version)
        _sync(snapshots)
    return Published(version, draft.previous, True)


@contextmanager
def _building_folder(storage: Storage, snapshots: Path, version: str) -> Iterator[Path]:
    """Make a folder of this run's own and hold its lock; it is gone afterwards, unless it was renamed."""
    try:
        snapshots.mkdir(parents=True, exist_ok=True)
        building = snapshots / f"{BUILDING_PREFIX}{version}-{uuid.uuid4().hex}"
        # Under the name of a temporary file it is left alone while it is young; it is held before it has its own.
        unnamed = snapshots / f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}"
        unnamed.mkdir()
    except OSError as error:
        raise _storage_error(storage, error) from error
    try:
        with held(unnamed):
            unnamed.rename(building)
            yield building
    except FileNotFoundError as error:
        raise OvertakenError("prune removed the folder this run was building in; run again") from error
    except OSError as error:
        raise _storage_error(storage, error) from error
    finally:
        for folder in (unnamed, building):
            shutil.rmtree(folder, ignore_errors=True)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)


def _overtaken(version: str) -> Published:
    raise OvertakenError(f"another run takes the name {version}; nothing was published here, run again")


def _storage_error(storage: Storage, error: OSError) -> TransientError | UsageError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return TransientError(f"data root {storage.root}: no space left; free some and run again")
    return UsageError(f"data root {storage.root}: cannot publish: {error.strerror or error}")
