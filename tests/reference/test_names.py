"""Names of regions, held against the publishers' own files: a letter that was broken on the way is seen here."""

import csv
import gzip
import json
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from etl.reference.counties import COUNTY_LISTS, area_names, counties, states
from etl.reference.nuts import NUTS_VERSIONS, nuts_regions
from etl.reference.store import rows
from etl.sources.base import ArchivedFile
from etl.sources.nuts_changes import NutsChanges
from etl.sources.workbooks import first_sheet, rows_below

PUERTO_RICO = "72"
TITLES = ("CBSA Code", "CBSA Title")

RENAMED = {"02195": "Petersburg Census Area", "22059": "La Salle Parish"}
"""County to its name in US Cluster Mapping's list where the Census Bureau has another: Petersburg is a borough now."""

SHORTENED = {"ME00": "Црна Гора"}
"""Region to its name on Eurostat's map, which leaves the Latin spelling out."""


def answers(shared: Path, part: str) -> Iterator[Any]:
    """The publishers' JSON answers whose address holds `part`, or ends with it where it begins with a slash."""
    for url, path in mirrored(shared):
        if url.endswith(part) if part.startswith("/") else part in url:
            body = path.read_bytes()
            yield json.loads(gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body)


def mirrored(shared: Path) -> Iterator[tuple[str, Path]]:
    """Address and file of everything in the mirror."""
    mirror = shared / "mirror"
    with (mirror / "index.csv").open(encoding="utf-8") as stream:
        yield from ((row["url"], mirror / row["path"]) for row in csv.DictReader(stream))


def workbook(shared: Path, name: str) -> ArchivedFile:
    """A workbook of the mirror as its reader takes it."""
    url, path = next((url, path) for url, path in mirrored(shared) if url.endswith(name))
    return ArchivedFile("", url, "", "xlsx", None, "", path.stat().st_size, path)


def every_county() -> dict[str, str]:
    return {code: name for year in COUNTY_LISTS for code, name in counties(year).items()}


def test_counties_are_called_as_the_census_bureau_calls_them(shared: Path) -> None:
    ours, seen = every_county(), set()
    for header, *cells in answers(shared, "for=county:"):
        name, state, county = (header.index(column) for column in ("NAME", "state", "county"))
        for row in cells:
            seen.add((row[state] + row[county], row[name].replace("\\u00F1", "ñ")))
    assert len({code for code, _ in seen}) > 1800
    assert {(code, f"{ours[code]}, {states()[code[:2]]}") for code, _ in seen} == seen


def test_counties_and_areas_are_called_as_us_cluster_mapping_calls_them(shared: Path) -> None:
    (regions,) = answers(shared, "/data/region")
    ours = {
        "county": every_county() | RENAMED,
        "economic": area_names("us_economic_area", 2004),
        "msa": area_names("us_cbsa", 2013),
    }
    published = [row for row in regions if row["region_type_t"] in ours]
    assert len(published) > 4000
    for row in published:
        name = " ".join(row["name_t"].split())
        code, of_type = row["region_code_t"], ours[row["region_type_t"]]
        # Letters that the portal's own list has lost stand there as a sign of replacement.
        pattern = re.escape(name).replace("\ufffd", r"\w")
        assert code[:2] == PUERTO_RICO or re.fullmatch(pattern, of_type[code]), (code, name, of_type[code])


def test_regions_of_europe_are_called_as_on_eurostats_map(shared: Path) -> None:
    (drawn,) = answers(shared, "NUTS_RG_20M_2021")
    found = {one["properties"]["NUTS_ID"]: one["properties"]["NUTS_NAME"] for one in drawn["features"]}
    ours = nuts_regions(2021) | SHORTENED
    assert len(found) > 300
    assert {code: ours[code] for code in found} == found


def test_regions_of_2024_are_called_as_in_eurostats_workbook(shared: Path) -> None:
    assert NutsChanges().parse([workbook(shared, "NUTS2021-NUTS2024.xlsx")], None).notes == []


def test_metropolitan_areas_are_called_as_in_the_delineation_of_2020(shared: Path) -> None:
    file = workbook(shared, "list1_2020.xls")
    published = {row["CBSA Code"]: row["CBSA Title"] for row in rows_below(first_sheet(file), TITLES, file)}
    ours = area_names("us_cbsa", 2020)
    found = {code: name for code, name in published.items() if code.isdigit()}
    assert len(found) > 900 and {code: ours[code] for code in found} == found


@pytest.mark.parametrize("table", ["us_state", "us_county", "us_area", "nuts_region", "cluster", "subcluster"])
def test_no_name_has_a_broken_letter(table: str) -> None:
    for row in rows(table):
        for name in row.values():
            assert "\ufffd" not in name and not any(unicodedata.category(letter) == "Cc" for letter in name), row
            # A capital between small letters: Latin-1 and code page 850 were taken for one another (DoÐa, EspaÐola).
            inner = [b for a, b, c in zip(name, name[1:], name[2:], strict=False) if a.islower() and c.islower()]
            assert not any(letter.isupper() and letter > "\x7f" for letter in inner), row


def test_a_name_is_the_same_in_every_list_where_the_region_is() -> None:
    names: dict[str, set[str]] = {}
    for version in (2020, 2023):
        for name in area_names("us_cbsa", version).values():
            names.setdefault(name.casefold(), set()).add(name)
    assert {name: spelled for name, spelled in names.items() if len(spelled) > 1} == {}
    assert all(name == name.strip() and "  " not in name for name in every_county().values())
    assert all("\\u" not in name for version in NUTS_VERSIONS for name in nuts_regions(version).values())
