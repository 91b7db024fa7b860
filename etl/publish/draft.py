"""What is about to be published: the parts of a snapshot and what is known about them."""

import hashlib
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from importlib import metadata
from pathlib import Path

from etl.contracts import Contract, contracts
from etl.errors import DataError
from etl.publish.manifest import Environment, FileEntry, GateResult, Manifest, SourceFileState, TableEntry
from etl.publish.parquet import parquet_bytes, part_path, part_year

#: Libraries whose versions the manifest names: those that compute what is published.
LIBRARIES = ("numpy", "pandas", "pyarrow", "scipy", "duckdb", "great-expectations")


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a table: what its bytes hash to, and where they are.

    `source`: a path in the data root (a cached result, or the same file in an earlier version, which is linked), a
    local file, or the bytes themselves. `inputs_id`: hash of the inputs and code behind the file.
    """

    source: str | Path | bytes
    sha256: str
    size: int
    rows: int
    inputs_id: str

    @classmethod
    def of(cls, data: bytes, rows: int, inputs_id: str) -> "Part":
        """Make a part from the bytes of a Parquet file."""
        return cls(data, hashlib.sha256(data).hexdigest(), len(data), rows, inputs_id)

    @property
    def entry(self) -> FileEntry:
        """What the manifest says of the part."""
        return FileEntry(sha256=self.sha256, bytes=self.size, rows=self.rows, inputs_id=self.inputs_id)


@dataclass(frozen=True, slots=True)
class Draft:
    """A snapshot before it has a version.

    `parts`: by path inside the snapshot (`part_path`). `previous`: the version it was compared with. `sources`: rows
    of table source, for the texts on reuse. `documents`: files to be kept beside the tables, such as changes.json and
    validation/result.json; they must be the same for the same content. `changes`: cells changed, by table and kind.
    """

    snapshot_date: date
    content_id: str
    code_id: str
    parts: Mapping[str, Part]
    gate: GateResult
    previous: str | None = None
    sources: tuple[Mapping[str, str | None], ...] = ()
    source_files: tuple[SourceFileState, ...] = ()
    changes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    documents: Mapping[str, bytes] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    is_invented: bool = False
    contracts: Mapping[str, Contract] = field(default_factory=contracts)

    def complete_parts(self) -> dict[str, Part]:
        """Return the parts with rows, and for each table without any an empty file, so that every table can be read.

        Raises DataError for a part of no table, or of a year where the table has none.
        """
        parts = {path: part for path, part in sorted(self.parts.items()) if part.rows or part_year(path) is None}
        for path in self.parts:
            contract = self.contracts.get(path.split("/")[0])
            year = part_year(path)
            known = contract is not None and path == part_path(contract.name, year)
            if contract is None or not known or (year is not None and contract.partition is None):
                raise DataError(f"{path} is not the file of a published table")
        for name, contract in self.contracts.items():
            if not any(path.startswith(f"{name}/") for path in parts):
                data = parquet_bytes(contract.empty(), contract, inputs_id=self.code_id)
                parts[part_path(name)] = Part.of(data, 0, self.code_id)
        return dict(sorted(parts.items()))

    def tables(self, parts: Mapping[str, Part]) -> dict[str, TableEntry]:
        """What the manifest says of each table."""
        entries = {}
        for name, contract in sorted(self.contracts.items()):
            own = [part for path, part in parts.items() if path.startswith(f"{name}/")]
            entries[name] = TableEntry(
                title=contract.title,
                contract_version=contract.version,
                rows=sum(part.rows for part in own),
                files=len(own),
            )
        return entries

    def manifest(self, parts: Mapping[str, Part], documents: Mapping[str, FileEntry], version: str) -> Manifest:
        """Return the manifest of the draft as a version, published now on this machine."""
        return Manifest(
            version=version,
            previous=self.previous,
            snapshot_date=self.snapshot_date.isoformat(),
            published_at=datetime.now(UTC).isoformat(timespec="seconds"),
            content_id=self.content_id,
            code_id=self.code_id,
            is_invented=self.is_invented,
            tables=self.tables(parts),
            files=dict(sorted({**{path: part.entry for path, part in parts.items()}, **documents}.items())),
            source_files=self.source_files,
            gate=self.gate,
            changes={table: dict(kinds) for table, kinds in self.changes.items()},
            notes=self.notes,
            environment=Environment(
                python=platform.python_version(),
                machine=platform.machine(),
                libraries={library: metadata.version(library) for library in LIBRARIES},
            ),
        )
