"""One line of the results, and the clock that fills it: time, memory and bytes of a process and of its workers."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_LOOK_EVERY = 0.1
MIB = 1 << 20


@dataclass(slots=True)
class Row:
    """A stage of a workload. `ratio` is ours over the peer's, of CPU time or of wall time as `peer` and `budget` say.

    `peer_seconds` is CPU time like `cpu_seconds` unless the peer's name ends in "(wall)". `holds`: whether the stage is
    within its budget, null where there is none. `read_mib`, `written_mib`: through read and write calls, sockets and
    what the system had in memory included.
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
    read_mib: float | None = None
    written_mib: float | None = None

    def beside(self, peer: str, seconds: float) -> None:
        """Put the same work of another tool beside ours: CPU time, or wall time where the name ends in "(wall)"."""
        self.peer, self.peer_seconds = peer, round(seconds, 3)
        ours = self.ours_seconds if peer.endswith("(wall)") else self.cpu_seconds
        self.ratio = round((ours or 0.0) / self.peer_seconds, 2)

    def against(self, seconds: float, *, wall: bool = False) -> None:
        """Hold the stage against a budget of CPU time, or of wall time."""
        self.budget = f"{seconds:g} s wall" if wall else f"{seconds:g} s"
        self.holds = ((self.ours_seconds if wall else self.cpu_seconds) or 0.0) <= seconds

    def against_memory(self, mib: float) -> None:
        """Hold the peak against a budget of memory."""
        self.budget, self.holds = f"{mib:.0f} MiB", (self.peak_mib or 0.0) <= mib


@dataclass(frozen=True, slots=True)
class Used:
    """What a process has used so far: CPU seconds, largest memory in MiB, MiB read and written."""

    cpu: float = 0.0
    peak: float = 0.0
    read: float = 0.0
    written: float = 0.0


class Family:
    """Looks at this process and everything that descends from it, ten times a second (Linux: /proc).

    Workers of a process pool are children of a server of their own, so nobody adds up what they used.
    """

    def __init__(self) -> None:
        self._seen: dict[int, Used] = {}
        self._lock = threading.Lock()
        threading.Thread(target=self._keep_looking, daemon=True).start()

    def used(self) -> Used:
        """All processes together up to now; of memory the largest that one of them had."""
        self._look()
        with self._lock:
            seen = list(self._seen.values())
        return Used(
            sum(one.cpu for one in seen),
            max(one.peak for one in seen),
            sum(one.read for one in seen),
            sum(one.written for one in seen),
        )

    def workers_peak(self) -> float:
        """The largest memory that a process other than this one had, in MiB."""
        with self._lock:
            return max((one.peak for pid, one in self._seen.items() if pid != os.getpid()), default=0.0)

    def _keep_looking(self) -> None:
        while True:
            self._look()
            time.sleep(_LOOK_EVERY)

    def _look(self) -> None:
        for pid in _descendants(os.getpid()):
            try:
                used = _used(Path(f"/proc/{pid}"))
            except (OSError, ValueError, IndexError):  # it has just ended: what was seen last stands
                continue
            with self._lock:
                # A process that is ending has no memory any more.
                peak = max(used.peak, self._seen[pid].peak if pid in self._seen else 0.0)
                self._seen[pid] = replace(used, peak=peak)


def _descendants(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, ValueError, IndexError):
                continue
            children.setdefault(parent, []).append(int(folder.name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def _used(process: Path) -> Used:
    times = (process / "stat").read_text().rpartition(")")[2].split()
    status = (process / "status").read_text()
    peak = int(status.partition("VmHWM:")[2].split()[0]) / 1024 if "VmHWM:" in status else 0.0
    moved = dict(line.split(": ") for line in (process / "io").read_text().splitlines())
    return Used((int(times[11]) + int(times[12])) / _TICKS, peak, int(moved["rchar"]) / MIB, int(moved["wchar"]) / MIB)


def cpu_seconds() -> float:
    """CPU time of this process and of its children that have ended."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def peak_mib() -> float:
    """Largest memory so far of this process."""
    return round(_used(Path("/proc/self")).peak, 1)


class Clock:
    """Collects the stages of one workload in the order in which they ran.

    `family`: count the workers of this process too.
    """

    def __init__(self, workload: str, family: Family | None = None) -> None:
        self.workload = workload
        self.lines: list[Row] = []
        self._family = family

    @contextmanager
    def stage(self, name: str, budget: float | None = None) -> Iterator[Row]:
        """Measure the block; `budget`: CPU seconds it may take."""
        row = Row(self.workload, name)
        self.begin()
        yield row
        self.end(row)
        if budget is not None:
            row.against(budget)

    def begin(self) -> None:
        """Start to measure a stage."""
        self._start, self._before = time.perf_counter(), self._used()

    def end(self, row: Row) -> None:
        """Write what was used since `begin` into a line, and keep it."""
        now = self._used()
        row.ours_seconds = round(time.perf_counter() - self._start, 3)
        row.cpu_seconds, row.peak_mib = round(now.cpu - self._before.cpu, 3), round(now.peak, 1)
        row.read_mib, row.written_mib = (
            round(now.read - self._before.read, 1),
            round(now.written - self._before.written, 1),
        )
        self.lines.append(row)

    def total(self, name: str, budget: float | None = None) -> Row:
        """Add a line that sums the stages so far."""
        row = Row(self.workload, name)
        for field in ("ours_seconds", "cpu_seconds", "read_mib", "written_mib"):
            setattr(row, field, round(sum(getattr(line, field) or 0.0 for line in self.lines), 3))
        row.peak_mib = max(line.peak_mib or 0.0 for line in self.lines)
        if budget is not None:
            row.against(budget)
        self.lines.append(row)
        return row

    def _used(self) -> Used:
        if self._family is not None:
            return self._family.used()
        own = _used(Path("/proc/self"))
        return Used(cpu_seconds(), own.peak, own.read, own.written)
