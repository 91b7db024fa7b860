"""Measure speed and memory: `python -m bench [WORKLOAD …]`, all of them where none is named.

Every workload runs in a fresh process. This one imports nothing large: a child's peak memory begins at its parent's.
"""

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.children import run
from bench.measured import Row
from bench.report import as_page, as_text

RESULTS = Path(__file__).parent / "results.json"
PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
ORDER = (
    "county year, range letters (2012)",
    "county year, small cells dropped (2019)",
    "without estimates",
    "county leaves to European classes",
    "growth",
    "refresh of the demo",
    "diff",
    "point queries",
    "gate",
    "inside Airflow",
)
EXTRAPOLATED = "extrapolated"
GROWTH = ((1, 1), (2, 1), (4, 1), (1, 2), (2, 2), (4, 2))


def county_years(folder: Path) -> list[Row]:
    """Both eras beside the physical limit, the peers, and the gate on the year of letters."""
    rows = []
    for era in ("letters", "dropped"):
        run(folder, "prepare", "county_year", era)
        ours = run(folder, "county_year", "county_year", era)
        bare = run(folder, "county_year", "bare_rewrite", era)
        total = next(row for row in ours if row.stage == "all of it")
        total.beside("bare pyarrow read, sort, write", bare[0].cpu_seconds or 0.0)
        rows += ours
        if era == "letters":
            rows += run(folder, "county_year", "gate", era)
        same = run(folder, "county_year", "same_as_ours", era)[0]
        for peer in ("pandas", "duckdb"):
            theirs = run(folder, "county_year", "notebook", era, peer)[0]
            line = Row(**asdict(same))
            line.beside(f"{peer} ({theirs.peak_mib:,.0f} MiB)", theirs.cpu_seconds or 0.0)
            line.budget, line.holds = "ahead of the peer", (line.ratio or 0.0) < 1
            rows.append(line)
    return rows + run(folder, "county_year", "to_european_classes")


def growth(folder: Path) -> list[Row]:
    """Years and workers, and what follows for 26 full years."""
    run(folder, "prepare", "growth")
    rows = {size: run(folder, "years", "growth", *size)[0] for size in GROWTH}
    for (years, workers), row in rows.items():
        if years > 1:
            base = rows[1, workers]
            row.peer, row.peer_seconds = "as many times one year", round(years * (base.cpu_seconds or 0.0), 3)
            row.ratio = round((row.cpu_seconds or 0.0) / row.peer_seconds, 2)
    return list(rows.values())


def refreshes(folder: Path) -> list[Row]:
    """Runs over the demo's publishers."""
    return run(folder, "refreshes", "refreshes")


def published(folder: Path) -> list[Row]:
    """Point queries and the diff."""
    return run(folder, "published", "point_queries") + run(folder, "published", "diff")


def airflow(folder: Path) -> list[Row]:
    """The chain as tasks of a DAG."""
    return run(folder, "airflow_chain", "chain")


WORKLOADS = {
    "county_years": county_years,
    "growth": growth,
    "refreshes": refreshes,
    "published": published,
    "airflow": airflow,
}


def full_rebuild(rows: Sequence[Row]) -> list[Row]:
    """26 full county years with two workers, from one year of each era and from what a second worker costs more.

    Range letters to 2016, small cells dropped from 2017: 19 years and 7. The CPU time is split between two cores.
    """
    totals = {row.workload: row.cpu_seconds or 0.0 for row in rows if row.stage == "all of it"}
    grown = {row.stage: row.cpu_seconds or 0.0 for row in rows if row.workload == "growth"}
    letters, dropped = (sum(seconds for name, seconds in totals.items() if era in name) for era in ("2012", "2019"))
    if not (letters and dropped and grown.get("years 4, workers 1")):
        return []
    inflation = max(1.0, grown.get("years 4, workers 2", 0.0) / grown["years 4, workers 1"])
    row = Row("growth", f"26 full county years, 2 workers: {EXTRAPOLATED}, Europe not in it")
    row.cpu_seconds = round((19 * letters + 7 * dropped) * inflation, 1)
    row.ours_seconds = round(row.cpu_seconds / 2, 1)
    row.budget, row.holds = "360 s wall", row.ours_seconds <= 360
    return [row]


def main() -> None:
    """Run, print the table, write the results and the page."""
    asked = argparse.ArgumentParser(prog="python -m bench", description="Measure speed and memory.")
    asked.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=f"some of {', '.join(WORKLOADS)}")
    asked.add_argument("--folder", type=Path, help="keep the invented files here, and use those that are there")
    arguments = asked.parse_args()
    unknown = set(arguments.workloads) - WORKLOADS.keys()
    if unknown:
        asked.error(f"there is no workload {', '.join(sorted(unknown))}; there are {', '.join(WORKLOADS)}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        results: list[dict[str, Any]] = []
        for name in arguments.workloads or WORKLOADS:
            results = keep(WORKLOADS[name](folder))
    print(as_text(results))


def keep(new: Sequence[Row]) -> list[dict[str, Any]]:
    """Put lines in the place of those of the same workloads, write results and page, and return all lines."""
    measured = {row.workload for row in new}
    old = [Row(**line) for line in json.loads(RESULTS.read_text("utf-8"))] if RESULTS.exists() else []
    rows = [
        row for row in [*new, *(row for row in old if row.workload not in measured)] if EXTRAPOLATED not in row.stage
    ]
    rows += full_rebuild(rows)
    results = [asdict(row) for row in sorted(rows, key=lambda row: ORDER.index(row.workload))]
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    PAGE.write_text(as_page(results), "utf-8")
    return results


if __name__ == "__main__":
    main()
