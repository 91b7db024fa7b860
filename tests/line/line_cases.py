"""One refresh of the demo's publishers, and how the tests of the whole line look at what it published."""

import hashlib
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from etl.refresh import Asked, Summary, refresh
from etl.settings import Settings
from etl.storage import Storage

DAY = date(2026, 6, 20)


def run(root: Path, mirror: str | None, day: date = DAY, workers: int = 2, **asked: Any) -> Summary:
    """One refresh of a root from these publishers."""
    settings = Settings(data=str(root), workers=workers)
    return refresh(Storage(root), Asked(day, mirror=mirror, is_invented=True, **asked), settings)


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
