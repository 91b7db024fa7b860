"""The data root on S3, or on a server that speaks its protocol. Conditional PUTs keep two runs apart."""

import errno
import hashlib
import importlib.util
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from etl.errors import IntegrityError, TransientError, UsageError
from etl.storage.base import Paths, Storage, relative_path

_CONFLICT_TRIES = 6
#: In the path of an unfinished upload: between the file's path and the upload's id.
_UPLOAD = "?uploadId="
#: Name of the mark by which a writer knows its own object again.
_WRITER = "clusterbridge-writer"
# A browser shows a page from a bucket only if the bucket says that it is one.
_CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
}


class S3Storage(Storage):
    """A data root on S3. Credentials, region and endpoint come from the usual places: AWS_* variables or a role."""

    def __init__(self, root: str | Path) -> None:
        self.root = str(root).rstrip("/")
        self._bucket, _, prefix = self.root.removeprefix("s3://").partition("/")
        self._prefix = prefix + "/" if prefix else ""
        if not self._bucket:
            raise UsageError(f"data root {self.root}: no bucket is named; write s3://bucket/prefix")
        if importlib.util.find_spec("s3fs") is None:
            raise UsageError(f"data root {self.root}: install clusterbridge[s3] to use S3")
        self._filesystem: Any = None
        self._copies: tempfile.TemporaryDirectory[str] | None = None
        self._making = threading.Lock()

    def exists(self, path: str) -> bool:
        return self._head(path) is not None

    def size(self, path: str) -> int:
        return int(self._found(path)["ContentLength"])

    def read_bytes(self, path: str) -> bytes:
        with self._calling():
            data: bytes = self._s3().cat_file(self._address(path))
        return data

    def list(self, prefix: str = "") -> Paths:
        folder = f"{self._bucket}/{self._prefix}{relative_path(prefix) if prefix else ''}".rstrip("/")
        start = len(f"{self._bucket}/{self._prefix}")
        with self._calling():
            return sorted(name[start:] for name in self._s3().find(folder))

    def folders(self, prefix: str = "") -> Paths:
        address = f"{self._bucket}/{self._prefix}{relative_path(prefix) if prefix else ''}".rstrip("/")
        try:
            with self._calling():
                entries = self._s3().ls(address, detail=True)
        except FileNotFoundError:
            return []
        return sorted(entry["name"].rsplit("/", 1)[-1] for entry in entries if entry["type"] == "directory")

    def delete(self, path: str) -> None:
        self._call("delete_object", path)

    def write(self, path: str, data: bytes) -> None:
        with self._calling():
            self._s3().pipe_file(self._address(path), data)

    def write_new(self, path: str, data: bytes) -> bool:
        return self._put_if(path, data, IfNoneMatch="*")

    def tag(self, path: str) -> str | None:
        head = self._head(path)
        return None if head is None else str(head["ETag"])

    def replace_if(self, path: str, data: bytes, tag: str | None) -> bool:
        if tag is None:
            return self.write_new(path, data)
        try:
            return self._put_if(path, data, IfMatch=tag)
        except FileNotFoundError:
            return False

    def put_file(self, path: str, local: Path) -> None:
        with self._calling():
            self._s3().put_file(str(local), self._address(path))

    def local_path(self, path: str) -> Path:
        head = self._found(path)
        # Were a second folder made, the first would go, with what other threads are writing there.
        with self._making:
            if self._copies is None:
                self._copies = tempfile.TemporaryDirectory(prefix="clusterbridge-")
        name = hashlib.sha256(f"{path}\0{head['ETag']}".encode()).hexdigest()
        copy = Path(self._copies.name) / name
        if not copy.exists():
            part = copy.with_name(f"{name}.{uuid.uuid4().hex}")
            with self._calling():
                self._s3().get_file(self._address(path), str(part))
            if part.stat().st_size != int(head["ContentLength"]):
                part.unlink()
                raise IntegrityError(f"{self.root}/{path}: only part of it could be read; run again")
            part.replace(copy)
        return copy

    def copy(self, source: str, target: str) -> None:
        with self._calling():
            self._s3().cp_file(self._address(source), self._address(target))

    def scratch(self) -> AbstractContextManager[Path]:
        return self._scratch()

    def leftovers(self, older_than: float) -> dict[str, int]:
        """Find uploads in parts that were never finished; a live one is told from a dead one by its age alone."""
        found = {}
        for upload in self._listed_uploads():
            if (datetime.now(UTC) - upload["Initiated"]).total_seconds() > older_than:
                path = str(upload["Key"]).removeprefix(self._prefix)
                parts = self._call("list_parts", path, UploadId=upload["UploadId"]).get("Parts", [])
                found[f"{path}{_UPLOAD}{upload['UploadId']}"] = sum(int(part["Size"]) for part in parts)
        return found

    def remove_leftover(self, path: str) -> None:
        name, _, upload = path.rpartition(_UPLOAD)
        with suppress(FileNotFoundError):
            self._call("abort_multipart_upload", name, UploadId=upload)

    def _listed_uploads(self) -> Iterator[Any]:
        with suppress(_NotOfferedError):
            yield from self._uploads()

    def _uploads(self) -> Iterator[Any]:
        where: dict[str, Any] = {}
        while True:
            with self._calling():
                page = self._s3().call_s3("list_multipart_uploads", Bucket=self._bucket, Prefix=self._prefix, **where)
            yield from page.get("Uploads", [])
            if not page.get("IsTruncated"):
                return
            where = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}

    @contextmanager
    def _scratch(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="clusterbridge-", ignore_cleanup_errors=True) as name:
            yield Path(name)

    def _s3(self) -> Any:
        """Connect on first use, so that a worker made by fork or pickle opens a connection of its own."""
        if self._filesystem is None:
            import s3fs

            filesystem = s3fs.S3FileSystem(use_listings_cache=False)
            try:
                filesystem.call_s3("head_bucket", Bucket=self._bucket)
            except FileNotFoundError as error:
                raise UsageError(f"data root {self.root}: there is no bucket {self._bucket}") from error
            self._filesystem = filesystem
        return self._filesystem

    def _key(self, path: str) -> str:
        return self._prefix + relative_path(path)

    def _address(self, path: str) -> str:
        return f"{self._bucket}/{self._key(path)}"

    def _call(self, method: str, path: str, **arguments: Any) -> Any:
        with self._calling():
            return self._s3().call_s3(method, Bucket=self._bucket, Key=self._key(path), **arguments)

    def _head(self, path: str) -> Any:
        try:
            return self._call("head_object", path)
        except FileNotFoundError:
            return None

    def _found(self, path: str) -> Any:
        head = self._head(path)
        if head is None:
            raise FileNotFoundError(errno.ENOENT, "no such file in the data root", path)
        return head

    def _put_if(self, path: str, data: bytes, **condition: str) -> bool:
        """Write under a condition. A write whose answer was lost and that was tried again meets itself: that is told
        from another's by the mark it carries.
        """
        kind = _CONTENT_TYPES.get(PurePosixPath(path).suffix, "binary/octet-stream")
        mark = {_WRITER: uuid.uuid4().hex}
        for attempt in range(_CONFLICT_TRIES):
            try:
                self._call("put_object", path, Body=data, ContentType=kind, Metadata=mark, **condition)
            except _ConditionFailedError:
                head = self._head(path)
                return head is not None and head.get("Metadata", {}).get(_WRITER) == mark[_WRITER]
            except _ConflictError:
                time.sleep(0.1 * 2**attempt)
            except _NotOfferedError as error:
                raise UsageError(
                    f"data root {self.root}: this server has no conditional writes (If-None-Match, If-Match), without "
                    "which two runs could overwrite each other; use another"
                ) from error
            else:
                return True
        raise TransientError(f"{self.root}/{path}: another run keeps writing it; try again later")

    @contextmanager
    def _calling(self) -> Iterator[None]:
        from aiohttp import ClientError
        from botocore.exceptions import BotoCoreError, NoCredentialsError, PartialCredentialsError

        try:
            yield
        except PermissionError as error:
            raise UsageError(f"data root {self.root}: access denied: {error}") from error
        except (NoCredentialsError, PartialCredentialsError) as error:
            raise UsageError(f"data root {self.root}: no S3 credentials found: {error}") from error
        except FileNotFoundError:
            raise
        except (BotoCoreError, ClientError) as error:
            raise TransientError(f"data root {self.root}: S3 does not answer: {error}") from error
        except OSError as error:
            code = _s3_code(error)
            if code in {"PreconditionFailed", "412"}:
                raise _ConditionFailedError from error
            if code in {"ConditionalRequestConflict", "409"}:
                raise _ConflictError from error
            if code in {"NotImplemented", "501"}:
                raise _NotOfferedError(f"data root {self.root}: this server does not offer what was asked") from error
            raise TransientError(f"data root {self.root}: S3 answered {code or error}; try again later") from error


class _ConditionFailedError(Exception):
    """The object is not as the condition says."""


class _NotOfferedError(UsageError):
    """The server does not know this part of S3's protocol."""


class _ConflictError(Exception):
    """Another conditional write of the same object was under way; S3 asks to try again."""


def _s3_code(error: OSError) -> str:
    response = getattr(error.__cause__, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))
