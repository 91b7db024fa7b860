"""A progress bar on standard error while long work runs, and the plain interface that steps report to."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Progress(Protocol):
    """What long work tells about itself: the stage it is in, how much there is, and each piece done."""

    def stage(self, name: str, total: int) -> None:
        """Begin a stage of `total` pieces."""

    def advance(self, pieces: int = 1) -> None:
        """Say that pieces are done; more than planned is fine."""


class SilentProgress:
    """Tells nobody."""

    def stage(self, name: str, total: int) -> None:
        """Ignore the stage."""

    def advance(self, pieces: int = 1) -> None:
        """Ignore the piece."""


@contextmanager
def shown_progress() -> Iterator[Progress]:
    """A bar for people at a terminal; silence elsewhere."""
    if not sys.stderr.isatty():
        yield SilentProgress()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description:24}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True)) as bar:
        yield _Bar(bar)


class _Bar:
    def __init__(self, bar: object) -> None:
        self._bar = bar
        self._task: object = None

    def stage(self, name: str, total: int) -> None:
        self._task = self._bar.add_task(name, total=total)  # type: ignore[attr-defined]

    def advance(self, pieces: int = 1) -> None:
        self._bar.advance(self._task, pieces)  # type: ignore[attr-defined]
