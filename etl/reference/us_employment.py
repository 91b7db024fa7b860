"""US national employment by six-digit NAICS: the amounts behind every weight, one fixed year a NAICS vintage.

Made from the Census Bureau's national files of County Business Patterns: 2001 (NAICS 1997), 2005 (2002), 2009 and 2011
(2007), 2017 (2017). Persons. A year adds up to its published total: besides six-digit codes it holds the sectors
without detail (`95` auxiliaries of NAICS 1997, `99` unclassified) and, where published children fall short of their
parent, the rest under the parent's code with `~`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from etl.errors import DataError, UsageError
from etl.reference.store import rows

# County Business Patterns by NAICS vintage: the reference year nearest to the change to the next vintage.
VINTAGE_OF_YEAR = {2001: 1997, 2005: 2002, 2009: 2007, 2011: 2007, 2017: 2017}

_JOINT_SECTORS = {"32": "31", "33": "31", "45": "44", "49": "48"}


@dataclass(frozen=True, slots=True)
class NationalCell:
    """One row of a national file: published employment, or None with the range it lies in."""

    employment: int | None
    establishments: int
    low: float = 0.0
    high: float = float("inf")


@cache
def us_employment(year: int) -> dict[str, float]:
    """Six-digit NAICS code (and `99`) to employment in March of that year, in persons.

    Raises UsageError for a year other than 2001, 2005, 2009, 2011 or 2017.
    """
    if year not in VINTAGE_OF_YEAR:
        known = ", ".join(map(str, VINTAGE_OF_YEAR))
        raise UsageError(f"no national employment of {year} is built in; there are: {known}")
    return {row["naics_code"]: float(row["employment"]) for row in rows("us_employment") if row["year"] == str(year)}


def naics_parent(code: str) -> str | None:
    """The NAICS code one level up: `336411` to `33641` … `336`, then the sector `31`, then the total `00`."""
    if code == "00":
        return None
    if len(code) == 2:
        return "00"
    if len(code) == 3:
        return _JOINT_SECTORS.get(code[:2], code[:2])
    return code[:-1]


def national_leaves(cells: Mapping[str, NationalCell]) -> dict[str, tuple[float, str]]:
    """Lowest codes of a filled national tree with employment and status, and what parents hold beyond their children.

    Adds up to the total. Raises DataError as `fill_withheld` does, and where children exceed their parent.
    """
    filled = fill_withheld(cells)
    below = dict.fromkeys(filled, 0.0)
    for code in filled:
        parent = naics_parent(code)
        if parent is not None:
            below[parent] += filled[code][0]
    parents = {naics_parent(code) for code in filled}
    leaves = {code: figure for code, figure in filled.items() if code not in parents}
    for code in sorted(filled.keys() & parents):
        rest = filled[code][0] - below[code]
        if rest < -0.5:
            raise DataError(f"{code}: its industries hold {-rest:,.0f} persons more than it does")
        if rest > 0.5:
            leaves[f"{code}~"] = (rest, "derived_exactly")
    return dict(sorted(leaves.items()))


def fill_withheld(cells: Mapping[str, NationalCell]) -> dict[str, tuple[float, str]]:
    """Give every code of a national tree an employment and its status, from the top down.

    `cells` holds all levels from the total `00`. The residual of a parent goes to its withheld children: whole to a
    single one (`derived_exactly` if the parent is exact), else in proportion to establishments times the parent's
    average size, within each child's range (`estimated`). Raises DataError where a residual does not fit the ranges.
    """
    children: dict[str, list[str]] = {}
    for code in cells:
        parent = naics_parent(code)
        if parent is not None:
            children.setdefault(parent, []).append(code)
    filled = {code: (float(cell.employment), "reported") for code, cell in cells.items() if cell.employment is not None}
    for parent in sorted(children, key=lambda code: (len(code) if code != "00" else 0, code)):
        withheld = sorted(code for code in children[parent] if code not in filled)
        if not withheld:
            continue
        amount, status = filled[parent]
        residual = amount - sum(filled[code][0] for code in children[parent] if code in filled)
        shares = _within_ranges(residual, [cells[code] for code in withheld], parent)
        exact = len(withheld) == 1 and status != "estimated"
        for code, share in zip(withheld, shares, strict=True):
            filled[code] = (share, "derived_exactly" if exact else "estimated")
    return filled


def _within_ranges(residual: float, withheld: list[NationalCell], parent: str) -> list[float]:
    """Divide a residual in proportion to establishments, moving what a range refuses to the others."""
    low, high = sum(cell.low for cell in withheld), sum(cell.high for cell in withheld)
    if not low <= residual <= high:
        raise DataError(
            f"{parent}: {residual:,.0f} persons are left for withheld industries that can hold {low}-{high}"
        )
    shares = [0.0] * len(withheld)
    free = list(range(len(withheld)))
    while free:
        left = residual - sum(share for index, share in enumerate(shares) if index not in free)
        weight = sum(max(withheld[index].establishments, 1) for index in free)
        for index in free:
            shares[index] = left * max(withheld[index].establishments, 1) / weight
        bound = {index: min(max(shares[index], withheld[index].low), withheld[index].high) for index in free}
        change = sum(bound[index] - shares[index] for index in free)
        # Fix the side that binds more; the rest is divided again (the usual water-filling step).
        stuck = [i for i in free if (bound[i] > shares[i] and change >= 0) or (bound[i] < shares[i] and change <= 0)]
        for index in stuck:
            shares[index] = bound[index]
        free = [index for index in free if index not in stuck] if stuck else []
    return shares
