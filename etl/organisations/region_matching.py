"""Finds the region an organisation gives, by code or name, else its country; and tells which regions overlap."""

import re
from functools import cache
from typing import NamedTuple

from etl.reference import area_names, counties, county_area, is_extra_regio, nuts_regions, states
from etl.reference.counties import CURRENT_COUNTY_LIST, ECONOMIC_AREA_VINTAGE
from etl.reference.nuts import CURRENT_NUTS
from etl.reference.store import rows

STATE_VINTAGE = 2020
CBSA_VINTAGE = 2020


class PlacedRegion(NamedTuple):
    """Scheme, code and vintage of a region."""

    scheme: str
    code: str
    vintage: int


def match_region(region: str, country: str) -> PlacedRegion | None:
    """The region that a code or name stands for, in the vintages published; the country where it stands for none.

    American: two digits or the letters of a state, economic areas, counties and metropolitan areas by their five
    digits. European: NUTS of any version, brought to 2021 where one region is the other. None without a country.
    """
    text = re.sub(r"^[a-z][a-z0-9_]*:", "", region.strip())
    found = None
    if text and country in ("US", ""):
        found = _american(text)
    if text and found is None and country != "US":
        found = _european(text, country)
    return found or _nation(country)


def _american(text: str) -> PlacedRegion | None:
    codes = {row["state_abbreviation"]: row["state_code"] for row in rows("us_state")}
    codes |= {name.casefold(): code for code, name in states().items()}
    code = codes.get(text, codes.get(text.casefold(), text))
    if code in states():
        return PlacedRegion("us_state", code, STATE_VINTAGE)
    for scheme, vintage in (("us_economic_area", ECONOMIC_AREA_VINTAGE), ("us_cbsa", CBSA_VINTAGE)):
        if text in area_names(scheme, vintage) and text not in counties(CURRENT_COUNTY_LIST):
            return PlacedRegion(scheme, text, vintage)
    return PlacedRegion("us_county", text, CURRENT_COUNTY_LIST) if text in counties(CURRENT_COUNTY_LIST) else None


def _european(text: str, country: str) -> PlacedRegion | None:
    known = nuts_regions(CURRENT_NUTS)
    code = re.sub("^GR", "EL", re.sub("^GB", "UK", text.upper().replace(" ", "")))
    code = _successors().get(code, code)
    if code not in known:
        named = [c for c, name in known.items() if name.casefold() == text.casefold() and c.startswith(country)]
        code = max(named, key=len) if named else code
    if not re.fullmatch("[A-Z]{2}[A-Z0-9]{0,3}", code) or not code.startswith(country):
        return None
    # A code of a version that is gone: the region above it, where the text is a code and not some place's name.
    while len(code) > 2 and code not in known and re.search(r"\d", text):
        code = code[:-1]
    if code not in known or is_extra_regio(code):
        return None
    return PlacedRegion(f"nuts{len(code) - 2}", code, CURRENT_NUTS)


def _nation(country: str) -> PlacedRegion | None:
    if country == "US":
        return PlacedRegion("us_nation", "US", STATE_VINTAGE)
    return PlacedRegion("nuts0", country, CURRENT_NUTS) if country in nuts_regions(CURRENT_NUTS) and country else None


@cache
def _successors() -> dict[str, str]:
    """Codes of older NUTS versions that are gone, and the one region of 2021 that each became part of."""
    found: dict[str, set[str]] = {}
    for row in rows("nuts_link"):
        if row["to_version"] == str(CURRENT_NUTS):
            found.setdefault(row["from_code"], set()).add(row["to_code"])
    current = nuts_regions(CURRENT_NUTS)
    return {old: next(iter(new)) for old, new in found.items() if len(new) == 1 and old not in current}


def overlap(first: PlacedRegion, second: PlacedRegion) -> bool:
    """Whether two regions below the nation share territory; a nation is no answer to where, and overlaps nothing."""
    if first.scheme.startswith("nuts") and second.scheme.startswith("nuts"):
        shorter, longer = sorted((first.code, second.code), key=len)
        return len(shorter) > 2 and longer.startswith(shorter)
    return bool(_counties_of(first) & _counties_of(second))


@cache
def _counties_of(region: PlacedRegion) -> frozenset[str]:
    if region.scheme == "us_county":
        return frozenset({region.code})
    if region.scheme == "us_state":
        return frozenset(code for code in counties(CURRENT_COUNTY_LIST) if code.startswith(region.code))
    if region.scheme in ("us_economic_area", "us_cbsa"):
        members = county_area(region.scheme, region.vintage)
        return frozenset(county for county, area in members.items() if area == region.code)
    return frozenset()
