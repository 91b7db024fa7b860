"""The data root: one small set of file operations, the same on a local folder and on S3.

Paths are posix strings relative to the root. A write is whole or not at all: locally a temporary file beside the
target, fsync, rename, fsync of the folder; on S3 one PUT. Two writers never mix their bytes; `write_new` and
`replace_if` say who was first.
"""

import errno
import hashlib
import importlib
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from etl.errors import TransientError, UsageError
from etl.storage.locks import held, is_held

#: What the name of every temporary file of ours starts with; a killed run leaves them behind, `prune` removes them.
TEMPORARY_PREFIX = ".clusterbridge-tmp-"

#: Seconds after which a temporary file that no process of this machine holds is a leftover of one that was killed.
ABANDONED_AFTER = 10.0

#: `list` is also the name of an operation below.
Paths = list[str]

_NO_HARD_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EMLINK, errno.EXDEV, errno.ENOSYS}


class Storage:
    """A data root: `Storage("./data")` or `Storage("s3://bucket/prefix")`.

    The object may be pickled and shared between threads. A missing file raises FileNotFoundError; a root that cannot
    be used raises UsageError; storage that does not answer or is full raises TransientError.
    """

    root: str

    def __new__(cls, root: str | Path) -> "Storage":
        """Return the kind of storage that the root's address asks for."""
        if cls is Storage:
            text = str(root)
            if text.startswith("s3://"):
                return super().__new__(_s3_storage())
            if "://" in text:
                raise UsageError(f"data root {text}: only a local folder or s3://bucket/prefix can be used")
            return super().__new__(_LocalStorage)
        return super().__new__(cls)

    def __reduce__(self) -> tuple[Any, ...]:
        return Storage, (self.root,)

    def __repr__(self) -> str:
        return f"Storage({self.root!r})"

    def exists(self, path: str) -> bool:
        """Say whether there is a file at `path`."""
        raise NotImplementedError

    def size(self, path: str) -> int:
        """Return the file's size in bytes."""
        raise NotImplementedError

    def read_bytes(self, path: str) -> bytes:
        """Return the whole file."""
        raise NotImplementedError

    def list(self, prefix: str = "") -> Paths:
        """Return the sorted paths of all files below the folder `prefix`, temporary ones left out."""
        raise NotImplementedError

    def folders(self, prefix: str = "") -> Paths:
        """Return the sorted names of the folders directly in the folder `prefix`."""
        raise NotImplementedError

    def delete(self, path: str) -> None:
        """Remove one file; one that is not there is no error."""
        raise NotImplementedError

    def write(self, path: str, data: bytes) -> None:
        """Write a file whole or not at all, in place of what was there."""
        raise NotImplementedError

    def write_new(self, path: str, data: bytes) -> bool:
        """Write a file only if there is none; False if there is one. Of several writers exactly one gets True."""
        raise NotImplementedError

    def tag(self, path: str) -> str | None:
        """Return a tag that changes with the file's content, None where there is no file."""
        raise NotImplementedError

    def replace_if(self, path: str, data: bytes, tag: str | None) -> bool:
        """Write a file only if its tag still is `tag` (None: only if it is absent); False if it is not.

        On S3 this is atomic (If-Match); on a local folder, among those who call this.
        """
        raise NotImplementedError

    def put_file(self, path: str, local: Path) -> None:
        """Copy a local file to `path`, whole or not at all; `local` stays as it is."""
        raise NotImplementedError

    def local_path(self, path: str) -> Path:
        """Return a local file with these bytes, only to be read: the file itself, or a temporary copy of it.

        A copy lives as long as this object. Raises IntegrityError where the copy came out short.
        """
        raise NotImplementedError

    def copy(self, source: str, target: str) -> None:
        """Give the file a second name: a hard link, or a copy on the server's side. `target` is replaced."""
        raise NotImplementedError

    def scratch(self) -> AbstractContextManager[Path]:
        """A folder for large files on their way in, where there is room for them; gone after the block."""
        raise NotImplementedError

    def leftovers(self, older_than: float) -> dict[str, int]:
        """Find what killed runs left half written: path (that of a folder ends in a slash) and size in bytes.

        Whatever is older than so many seconds, and sooner what no live process of this machine holds.
        """
        raise NotImplementedError

    def remove_leftover(self, path: str) -> None:
        """Remove what `leftovers` found; what is gone already is no error."""
        raise NotImplementedError

    def clean_leftovers(self, older_than: float) -> Paths:
        """Remove all leftovers; return their sorted paths."""
        found = sorted(self.leftovers(older_than))
        for path in found:
            self.remove_leftover(path)
        return found


