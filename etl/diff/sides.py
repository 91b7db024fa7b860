"""The two sides of a comparison: published versions, or a draft that is still to be published."""

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from etl.errors import IntegrityError
from etl.publish.draft import Draft
from etl.publish.manifest import FileEntry, Manifest, SourceFileState, TableEntry
from etl.publish.part_files import check_part
from etl.publish.versions import SNAPSHOTS
from etl.storage import Storage


class DamagedSideError(IntegrityError):
    """A file of a published version is missing or not what it was published as."""


class DiffSide(Protocol):
    """What is compared: files of tables by path, and what they were made from."""

    @property
    def version(self) -> str:
        """Name of the version."""

    @property
    def files(self) -> Mapping[str, FileEntry]:
        """Files of tables by path."""

    @property
    def tables(self) -> Mapping[str, TableEntry]:
        """Tables by name, with the versions of their contracts."""

    @property
    def source_files(self) -> tuple[SourceFileState, ...]:
        """The publishers' files behind it."""

    @property
    def code_id(self) -> str:
        """Hash of the code behind it."""

    def read(self, path: str) -> pa.Table:
        """Rows of a file, verified against its hash. Raises IntegrityError naming a file that is damaged."""


class PublishedSide:
    """A published version."""

    def __init__(self, storage: Storage, manifest: Manifest) -> None:
        self._storage = storage
        self._manifest = manifest

    @property
    def version(self) -> str:
        """Name of the version."""
        return self._manifest.version

    @property
    def files(self) -> Mapping[str, FileEntry]:
        """Files of tables by path."""
        return {path: entry for path, entry in self._manifest.files.items() if entry.rows is not None}

    @property
    def tables(self) -> Mapping[str, TableEntry]:
        """Tables by name."""
        return self._manifest.tables

    @property
    def source_files(self) -> tuple[SourceFileState, ...]:
        """The publishers' files behind it."""
        return self._manifest.source_files

    @property
    def code_id(self) -> str:
        """Hash of the code behind it."""
        return self._manifest.code_id

    def read(self, path: str) -> pa.Table:
        """Rows of a file. Raises DamagedSideError naming one that is missing or damaged."""
        place = f"{SNAPSHOTS}/{self.version}/{path}"
        try:
            return _rows(self._storage.read_bytes(place), self.files[path].sha256, place)
        except FileNotFoundError:
            raise DamagedSideError(f"{place} is missing") from None
        except IntegrityError as error:
            raise DamagedSideError(str(error)) from error


class DraftSide:
    """A draft, before it is published."""

    version = "this version"

    def __init__(self, storage: Storage, draft: Draft) -> None:
        self._storage = storage
        self._draft = draft
        self._parts = draft.complete_parts()

    @property
    def files(self) -> Mapping[str, FileEntry]:
        """Files of tables by path."""
        return {path: part.entry for path, part in self._parts.items()}

    @property
    def tables(self) -> Mapping[str, TableEntry]:
        """Tables by name."""
        return self._draft.tables(self._parts)

    @property
    def source_files(self) -> tuple[SourceFileState, ...]:
        """The publishers' files behind it."""
        return self._draft.source_files

    @property
    def code_id(self) -> str:
        """Hash of the code behind it."""
        return self._draft.code_id

    def read(self, path: str) -> pa.Table:
        """Rows of a file."""
        part = self._parts[path]
        if isinstance(part.source, bytes):
            data = part.source
        else:
            data = part.source.read_bytes() if isinstance(part.source, Path) else self._storage.read_bytes(part.source)
        check_part(part, hashlib.sha256(data).hexdigest(), path)
        return pq.read_table(io.BytesIO(data))


def _rows(data: bytes, sha256: str, place: str) -> pa.Table:
    if hashlib.sha256(data).hexdigest() != sha256:
        raise IntegrityError(f"{place} is damaged: its bytes are not those it was written with")
    return pq.read_table(io.BytesIO(data))
