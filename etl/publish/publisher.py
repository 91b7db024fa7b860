"""Publishing: a draft becomes an immutable version, whole or not at all, then the pointer moves."""

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib import metadata
from pathlib import Path

from etl.errors import IntegrityError, TransientError
from etl.publish.draft import Draft, Part
from etl.publish.manifest import Environment, FileEntry, Manifest
from etl.publish.versions import advance_pointer, newest_manifest
from etl.storage import Storage

LIBRARIES = ("numpy", "pandas", "pyarrow", "scipy", "duckdb", "great-expectations")


class OvertakenError(TransientError):
    """Another publisher was faster; its version stands, and this run must compare with it."""


class DamagedPartError(IntegrityError):
    """A part of a draft is gone or not what it says; `path`: where in the data root its bytes were to come from."""

    def __init__(self, path: str, what: str) -> None:
        super().__init__(f"{path} {what}; nothing was published, run again")
        self.path = path


@dataclass(frozen=True, slots=True)
class Published:
    """What came of publishing: the version that holds the content, the one before it, and whether it is new."""

    version: str
    previous: str | None
    is_new: bool


def published_already(storage: Storage, snapshot_date: date, content_id: str) -> Published | None:
    """Say which version holds this content already: the newest one up to the snapshot date, or none.

    Also moves the pointer on, should an earlier run have been killed just before it did.
    """
    newest = newest_manifest(storage, snapshot_date)
    if newest is None or newest.content_id != content_id:
        return None
    advance_pointer(storage)
    return Published(newest.version, newest.previous, False)


def publish(storage: Storage, draft: Draft) -> Published:
    """Publish a draft, or find that its content is published already.

    Raises OvertakenError where another version came up since the draft was compared with `draft.previous`,
    IntegrityError naming a file whose bytes are not what the draft says, TransientError where the storage is full or
    does not answer. Whatever is raised, the versions before stand and the pointer names one of them.
    """
    from etl.publish.folder import publish_in_folder
    from etl.publish.objects import publish_as_objects

    done = settled(storage, draft)
    if done is not None:
        return done
    publish_there = publish_as_objects if storage.root.startswith("s3://") else publish_in_folder
    published = publish_there(storage, draft, draft.complete_parts())
    advance_pointer(storage)
    return published


def settled(storage: Storage, draft: Draft) -> Published | None:
    """Look at what others published meanwhile: the same content (returned), nothing (None), or else (raises)."""
    done = published_already(storage, draft.snapshot_date, draft.content_id)
    if done is not None:
        return done
    newest = newest_manifest(storage, draft.snapshot_date)
    version = newest.version if newest else None
    if version != draft.previous:
        raise OvertakenError(
            f"version {version} was published by another run while this one compared with {draft.previous or 'none'}; "
            "nothing was published here, run again"
        )
    return None


def place(storage: Storage, target: str, part: Part) -> None:
    """Bring a part to its place: written, or linked where the data root holds it already."""
    if isinstance(part.source, bytes):
        storage.write(target, part.source)
    elif isinstance(part.source, Path):
        storage.put_file(target, part.source)
    else:
        try:
            storage.copy(part.source, target)
        except FileNotFoundError as error:
            raise DamagedPartError(part.source, "is gone") from error


def check_part(part: Part, digest: str, path: str) -> None:
    """Refuse bytes that are not the part's: a linked file may have been damaged since, and nothing is built on it."""
    if digest != part.sha256:
        where = path if isinstance(part.source, bytes) else str(part.source)
        raise DamagedPartError(where, f"is damaged: its SHA-256 is {digest}, not {part.sha256}")


def manifest_of(draft: Draft, parts: Mapping[str, Part], documents: Mapping[str, FileEntry], version: str) -> Manifest:
    """Return the manifest of a version, now."""
    return Manifest(
        version=version,
        previous=draft.previous,
        snapshot_date=draft.snapshot_date.isoformat(),
        published_at=datetime.now(UTC).isoformat(timespec="seconds"),
        content_id=draft.content_id,
        code_id=draft.code_id,
        is_invented=draft.is_invented,
        tables=draft.tables(parts),
        files=dict(sorted({**{path: part.entry for path, part in parts.items()}, **documents}.items())),
        source_files=draft.source_files,
        gate=draft.gate,
        changes={table: dict(kinds) for table, kinds in draft.changes.items()},
        notes=draft.notes,
        environment=Environment(
            python=platform.python_version(),
            machine=platform.machine(),
            libraries={library: metadata.version(library) for library in LIBRARIES},
        ),
    )
