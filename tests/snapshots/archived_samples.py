"""A data root with an archived file, its log and two versions made from it, and how to damage what lies in it."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import date

from snapshot_samples import draft

from etl.archive import Archived, Outcome, object_path
from etl.archive.log import RunLog
from etl.diff import with_changes
from etl.publish import Draft, publish, read_manifest
from etl.sources.base import Request
from etl.storage import Storage

ORIGINAL = b"what the publisher sent"


def with_archive(one: Draft) -> Draft:
    """The draft with an archived file of ours behind it."""
    digest = hashlib.sha256(ORIGINAL).hexdigest()
    files = tuple(file.model_copy(update={"sha256": digest}) for file in one.source_files[:1])
    return replace(one, source_files=files)


def archive_original(storage: Storage) -> None:
    """Put the file into the archive and its log, as a run that fetched it would."""
    (file,) = with_archive(draft("2026-01-01")).source_files
    at = "2026-01-01T04:00:00+00:00"
    copy = Archived(file.dataset, file.url, "zip", "zip", 2017, file.sha256, len(ORIGINAL), date(2026, 1, 1), at, at)
    request = Request(file.dataset, file.url, "zip", "zip", 2017)
    storage.write(object_path(file.sha256), ORIGINAL)
    log = RunLog(storage, "run", copy.snapshot_date, {})
    log.write([Outcome(request, "fetched", at, copy, statement=copy.statement())])


def with_two_versions(root: Storage, beside: Mapping[str, bytes] | None = None) -> Storage:
    """Fill a root; `beside`: further documents of both versions."""
    archive_original(root)
    first, second = (
        replace(with_archive(draft(day, factor)), documents=beside or {})
        for day, factor in (("2026-01-01", 1.0), ("2026-01-02", 2.0))
    )
    publish(root, with_changes(root, first, None))
    publish(root, with_changes(root, second, read_manifest(root, "2026-01-01")))
    return root


def flip(storage: Storage, path: str, at: int) -> None:
    """Change one bit."""
    data = bytearray(storage.read_bytes(path))
    data[at % len(data)] ^= 1 << (at % 8)
    storage.write(path, bytes(data))
