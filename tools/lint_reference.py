"""Looks for what must not be in the built-in tables: codes of no list, orphans, duplicates, changes unexplained."""

import json
import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from etl.reference.clusters import NAICS_VINTAGES, cluster_codes, naics_codes
from etl.reference.counties import COUNTY_LISTS, CURRENT_COUNTY_LIST, counties, county_area, states
from etl.reference.nace import nace_classes, nace_levels, nace_parent
from etl.reference.nuts import CURRENT_NUTS, NUTS_VERSIONS, is_extra_regio, nuts_parent, nuts_regions
from etl.reference.store import FOLDER, names, read, rows
from etl.reference.us_employment import VINTAGE_OF_YEAR, us_employment

WITHOUT_NAICS_LINK = frozenset({"98.10", "98.20"})
"""NACE 2 classes (households producing for own use) to which no NAICS industry leads."""


@cache
def described() -> dict[str, dict[str, Any]]:
    """What `tables.json` says of each table: title, origin, key, columns."""
    found: dict[str, dict[str, Any]] = json.loads((FOLDER / "tables.json").read_text("utf-8"))
    return found


def lint() -> list[str]:
    """Every problem of the built-in tables, each as a sentence; empty if there is none."""
    checks = (_tables, _naics, _clusters, _nace, _overrides, _employment, _counties, _areas, _nuts, _nuts_links)
    return [problem for check in checks for problem in check()]


def _missing(what: str, codes: Iterable[str], listed: Iterable[str]) -> Iterator[str]:
    lacking = sorted(set(codes) - set(listed))
    if lacking:
        yield f"{what}: {', '.join(lacking[:10])}" + (" …" if len(lacking) > 10 else "")


def _tables() -> Iterator[str]:
    """Every table described, its columns too; keys unique and sorted; nothing empty that may not be."""
    yield from _missing("tables that are not described", names(), described())
    yield from _missing("descriptions without a table", described(), names())
    for name in sorted(set(names()) & described().keys()):
        columns, about = read(name), described()[name]
        if list(columns) != list(about["columns"]):
            yield f"{name}: columns {list(columns)} are not those described"
            continue
        keys = list(zip(*(columns[column] for column in about["key"]), strict=True))
        if len(set(keys)) != len(keys):
            yield f"{name}: a key is given twice"
        for column, values in columns.items():
            if column not in about["optional"] and not all(values):
                yield f"{name}.{column}: empty in row {values.index('') + 2}"
            if any(value != value.strip() for value in values):
                yield f"{name}.{column}: spaces about a value"


def _naics() -> Iterator[str]:
    """Links join codes of their own vintages; every code of both lists is in them or in both lists."""
    for row in rows("naics_code"):
        if not re.fullmatch(r"\d{6}", row["naics_code"]):
            yield f"naics_code: {row['naics_code']} has not six digits"
    table = rows("naics_link")
    for pair in sorted({(int(row["from_vintage"]), int(row["to_vintage"])) for row in table}):
        links = [row for row in table if (int(row["from_vintage"]), int(row["to_vintage"])) == pair]
        source, target = ({row[side] for row in links} for side in ("from_code", "to_code"))
        older, newer = naics_codes(pair[0]), naics_codes(pair[1])
        yield from _missing(f"naics_link {pair}: sources of no list", source, older)
        yield from _missing(f"naics_link {pair}: targets of no list", target, newer)
        yield from _missing(f"naics_link {pair}: codes that lead nowhere", older - newer, source)
        yield from _missing(f"naics_link {pair}: codes that nothing leads to", newer - older, target)


def _clusters() -> Iterator[str]:
    """Each vintage's list holds codes of that vintage once, and reaches every cluster; subclusters exist."""
    known = {(row["cluster_code"], row["subcluster_code"]) for row in rows("subcluster")}
    table = rows("naics_cluster")
    for row in table:
        if row["subcluster_code"] and (row["cluster_code"], row["subcluster_code"]) not in known:
            yield f"naics_cluster: {row['naics_code']} is in no known subcluster"
    for vintage in NAICS_VINTAGES[:-1]:
        listed = [row for row in table if str(vintage) in row["vintages"].split()]
        codes = [row["naics_code"] for row in listed]
        if len(set(codes)) != len(codes):
            yield f"naics_cluster: a code of {vintage} is in two clusters"
        yield from _missing(f"naics_cluster: codes not in NAICS {vintage}", codes, naics_codes(vintage))
        found = {int(row["cluster_code"]) for row in listed}
        yield from _missing(f"naics_cluster {vintage}: empty clusters", map(str, set(cluster_codes()) - found), ())


def _nace() -> Iterator[str]:
    """Links join known codes, every class and every NAICS 2017 code is linked, the levels are closed."""
    for scheme in ("nace2", "nace21"):
        levels = nace_levels(scheme)
        parents = {parent for code in levels if (parent := nace_parent(code, scheme))}
        yield from _missing(f"{scheme}: parents that are no code", parents, levels)
        yield from _missing(f"{scheme}: codes without anything below", set(levels) - set(nace_classes(scheme)), parents)
    links = read("naics2017_nace2")
    yield from _missing("naics2017_nace2: codes not in NAICS 2017", links["naics_code"], naics_codes(2017))
    yield from _missing("naics2017_nace2: codes without a link", naics_codes(2017), links["naics_code"])
    yield from _missing("naics2017_nace2: codes not in NACE 2", links["nace_code"], nace_levels("nace2"))
    lacking = set(nace_classes("nace2")) - set(links["nace_code"])
    yield from _missing("naics2017_nace2: classes without a link", lacking, WITHOUT_NAICS_LINK)


