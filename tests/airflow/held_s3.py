"""An S3 server for tests that can hold one write back, so that the process that writes can be killed meanwhile."""

import re
import threading
from collections.abc import Callable, Iterable
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server


class HeldS3:
    """The server; `address` is its endpoint. A write that `hold` names waits, and is dropped by `let_go`."""

    def __init__(self) -> None:
        self._app = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True)
        self._pattern: re.Pattern[str] | None = None
        self._lock = threading.Lock()
        self._go = threading.Event()
        self.held_from: int | None = None
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        """Where the server listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def hold(self, pattern: str) -> None:
        """Hold back the next write of a path that matches; `held_from` is then the writer's port."""
        self.held_from = None
        self._go.clear()
        self._pattern = re.compile(pattern)

    def let_go(self) -> None:
        """Drop what is held: the write never arrived."""
        self._go.set()

    def close(self) -> None:
        """Stop."""
        self._pattern = None
        self.let_go()
        self._server.shutdown()

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        with self._lock:
            is_held = (
                environ["REQUEST_METHOD"] == "PUT"
                and self._pattern is not None
                and self._pattern.search(environ["PATH_INFO"]) is not None
            )
            if is_held:
                self._pattern = None
        if is_held:
            self.held_from = int(environ["REMOTE_PORT"])
            self._go.wait()
            start_response("500 Dropped", [("Content-Length", "0")])
            return [b""]
        answer: Iterable[bytes] = self._app(environ, start_response)
        return answer
