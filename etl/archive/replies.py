"""What a publisher may answer, and what the workers of one host know of it."""

import threading
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Validators:
    """What a publisher gave to ask conditionally with."""

    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True, slots=True)
class Body:
    """A body that came in whole, as it was on the wire. `is_measured`: the publisher told how long it is."""

    path: Path
    bytes: int
    validators: Validators
    is_measured: bool = True


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The publisher says that what is in hand is current (304)."""


@dataclass(frozen=True, slots=True)
class Absent:
    """There is nothing at the address (404, 410)."""

    status: int


@dataclass(frozen=True, slots=True)
class Failed:
    """No answer that can be used, in words for people."""

    reason: str


Reply = Body | Unchanged | Absent | Failed


@dataclass(slots=True)
class Host:
    """What the workers of one host share. `failures`: in a row; `is_there`: it has answered something in this run."""

    failures: int = 0
    is_there: bool = False
    not_before: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def failed(self) -> None:
        """Note that the host did not answer an address at last."""
        with self.lock:
            self.failures += 1

    def answered(self) -> None:
        """Note that the host answered."""
        with self.lock:
            self.failures, self.is_there = 0, True

    def hold(self, until: float) -> None:
        """Ask nothing more before this time."""
        with self.lock:
            self.not_before = max(self.not_before, until)
