"""Builds table region: names, countries and parents of the regions that the facts use."""

from collections.abc import Callable
from typing import NamedTuple

import pyarrow as pa

from etl.contracts import contract
from etl.errors import SourceFormatError
from etl.reference.counties import STATEWIDE, area_names, counties, states
from etl.reference.nuts import is_extra_regio, nuts_parent, nuts_regions

# Comparable levels: L = states with NUTS 1, M = economic areas with NUTS 2, S = counties and CBSA with NUTS 3.
REGION_LEVEL = {
    "us_state": "L",
    "nuts1": "L",
    "us_economic_area": "M",
    "nuts2": "M",
    "us_county": "S",
    "us_cbsa": "S",
    "nuts3": "S",
}

AGGREGATES = {
    "EU27_2020": "European Union, 27 countries (from 2020)",
    "EU28": "European Union, 28 countries (2013-2020)",
}

# Nation and states have one list.
US_PARENT_VINTAGE = 2020

REMAINDER_NAME = "Not allocated to a region"


class _Region(NamedTuple):
    name: str
    country_code: str
    parent_scheme: str | None
    parent_code: str | None
    is_extra_regio: bool = False


def _us_nation(code: str, vintage: int) -> _Region | None:
    return _Region("United States", "US", None, None) if code == "US" else None


def _us_state(code: str, vintage: int) -> _Region | None:
    if code == "99":
        return _Region(REMAINDER_NAME, "US", "us_nation", "US", True)
    name = states().get(code)
    return _Region(name, "US", "us_nation", "US") if name else None


def _us_county(code: str, vintage: int) -> _Region | None:
    state = states().get(code[:2])
    if state and code[2:] == STATEWIDE:
        return _Region(f"{state}, statewide", "US", "us_state", code[:2], True)
    name = counties(vintage).get(code)
    return _Region(f"{name}, {state}", "US", "us_state", code[:2]) if name and state else None


def _us_area(scheme: str) -> Callable[[str, int], _Region | None]:
    def build(code: str, vintage: int) -> _Region | None:
        name = area_names(scheme, vintage).get(code)
        return _Region(name, "US", "us_nation", "US") if name else None

    return build


def _nuts(level: int) -> Callable[[str, int], _Region | None]:
    def build(code: str, vintage: int) -> _Region | None:
        if len(code) != level + 2:
            return None
        name = nuts_regions(vintage).get(code)
        if name is None and is_extra_regio(code):
            name = REMAINDER_NAME
        if name is None:
            return None
        parent = nuts_parent(code)
        return _Region(name, code[:2], f"nuts{level - 1}" if parent else None, parent, is_extra_regio(code))

    return build


def _aggregate(code: str, vintage: int) -> _Region | None:
    return _Region(AGGREGATES[code], "EU", None, None) if code in AGGREGATES else None


_BUILDERS: dict[str, Callable[[str, int], _Region | None]] = {
    "us_nation": _us_nation,
    "us_state": _us_state,
    "us_county": _us_county,
    "us_cbsa": _us_area("us_cbsa"),
    "us_economic_area": _us_area("us_economic_area"),
    "eu_aggregate": _aggregate,
    **{f"nuts{level}": _nuts(level) for level in range(4)},
}


def regions(keys: pa.Table) -> pa.Table:
    """Describe the regions with these keys and those above them, by the contract of table region; each stands once.

    `keys`: columns region_scheme, region_code, region_vintage. Raises SourceFormatError naming the keys that no
    built-in list knows: nothing is published about a region without a name.
    """
    names = ["region_scheme", "region_code", "region_vintage"]
    plain = [keys.column(name).cast(pa.int16() if name == "region_vintage" else pa.string()) for name in names]
    distinct = pa.table(plain, names=names).group_by(names).aggregate([]).to_pylist()
    there = {tuple(key[name] for name in names) for key in distinct}
    found, unknown = [], []
    for key in distinct:  # grows by the parents that no fact is about
        scheme, code, vintage = (key[name] for name in names)
        region = _BUILDERS[scheme](code, vintage) if scheme in _BUILDERS else None
        if region is None:
            unknown.append(f"{scheme}:{code} ({vintage})")
            continue
        above = (region.parent_scheme, region.parent_code, vintage if scheme.startswith("nuts") else US_PARENT_VINTAGE)
        if region.parent_code is not None and above not in there:
            there.add(above)
            distinct.append(dict(zip(names, above, strict=True)))
        found.append(
            {
                **key,
                "region_name": region.name,
                "country_code": region.country_code,
                "parent_scheme": region.parent_scheme,
                "parent_code": region.parent_code,
                "region_level": None if region.is_extra_regio else REGION_LEVEL.get(scheme),
                "is_extra_regio": region.is_extra_regio,
            }
        )
    if unknown:
        raise SourceFormatError(f"regions in no built-in list: {', '.join(sorted(unknown)[:10])}")
    return contract("region").conform(pa.Table.from_pylist(found) if found else contract("region").empty())
