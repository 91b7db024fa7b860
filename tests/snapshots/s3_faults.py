"""Stands between us and an S3 server, and lets one request go wrong in a way that real ones do."""

import http.client
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import SplitResult, urlsplit

_HOP_BY_HOP = {"connection", "transfer-encoding", "keep-alive", "content-length", "expect"}


@dataclass
class Faults:
    """What goes wrong: `kind` for the requests that `hits` chooses by method and path, so many `times`."""

    kind: str = ""
    hits: Callable[[str, str], bool] = lambda method, path: False
    times: int = 0
    met: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def set(self, kind: str, hits: Callable[[str, str], bool], times: int) -> None:
        """Choose the next fault."""
        with self.lock:
            self.kind, self.hits, self.times, self.met = kind, hits, times, []

    def next(self, method: str, path: str) -> str:
        """The fault that this request meets, if any."""
        with self.lock:
            if self.times == 0 or not self.hits(method, path):
                return ""
            self.times -= 1
            self.met.append(f"{method} {path}")
            return self.kind


def _error(status: int, code: str) -> tuple[int, bytes]:
    return status, f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()


ANSWERS = {
    "500": _error(500, "InternalError"),
    "503": _error(503, "SlowDown"),
    "409": _error(409, "ConditionalRequestConflict"),
    "412": _error(412, "PreconditionFailed"),
    "501": _error(501, "NotImplemented"),
    "garbage": (200, b"<html>a proxy's page"),
}


class Handler(BaseHTTPRequestHandler):
    """Hands a request on to the server behind, and its answer back, unless a fault is due."""

    protocol_version = "HTTP/1.1"
    faults: Faults
    behind: SplitResult

    def handle_request(self) -> None:
        """One request of any method."""
        body = self._body()
        fault = self.faults.next(self.command, self.path)
        if fault in ANSWERS:
            self._send(*ANSWERS[fault], {})
        elif fault == "reset":
            self._hang_up()
        else:
            status, data, headers = self._ask(body)
            if fault == "lost":  # It was done, and nobody hears of it.
                self._hang_up()
            else:
                self._send(status, data[: len(data) // 2] if fault == "cut" else data, headers, len(data))

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = handle_request  # noqa: N815

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _ask(self, body: bytes) -> tuple[int, bytes, dict[str, str]]:
        server = http.client.HTTPConnection(self.behind.hostname or "", self.behind.port, timeout=60)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
        server.request(self.command, self.path, body, headers)
        answer = server.getresponse()
        return answer.status, answer.read(), dict(answer.getheaders())

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        pieces = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(pieces)

    def _send(self, status: int, data: bytes, headers: dict[str, str], announced: int | None = None) -> None:
        self.send_response_only(status)
        length = headers.get("Content-Length") if self.command == "HEAD" else None
        for name, value in headers.items():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", length or str(len(data) if announced is None else announced))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
        if announced is not None and len(data) < announced:
            self.close_connection = True


@contextmanager
def faulty(endpoint: str) -> Iterator[tuple[str, Faults]]:
    """Forward to an S3 server; yields the address in front of it and what is to go wrong."""
    faults = Faults()
    handler = type("Faulty", (Handler,), {"faults": faults, "behind": urlsplit(endpoint)})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", faults
    finally:
        server.shutdown()
        server.server_close()
