"""One refresh of the demo's publishers, and how the tests of the whole line look at what it published."""

import csv
import hashlib
import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from etl.demo import write_publishers
from etl.run.refresh import RefreshRequest, Summary, refresh
from etl.settings import Settings
from etl.storage import Storage

DAY = date(2026, 6, 20)
SMALL_DATASETS = ("census_cbp", "eurostat_sbs")
SMALL = re.compile(r"cbp19us\.zip|SBS_R_NUTS06_R2")
COUNTRIES = re.compile(rb"[^,]+,[^,]+,[^,]+,([A-Z]{2}\t|geo)")


def run(root: Path, mirror: str | None, day: date = DAY, workers: int = 2, **asked: Any) -> Summary:
    """One refresh of a root from these publishers."""
    settings = Settings(data=str(root), workers=workers)
    return refresh(Storage(root), RefreshRequest(day, mirror=mirror, is_invented=True, **asked), settings)


def small_publishers(folder: Path) -> Path:
    """The demo's publishers with one American file of 2019 and one small sheet of Eurostat left."""
    publishers = write_publishers(folder)
    with (publishers / "index.csv").open(newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if SMALL.search(row["url"])]
    with (publishers / "index.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    for row in rows:
        if row["path"].endswith(".tsv"):
            lines = (publishers / row["path"]).read_bytes().splitlines(keepends=True)
            (publishers / row["path"]).write_bytes(b"".join(line for line in lines if COUNTRIES.match(line)))
    return publishers


def figures(root: Path, version: str) -> list[tuple[Any, ...]]:
    """What is published of clusters, without what tells the bytes they came from."""
    path = root / "snapshots" / version / "region_cluster" / "*.parquet"
    with duckdb.connect() as connection:
        return connection.sql(
            f"""SELECT source, year, region_code, cluster_code, employment, employment_reported, location_quotient
                FROM '{path}' ORDER BY ALL"""
        ).fetchall()


def published_files(root: Path) -> dict[str, str]:
    """The Parquet files of the published versions by path, with their hashes."""
    found = sorted((root / "snapshots").rglob("*.parquet"))
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


@dataclass(frozen=True)
class Line:
    """A data root after its first refresh, and the address of the publishers that it came from."""

    root: Path
    mirror: str
    first: Summary

    def answer(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query in which `{root}` stands for the folder of the version."""
        folder = self.root / "snapshots" / str(self.first.version)
        with duckdb.connect() as connection:
            return connection.sql(query.format(root=folder)).fetchall()
