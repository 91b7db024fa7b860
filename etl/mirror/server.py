"""Sends a folder of publishers' files over HTTP: `https://H/P?Q` is `/H/P?Q` here."""

import gzip
import hashlib
import re
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

from etl.errors import UsageError
from etl.mirror.answer import Answer
from etl.mirror.faults import OUTAGE_PATH, Fault, outage_page
from etl.mirror.folder import MirrorFile, MirrorFolder

#: Seconds that requests under way get to end when the server stops.
_LAST_REQUESTS = 5.0


@dataclass(frozen=True, slots=True)
class Seen:
    """One request that was answered: for tests, and for the log of a mirror that is left running."""

    method: str
    address: str
    status: int
    bytes_sent: int
    is_conditional: bool
    headers: dict[str, str]


class MirrorServer(ThreadingHTTPServer):
    """The server; `address` is what publishers' hosts are replaced with. Every request runs in a thread of its own."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        folder: Path | str,
        port: int = 0,
        faults: Sequence[Fault] = (),
        on_request: Callable[[Seen], None] | None = None,
    ) -> None:
        self.folder = MirrorFolder(Path(folder))
        self.faults = tuple(faults)
        self.on_request = on_request
        self.closing = threading.Event()
        self._unpacked = tempfile.TemporaryDirectory(prefix="clusterbridge-mirror-")
        self._lock = threading.Lock()
        self._tags: dict[tuple[Path, int, int], str] = {}
        self._under_way = 0
        self._done = threading.Condition()
        try:
            super().__init__(("127.0.0.1", port), _Handler)
        except (OSError, OverflowError) as error:
            self._unpacked.cleanup()
            raise UsageError(f"mirror: port {port} cannot be used: {error}") from error

    @property
    def address(self) -> str:
        """Where the server listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """A request, from its first line until it has been told of: the end of the server waits for it."""
        with self._done:
            self._under_way += 1
        try:
            yield
        finally:
            with self._done:
                self._under_way -= 1
                self._done.notify_all()

    def server_close(self) -> None:
        """Stop: requests that a fault keeps waiting end too."""
        self.closing.set()
        with self._done:
            self._done.wait_for(lambda: self._under_way == 0, _LAST_REQUESTS)
        super().server_close()
        self._unpacked.cleanup()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no error here; anything else is told as ever."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError | ValueError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]

    def body_of(self, file: MirrorFile, accepts_gzip: bool) -> tuple[Path, str, bool]:
        """Return the bytes to send, their strong tag, and whether they are gzip to be unpacked by the client."""
        if not file.is_gzipped or accepts_gzip:
            return file.path, self._tag(file.path), file.is_gzipped
        packed = self._tag(file.path)
        plain = Path(self._unpacked.name) / packed
        with self._lock:
            if not plain.exists():
                with gzip.open(file.path) as source, plain.open("wb") as target:
                    shutil.copyfileobj(source, target, 1 << 20)
        return plain, f"{packed}-plain", False

    def _tag(self, path: Path) -> str:
        status = path.stat()
        key = (path, status.st_mtime_ns, status.st_size)
        if key not in self._tags:
            with path.open("rb") as stream:
                self._tags[key] = hashlib.file_digest(stream, "sha256").hexdigest()[:32]
        return self._tags[key]


