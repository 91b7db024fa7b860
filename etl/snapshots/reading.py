"""Reading published versions: `open("latest").table("region_cluster", columns=[…], filters=[("year", "=", 2017)])`.

Whoever reads through the pointer holds on to the version it found: later publishing never changes what was opened.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.fs
import pyarrow.parquet as pq

from etl.errors import IntegrityError, UsageError
from etl.publish.manifest import Manifest
from etl.publish.parquet import part_year
from etl.publish.versions import SNAPSHOTS, latest_manifest, latest_version, read_manifest, versions
from etl.settings import Settings
from etl.storage import Storage, hash_file

#: A condition on rows: column, operator (=, !=, <, <=, >, >=, in, not in) and value.
Filter = tuple[str, str, Any]


def open(version: str = "latest", root: str | Path | None = None) -> "Snapshot":
    """Open a published version of a data root: `latest`, or one by its name.

    `root`: a folder or s3://bucket/prefix; the setting CLUSTERBRIDGE_DATA, else ./data, where it is left out. Raises
    UsageError where there is no such version, IntegrityError where the pointer or the manifest is damaged.
    """
    storage = Storage(Settings().data if root is None else root)
    if version == "latest":
        pointed = latest_manifest(storage)
        if pointed is None:
            raise UsageError(f"{storage.root} holds no published version yet; clusterbridge refresh makes one")
        return Snapshot(storage, pointed)
    return Snapshot(storage, read_manifest(storage, version))


class Snapshot:
    """One published version, which never changes."""

    def __init__(self, storage: Storage, manifest: Manifest) -> None:
        self.storage = storage
        self.manifest = manifest

    def __repr__(self) -> str:
        return f"<Snapshot {self.version} of {self.storage.root}>"

    @property
    def version(self) -> str:
        """Name of the version."""
        return self.manifest.version

    @property
    def tables(self) -> list[str]:
        """Names of the tables."""
        return sorted(self.manifest.tables)

    @property
    def address(self) -> str:
        """Where the version lies: a folder, or an address on S3."""
        root = self.storage.root
        where = root if _is_s3(root) else str(Path(root).expanduser().absolute())
        return f"{where}/{SNAPSHOTS}/{self.version}"

    def path(self, name: str) -> str:
        """Pattern of a table's files, as DuckDB and Polars take it."""
        self._require(name)
        return f"{self.address}/{name}/*.parquet"

    def files(self, name: str) -> list[str]:
        """Addresses of a table's files, in order of their years."""
        self._require(name)
        return [f"{self.address}/{path}" for path in self.manifest.table_files(name)]

    def dataset(self, name: str) -> ds.Dataset:
        """Return the table as a pyarrow data set, whose files of other years a filter on `year` does not open."""
        self._require(name)
        kind, filesystem = ds.ParquetFileFormat(), _filesystem(self.storage.root)
        fragments = []
        for address in self.files(name):
            year = part_year(address)
            known = pc.field("year") == year if year is not None else None
            place = address.removeprefix("s3://")
            fragments.append(kind.make_fragment(place, filesystem, partition_expression=known))
        schema = pq.read_schema(fragments[-1].path, filesystem=filesystem).remove_metadata()
        return ds.FileSystemDataset(fragments, schema, kind, filesystem)

    def table(
        self,
        name: str,
        columns: Sequence[str] | None = None,
        filters: Sequence[Filter] | pc.Expression | None = None,
        verify: bool = False,
    ) -> pa.Table:
        """Read columns of a table, of the rows that meet all filters: year by year, each sorted by the table's key.

        `verify`: hash the table's files first, and raise IntegrityError naming one that is not as published. Raises
        UsageError for a table or column that is not there, IntegrityError where files of the version are gone.
        """
        try:
            return self._table(name, columns, filters, verify)
        except FileNotFoundError as error:
            where = f"{self.storage.root}/{SNAPSHOTS}/{self.version}"
            advice = "if prune removed the version, open the latest"
            raise IntegrityError(f"{where}: files of table {name} are missing; {advice}") from error

    def _table(
        self,
        name: str,
        columns: Sequence[str] | None,
        filters: Sequence[Filter] | pc.Expression | None,
        verify: bool,
    ) -> pa.Table:
        if verify:
            self.verify(name)
        data = self.dataset(name)
        wanted = list(columns) if columns is not None else data.schema.names
        if filters is None or isinstance(filters, pc.Expression):
            condition, used = filters, []
        else:
            condition, used = pq.filters_to_expression([list(filters)]) if filters else None, [f[0] for f in filters]
        unknown = sorted({*wanted, *used} - set(data.schema.names))
        if unknown:
            raise UsageError(f"table {name} has no column {', '.join(unknown)}; it has {', '.join(data.schema.names)}")
        return data.to_table(columns=wanted, filter=condition)

    def verify(self, name: str) -> None:
        """Hash the files of a table. Raises IntegrityError naming one that is missing or not as published."""
        self._require(name)
        for path, entry in self.manifest.table_files(name).items():
            place = f"{SNAPSHOTS}/{self.version}/{path}"
            try:
                digest = hashlib.sha256(self.storage.read_bytes(place)).hexdigest()
            except FileNotFoundError:
                raise IntegrityError(f"{self.storage.root}/{place} is missing") from None
            if digest != entry.sha256:
                raise IntegrityError(f"{self.storage.root}/{place} is damaged: its bytes are not those published")

    def _require(self, name: str) -> None:
        if name not in self.manifest.tables:
            raise UsageError(f"version {self.version} has no table {name}; it has {', '.join(self.tables)}")


