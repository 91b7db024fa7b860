"""What comes of publishing: a version, one that holds the content already, or one that was overtaken by another."""

from dataclasses import dataclass
from datetime import date

from etl.errors import TransientError
from etl.publish.draft import Draft
from etl.publish.versions import advance_pointer, newest_manifest
from etl.storage import Storage


class OvertakenError(TransientError):
    """Another publisher was faster; its version stands, and this run must compare with it."""


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
