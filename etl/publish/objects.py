"""Publishing on S3: a claim on the version's name, upload, verification from the far side, then the manifest."""

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import count
from typing import Any

from etl.errors import IntegrityError
from etl.publish.catalogue import documents
from etl.publish.draft import Draft, Part
from etl.publish.manifest import FileEntry
from etl.publish.outcome import Published, settled
from etl.publish.part_files import check_part, write_part
from etl.publish.versions import SNAPSHOTS, manifest_path, newest_version, version_name, version_order
from etl.storage import Storage
from etl.storage.checksummed import json_bytes, verified_json, with_checksum

CLAIM = "claim.json"
_CONNECTIONS = 4


def publish_as_objects(storage: Storage, draft: Draft, parts: Mapping[str, Part]) -> Published:
    """Claim a version, upload and verify it, and write its manifest. Raises as `publish` does.

    A claim with the same content is this run's to finish, whoever made it; objects under a claim with other content
    are never touched: the next number is taken.
    """
    version = _claimed(storage, draft, parts)
    folder = f"{SNAPSHOTS}/{version}"
    with ThreadPoolExecutor(_CONNECTIONS) as pool:
        list(pool.map(lambda item: _brought(storage, f"{folder}/{item[0]}", item[1]), parts.items()))
        texts = documents(draft, parts, version)
        entries = dict(pool.map(lambda item: (item[0], _kept(storage, f"{folder}/{item[0]}", item[1])), texts.items()))
    done = settled(storage, draft)
    if done is not None:
        return done
    is_new = storage.write_new(manifest_path(version), draft.manifest(parts, entries, version).to_bytes())
    return Published(version, draft.previous, is_new)


def read_claim(storage: Storage, path: str) -> dict[str, Any] | None:
    """Read a claim; None where it is gone or damaged, and so nobody's."""
    try:
        return verified_json(storage.read_bytes(path), path)
    except (FileNotFoundError, IntegrityError):
        return None


def claim_on(content_id: str, previous: str | None, files: Mapping[str, str]) -> dict[str, str | None]:
    """What a claim says of its content: its id, the version it was compared with, a hash over its tables' files."""
    files_id = hashlib.sha256(json_bytes(dict(files))).hexdigest()
    return {"content_id": content_id, "previous": previous, "files_id": files_id}


def claim_of(content: Mapping[str, str | None]) -> bytes:
    """Return a claim on a version's name for some content, made now."""
    return with_checksum({**content, "claimed_at": datetime.now(UTC).isoformat(timespec="seconds")})


def _claimed(storage: Storage, draft: Draft, parts: Mapping[str, Part]) -> str:
    """Claim the first free name after the newest published version of the day.

    A claim of the same content that another run left is made anew, so that `prune` leaves it alone meanwhile.
    """
    ours = claim_on(draft.content_id, draft.previous, {path: part.sha256 for path, part in parts.items()})
    newest = newest_version(storage, draft.snapshot_date)
    day, number = version_order(newest) if newest else (None, 0)
    for candidate in count(number + 1 if day == draft.snapshot_date else 1):
        version = version_name(draft.snapshot_date, candidate)
        path = f"{SNAPSHOTS}/{version}/{CLAIM}"
        if storage.write_new(path, claim_of(ours)):
            return version
        tag = storage.tag(path)
        if _is_ours(storage, path, ours):
            storage.replace_if(path, claim_of(ours), tag)
            if _is_ours(storage, path, ours):
                return version
    raise AssertionError("there is always a next number")


def _is_ours(storage: Storage, path: str, ours: Mapping[str, str | None]) -> bool:
    there = read_claim(storage, path)
    return there is not None and ours.items() <= there.items()


def _brought(storage: Storage, target: str, part: Part) -> None:
    """Bring a part to its place, unless a run that was killed brought it; read it back to be sure."""
    if storage.exists(target) and _digest(storage, target) == part.sha256:
        return
    write_part(storage, target, part)
    check_part(part, _digest(storage, target), target)


def _kept(storage: Storage, target: str, data: bytes) -> FileEntry:
    """Write a document; one that another run of the same content wrote first stands as it is."""
    is_mine = storage.write_new(target, data)
    there = storage.read_bytes(target)
    if is_mine and there != data:
        storage.delete(target)
        raise IntegrityError(f"{target}: other bytes arrived than were written; nothing was published, run again")
    return FileEntry(sha256=hashlib.sha256(there).hexdigest(), bytes=len(there))


def _digest(storage: Storage, path: str) -> str:
    return hashlib.sha256(storage.read_bytes(path)).hexdigest()
