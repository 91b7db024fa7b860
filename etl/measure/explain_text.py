"""Figures and tables as lines for a person."""

from collections.abc import Sequence


def persons(value: float | None) -> str:
    """An amount with thousands apart; a dash where it is withheld or unknown."""
    return "-" if value is None else f"{value:,.0f}" if abs(value) >= 10 or value == int(value) else f"{value:,.2f}"


def ratio(value: float | None) -> str:
    """A quotient or share; a dash where there is none."""
    return "-" if value is None else f"{value:.6g}"


def outcome(value: bool | None) -> str:
    """A flag in a word."""
    return "not given" if value is None else "yes" if value else "no"


def aligned(rows: Sequence[Sequence[str]], indent: int) -> list[str]:
    """A table as lines: the first column and those of words to the left, figures to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    is_figure = [all(not row[c] or row[c][0] in "0123456789-" for row in rows[1:]) for c in range(len(widths))]
    lines = []
    for row in rows:
        cells = [
            text.rjust(width) if figure and column else text.ljust(width)
            for column, (text, width, figure) in enumerate(zip(row, widths, is_figure, strict=True))
        ]
        lines.append(" " * indent + "  ".join(cells).rstrip())
    return lines
