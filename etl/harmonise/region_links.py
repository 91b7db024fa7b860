"""Concordances between region lists: county lists to that of 2020, NUTS versions to 2021, counties to areas.

Schemes carry their year: `us_county2022`, `nuts2013`, `us_economic_area2004`. A NUTS concordance holds codes of levels
0 to 3. Level 2: recodes whole, boundary shifts by population (JRC, 2018); parts under 1 % of the people of both regions
are taken for drawing error or too small to weigh, and dropped. Level 1 follows from level 2. Level 3: codes that stay.
Territory that moved between NUTS 2021 and 2024 has no weights yet: a break.
"""

from collections import Counter
from functools import cache

import numpy as np

from etl.errors import UsageError
from etl.harmonise.concordance import Concordance
from etl.reference import counties, county_area, nuts_regions
from etl.reference.counties import (
    COUNTY_LISTS,
    CURRENT_CBSA,
    CURRENT_COUNTY_LIST,
    ECONOMIC_AREA_VINTAGE,
)
from etl.reference.nuts import CURRENT_NUTS, NUTS_VERSIONS
from etl.reference.store import rows

Link = tuple[str, str, float, str, bool]
"""Source code, target code, weight (NaN for a break), weight method, whether only a part."""

NAN = float("nan")


@cache
def counties_to_current(year: int) -> Concordance:
    """Counties of a list (see `etl.reference.counties`) to those of 2020.

    Connecticut's planning regions by their share of towns in each county (equal weights, nothing better at hand).
    Territory that left a county for Broomfield or Ketchikan is a break: the old county keeps its whole amount.
    Raises UsageError for a year that names no list.
    """
    links = [link for code in sorted(counties(year)) for link in _county_links(code, year)]
    return _concordance(
        (f"us_county{year}", f"us_county{CURRENT_COUNTY_LIST}"),
        links,
        "Census Bureau, substantial changes to counties; Connecticut: equal weight to each of its 169 towns",
    )


def _county_links(code: str, year: int) -> list[Link]:
    changed = _grouped("us_county_link", "from_code").get(code, [])
    if code in counties(CURRENT_COUNTY_LIST) and {row["to_code"] for row in changed} <= counties(year).keys():
        changed = []  # the change had happened by then
    whole = [row["to_code"] for row in changed if row["is_partial"] == "0"]
    links: list[Link] = [(code, target, 1 / len(whole), "equal", False) for target in whole]
    links += [(code, row["to_code"], NAN, "equal", True) for row in changed if row["is_partial"] == "1"]
    if links:
        return links
    towns = [row["county_code"] for row in _grouped("connecticut_town", "planning_region_code").get(code, [])]
    if towns:
        return [(code, county, count / len(towns), "equal", False) for county, count in sorted(Counter(towns).items())]
    return [(code, code, 1.0, "unique", False)]


@cache
def _grouped(table: str, column: str) -> dict[str, list[dict[str, str]]]:
    """The rows of a built-in table by the code in one of its columns."""
    groups: dict[str, list[dict[str, str]]] = {}
    for row in rows(table):
        groups.setdefault(row[column], []).append(row)
    return groups


@cache
def counties_to_areas(scheme: str) -> Concordance:
    """Counties of 2020 to `us_economic_area` (2004), `us_cbsa` (2020) or `us_state`; a county in none is left out."""
    vintages = {"us_economic_area": ECONOMIC_AREA_VINTAGE, "us_cbsa": CURRENT_CBSA, "us_state": CURRENT_COUNTY_LIST}
    if scheme not in vintages:
        raise UsageError(f"counties make up no {scheme}; there are: {', '.join(vintages)}")
    current = counties(CURRENT_COUNTY_LIST)
    area = {code: code[:2] for code in current} if scheme == "us_state" else county_area(scheme, vintages[scheme])
    links: list[Link] = [(code, area[code], 1.0, "unique", False) for code in sorted(current) if code in area]
    basis = {"us_economic_area": "Bureau of Economic Analysis, 2004", "us_cbsa": "OMB delineation of March 2020"}
    schemes = (f"us_county{CURRENT_COUNTY_LIST}", f"{scheme}{vintages[scheme]}")
    return _concordance(schemes, links, basis.get(scheme, "first two digits of the code"))


@cache
def nuts_to_current(version: int) -> Concordance:
    """Regions of a NUTS version to those of 2021. Raises UsageError for an unknown version."""
    return _nuts(version, CURRENT_NUTS)


@cache
def _nuts(version: int, target: int) -> Concordance:
    old, new = nuts_regions(version), nuts_regions(target)
    shifts = [
        row for row in rows("nuts_link") if (row["from_version"], row["to_version"]) == (str(version), str(target))
    ]
    moved = {row["from_code"] for row in shifts}
    level2 = [link for code in sorted(moved) for link in _shifted([row for row in shifts if row["from_code"] == code])]
    moved1 = {code[:3] for code in moved}
    level1 = [link for code in sorted(moved1) for link in _level1(code, shifts)]
    kept = sorted(code for code in old if code not in moved and code not in moved1)
    links = [*level2, *level1]
    for code in kept:
        is_there = code in new and (len(code) < 5 or old[code] == new[code])
        links.append((code, code, 1.0, "unique", False) if is_there else (code, "", NAN, "unique", False))
    basis = "JRC conversion of NUTS 2 regions, population 2018; Eurostat changes between versions"
    return _concordance((f"nuts{version}", f"nuts{target}"), links, basis)


def _shifted(changes: list[dict[str, str]]) -> list[Link]:
    """The links of one changed code of level 2."""
    if len(changes) == 1:
        return [(changes[0]["from_code"], changes[0]["to_code"], 1.0, "unique", False)]
    people = [float(row["population_2018"] or "nan") for row in changes]
    total = sum(people)
    return [
        (row["from_code"], row["to_code"], part / total, "population", True)
        for row, part in zip(changes, people, strict=True)
    ]


def _level1(code: str, shifts: list[dict[str, str]]) -> list[Link]:
    """A region of level 1 with changed regions below it; by people where these leave for several."""
    people: dict[str, float] = {}
    below = [row for row in shifts if row["from_code"][:3] == code]
    for row in below:
        target = row["to_code"][:3]
        people[target] = people.get(target, 0.0) + float(row["population_2018"] or 0)
    if len(people) == 1:
        return [(code, next(iter(people)), 1.0, "unique", False)]
    total = sum(people.values())
    return [(code, target, part / total, "population", True) for target, part in sorted(people.items())]


def _concordance(schemes: tuple[str, str], links: list[Link], basis: str) -> Concordance:
    weight = np.array([link[2] for link in links])
    return Concordance(
        *schemes,
        from_code=np.array([link[0] for link in links]),
        to_code=np.array([link[1] for link in links]),
        weight=weight,
        weight_method=np.where(weight == 1, "unique", np.array([link[3] for link in links])),
        is_partial=np.array([link[4] for link in links]),
        basis=basis,
    )


def region_concordances() -> list[Concordance]:
    """All concordances between region lists, for publication."""
    lists = [year for year in COUNTY_LISTS if year != CURRENT_COUNTY_LIST]
    versions = [version for version in NUTS_VERSIONS if version != CURRENT_NUTS]
    return [
        *(counties_to_current(year) for year in lists),
        *(counties_to_areas(scheme) for scheme in ("us_economic_area", "us_cbsa", "us_state")),
        *(nuts_to_current(version) for version in versions),
        _nuts(CURRENT_NUTS, 2024),
    ]