def _overrides() -> Iterator[str]:
    for row in rows("nace_cluster_override"):
        if row["nace_code"] not in nace_classes("nace2"):
            yield f"nace_cluster_override: {row['nace_code']} is no class of NACE 2"
        if int(row["cluster_code"]) not in (0, *cluster_codes()):
            yield f"nace_cluster_override: {row['cluster_code']} is no cluster"
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", row["date"]) or len(row["reason"]) < 20:
            yield f"nace_cluster_override: {row['nace_code']} lacks a date or a reason"


def _employment() -> Iterator[str]:
    """Codes of the right vintage, nothing negative, nothing of the cluster lists left out."""
    clustered = rows("naics_cluster")
    for year, vintage in VINTAGE_OF_YEAR.items():
        amounts = us_employment(year)
        six = {code for code in amounts if len(code) == 6}
        yield from _missing(f"us_employment {year}: codes not in NAICS {vintage}", six, naics_codes(vintage))
        needed = {row["naics_code"] for row in clustered if str(vintage) in row["vintages"].split()}
        yield from _missing(f"us_employment {year}: industries of clusters without a figure", needed, six)
        if min(amounts.values()) < 0:
            yield f"us_employment {year}: a negative figure"


def _counties() -> Iterator[str]:
    """Every county of every list leads to the current list; towns and links name known codes."""
    current = counties(CURRENT_COUNTY_LIST)
    links, towns = read("us_county_link"), read("connecticut_town")
    moved = {*links["from_code"], *towns["planning_region_code"]}
    every = {code for year in COUNTY_LISTS for code in counties(year)}
    yield from _missing("us_county: counties that do not lead to the current list", every - moved, current)
    yield from _missing("us_county_link: sources of no list", links["from_code"], every)
    yield from _missing("us_county_link: targets not in the current list", links["to_code"], current)
    yield from _missing("us_county: counties of no state", {code[:2] for code in every}, states())
    yield from _missing("connecticut_town: counties of no list", towns["county_code"], counties(2021))
    yield from _missing("connecticut_town: regions of no list", towns["planning_region_code"], counties(2022))
    regions = {code for code in counties(2022) if code.startswith("09")}
    yield from _missing("connecticut_town: regions without a town", regions, towns["planning_region_code"])


def _areas() -> Iterator[str]:
    """Each county in one economic area; areas named and not empty."""
    area = county_area("us_economic_area", 2004)
    yield from _missing("us_county_area: counties in no economic area", counties(CURRENT_COUNTY_LIST), area)
    named = {(row["area_scheme"], row["area_vintage"], row["area_code"]) for row in rows("us_area")}
    used = {(row["area_scheme"], row["area_vintage"], row["area_code"]) for row in rows("us_county_area")}
    yield from _missing("us_area: areas without a name", map(str, used), map(str, named))
    yield from _missing("us_area: areas without a county", map(str, named), map(str, used))
    for year, version in ((2020, 2020), (2022, 2023)):
        listed = {code for code in county_area("us_cbsa", version) if not code.startswith("72")}
        yield from _missing(f"us_county_area: counties of CBSA {version} in no list", listed, counties(year))


def _nuts() -> Iterator[str]:
    """Parents are of the same version; extra-regio marks agree with the codes."""
    for row in rows("nuts_region"):
        if (row["is_extra_regio"] == "1") != is_extra_regio(row["nuts_code"]):
            yield f"nuts_region: {row['nuts_code']} is marked wrongly as extra-regio"
    for version in NUTS_VERSIONS:
        listed = nuts_regions(version)
        parents = {parent for code in listed if (parent := nuts_parent(code)) and not is_extra_regio(code)}
        yield from _missing(f"nuts_region {version}: parents that are no region", parents, listed)
        if sum(str(version) in row["versions"].split() for row in rows("nuts_region")) != len(listed):
            yield f"nuts_region {version}: a code has two names"


def _nuts_links() -> Iterator[str]:
    """Links join codes of their versions, and every region of level 2 that is gone leads somewhere."""
    table = rows("nuts_link")
    for version in NUTS_VERSIONS:
        links = [row for row in table if (row["from_version"], row["to_version"]) == (str(version), str(CURRENT_NUTS))]
        source, target = {row["from_code"] for row in links}, {row["to_code"] for row in links}
        countries = {code[:2] for code in nuts_regions(version)}
        yield from _missing(f"nuts_link {version}: targets of no list", target, nuts_regions(CURRENT_NUTS))
        own = {code for code in source if code[:2] in countries}
        yield from _missing(f"nuts_link {version}: sources of no list", own, nuts_regions(version))
        level2 = {code for code in nuts_regions(version) if len(code) == 4 and code[:2] in countries}
        known = {code[:2] for code in nuts_regions(CURRENT_NUTS)}
        gone = {code for code in level2 if code[:2] in known} - nuts_regions(CURRENT_NUTS).keys()
        yield from _missing(f"nuts_link {version}: regions that lead nowhere", gone, source)
