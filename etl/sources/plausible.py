"""Refuses totals that no economy has: columns that changed places, thousands taken for units."""

from etl.errors import ImplausibleError

PERSONS_PER_UNIT = (0.5, 1_000)
PAY_PER_PERSON = (1_000, 1_000_000)
"""Limits for the totals of a whole file, far outside anything published; pay a year, in the source's currency."""


def require_plausible(where: str, persons: float, units: float, pay: float = 0.0) -> None:
    """Raise ImplausibleError where persons per unit or pay per person, over a whole file, cannot be.

    `units`: establishments; `where` names the file. A total of 0 is not there and tells nothing.
    """
    checks = (
        ("persons an establishment", persons, units, PERSONS_PER_UNIT),
        ("of pay a person", pay, persons, PAY_PER_PERSON),
    )
    for what, above, below, (lowest, highest) in checks:
        if above > 0 and below > 0 and not lowest <= above / below <= highest:
            raise ImplausibleError(f"{where}: {above / below:,.3g} {what} in all; have columns changed places?")
