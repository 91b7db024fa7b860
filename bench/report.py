"""The results as a table for the terminal and as docs/performance.md."""

from collections.abc import Mapping, Sequence
from typing import Any

HEAD = ("workload", "stage", "wall s", "CPU s", "peak MiB", "rows", "peer", "peer CPU s", "ratio", "budget", "holds")
Result = Mapping[str, Any]


def cells(row: Result) -> list[str]:
    """One line of the table as texts."""
    holds = {True: "yes", False: "NO", None: ""}[row["holds"]]
    names = ("workload", "stage", "ours_seconds", "cpu_seconds", "peak_mib", "rows", "peer", "peer_seconds", "ratio")
    return [_text(row[name]) for name in (*names, "budget")] + [holds]


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
    table = "\n".join("| " + " | ".join(cells(row)) + " |" for row in rows)
    missed = [
        f"* {row['workload']}, {row['stage']}: {_figure(row)} against {row['budget']}"
        for row in rows
        if row["holds"] is False
    ]
    judged = any(row["holds"] is not None for row in rows)
    none = "None." if judged else "Unknown: no workload with a budget has been measured to its end yet."
    rule = "|".join("---" for _ in HEAD)
    return PAGE.format(head=" | ".join(HEAD), rule=rule, table=table, missed="\n".join(missed) or none)


def _figure(row: Result) -> str:
    if "MiB" in row["budget"]:
        return f"{row['peak_mib']:,.0f} MiB"
    name = "ours_seconds" if "wall" in row["budget"] else "cpu_seconds"
    return f"{row[name]:.3g} s"


PAGE = """# Speed and memory

This page is written by `make bench`, which runs offline from invented files and writes `bench/results.json` too.
Repeat it with `make bench`; one workload alone with `python -m bench NAME`, whose lines replace those of the last run.

How to read it:

* Each workload runs in a process of its own. Peak memory is the largest so far in that process or a worker of it.
* Wall time says something only on a machine that does nothing else. These figures come from two cores that were shared
  with other work at the time, so budgets and ratios are held against CPU time; where a budget says wall, against that.
* `ratio` is our CPU time over the peer's for the same rows.
* The county years are drawn at random, establishment by establishment, for 3,143 counties; codes are real, figures are
  not. The physical limit is a bare pyarrow read, sort and write of the completed cells.
* The peers read the same nation and county file, put the middle of a range for what is withheld, map, sum and divide.
  Ours in that comparison leaves estimation out too, but still reads size classes, links vintages of industries and
  counties, keeps a ledger and fills all measures. Both give the same figures: `tests/bench`.
* Growth is measured on county years of a quarter of the counties. What says extrapolated was not run: 26 full years in
  a row do not fit into ten minutes on two cores, and there are no invented European files of real size to add.
* Refreshes run over the demo's publishers on the same machine, so network and real publishers' answers are not in them.

| {head} |
|{rule}|
{table}

## Budgets missed

{missed}
"""
