"""Invented bulk files of County Business Patterns: a drawn economy, in the publisher's layouts of all its years."""

import csv
import hashlib
import io
import zipfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv

from bench.economy import Cells, added_up, draw
from etl import reference
from etl.sources.base import ArchivedFile
from etl.sources.census_cbp import CensusCbp
from etl.sources.census_disclosure import RANGES

COUNTIES = 3143
INDUSTRIES = 978
ESTABLISHMENTS = 7_000_000
CLASS_HEADS = (
    *("n5_9", "n10_19", "n20_49", "n50_99", "n100_249", "n250_499", "n500_999"),
    *("n1000", "n1000_1", "n1000_2", "n1000_3", "n1000_4"),
)
CONTENT_TYPES = {"zip": "application/zip", "csv": "text/csv", "tsv": "text/tab-separated-values"}


@dataclass(frozen=True, slots=True)
class Era:
    """Years that share codes and layout: range letters (to 2016), noise flags (from 2007), small cells left out."""

    years: Sequence[int]
    naics_vintage: int
    county_list: int
    has_letters: bool = True
    has_noise: bool = True

    @property
    def year(self) -> int:
        """The year whose files are written; those of the others are made from them."""
        return self.years[0]


LETTERS = Era(range(2012, 2017), 2012, 2013)
DROPPED = Era(range(2018, 2022), 2017, 2020, has_letters=False)
ERAS = (
    Era(range(1998, 2001), 1997, 1998, has_noise=False),
    Era(range(2001, 2003), 1997, 2001, has_noise=False),
    Era(range(2003, 2007), 2002, 2001, has_noise=False),
    Era(range(2007, 2008), 2002, 2001),
    Era(range(2008, 2012), 2007, 2008),
    LETTERS,
    Era(range(2017, 2018), 2017, 2020, has_letters=False),
    DROPPED,
    Era(range(2022, 2024), 2017, 2022, has_letters=False),
)


