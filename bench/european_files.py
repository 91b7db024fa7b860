"""Invented sheets of Eurostat's structural business statistics at real size: regions by division, nations by class."""

import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv

from etl import reference
from etl.sources import nace_codes
from etl.sources.base import ArchivedFile
from etl.sources.eurostat_national import EurostatSbsNational, EurostatSbsOvw
from etl.sources.eurostat_sbs import EurostatSbs
from etl.sources.eurostat_sbs_ebs import EurostatSbsEbs
from etl.sources.eurostat_table import EurostatTable

#: Sections that the sheets before 2021 hold, and those that came with 2021.
BEFORE_2021 = "BCDEFGHIJLMN"
FROM_2021 = "BCDEFGHIJKLMNPQRS"
REPAIR = "95"
#: First letters of sections in each of the four national sheets before 2021.
NATIONAL_SHEETS = {"ind": "BCDE", "con": "F", "dt": "G", "1a_se": "HIJLMN"}
PERSONS = 3e6
NUTS_VERSION = {EurostatSbs: 2016, EurostatSbsEbs: 2021}


def write_sheets(folder: Path, every: int = 1) -> list[ArchivedFile]:
    """Write every sheet of both layouts, all years in each; return the files as the archive hands them out.

    `every`: only each so manieth region, for tests.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for dataset, years in (
        (EurostatSbs(), range(2008, 2021)),
        (EurostatSbsEbs(), range(2021, 2024)),
        (EurostatSbsNational(), range(2008, 2021)),
        (EurostatSbsOvw(), range(2021, 2024)),
    ):
        for request in dataset.requests(years):
            path = folder / f"{request.kind}.tsv.gz"
            path.write_bytes(gzip.compress(_sheet(dataset, request.kind, list(years), every), compresslevel=1))
            size = path.stat().st_size
            files.append(
                ArchivedFile(request.dataset, request.url, request.kind, request.content, None, "0" * 64, size, path)
            )
    return files


def _sheet(dataset: EurostatTable, kind: str, years: Sequence[int], every: int) -> bytes:
    is_national = dataset.layout.by_nation
    rng = np.random.default_rng(len(kind))
    places = _areas(2016 if years[0] < 2021 else 2021)[::every]
    if is_national:
        places = sorted({place[:2] for place in places})
    finest = _activities(dataset, kind, years[0])
    activities, below = _with_sums(dataset, finest)
    areas = sorted({place[:length] for place in places for length in range(2, len(place) + 1)})
    inside = np.array([[place.startswith(area) for place in places] for area in areas], np.float64)
    shares = rng.lognormal(0, 1.0, len(places))[:, None] * rng.lognormal(0, 1.3, len(finest))
    shares *= rng.lognormal(0, 0.7, shares.shape)
    persons = np.round(shares / shares.sum() * PERSONS * 40)
    units = np.ceil(persons / rng.uniform(2, 30, len(finest)))
    layout = dataset.layout
    blocks = []
    for indicator, amounts, scale in (
        (layout.employment, persons, 1.0),
        (layout.units, units, 1.0),
        (layout.wages, persons, 0.03),
    ):
        is_hidden = _hidden(inside @ units @ below, rng, is_national) & (indicator != layout.units)
        columns = {"key": _keys(dataset, activities, indicator, areas)}
        for number, year in enumerate(years):
            figures = inside @ np.round(amounts * (1 + 0.01 * number)) @ below * scale
            columns[str(year)] = _cells(figures.ravel(), is_hidden.ravel())
        blocks.append(pa.table(columns))
    text = pa.BufferOutputStream()
    dimensions = f"freq,{layout.activity},{layout.indicator},geo\\TIME_PERIOD"
    text.write("\t".join([dimensions, *(f"{year} " for year in years)]).encode() + b"\n")
    options = pcsv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none")
    pcsv.write_csv(pa.concat_tables(blocks), text, options)
    body: bytes = text.getvalue().to_pybytes()
    return body


def _areas(version: int) -> list[str]:
    """NUTS 2 regions of the members, the United Kingdom (before 2021), Norway and Switzerland."""
    members = {code[:2] for code in reference.nuts_regions(2024)} | ({"UK"} if version == 2016 else set())
    found = reference.nuts_regions(version)
    return sorted(code for code in found if len(code) == 4 and not code.endswith("ZZ") and code[:2] in members)


def _activities(dataset: EurostatTable, kind: str, first_year: int) -> list[str]:
    """Codes of the finest level in a sheet, dotted."""
    levels = nace_codes.levels("nace2")
    sections = BEFORE_2021 if first_year < 2021 else FROM_2021
    for name, letters in NATIONAL_SHEETS.items():
        if kind.startswith(f"sbs_na_{name}"):
            sections = letters
    wanted = "class" if dataset.layout.by_nation else "division"
    return [
        code
        for code, level in levels.items()
        if level == wanted
        and (nace_codes.section_of(code[:2], "nace2") in sections or code[:2] == REPAIR)
        and code[:2] != "94"
        and (code[:2] != REPAIR or first_year >= 2021 or (kind.endswith(("r2", "se_r2")) and "na_" not in kind))
    ]


def _with_sums(dataset: EurostatTable, finest: Sequence[str]) -> tuple[list[str], npt.NDArray[np.float64]]:
    """All activities of a sheet as Eurostat spells them, and which of the finest each holds (finest by activity)."""
    section = {code: nace_codes.section_of(code[:2], "nace2") for code in finest}
    groups: dict[str, set[str]] = {}
    for code in finest:
        above = {code[:2], code[:4]} if len(code) > 2 else set()
        for one in {code, *above}:
            groups.setdefault(section[code] + one.replace(".", ""), set()).add(code)
        if section[code] != "S" or dataset.layout.total != "B-N_S95_X_K":
            groups.setdefault(section[code], set()).add(code)
        if dataset.layout.total:
            groups.setdefault(dataset.layout.total, set()).add(code)
    if dataset.layout.total and "94" not in str(dataset.layout.total) and "S" in groups:
        del groups["S"]
    names = sorted(groups)
    return names, np.array([[code in groups[name] for name in names] for code in finest], np.float64)


def _hidden(units: npt.NDArray[np.float64], rng: np.random.Generator, is_national: bool) -> npt.NDArray[np.bool_]:
    """Confidential: few local units, and some more that would give them away."""
    return (units < (3 if is_national else 10)) | (rng.random(units.shape) < (0.02 if is_national else 0.05))


def _keys(dataset: EurostatTable, activities: Sequence[str], indicator: str, areas: Sequence[str]) -> pa.Array:
    """The first column: the codes of each series, areas outermost as in the figures."""
    geo = pa.array(areas).take(pa.array(np.repeat(np.arange(len(areas)), len(activities))))
    activity = pa.array(activities).take(pa.array(np.tile(np.arange(len(activities)), len(areas))))
    return pc.binary_join_element_wise("A", activity, indicator, geo, ",")


def _cells(figures: npt.NDArray[np.float64], is_hidden: npt.NDArray[np.bool_]) -> pa.Array:
    texts = pc.cast(pa.array(np.round(figures).astype(np.int64)), pa.string())
    return pc.if_else(pa.array(is_hidden), ": c", pc.binary_join_element_wise(texts, "", " "))