def _s3_storage() -> type[Storage]:
    """Load S3's side only for those who use it."""
    kind: type[Storage] = importlib.import_module("etl.storage.s3").S3Storage
    return kind


def relative_path(path: str) -> str:
    """Return a path inside a data root in its plain form. Raises ValueError for one that leads out."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts:
        raise ValueError(f"not a path inside a data root: {path!r}")
    return "/".join(parts)


class _LocalStorage(Storage):
    def __init__(self, root: str | Path) -> None:
        self.root = str(root)
        self._folder = Path(root).expanduser().absolute()
        if self._folder.exists() and not self._folder.is_dir():
            raise UsageError(f"data root {self.root}: this is a file, not a folder")

    def exists(self, path: str) -> bool:
        with self._reading():
            return self._at(path).is_file()

    def size(self, path: str) -> int:
        with self._reading():
            return self._at(path).stat().st_size

    def read_bytes(self, path: str) -> bytes:
        with self._reading():
            return self._at(path).read_bytes()

    def list(self, prefix: str = "") -> Paths:
        with self._reading():
            return sorted(self._walk(prefix))

    def folders(self, prefix: str = "") -> Paths:
        folder = self._at(prefix) if prefix else self._folder
        with self._reading():
            entries = folder.iterdir() if folder.is_dir() else iter(())
            return sorted(e.name for e in entries if e.is_dir() and not e.name.startswith(TEMPORARY_PREFIX))

    def delete(self, path: str) -> None:
        with self._writing():
            self._at(path).unlink(missing_ok=True)

    def write(self, path: str, data: bytes) -> None:
        with self._temporary(path, lambda out: out.write(data)) as (temporary, target):
            temporary.replace(target)

    def write_new(self, path: str, data: bytes) -> bool:
        with self._temporary(path, lambda out: out.write(data)) as (temporary, target):
            try:
                target.hardlink_to(temporary)
            except FileExistsError:
                return False
            except OSError as error:
                if error.errno in _NO_HARD_LINKS:
                    raise UsageError(
                        f"data root {self.root}: its file system has no hard links, without which two runs could "
                        "overwrite each other; use another file system"
                    ) from error
                raise
        return True

    def tag(self, path: str) -> str | None:
        try:
            return hashlib.sha256(self.read_bytes(path)).hexdigest()
        except FileNotFoundError:
            return None

    def replace_if(self, path: str, data: bytes, tag: str | None) -> bool:
        if tag is None:
            return self.write_new(path, data)
        if not self.exists(path):
            return False
        # Where the file system knows no locks, the comparison and the rename are two steps.
        with held(self._at(path).parent):
            if self.tag(path) != tag:
                return False
            self.write(path, data)
            return True

    def put_file(self, path: str, local: Path) -> None:
        def fill(out: BinaryIO) -> None:
            with local.open("rb") as source:
                shutil.copyfileobj(source, out, 1 << 20)

        with self._temporary(path, fill) as (temporary, target):
            temporary.replace(target)

    def local_path(self, path: str) -> Path:
        if not self.exists(path):
            raise FileNotFoundError(errno.ENOENT, "no such file in the data root", path)
        return self._at(path)

    def copy(self, source: str, target: str) -> None:
        final = self._at(target)
        with self._writing():
            _make_folder(final.parent)
            temporary = _temporary_beside(final)
            try:
                with suppress(FileExistsError):
                    final.hardlink_to(self._at(source))
                    _sync_folder(final.parent)
                    return
                temporary.hardlink_to(self._at(source))
            except OSError as error:
                if error.errno not in _NO_HARD_LINKS:
                    raise
                self.put_file(target, self._at(source))
                return
            try:
                temporary.replace(final)
            finally:
                # Renaming one name of a file onto another name of the same file does nothing, and leaves the first.
                temporary.unlink(missing_ok=True)
            _sync_folder(final.parent)

    def scratch(self) -> AbstractContextManager[Path]:
        return self._scratch()

    def leftovers(self, older_than: float) -> dict[str, int]:
        found = {}
        for path in self._temporaries():
            with suppress(FileNotFoundError):
                age = time.time() - path.lstat().st_mtime
                if age > older_than or (age > ABANDONED_AFTER and not is_held(path)):
                    name = path.relative_to(self._folder).as_posix()
                    found[f"{name}/" if path.is_dir() else name] = size_on_disk(path)
        return found

    def remove_leftover(self, path: str) -> None:
        place = self._at(path)
        with self._writing():
            if place.is_dir():
                shutil.rmtree(place, ignore_errors=True)
            else:
                place.unlink(missing_ok=True)

    @contextmanager
    def _scratch(self) -> Iterator[Path]:
        with self._writing():
            _make_folder(self._folder)
            # A thread that was given up may still be writing: what it leaves is cleaned as a leftover.
            folder = tempfile.TemporaryDirectory(prefix=TEMPORARY_PREFIX, dir=self._folder, ignore_cleanup_errors=True)
        with folder as name, held(Path(name)):
            yield Path(name)

    def _at(self, path: str) -> Path:
        return self._folder / relative_path(path)

    def _temporaries(self) -> Iterator[Path]:
        for folder, inner, names in os.walk(self._folder):
            yield from (Path(folder) / name for name in (*inner, *names) if name.startswith(TEMPORARY_PREFIX))
            inner[:] = [name for name in inner if not name.startswith(TEMPORARY_PREFIX)]

    def _walk(self, prefix: str) -> Iterator[str]:
        top = self._at(prefix) if prefix else self._folder
        for folder, inner, names in os.walk(top):
            inner[:] = [name for name in inner if not name.startswith(TEMPORARY_PREFIX)]
            inside = Path(folder).relative_to(self._folder)
            yield from ((inside / name).as_posix() for name in names if not name.startswith(TEMPORARY_PREFIX))

    @contextmanager
    def _temporary(self, path: str, fill: Callable[[BinaryIO], object]) -> Iterator[tuple[Path, Path]]:
        """Fill a temporary file beside the target; the caller gives it its name, which is then made to last."""
        target = self._at(path)
        with self._writing():
            _make_folder(target.parent)
            temporary = _temporary_beside(target)
            try:
                with temporary.open("xb") as out, held(temporary):
                    fill(out)
                    out.flush()
                    os.fsync(out.fileno())
                    yield temporary, target
            finally:
                temporary.unlink(missing_ok=True)
            _sync_folder(target.parent)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except PermissionError as error:
            raise UsageError(f"data root {self.root}: cannot read {error.filename}: permission denied") from error
        except NotADirectoryError as error:
            raise UsageError(f"data root {self.root}: {error.filename} lies below a file, not a folder") from error

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise TransientError(f"data root {self.root}: no space left; free some and run again") from error
            raise UsageError(f"data root {self.root}: cannot write: {error.strerror or error}") from error


def hash_file(path: Path) -> str:
    """SHA-256 of a file, read in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def size_on_disk(path: Path) -> int:
    """Size of a file, or of all files in a folder, in bytes; what goes while it is looked at counts nothing."""
    files = [path] if path.is_file() else [Path(at) / name for at, _, names in os.walk(path) for name in names]
    size = 0
    for file in files:
        with suppress(FileNotFoundError):
            size += file.stat().st_size
    return size


def _temporary_beside(target: Path) -> Path:
    return target.with_name(f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}")


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it, each of which is made to last."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    with suppress(FileExistsError):
        folder.mkdir()
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, f"{folder} is not a folder", str(folder))
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        # Some network file systems cannot sync a folder; there the rename itself is what they offer.
        with suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)
