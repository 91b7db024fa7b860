"""What passes between the mirror server and its faults."""

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BufferedIOBase
from pathlib import Path
from typing import Protocol

_CHUNK = 1 << 18


@dataclass(slots=True)
class Answer:
    """What the mirror would send: `start` to `stop` of the file `path`, or `body`."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    path: Path | None = None
    start: int = 0
    stop: int = 0

    @property
    def length(self) -> int:
        """Bytes of the body."""
        return self.stop - self.start if self.path else len(self.body)

    def chunks(self) -> Iterator[bytes]:
        """The body in pieces."""
        if self.path is None:
            yield self.body
            return
        with self.path.open("rb") as stream:
            stream.seek(self.start)
            left = self.length
            while left > 0 and (chunk := stream.read(min(_CHUNK, left))):
                left -= len(chunk)
                yield chunk

    def whole(self) -> bytes:
        """The body in one piece."""
        return b"".join(self.chunks())


class Exchange(Protocol):
    """One request that is being answered, as a fault sees it."""

    connection: socket.socket
    path: str
    wfile: BufferedIOBase
    close_connection: bool

    @property
    def closing(self) -> threading.Event:
        """Set when the server stops."""

    def answer(self, *, whole: bool = False) -> Answer:
        """Return what an honest mirror sends. `whole`: without regard to conditions and ranges."""

    def send(self, answer: Answer) -> None:
        """Send an answer with its right length."""

    def begin(self, answer: Answer) -> None:
        """Send status and headers."""

    def put(self, chunk: bytes) -> None:
        """Send a piece of the body."""
