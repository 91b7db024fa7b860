"""Every dataset under every fault, from fetch to the reader's tables: the right ones or none, then the right ones."""

import csv
import time
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from small_bodies import REAL, small_bodies
from test_fault_matrix import assert_whole

from etl.archive import Archived, Fetched, fetch, open_archived
from etl.errors import SourceFormatError
from etl.mirror import FAULTS, Fault, serve
from etl.settings import Settings
from etl.sources import DATASETS
from etl.sources.base import Request
from etl.storage import Storage

SECONDS = 60
#: Datasets that need a setting to have an address, and one whose body is made by another test.
ELSEWHERE = {"observatory", "cluster_organisations", "us_boundaries"}
#: What is wrong with these bodies makes no difference to their figures.
HARMLESS = {"gzip_without_header", "flapping_etag", "wrong_encoding", "byte_order_mark", "windows_lines"}
#: A text cut at a line end is told where its figures add up or parts are known that it must have; a few rows are not.
TELLS_A_CUT = {"census_cbp", "us_cluster_mapping", "uk_bres", "eurostat_sbs"}
SHORT = {
    *("html", "truncated", "short_body", "error_in_json", "nested_zip", "cut_at_line", "header_alone", "twice"),
    *("renamed_columns", "extra_column", "capital_header", "byte_order_mark", "windows_lines", "utf16", "below_zero"),
    "no_numbers",
}

Bodies = Mapping[Request, bytes]


@pytest.fixture(scope="module")
def bodies(shared: Path) -> Bodies:
    return small_bodies(shared)


@pytest.fixture(scope="module")
def mirror(bodies: Bodies, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mirror")
    with (folder / "index.csv").open("w", newline="", encoding="utf-8") as stream:
        out = csv.writer(stream)
        out.writerow(["url", "path", "content_type", "gzipped"])
        for number, (request, body) in enumerate(bodies.items()):
            (folder / f"{number}.bin").write_bytes(body)
            out.writerow([request.url, f"{number}.bin", "application/octet-stream", 0])
    return folder


@pytest.fixture
def quick() -> Settings:
    return Settings(
        connect_timeout=0.5,
        read_timeout=0.5,
        stall_seconds=0.5,
        stall_bytes=1000,
        retries=1,
        backoff=0.01,
        fetch_budget=8,
        unpacked_bytes_max=1 << 26,
    )


def ask(mirror: Path, bodies: Bodies, storage: Storage, settings: Settings, run: str, *faults: Fault) -> Fetched:
    with serve(mirror, faults=faults) as address:
        return fetch(
            list(bodies),
            storage,
            dataset_objects=DATASETS,
            mirror_base=address,
            snapshot_date=date(2026, 3, 2),
            run_id=run,
            settings=settings,
        )


def read(storage: Storage, copy: Archived) -> dict[str, pd.DataFrame]:
    """The tables of one copy, in the order of their rows' keys; what the file holds of codes and figures, no more."""
    file = open_archived(storage, copy)
    dataset = DATASETS[copy.dataset]
    year = copy.year if copy.year is not None else next(iter(sorted(dataset.by_year([file]))), None)
    tables = {}
    for name, table in dataset.parse([file], year).tables.items():
        frame = table.to_pandas()
        texts = [column for column in frame if isinstance(frame[column].dtype, pd.CategoricalDtype)]
        frame = frame.astype(dict.fromkeys(texts, str))
        keys = [key for key in ("region_code", "industry_code", "cluster_code") if key in frame]
        tables[name] = frame.sort_values(keys).reset_index(drop=True)
    return tables


@pytest.fixture(scope="module")
def right(mirror: Path, bodies: Bodies, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, pd.DataFrame]]:
    """The tables of every address, as an honest publisher gives them."""
    storage = Storage(tmp_path_factory.mktemp("honest"))
    fetched = ask(mirror, bodies, storage, Settings(), "honest")
    assert not fetched.left_out, [outcome.reason for outcome in fetched.left_out]
    return {copy.url: read(storage, copy) for copy in fetched.files}


def test_every_dataset_is_among_them(bodies: Bodies) -> None:
    assert {request.dataset for request in bodies} == DATASETS.keys() - ELSEWHERE
    assert REAL.keys() <= {request.dataset for request in bodies}


@pytest.mark.parametrize(
    "fault", [pytest.param(name, marks=[] if name in SHORT else pytest.mark.long) for name in FAULTS]
)
def test_right_tables_or_none(
    fault: str,
    mirror: Path,
    bodies: Bodies,
    right: Mapping[str, Mapping[str, pd.DataFrame]],
    quick: Settings,
    tmp_path: Path,
) -> None:
    storage = Storage(tmp_path / "root")
    started = time.monotonic()
    fetched = ask(mirror, bodies, storage, quick, "spoilt", Fault.parse(fault))
    assert time.monotonic() - started < SECONDS
    assert all(outcome.reason and "\n" not in outcome.reason for outcome in fetched.left_out)
    assert not fetched.left_out or fault not in HARMLESS, [outcome.reason for outcome in fetched.left_out]
    for copy in fetched.files:
        if fault in ("cut_at_line", "truncated") and copy.dataset not in TELLS_A_CUT:
            continue
        try:
            found = read(storage, copy)
        except SourceFormatError as error:
            pytest.fail(f"{copy.url} was archived, but cannot be read: {error}")
        assert found.keys() == right[copy.url].keys()
        for name, table in found.items():
            pd.testing.assert_frame_equal(table, right[copy.url][name], check_dtype=False)
    assert_whole(storage)
    again = ask(mirror, bodies, storage, Settings(), "honest")
    assert not again.left_out and not again.stale
    assert {copy.url for copy in again.files} == {request.url for request in bodies}
