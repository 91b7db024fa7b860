"""Made-up bulk files of County Business Patterns: an economy drawn at random, in the publisher's layout."""

import csv
import hashlib
import io
import sys
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv

from etl import reference
from etl.sources.base import ArchivedFile
from etl.sources.census_cbp import CensusCbp
from etl.sources.census_disclosure import RANGES

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "estimate"))
from synthetic import CLASSES, economy

SCHEMES = {"us": "us_nation", "st": "us_state", "co": "us_county"}
COUNTIES = 3143
ESTABLISHMENTS = 7_000_000


@dataclass(frozen=True, slots=True)
class Era:
    """A reference year and how it withholds: by range letters (to 2016), or by leaving small cells out."""

    year: int
    naics_vintage: int
    county_vintage: int
    drops: bool


LETTERS = Era(2012, 2012, 2013, drops=False)
DROPPED = Era(2019, 2017, 2020, drops=True)


def write_files(folder: Path, era: Era, counties: int = COUNTIES, industries: int = 978) -> int:
    """Write the national, state and county file of a year into `folder` and return the cells in them."""
    names = sorted(reference.counties(era.county_vintage))
    chosen = [names[at] for at in np.linspace(0, len(names) - 1, min(counties, len(names))).astype(int)]
    made = economy(
        ESTABLISHMENTS * len(chosen) // COUNTIES,
        len(chosen),
        industries,
        year=era.year,
        dropped=era.drops,
        naics_vintage=era.naics_vintage,
        county_codes=chosen,
    )
    folder.mkdir(parents=True, exist_ok=True)
    for kind, scheme in SCHEMES.items():
        rows = made.cells.filter(pc.equal(made.cells["region_scheme"], scheme))
        name = f"cbp{era.year % 100:02d}{kind}"
        text = io.BytesIO()
        pcsv.write_csv(bulk_rows(rows, kind, era), text, pcsv.WriteOptions(quoting_style="all_valid"))
        with zipfile.ZipFile(folder / f"{name}.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.writestr(f"{name}.txt", text.getvalue())
    return int(made.cells.num_rows)


def bulk_rows(cells: pa.Table, kind: str, era: Era) -> pa.Table:
    """The lines of one bulk file, as the publisher has them."""
    region = cells["region_code"].cast(pa.string())
    places = {
        "us": {"uscode": pa.array(["98"] * cells.num_rows)},
        "st": {"fipstate": region},
        "co": {"fipstate": pc.utf8_slice_codeunits(region, 0, 2), "fipscty": pc.utf8_slice_codeunits(region, 2, 5)},
    }
    code = cells["industry_code"].cast(pa.string())
    is_short = pc.less_equal(pc.utf8_length(code), 2)
    dashed = pc.utf8_rpad(pc.if_else(pc.equal(code, "00"), "", code), 6, "-")
    columns = {**places[kind], "naics": pc.if_else(is_short, dashed, pc.utf8_rpad(code, 6, "/"))}
    if kind != "co":
        columns["lfo"] = pa.array(["-"] * cells.num_rows)
    is_withheld = pc.is_null(cells["employment"])
    if not era.drops:
        starts = np.array([low for low, _ in RANGES.values()])
        at = np.searchsorted(starts, cells["employment_low"].to_numpy(), side="right") - 1
        columns["empflag"] = pc.if_else(is_withheld, pa.array(np.array(list(RANGES))[at]), "")
    for name, figures in (
        ("emp", cells["employment"]),
        ("qp1", pc.divide(cells["payroll"], 4000)),
        ("ap", pc.divide(cells["payroll"], 1000)),
    ):
        columns[f"{name}_nf"] = pc.if_else(is_withheld, "D", "G")
        columns[name] = pc.round(pc.fill_null(figures, 0)).cast(pa.int64())
    columns["est"] = cells["establishments"].cast(pa.int64())
    heads = ["n<5" if era.drops else "n1_4", *(f"n{name}" for name in CLASSES[1:8]), "n1000"]
    heads += [f"n1000_{number}" for number in range(1, 5)]
    sizes = [*CLASSES[:8], "1000", *CLASSES[8:]]
    columns |= {head: cells[f"establishments_{name}"] for head, name in zip(heads, sizes, strict=True)}
    return pa.table(columns)


def archived(folder: Path, era: Era, year: int | None = None) -> list[ArchivedFile]:
    """The files of `write_files` as the archive hands them out, for `year` where it is another than the era's."""
    files = []
    for request in CensusCbp().requests([year or era.year]):
        path = folder / f"cbp{era.year % 100:02d}{request.kind}.zip"
        if request.kind in SCHEMES:
            size = path.stat().st_size
            files.append(
                ArchivedFile(
                    request.dataset, request.url, request.kind, request.content, request.year, "0" * 64, size, path
                )
            )
    return files


def write_index(folder: Path, files: Iterable[ArchivedFile]) -> Path:
    """Write the index by which the mirror server finds the files, and return the folder."""
    with (folder / "index.csv").open("w", newline="", encoding="utf-8") as index:
        rows = csv.writer(index)
        rows.writerow(["url", "path", "content_type", "gzipped", "bytes", "sha256", "origin", "note"])
        for file in files:
            digest = hashlib.sha256(file.path.read_bytes()).hexdigest()
            rows.writerow(
                [file.url, file.path.name, "application/zip", 0, file.bytes, digest, "invented", "invented figures"]
            )
    return folder