class _Handler(BaseHTTPRequestHandler):
    server: MirrorServer
    protocol_version = "HTTP/1.1"
    server_version = "clusterbridge-mirror"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16

    @property
    def closing(self) -> threading.Event:
        """Set when the server stops."""
        return self.server.closing

    def do_GET(self) -> None:
        with self.server.under_way():
            self._respond()

    def _respond(self) -> None:
        self._status, self._sent = 0, 0
        try:
            if self.path == OUTAGE_PATH:
                self.send(outage_page())
            else:
                address = unquote(self.path.lstrip("/"))
                fault = next((fault for fault in self.server.faults if fault.strikes(address)), None)
                if fault is None:
                    self.send(self.answer())
                else:
                    fault.send(self)
            self.wfile.flush()
        except (OSError, ValueError):
            # The client has gone, or a fault has closed the connection.
            self.close_connection = True
        if self.server.on_request is not None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            is_conditional = "if-none-match" in headers or "if-modified-since" in headers
            seen = Seen(self.command, unquote(self.path), self._status, self._sent, is_conditional, headers)
            self.server.on_request(seen)

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: `on_request` tells who wants to know."""

    def answer(self, *, whole: bool = False) -> Answer:
        """What an honest mirror sends. `whole`: without regard to conditions and ranges."""
        file = self.server.folder.find(self.path)
        if file is None:
            return Answer(404, {"Content-Type": "text/plain"}, b"The mirror holds no such address.\n")
        path, tag, is_packed = self.server.body_of(file, "gzip" in self.headers.get("Accept-Encoding", ""))
        size, modified = path.stat().st_size, int(file.path.stat().st_mtime)
        etag, date = f'"{tag}"', formatdate(modified, usegmt=True)
        headers = {"ETag": etag, "Last-Modified": date, "Vary": "Accept-Encoding", "Accept-Ranges": "bytes"}
        if not whole and self._is_unchanged(etag, modified):
            return Answer(304, headers)
        headers["Content-Type"] = file.content_type
        if is_packed:
            headers["Content-Encoding"] = "gzip"
        span = None if whole or self.headers.get("If-Range", etag) not in (etag, date) else self._range(size)
        if span is None:
            return Answer(200, headers, path=path, stop=size)
        start, stop = span
        if start >= stop:
            return Answer(416, {"Content-Range": f"bytes */{size}"})
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
        return Answer(206, headers, path=path, start=start, stop=stop)

    def send(self, answer: Answer) -> None:
        """Send an answer with its right length."""
        self.begin(answer)
        if self.command != "HEAD":
            for chunk in answer.chunks():
                self.put(chunk)

    def begin(self, answer: Answer) -> None:
        """Send status and headers."""
        self._status = answer.status
        self.send_response(answer.status, HTTPStatus(answer.status).phrase)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status not in (204, 304):
            self.send_header("Content-Length", str(answer.length))
        self.end_headers()

    def put(self, chunk: bytes) -> None:
        """Send a piece of the body."""
        self.wfile.write(chunk)
        self._sent += len(chunk)

    def _is_unchanged(self, etag: str, modified: int) -> bool:
        if (tags := self.headers.get("If-None-Match")) is not None:
            return tags.strip() == "*" or etag in (tag.strip().removeprefix("W/") for tag in tags.split(","))
        if (since := self.headers.get("If-Modified-Since")) is not None:
            try:
                return modified <= parsedate_to_datetime(since).timestamp()
            except ValueError:
                return False
        return False

    def _range(self, size: int) -> tuple[int, int] | None:
        """Start and stop of the one range asked for; None where all is to be sent."""
        found = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", "").strip())
        if found is None or found.group(0) == "bytes=-":
            return None
        first, last = found.groups()
        if not first:
            return max(0, size - int(last)), size
        stop = min(size, int(last) + 1) if last else size
        return (int(first), stop) if not last or int(last) >= int(first) else None


@contextmanager
def serve(
    folder: Path | str,
    port: int = 0,
    faults: Sequence[Fault] = (),
    on_request: Callable[[Seen], None] | None = None,
) -> Iterator[str]:
    """Serve a folder while the block runs, and give its address (`http://127.0.0.1:PORT`).

    `port` 0: any that is free. `on_request` is called after each answer, from the thread that gave it.
    Raises UsageError where the folder is not a mirror or the port is taken.
    """
    server = MirrorServer(folder, port, faults, on_request)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.address
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def serve_forever(server: MirrorServer) -> None:
    """Serve until interrupted, then close."""
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()
