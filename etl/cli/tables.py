"""Tables for people at a terminal."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

_NO_EDGE = 10_000


def show(names: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under their names; numbers to the right, nothing for None."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for position, name in enumerate(names):
        is_number = any(isinstance(row[position], int | float) for row in rows)
        table.add_column(name, justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        table.add_row(*[_text(value) for value in row])
    console = Console(soft_wrap=False)
    # A file or another program gets whole lines; only a terminal has an edge.
    (console if console.is_terminal else Console(width=_NO_EDGE)).print(table)


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
