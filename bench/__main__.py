"""Measure speed and memory: `python -m bench [WORKLOAD …]`, all of them where none is named.

Every workload runs in a fresh process. This one imports nothing large: a child's peak memory begins at its parent's.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.children import run
from bench.measured import Row
from bench.report import as_page, as_text

RESULTS = Path(__file__).parent / "results.json"
PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
BARE = "bare pyarrow read, sort, write"
SPEED_UP = 1.8
FLAT = 1.2
ORDER = (
    "county year, range letters (2012)",
    "county year, small cells dropped (2018)",
    "26 county years and 16 European years",
    "nothing changed",
    "one file changed",
    "diff of two full versions",
    "point queries",
    "gate",
    "inside Airflow",
    "same work as the peers",
    "county leaves to European classes",
    "estimates of a made-up economy",
    "growth, full size",
    "growth, a small part of the counties",
    "invented files",
)


def county_years(folder: Path) -> list[Row]:
    """Both eras beside the physical limit, the gate on the year of letters, and the peers on the same rows."""
    run(folder, "prepare", "county_years")
    rows: list[Row] = []
    for era in ("letters", "dropped"):
        ours = run(folder, "county_year", "county_year", era)
        bare = run(folder, "county_year", "bare_rewrite", era)[0].cpu_seconds or 0.0
        for row in ours:
            if row.cpu_seconds:
                row.beside(BARE, bare)
        rows += ours
        if era == "letters":
            gate = run(folder, "county_year", "gate", era)
            gate[0].beside(BARE, bare)
            rows += gate
        rows += _peers(folder, era)
    return rows + run(folder, "county_year", "to_european_classes")


def _peers(folder: Path, era: str) -> list[Row]:
    """Ours and each peer twice, in turn; the faster of each counts."""
    ours: list[Row] = []
    theirs: dict[str, list[Row]] = {"pandas": [], "duckdb": []}
    for _ in range(2):
        ours += run(folder, "county_year", "same_as_peers", era)
        for peer, found in theirs.items():
            found += run(folder, "county_year", "peer", era, peer)
    best = min(ours, key=lambda row: row.cpu_seconds or 0.0)
    lines = []
    for peer, found in theirs.items():
        their = min(found, key=lambda row: row.cpu_seconds or 0.0)
        line = Row(**asdict(best))
        line.beside(f"{peer}: {their.ours_seconds:.2f} s wall, {their.peak_mib:,.0f} MiB", their.cpu_seconds or 0.0)
        line.budget, line.holds = "ahead of the peer", (line.ratio or 0.0) < 1
        lines.append(line)
    return lines


def rebuild(folder: Path) -> list[Row]:
    """26 county years and Europe; then nothing changed, one file changed, the diff, and point queries."""
    rows = run(folder, "prepare", "publishers")
    rows += run(folder, "rebuild", "rebuild")
    compared = run(folder, "published", "diff")
    # What one changed file makes anew are the files that the diff finds changed: their bare time is known from there.
    changed = next(row for row in rows if row.workload == "one file changed")
    changed.beside(f"{BARE} of the files that changed, by rows", compared[0].peer_seconds or 0.0)
    return rows + compared + run(folder, "published", "point_queries")


def estimates(folder: Path) -> list[Row]:
    """The American estimates against a truth that is known, beside the mid-point rule."""
    return [row for step in ("draw", "run", "compare") for row in run(folder, "us_error", step)]


def growth(folder: Path) -> list[Row]:
    """Years and workers."""
    run(folder, "prepare", "publishers")
    alone, both = (run(folder, "years", "growth", workers) for workers in (1, 2))
    first, *later = alone[1:]
    for row in later:
        row.beside("as many times the first year", int(row.stage.split()[0]) * (first.cpu_seconds or 0.0))
    later[-1].against_memory(FLAT * (first.peak_mib or 0.0))
    both[0].beside("one worker (wall)", alone[0].ours_seconds or 0.0)
    both[0].budget, both[0].holds = f"{SPEED_UP} times as fast, wall", (both[0].ratio or 1.0) <= 1 / SPEED_UP
    return [*alone, *both]


def airflow(folder: Path) -> list[Row]:
    """The chain as tasks of a DAG."""
    return run(folder, "airflow_chain", "chain")


WORKLOADS = {
    "county_years": county_years,
    "estimates": estimates,
    "rebuild": rebuild,
    "growth": growth,
    "airflow": airflow,
}


def main() -> None:
    """Run, print the table, write the results and the page."""
    asked = argparse.ArgumentParser(prog="python -m bench", description="Measure speed and memory.")
    asked.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=f"some of {', '.join(WORKLOADS)}")
    asked.add_argument("--folder", type=Path, help="keep the invented files here, and use those that are there")
    arguments = asked.parse_args()
    unknown = set(arguments.workloads) - WORKLOADS.keys()
    if unknown:
        asked.error(f"there is no workload {', '.join(sorted(unknown))}; there are {', '.join(WORKLOADS)}")
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        results: list[dict[str, Any]] = []
        for name in arguments.workloads or WORKLOADS:
            results = keep(WORKLOADS[name](folder))
    print(as_text(results))
    print(f"{time.perf_counter() - start:.0f} s in all", file=sys.stderr)


def keep(new: Sequence[Row]) -> list[dict[str, Any]]:
    """Put lines in the place of those of the same workloads, write results and page, and return all lines."""
    measured = {row.workload for row in new}
    old = [Row(**line) for line in json.loads(RESULTS.read_text("utf-8"))] if RESULTS.exists() else []
    rows = [*new, *(row for row in old if row.workload not in measured and row.workload in ORDER)]
    results = [asdict(row) for row in sorted(rows, key=lambda row: ORDER.index(row.workload))]
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    PAGE.write_text(as_page(results), "utf-8")
    return results


if __name__ == "__main__":
    main()
