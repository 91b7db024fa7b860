"""US counties since 1998: which list a file uses, and the areas counties make up.

A county list is named by its year: 1998; 2001 (Broomfield; Clifton Forge gone); 2008 (Alaska divided); 2013 (Bedford
city gone); 2020 (in force from 2015: Oglala Lakota, Kusilvak; Valdez-Cordova whole, as County Business Patterns keeps
it; Connecticut by counties); 2021 (Chugach and Copper River); 2022 (Connecticut by planning regions).
"""

from collections.abc import Iterable
from functools import cache

from etl.errors import SourceFormatError, UsageError
from etl.reference.store import read, rows

COUNTY_LISTS = (1998, 2001, 2008, 2013, 2020, 2021, 2022)
CURRENT_COUNTY_LIST = 2020
CURRENT_CBSA = 2020
ECONOMIC_AREA_VINTAGE = 2004
STATEWIDE = "999"


@cache
def counties(year: int) -> dict[str, str]:
    """County code to name in the list of that year (see the module for the years).

    Raises UsageError for a year that names no list.
    """
    if year not in COUNTY_LISTS:
        raise UsageError(f"no county list is called {year}; there are: {', '.join(map(str, COUNTY_LISTS))}")
    return {
        row["county_code"]: row["county_name"]
        for row in rows("us_county")
        if int(row["first_list"]) <= year <= int(row["last_list"])
    }


@cache
def _ever() -> frozenset[str]:
    """Counties of any list."""
    return frozenset(read("us_county")["county_code"])


def is_county(code: str) -> bool:
    """Whether a code is a county of any list since 1998, or the statewide remainder of a state."""
    return code in _ever() or (code[2:] == STATEWIDE and code[:2] in states())


def county_vintage(codes: Iterable[str]) -> int:
    """The year of the county list that these codes are written in.

    The list with the fewest foreign codes; between equals the one nearest to 2020, the earlier first. Statewide
    remainders (`SS999`) tell nothing. Raises SourceFormatError for a code that is in no list.
    """
    given = {code for code in codes if not code.endswith(STATEWIDE)}
    unknown = sorted(given - _ever())
    if unknown:
        raise SourceFormatError(f"county codes in no list since 1998: {', '.join(unknown[:10])}")
    return min(COUNTY_LISTS, key=lambda year: (len(given - counties(year).keys()), abs(year - CURRENT_COUNTY_LIST)))


@cache
def states() -> dict[str, str]:
    """State code (two digits) to name: the 50 states and the District of Columbia."""
    columns = read("us_state")
    return dict(zip(columns["state_code"], columns["state_name"], strict=True))


@cache
def county_area(scheme: str, vintage: int) -> dict[str, str]:
    """County code to the area it belongs to; a county in none is left out.

    `us_economic_area` of 2004 (counties of every list, Puerto Rico included); `us_cbsa` delineated in 2020 (counties
    of list 2020), 2023 (list 2022) or 2013 (the one US Cluster Mapping uses). Raises UsageError for another.
    """
    area = {
        row["county_code"]: row["area_code"]
        for row in rows("us_county_area")
        if row["area_scheme"] == scheme and row["area_vintage"] == str(vintage)
    }
    if not area:
        raise UsageError(
            f"no areas {scheme} of {vintage}; there are us_economic_area 2004 and us_cbsa 2013, 2020, 2023"
        )
    return area


@cache
def area_names(scheme: str, vintage: int) -> dict[str, str]:
    """Area code to name, for the schemes and vintages of `county_area`."""
    return {
        row["area_code"]: row["area_name"]
        for row in rows("us_area")
        if row["area_scheme"] == scheme and row["area_vintage"] == str(vintage)
    }
