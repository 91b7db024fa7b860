"""One line of the results, and the clock that fills it: wall time, CPU time and peak memory of a process."""

import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(slots=True)
class Row:
    """A stage of a workload. `peer_seconds` is CPU time like `cpu_seconds`, and `ratio` is ours over the peer's;
    `holds`: whether CPU time (or memory, where `budget` is in MiB) is within the budget, null where there is none.
    """

    workload: str
    stage: str
    ours_seconds: float | None = None
    cpu_seconds: float | None = None
    peak_mib: float | None = None
    rows: int | None = None
    peer: str | None = None
    peer_seconds: float | None = None
    ratio: float | None = None
    budget: str | None = None
    holds: bool | None = None

    def beside(self, peer: str, cpu_seconds: float) -> None:
        """Put the same work of another tool beside ours."""
        self.peer, self.peer_seconds = peer, round(cpu_seconds, 3)
        self.ratio = round((self.cpu_seconds or 0.0) / cpu_seconds, 2)

    def against(self, seconds: float) -> None:
        """Hold the stage against a budget of CPU time."""
        self.budget, self.holds = f"{seconds:g} s", (self.cpu_seconds or 0.0) <= seconds


def cpu_seconds() -> float:
    """CPU time of this process and of its children that have ended."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def peak_mib() -> float:
    """Largest memory so far of this process, or of one of its children that has ended."""
    users = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return round(max(resource.getrusage(user).ru_maxrss for user in users) / 1024, 1)


class Clock:
    """Collects the stages of one workload in the order in which they ran."""

    def __init__(self, workload: str) -> None:
        self.workload = workload
        self.lines: list[Row] = []

    @contextmanager
    def stage(self, name: str, budget: float | None = None) -> Iterator[Row]:
        """Measure the block; `budget`: CPU seconds it may take."""
        row = Row(self.workload, name)
        wall, cpu = time.perf_counter(), cpu_seconds()
        yield row
        row.ours_seconds, row.cpu_seconds = round(time.perf_counter() - wall, 3), round(cpu_seconds() - cpu, 3)
        row.peak_mib = peak_mib()
        if budget is not None:
            row.against(budget)
        self.lines.append(row)

    def total(self, name: str, budget: float | None = None) -> Row:
        """Add a line that sums the stages so far."""
        row = Row(self.workload, name)
        row.ours_seconds = round(sum(line.ours_seconds or 0.0 for line in self.lines), 3)
        row.cpu_seconds = round(sum(line.cpu_seconds or 0.0 for line in self.lines), 3)
        row.peak_mib = max(line.peak_mib or 0.0 for line in self.lines)
        if budget is not None:
            row.against(budget)
        self.lines.append(row)
        return row
