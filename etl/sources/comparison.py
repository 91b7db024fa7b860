"""Compares a publisher's list with the built-in table made from it: a difference is told, never taken over."""

from collections.abc import Callable, Mapping, Sequence

from etl.errors import UsageError
from etl.sources.base import ArchivedFile

SHOWN = 50


def differences(what: str, built_in: Mapping[str, object], published: Mapping[str, object]) -> list[str]:
    """One sentence on how a publisher's list differs from the built-in table, with its rows; none where it does not.

    Both map a key to what stands beside it; a key missing on one side is a difference too. Rows beyond the first 50
    are counted only.
    """
    rows = [
        f"{key}: built in {_shown(built_in.get(key))}, published {_shown(published.get(key))}"
        for key in sorted(built_in.keys() | published.keys())
        if built_in.get(key) != published.get(key)
    ]
    if not rows:
        return []
    more = f"; and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
    return [f"warning: {what} differs from the built-in table in {len(rows)} rows: {'; '.join(rows[:SHOWN])}{more}"]


def compare_workbooks(files: Sequence[ArchivedFile], compare: Callable[[ArchivedFile], list[str]]) -> list[str]:
    """What `compare` says of each workbook; where workbooks cannot be read here, a note that says so."""
    notes = []
    for file in files:
        try:
            notes += compare(file)
        except UsageError as error:
            notes.append(f"{file.url}: not compared with the built-in table; {error}")
    return notes


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    return ", ".join(sorted(map(str, value))) if isinstance(value, frozenset) else str(value)
