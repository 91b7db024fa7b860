"""NUTS regions and statistical regions by version: codes, names, parents, and which version a file uses.

Greece is EL in every version, as Eurostat writes it. Version 2024 includes the statistical regions of that year.
"""

from collections.abc import Iterable
from functools import cache

from etl.errors import SourceFormatError, UsageError
from etl.reference.store import rows

NUTS_VERSIONS = (2006, 2010, 2013, 2016, 2021, 2024)
CURRENT_NUTS = 2021

# First reference year of regional data in each version, by the regulations that brought them into force.
IN_FORCE_FROM = {2006: 2008, 2010: 2012, 2013: 2015, 2016: 2018, 2021: 2021, 2024: 2024}


@cache
def nuts_regions(version: int) -> dict[str, str]:
    """Code to name of every region of a NUTS version, levels 0 to 3, extra-regio codes included.

    Raises UsageError for a version that is not 2006, 2010, 2013, 2016, 2021 or 2024.
    """
    if version not in NUTS_VERSIONS:
        raise UsageError(f"NUTS has no version {version}; there are: {', '.join(map(str, NUTS_VERSIONS))}")
    return {
        row["nuts_code"]: row["nuts_name"] for row in rows("nuts_region") if str(version) in row["versions"].split()
    }


def nuts_parent(code: str) -> str | None:
    """The code one level up; None for a country. Northern Ireland's UKN10 to UKN16 (level 3) are part of UKN0."""
    if len(code) == 5 and code.startswith("UKN1"):
        return "UKN0"
    return code[:-1] if len(code) > 3 else code[:2] if len(code) == 3 else None


def is_extra_regio(code: str) -> bool:
    """Whether a NUTS code stands for the territory outside the regions of its country (`FRZ`, `FRZZ`)."""
    return len(code) > 2 and set(code[2:]) == {"Z"}


def version_in_force(year: int) -> int:
    """The NUTS version in force for a reference year; 2006 for the years before 2008."""
    return max((version for version, first in IN_FORCE_FROM.items() if first <= year), default=NUTS_VERSIONS[0])


def nuts_version_of(country: str, codes: Iterable[str], year: int) -> int:
    """The NUTS version in which a country's codes of one year are written.

    The version that knows most of the codes; between equals the one in force in that year, else the nearest to it.
    Give only codes that carry figures: files keep rows of dead codes, blank. Raises SourceFormatError where no
    version knows any of the codes.
    """
    given = {code for code in codes if code.startswith(country) and not is_extra_regio(code)}
    if not given:
        return version_in_force(year)
    known = {version: len(given & nuts_regions(version).keys()) for version in NUTS_VERSIONS}
    if not any(known.values()):
        raise SourceFormatError(f"no NUTS version knows any of the codes {', '.join(sorted(given)[:10])}")
    force = version_in_force(year)
    return max(NUTS_VERSIONS, key=lambda version: (known[version], -abs(version - force)))


def nuts_version_of_code(code: str, preferred: int) -> int:
    """The version of a single code: `preferred` if it knows the code, else the newest one before it, else the next.

    Raises SourceFormatError for a code that no version knows.
    """
    order = [
        preferred,
        *reversed([v for v in NUTS_VERSIONS if v < preferred]),
        *[v for v in NUTS_VERSIONS if v > preferred],
    ]
    for version in order:
        if code in nuts_regions(version) or is_extra_regio(code):
            return version
    raise SourceFormatError(f"{code} is a region of no NUTS version")
