"""Growth: 26 years of a twenty-fourth of the counties, with one worker and with two, and how far each was when."""

import shutil
from datetime import date
from pathlib import Path

from bench.county_files import ERAS
from bench.measured import Clock, Family, Row
from bench.rebuild import MARKS
from etl.mirror import serve
from etl.progress import SilentProgress
from etl.run.refresh import RefreshRequest, build_source_years, build_years, fetch_datasets, files_as_of
from etl.settings import Settings
from etl.storage import Storage

DAY = date(2026, 1, 1)
COUNTIES_PART = 24
NAME = "growth, a small part of the counties"


class Marks:
    """Keeps what the whole family had used when so many pieces of the first stage were done."""

    def __init__(self, family: Family) -> None:
        self._family = family
        self._stage, self._pieces = "", 0
        self._start = family.used().cpu
        self.cpu: dict[int, float] = {}
        self.peak: dict[int, float] = {}

    def stage(self, name: str, total: int) -> None:
        """Begin to count again."""
        self._stage, self._pieces = name, 0

    def advance(self, pieces: int = 1) -> None:
        """Note time and memory at each mark."""
        self._pieces += pieces
        if self._stage == "source-years" and self._pieces in MARKS:
            used = self._family.used()
            self.cpu[self._pieces], self.peak[self._pieces] = used.cpu - self._start, used.peak


def growth(folder: Path, workers: int) -> list[Row]:
    """From the archive to measured years. One worker is this process, so that its memory is seen at each mark."""
    root = folder / f"growth-{workers}"
    shutil.rmtree(root, ignore_errors=True)
    storage, settings = Storage(str(root)), Settings(data=str(root), workers=workers)
    years = [year for era in ERAS for year in era.years]
    with serve(folder / "growth-publishers") as address:
        fetch_datasets(storage, RefreshRequest(DAY, ("census_cbp",), tuple(years), address), settings, SilentProgress())
    archive = files_as_of(storage, DAY)
    family = Family()
    marks = Marks(family)
    clock = Clock(NAME, family)
    with clock.stage(f"26 years to published tables, {workers} workers") as row:
        built = build_source_years(storage, archive, settings, marks)
        build_years(storage, built, settings, SilentProgress())
    row.rows = sum(one.cells.tables["region_industry"].rows for one in built)
    row.peak_mib = round(family.workers_peak(), 1) if workers > 1 else row.peak_mib
    lines = [row]
    if workers == 1:
        for years_done, cpu in marks.cpu.items():
            line = Row(NAME, f"{years_done} years to clusters, 1 worker", cpu_seconds=round(cpu, 2))
            line.peak_mib = round(marks.peak[years_done], 1)
            lines.append(line)
    shutil.rmtree(root)
    return lines
