"""Whole runs over the small built-in publishers: the first, one with nothing changed, one with one file changed."""

import csv
import hashlib
import zipfile
from datetime import date
from pathlib import Path

from bench.measured import Clock, Row
from etl.demo import write_publishers
from etl.mirror import serve
from etl.refresh import Asked, refresh
from etl.settings import Settings
from etl.storage import Storage

CHANGED = "/2019/cbp19co.zip"


def refreshes(folder: Path) -> list[Row]:
    """Refresh three times. Nothing changed has a budget for all datasets; here it is those of the demo."""
    publishers = write_publishers(folder / "demo-publishers")
    root = str(folder / "demo-root")
    storage, settings = Storage(root), Settings(data=root)
    clock = Clock("refresh of the demo")
    stages = (("everything new", None), ("nothing changed", 10), ("one county file changed", None))
    for number, (stage, budget) in enumerate(stages):
        if number == 2:
            _change_one(publishers)
        with serve(publishers) as address, clock.stage(stage, budget) as row:
            asked = Asked(date(2026, 1, 1 + number), mirror=address, is_invented=True)
            summary = refresh(storage, asked, settings)
        row.rows = summary.rows
        if summary.is_new == (number == 1):
            raise AssertionError(f"{stage}: {summary.sentence()}")
    return clock.lines


def _change_one(folder: Path) -> None:
    """Add one job to one county's figure, in a zip as loose as it was, and tell the index."""
    index = folder / "index.csv"
    with index.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    row = next(row for row in rows if row["url"].endswith(CHANGED))
    path = folder / row["path"]
    with zipfile.ZipFile(path) as archive:
        name = archive.namelist()[0]
        lines = archive.read(name).decode().splitlines(keepends=True)
    head = [cell.strip('"') for cell in lines[0].split(",")]
    at = head.index("emp")
    cells = lines[1].split(",")
    cells[at] = str(int(cells[at]) + 1)
    lines[1] = ",".join(cells)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, "".join(lines))
    row["bytes"], row["sha256"] = str(path.stat().st_size), hashlib.sha256(path.read_bytes()).hexdigest()
    with index.open("w", encoding="utf-8", newline="") as stream:
        out = csv.DictWriter(stream, list(row))
        out.writeheader()
        out.writerows(rows)
