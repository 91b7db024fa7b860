"""Invented files that several workloads read, written once a run."""

from pathlib import Path

from bench.county_files import COUNTIES, LETTERS, write_files
from bench.county_year import ERAS
from bench.measured import Row


def county_year(folder: Path, era_name: str) -> list[Row]:
    """The files of a full county year."""
    era = ERAS[era_name]
    if not (folder / f"cbp{era.year % 100:02d}co.zip").exists():
        write_files(folder, era)
    return []


def growth(folder: Path) -> list[Row]:
    """The files of a county year of a quarter of the counties."""
    if not (folder / "growth-publishers").exists():
        write_files(folder / "growth-publishers", LETTERS, COUNTIES // 4)
    return []
