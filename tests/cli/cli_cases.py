"""How a verb of the command line ended."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ended:
    """Exit status, and what was said on both streams."""

    status: int
    out: str
    err: str


Run = Callable[..., Ended]
