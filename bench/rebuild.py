"""The whole line over 26 full county years and all European years, with two workers; then runs in which little is new.

All of it is `etl.run.refresh.refresh`, from publishers' files over HTTP to a published version. The root stays for the
diff and the point queries.
"""

import csv
import hashlib
import shutil
import time
import zipfile
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

from bench.bare import bare_rewrite_of
from bench.children import apart
from bench.county_files import files_of
from bench.measured import Clock, Family, Row
from etl.mirror import serve
from etl.run.refresh import RefreshRequest, Summary, files_as_of, refresh
from etl.run.units import STRUCTURES, source_years
from etl.settings import Settings
from etl.storage import Storage

FIRST_DAY = date(2026, 1, 1)
DATASETS = ("census_cbp", "eurostat_sbs", "eurostat_sbs_ebs", "eurostat_sbs_national", "eurostat_sbs_ovw")
WORKERS = 2
MARKS = (1, 2, 4, 8, 16, 26)
MEMORY_MIB = 1280
BUDGET_SECONDS = 360
CHANGED_YEAR = 2019
STAGES = {
    "fetch": "fetch and guards",
    "source-years": "source-years: archive to clusters",
    "years": "years: measure and write",
    "gate": "gate",
    "page": "page, changes, publish",
}


class Stages:
    """Turns what a run tells about its stages into lines, and notes when so many pieces of a stage were done."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._row: Row | None = None
        self.marks: list[tuple[str, int, float]] = []

    def stage(self, name: str, total: int) -> None:
        """End the stage before and begin this one; fetching is one stage, whatever it asks first."""
        row = Row(self._clock.workload, STAGES.get(name, name), rows=total)
        if self._row is not None and self._row.stage == row.stage:
            return
        self.close()
        self._row, self._pieces, self._start = row, 0, time.perf_counter()
        self._clock.begin()

    def advance(self, pieces: int = 1) -> None:
        """Note the piece."""
        self._pieces += pieces
        if self._row is not None:
            self.marks.append((self._row.stage, self._pieces, time.perf_counter() - self._start))

    def close(self) -> None:
        """End the last stage."""
        if self._row is not None:
            self._row.stage += f" ({self._row.rows})" if (self._row.rows or 0) > 1 else ""
            self._row.rows = None
            self._clock.end(self._row)
            self._row = None


def rebuild(folder: Path) -> list[Row]:
    """Everything, then nothing changed, then one county file changed."""
    shutil.rmtree(folder / "root", ignore_errors=True)
    lines = _everything(folder)
    return [*lines, _nothing_changed(folder), _one_changed(folder)]


def _everything(folder: Path) -> list[Row]:
    family = Family()
    clock = Clock("26 county years and 16 European years", family)
    stages = Stages(clock)
    summary = _refresh(folder, 0, stages)
    stages.close()
    total = clock.total(f"all of it, {WORKERS} workers")
    total.rows = summary.rows
    total.against(BUDGET_SECONDS, wall=True)
    memory = Row(clock.workload, "peak of a worker", peak_mib=round(family.workers_peak(), 1))
    memory.against_memory(MEMORY_MIB)
    years = sorted((folder / "root" / "snapshots" / str(summary.version) / "region_industry").glob("*.parquet"))
    rows, seconds = apart(bare_rewrite_of, years[::9])
    for line in clock.lines:
        line.beside(f"bare pyarrow read, sort, write: {len(years[::9])} years, by rows", seconds / rows * summary.rows)
    return [*clock.lines, memory, *_growth(stages, _leaned_on(folder / "root"))]


def _growth(stages: Stages, first: int) -> Iterator[Row]:
    """When so many county years had come to clusters: the largest, they follow the `first` pieces of the stage."""
    marks = {pieces: seconds for stage, pieces, seconds in stages.marks if stage == STAGES["source-years"]}
    for years in MARKS:
        seconds = marks[first + years] - marks.get(first, 0.0)
        yield Row("growth, full size", f"{years} county years to clusters, {WORKERS} workers", round(seconds, 1))


def _leaned_on(root: Path) -> int:
    """How many source-years others lean on; they are built before all others."""
    storage = Storage(str(root))
    sources = {source for names in STRUCTURES.values() for source in names}
    return sum(unit.source in sources for unit in source_years(storage, files_as_of(storage, FIRST_DAY)))


def _nothing_changed(folder: Path) -> Row:
    before = _files(folder / "root")
    clock = Clock("nothing changed", Family())
    with clock.stage("all datasets of the rebuild") as row:
        summary = _refresh(folder, 1)
    row.rows = 0
    row.against(10, wall=True)
    new = {path for path, size in _files(folder / "root").items() if before.get(path) != size}
    if summary.is_new or any(not path.startswith("archive/log/") for path in new):
        raise AssertionError(f"{summary.sentence()} Written: {sorted(new)[:5]}")
    return row


def _one_changed(folder: Path) -> Row:
    apart(_change_one, folder / "publishers")
    clock = Clock("one file changed", Family())
    with clock.stage(f"the county file of {CHANGED_YEAR}") as row:
        summary = _refresh(folder, 2)
    if not summary.is_new:
        raise AssertionError(summary.sentence())
    row.rows = summary.rows
    return row


def _refresh(folder: Path, day: int, stages: Stages | None = None) -> Summary:
    root = str(folder / "root")
    with serve(folder / "publishers") as address:
        asked = RefreshRequest(FIRST_DAY + timedelta(day), DATASETS, mirror=address, is_invented=True)
        summary = refresh(Storage(root), asked, Settings(data=root, workers=WORKERS), stages)
    if summary.fetched is None or summary.fetched.left_out or summary.fetched.stale:
        raise AssertionError(f"not everything came: {summary.sentence()}")
    return summary


def _files(root: Path) -> dict[str, int]:
    return {str(path.relative_to(root)): path.stat().st_size for path in root.rglob("*") if path.is_file()}


def _change_one(publishers: Path) -> None:
    """Move one establishment's job from one county to another, so that states and the nation stay as they are."""
    file = next(file for file in files_of(publishers, CHANGED_YEAR) if file.kind == "co")
    with zipfile.ZipFile(file.path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = next(name for name in members if name.endswith("co.txt"))
    lines = members[name].decode().splitlines(keepends=True)
    head = [cell.strip('"') for cell in lines[0].rstrip().split(",")]
    first = lines[1].split(",")
    other = next(at for at in range(2, len(lines)) if _is_total_of_another(lines[at], lines[1], head))
    for at, cells, change in ((1, first, 1), (other, lines[other].split(","), -1)):
        place = head.index("emp")
        cells[place] = f'"{int(cells[place].strip(chr(34))) + change}"'
        lines[at] = ",".join(cells)
    members[name] = "".join(lines).encode()
    with zipfile.ZipFile(file.path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for member, body in members.items():
            archive.writestr(member, body)
    _tell_index(publishers, file.path)


def _is_total_of_another(line: str, first: str, head: list[str]) -> bool:
    files_as_of, county, code = (head.index(name) for name in ("fipstate", "fipscty", "naics"))
    cells, known = line.split(","), first.split(",")
    return cells[files_as_of] == known[files_as_of] and cells[county] != known[county] and cells[code] == known[code]


def _tell_index(publishers: Path, changed: Path) -> None:
    index = publishers / "index.csv"
    with index.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    row = next(row for row in rows if row["path"] == changed.name)
    row["bytes"], row["sha256"] = str(changed.stat().st_size), hashlib.sha256(changed.read_bytes()).hexdigest()
    with index.open("w", encoding="utf-8", newline="") as stream:
        out = csv.DictWriter(stream, list(row))
        out.writeheader()
        out.writerows(rows)
