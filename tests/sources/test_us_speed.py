"""A county year of County Business Patterns against a bare read of the same rows: a ratio of processor time."""

import io
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pcsv
import pytest
from us_files import OPEN_SIZES, SIZES, archived, request_of

from etl import reference
from etl.sources.base import ArchivedFile
from etl.sources.census_cbp import CensusCbp
from etl.sources.naics_codes import known_codes

CBP = CensusCbp()
YEAR = 2021


def text_of(numbers: np.ndarray, values: list[str]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(numbers.astype(np.int32)), pa.array(values)).cast(pa.string())


def county_file(folder: Path, rows: int) -> ArchivedFile:
    """An invented county file of so many rows in the layout of 2018 and later."""
    random = np.random.default_rng(20)
    counties = sorted(reference.counties(2020))
    codes = sorted(known_codes(2017) - {"00"})
    each = -(-rows // len(counties))
    county = np.repeat(np.arange(len(counties)), each)[:rows]
    industry = np.concatenate([np.sort(random.choice(len(codes), each, replace=False)) for _ in counties])[:rows]
    employment = random.integers(3, 50_000, rows)
    columns: dict[str, pa.Array] = {
        "fipstate": text_of(county, [code[:2] for code in counties]),
        "fipscty": text_of(county, [code[2:] for code in counties]),
        "naics": text_of(industry, [code.ljust(6, "-" if len(code) == 2 else "/") for code in codes]),
    }
    for name, factor in (("emp", 1), ("qp1", 10), ("ap", 40)):
        columns[f"{name}_nf"] = text_of(random.integers(0, 4, rows), ["G", "H", "J", "S"])
        columns[name] = pa.array(employment * factor)
    columns["est"] = pa.array(random.integers(3, 900, rows))
    for name in ("n<5", *SIZES, *OPEN_SIZES):
        columns[name] = text_of(random.integers(0, 6, rows), ["N", "N", "N", "3", "4", "12"])
    text = io.BytesIO()
    pcsv.write_csv(pa.table(columns), text)
    path = folder / "cbp21co.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("cbp21co.txt", text.getvalue())
    return archived(request_of(CBP, YEAR, "co"), path)


def bare_read(file: ArchivedFile) -> pa.Table:
    with zipfile.ZipFile(file.path) as archive, archive.open("cbp21co.txt") as stream:
        return pcsv.read_csv(stream)


def fastest(work: Callable[[], object], times: int = 3) -> float:
    seconds = []
    for _ in range(times):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds)


@pytest.mark.parametrize("rows", [400_000, pytest.param(2_000_000, marks=pytest.mark.long)])
def test_reading_a_county_year_costs_little_more_than_a_bare_read(tmp_path: Path, rows: int) -> None:
    file = county_file(tmp_path, rows)
    table = CBP.parse([file], YEAR).tables["region_industry"]
    assert table.num_rows == rows
    assert table.nbytes < 150 * rows, "columns of two million rows must stay small"
    del table
    ratio = fastest(lambda: CBP.parse([file], YEAR)) / fastest(lambda: bare_read(file))
    assert ratio < 2.5