def economy(counties: int = COUNTIES, industries: int = INDUSTRIES) -> Cells:
    """The invented establishments behind all files, as many a county as there are."""
    return draw(counties, industries, ESTABLISHMENTS * counties // COUNTIES)


def write_files(folder: Path, era: Era, leaves: Cells) -> int:
    """Write the national, state and county file of the era's first year into `folder`; return the cells in them."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(era.naics_vintage)
    industries, counties = int(leaves.industry.max()) + 1, int(leaves.region.max()) + 1
    codes = sorted(rng.choice(sorted(reference.naics_codes(era.naics_vintage)), industries, replace=False).tolist())
    names = _counties(era.county_list, counties)
    written = 0
    for file in files_of(folder, era.year):
        regions, region_of = np.unique(_regions(names, file.kind), return_inverse=True)
        cells, spelled = added_up(leaves, region_of, codes)
        rows = bulk_rows(cells, regions.tolist(), spelled, file.kind, era)
        written += rows.num_rows
        text = io.BytesIO()
        pcsv.write_csv(rows, text, pcsv.WriteOptions(quoting_style="all_valid"))
        if file.content == "csv":
            file.path.write_bytes(text.getvalue())
            continue
        with zipfile.ZipFile(file.path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.writestr(f"{Path(file.url).stem}.txt", text.getbuffer())
    return written


def write_years(folder: Path, years: Iterable[int], leaves: Cells) -> list[ArchivedFile]:
    """Write the files of many years: one economy, in the codes and the layout of each year."""
    eras = {era: [year for year in era.years if year in set(years)] for era in ERAS}
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(partial(write_files, folder, leaves=leaves), [era for era, asked in eras.items() if asked]))
    made = []
    for era, asked in eras.items():
        for year in asked:
            made += files_of(folder, year)
            for first, file in zip(files_of(folder, era.year), files_of(folder, year), strict=True):
                if year != era.year:
                    _for_another_year(first.path, file.path, year - era.year)
    return made


def _for_another_year(first: Path, path: Path, later: int) -> None:
    """The same figures for another year in other bytes: guards refuse the same bytes for two years."""
    if path.suffix == ".zip":
        path.write_bytes(first.read_bytes())
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("note.txt", f"invented figures, those of {later} years before")
        return
    head, *lines = first.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([head, *lines[later:], *lines[:later]]))


def _counties(year: int, count: int) -> list[str]:
    """So many counties of a list, of every state where there are enough of them."""
    listed = sorted(reference.counties(year))
    firsts = [code for at, code in enumerate(listed) if at == 0 or code[:2] != listed[at - 1][:2]]
    if count < len(firsts):
        return [listed[at] for at in np.linspace(0, len(listed) - 1, count).astype(int)]
    others = sorted(set(listed) - set(firsts))
    spread = np.linspace(0, len(others) - 1, count - len(firsts)).astype(int) if count > len(firsts) else []
    return sorted([*firsts, *(others[at] for at in spread)])


def _regions(counties: Sequence[str], kind: str) -> list[str]:
    return [{"us": "98", "st": county[:2], "co": county}[kind] for county in counties]


def bulk_rows(cells: Cells, regions: Sequence[str], codes: Sequence[str], kind: str, era: Era) -> pa.Table:
    """The lines of one bulk file, as the publisher has them.

    Withheld are cells of less than three establishments, those in which one has four fifths of the employees, and some
    more that would give others away; where there are no letters, counties leave out the first of these.
    """
    is_total = np.array([code == "00" for code in codes])[cells.industry]
    is_small = (cells.establishments < 3) & ~is_total
    is_withheld = is_small | (cells.largest >= 0.8 * cells.employment)
    is_withheld |= np.random.default_rng(era.year).random(is_small.size) < 0.09
    is_withheld &= ~is_total & era.has_letters
    kept = np.flatnonzero(~is_small | era.has_letters | (kind != "co"))
    place = pa.array(regions).take(pa.array(cells.region[kept]))
    places = {
        "us": {"uscode": place},
        "st": {"fipstate": place},
        "co": {"fipstate": pc.utf8_slice_codeunits(place, 0, 2), "fipscty": pc.utf8_slice_codeunits(place, 2, 5)},
    }
    columns = {
        **places[kind],
        "naics": pa.array([_filled(code) for code in codes]).take(pa.array(cells.industry[kept])),
    }
    if kind != "co":
        columns["lfo"] = pa.array(["-"] * kept.size)
    withheld, employment = is_withheld[kept], cells.employment[kept]
    if era.has_letters:
        letter = np.searchsorted([low for low, _ in RANGES.values()], employment, side="right") - 1
        columns["empflag"] = pa.array([*RANGES, ""]).take(pa.array(np.where(withheld, letter, len(RANGES))))
    pay = employment * (30_000 + 40 * (cells.industry[kept] % 997)) / 1000
    for name, figures in (("emp", employment), ("qp1", pay / 4), ("ap", pay)):
        if era.has_noise:
            columns[f"{name}_nf"] = pa.array(["G", "D"]).take(pa.array(withheld.astype(np.int8)))
        columns[name] = pa.array(np.where(withheld, 0, np.round(figures)).astype(np.int64))
    columns["est"] = pa.array(cells.establishments[kept].astype(np.int64))
    classes = [*cells.classes[:8], cells.classes[8:].sum(axis=0), *cells.classes[8:]]
    heads = ("n1_4" if era.has_letters else "n<5", *CLASS_HEADS)
    return pa.table(columns | {head: pa.array(counts[kept]) for head, counts in zip(heads, classes, strict=True)})


def _filled(code: str) -> str:
    return "------" if code == "00" else code.ljust(6, "-" if len(code) == 2 else "/")


def files_of(folder: Path, year: int) -> list[ArchivedFile]:
    """The national, state and county file of a year in `folder`, as the archive hands them out."""
    found = []
    for request in CensusCbp().requests([year]):
        if request.kind != "msa":
            path = folder / request.url.rsplit("/", 1)[1]
            size = path.stat().st_size if path.exists() else 0
            found.append(
                ArchivedFile(
                    request.dataset, request.url, request.kind, request.content, request.year, "0" * 64, size, path
                )
            )
    return found


def write_index(folder: Path, files: Iterable[ArchivedFile]) -> Path:
    """Write the index by which the mirror server finds the files, and return the folder."""
    with (folder / "index.csv").open("w", newline="", encoding="utf-8") as index:
        rows = csv.writer(index)
        rows.writerow(["url", "path", "content_type", "gzipped", "bytes", "sha256", "origin", "note"])
        for file in files:
            body = file.path.read_bytes()
            kind, digest = CONTENT_TYPES[file.content], hashlib.sha256(body).hexdigest()
            is_gzipped = int(file.path.suffix == ".gz")
            rows.writerow(
                [file.url, file.path.name, kind, is_gzipped, len(body), digest, "invented", "invented figures"]
            )
    return folder
