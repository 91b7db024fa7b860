"""Growth: source-years and workers against time and memory, from the archive to measured years."""

import shutil
from datetime import date
from pathlib import Path

from bench.county_files import LETTERS, archived, write_index
from bench.measured import Clock, Row
from etl.mirror import serve
from etl.progress import SilentProgress
from etl.refresh import Asked, build_source_years, build_years, fetch_datasets, state
from etl.settings import Settings
from etl.storage import Storage

DAY = date(2020, 1, 1)
FIRST = 2012


def growth(folder: Path, years: int, workers: int) -> list[Row]:
    """Build so many county years (the same small files under several years) with so many workers."""
    root, publishers = folder / f"growth-{years}-{workers}", folder / "growth-publishers"
    span = range(FIRST, FIRST + years)
    files = [file for year in span for file in archived(publishers, LETTERS, year)]
    write_index(publishers, files)
    storage, settings = Storage(str(root)), Settings(data=str(root), workers=workers)
    with serve(publishers) as address:
        fetch_datasets(storage, Asked(DAY, ("census_cbp",), tuple(span), address), settings, SilentProgress())
    archive = state(storage, DAY)
    clock = Clock("growth")
    with clock.stage(f"years {years}, workers {workers}") as row:
        built = build_source_years(storage, archive, settings, SilentProgress())
        build_years(storage, built, settings, SilentProgress())
    row.rows = sum(one.cells.tables["region_industry"].rows for one in built)
    shutil.rmtree(root)
    return clock.lines
