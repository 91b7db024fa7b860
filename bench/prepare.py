"""Invented files that several workloads read, written once a run."""

from pathlib import Path

from bench.county_files import COUNTIES, DROPPED, ERAS, LETTERS, economy, write_files, write_index, write_years
from bench.european_files import write_sheets
from bench.measured import Clock, Row
from bench.years import COUNTIES_PART


def publishers(folder: Path) -> list[Row]:
    """The mirror of the rebuild: 26 full county years and every sheet of Eurostat's; and 26 small county years."""
    years = [year for era in ERAS for year in era.years]
    clock = Clock("invented files")
    with clock.stage("26 county years, 7 sheets of Eurostat's, 26 small county years"):
        for name, counties in (("publishers", COUNTIES), ("growth-publishers", COUNTIES // COUNTIES_PART)):
            if not (folder / name / "index.csv").exists():
                files = write_years(folder / name, years, economy(counties))
                files += write_sheets(folder / name) if name == "publishers" else []
                write_index(folder / name, files)
    return clock.lines


def county_years(folder: Path) -> list[Row]:
    """The files of the two full county years that are measured stage by stage."""
    leaves = economy()
    for era in (LETTERS, DROPPED):
        if not (folder / f"cbp{era.year % 100:02d}co.zip").exists():
            write_files(folder, era, leaves)
    return []
