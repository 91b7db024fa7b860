"""Shows the page of a published version over HTTP on this machine: from a local data root or from a bucket."""

from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from etl.errors import UsageError
from etl.publish.versions import SNAPSHOTS
from etl.site import SITE
from etl.snapshots import Snapshot

CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
}


class SiteServer(ThreadingHTTPServer):
    """Serves the files of one version's page and nothing else; `address` opens it."""

    daemon_threads = True

    def __init__(self, snapshot: Snapshot, port: int = 0) -> None:
        """Listen on the loopback address; port 0: any that is free.

        Raises UsageError where the version has no page, or the port is taken.
        """
        self.snapshot = snapshot
        self.folder = f"/{SNAPSHOTS}/{snapshot.version}/"
        if f"{SITE}/index.html" not in snapshot.manifest.files:
            raise UsageError(
                f"version {snapshot.version} was published without a page; clusterbridge site build makes one"
            )
        try:
            super().__init__(("127.0.0.1", port), _Handler)
        except (OSError, OverflowError) as error:
            raise UsageError(f"port {port} cannot be used: {error}; choose another with --port") from error

    @property
    def address(self) -> str:
        """Address of the page."""
        return f"http://127.0.0.1:{self.server_address[1]}{self.folder}{SITE}/"

    def file(self, path: str) -> bytes | None:
        """Bytes of a file of the page; None for a path that the version's manifest does not list there."""
        name = path.removeprefix(self.folder)
        if name.endswith("/"):
            name += "index.html"
        if not name.startswith(f"{SITE}/") or name not in self.snapshot.manifest.files:
            return None
        return self.snapshot.storage.read_bytes(f"{SNAPSHOTS}/{self.snapshot.version}/{name}")


class _Handler(BaseHTTPRequestHandler):
    server: SiteServer

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        if path == "/":
            self.send_response(HTTPStatus.FOUND)
            self.send_header("Location", f"{self.server.folder}{SITE}/")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        data = self.server.file(path)
        if data is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        suffix = PurePosixPath(path).suffix or ".html"
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", CONTENT_TYPES.get(suffix, "text/plain; charset=utf-8"))
        self.send_header("Content-Length", str(len(data)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    do_HEAD = do_GET  # noqa: N815 - the name that the base class looks for

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: what is read on one's own machine is no event."""
