"""Builds a published version again from the archive, by the hashes in its manifest and without its cached results."""

from dataclasses import replace
from datetime import date
from pathlib import Path

from etl.archive import Archived, known, object_path
from etl.errors import IntegrityError
from etl.progress import Progress
from etl.publish import Draft, Manifest
from etl.run.collect import code_of_all_steps, collect
from etl.run.refresh import build_source_years, build_years
from etl.settings import Settings
from etl.storage import Storage, hash_file


def rebuild_draft(storage: Storage, manifest: Manifest, settings: Settings, folder: Path, progress: Progress) -> Draft:
    """Build the draft of a version again in an empty `folder`, which must last as long as the draft is used.

    Raises IntegrityError where an archived file that the manifest names is missing or damaged.
    """
    apart = Storage(folder)
    files = [_taken(storage, apart, file) for file in archived_files(storage, manifest)]
    built = build_source_years(apart, files, settings, progress)
    years = build_years(apart, built, settings, progress)
    assembled = collect(apart, files, built, years, is_invented=manifest.is_invented)
    parts = {path: replace(part, source=apart.local_path(str(part.source))) for path, part in assembled.parts.items()}
    return Draft(
        snapshot_date=date.fromisoformat(manifest.snapshot_date),
        content_id=manifest.content_id,
        code_id=code_of_all_steps(),
        parts=parts,
        gate=manifest.gate,
        previous=manifest.previous,
        source_files=manifest.source_files,
        is_invented=manifest.is_invented,
    )


def archived_files(storage: Storage, manifest: Manifest) -> list[Archived]:
    """The archive's entries of the files that a version was made from, with the hashes that its manifest has."""
    latest = known(storage)
    files = []
    for source in manifest.source_files:
        entry = latest.get((source.dataset, source.url))
        if entry is None:
            raise IntegrityError(f"the archive's log no longer tells of {source.url}, which {manifest.version} needs")
        files.append(replace(entry, sha256=source.sha256, bytes=source.bytes, year=source.year))
    return files


def _taken(storage: Storage, apart: Storage, file: Archived) -> Archived:
    """Put a file's archived bytes into the other root, verified."""
    path = object_path(file.sha256)
    try:
        local = storage.local_path(path)
    except FileNotFoundError:
        raise IntegrityError(f"{storage.root}/{path} is missing ({file.url})") from None
    if hash_file(local) != file.sha256:
        raise IntegrityError(f"{storage.root}/{path} is damaged: not the bytes of {file.url}")
    if not apart.exists(path):
        apart.put_file(path, local)
    return file