def _is_s3(root: str) -> bool:
    return root.startswith("s3://")


def _filesystem(root: str) -> pa.fs.FileSystem:
    if not _is_s3(root):
        return pa.fs.LocalFileSystem()
    import s3fs

    return pa.fs.PyFileSystem(pa.fs.FSSpecHandler(s3fs.S3FileSystem(use_listings_cache=False)))


@dataclass(frozen=True, slots=True)
class Listed:
    """One published version in a list."""

    version: str
    previous: str | None
    published_at: str
    rows: int
    files: int
    bytes: int
    changed_cells: int
    is_latest: bool
    is_invented: bool


def listed(storage: Storage) -> list[Listed]:
    """List all published versions, oldest first. Raises IntegrityError naming a damaged manifest."""
    latest = latest_version(storage)
    found = []
    for version in versions(storage):
        manifest = read_manifest(storage, version)
        found.append(
            Listed(
                version=version,
                previous=manifest.previous,
                published_at=manifest.published_at,
                rows=sum(table.rows for table in manifest.tables.values()),
                files=len(manifest.files),
                bytes=sum(entry.bytes for entry in manifest.files.values()),
                changed_cells=sum(sum(kinds.values()) for kinds in manifest.changes.values()),
                is_latest=version == latest,
                is_invented=manifest.is_invented,
            )
        )
    return found


def holding(storage: Storage, file: str | Path) -> list[tuple[str, str]]:
    """Say which versions hold a file, or were made from it: (version, its path or the publisher's address).

    `file`: a file on disk, or the SHA-256 of one. Raises UsageError where it is neither.
    """
    text = str(file)
    digest = text if re.fullmatch("[0-9a-f]{64}", text) else _digest(Path(text))
    found = []
    for version in versions(storage):
        manifest = read_manifest(storage, version)
        found += [(version, path) for path, entry in manifest.files.items() if entry.sha256 == digest]
        found += [(version, source.url) for source in manifest.source_files if source.sha256 == digest]
    return found


def _digest(file: Path) -> str:
    try:
        return hash_file(file)
    except OSError as error:
        raise UsageError(f"{file}: cannot be read ({error.strerror}); name a file, or its SHA-256") from None
