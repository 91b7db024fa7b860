"""The publishers' bytes, named by their SHA-256, written once and verified whenever they are opened."""

from pathlib import Path

from etl.archive.log import Archived
from etl.errors import IntegrityError
from etl.sources.base import ArchivedFile
from etl.storage import Storage, hash_file

OBJECTS = "archive/objects"
REFUSED = "archive/refused"

#: Files that this process has verified, by path, size and time of change.
_verified: set[tuple[str, Path, int, int]] = set()


def object_path(sha256: str) -> str:
    """Where bytes with this hash lie in the data root."""
    return f"{OBJECTS}/{sha256[:2]}/{sha256[2:]}"


def open_archived(storage: Storage, archived: Archived) -> ArchivedFile:
    """Return the bytes as a file to read, verified against their hash once a process and state of the file.

    Raises IntegrityError naming the file whose bytes are missing or not what their name says.
    """
    path = object_path(archived.sha256)
    advice = "remove it and run refresh, which fetches it again"
    try:
        local = storage.local_path(path)
    except FileNotFoundError as error:
        raise IntegrityError(f"{storage.root}/{path} is missing ({archived.url}); run refresh to fetch it") from error
    status = local.stat()
    key = (archived.sha256, local, status.st_size, status.st_mtime_ns)
    if key not in _verified:
        if status.st_size != archived.bytes or hash_file(local) != archived.sha256:
            raise IntegrityError(f"{storage.root}/{path} is damaged: not the bytes of {archived.url}; {advice}")
        _verified.add(key)
    return ArchivedFile(
        dataset=archived.dataset,
        url=archived.url,
        kind=archived.kind,
        content=archived.content,
        year=archived.year,
        sha256=archived.sha256,
        bytes=archived.bytes,
        path=local,
    )


def store(storage: Storage, file: ArchivedFile) -> None:
    """Put a file into the archive and verify what arrived. One that is there already is mended if it is damaged."""
    path = object_path(file.sha256)
    if storage.exists(path) and storage.size(path) == file.bytes and hash_file(storage.local_path(path)) == file.sha256:
        return
    storage.put_file(path, file.path)
    if storage.size(path) != file.bytes:
        raise IntegrityError(f"{storage.root}/{path}: other bytes arrived than were written; run again")
