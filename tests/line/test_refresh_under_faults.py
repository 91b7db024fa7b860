"""One whole refresh per fault: it ends in time, says in one line what happened, publishes the right figures or none.

The next run, without the fault, is right.
"""

import hashlib
import shutil
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
from line_cases import SMALL_DATASETS, figures, published_files, small_publishers

from etl.errors import NothingAvailableError
from etl.mirror import FAULTS, Fault, serve
from etl.run.refresh import RefreshRequest, Summary, ask_publishers, content_of, files_as_of, refresh
from etl.settings import Settings
from etl.storage import Storage

FIRST, SECOND, THIRD = (date(2026, 3, day) for day in (2, 3, 4))
SECONDS = 120
#: Faults that only take time, and those after which a new version is made of other bytes with the same figures.
LONG = {
    *("slow_headers", "slow_drip", "zip_bomb", "gzip_bomb", "429", "redirect_elsewhere"),
    *("windows_lines", "extra_column", "capital_header"),
}
#: Other bytes with the same figures: the long test publishes them.
MEANS_THE_SAME = {"byte_order_mark", "windows_lines", "extra_column", "capital_header"}
#: A small sheet of Eurostat that ends at a line end is whole as far as anybody can tell who never had another.
CUTS = {"cut_at_line", "truncated"}


@dataclass(frozen=True)
class Standing:
    """Small publishers, and a root after its first refresh from them."""

    publishers: Path
    root: Path
    content: str


def settings_of(root: Path) -> Settings:
    return Settings(
        data=str(root),
        workers=1,
        connect_timeout=0.5,
        read_timeout=0.5,
        stall_seconds=0.5,
        stall_bytes=1000,
        retries=1,
        backoff=0.01,
        fetch_budget=5,
        unpacked_bytes_max=1 << 26,
    )


def run(publishers: Path, root: Path, day: date, *faults: Fault) -> Summary:
    with serve(publishers, faults=faults) as address:
        asked = RefreshRequest(day, SMALL_DATASETS, (2019,), address, is_invented=True)
        return refresh(Storage(str(root)), asked, settings_of(root))


def content(root: Path, day: date) -> str:
    """What a snapshot of the root as of this day is made of."""
    return content_of(files_as_of(Storage(str(root)), day), settings_of(root), is_invented=True)


def assert_whole(root: Path) -> None:
    """No torn file: every object is what its name says, and nothing temporary is left."""
    for path in (root / "archive" / "objects").rglob("*"):
        if path.is_file():
            assert hashlib.sha256(path.read_bytes()).hexdigest() == path.parent.name + path.name
    assert Storage(str(root)).clean_leftovers(older_than=-1) == []


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Standing:
    publishers = small_publishers(tmp_path_factory.mktemp("publishers"))
    root = tmp_path_factory.mktemp("standing") / "root"
    assert run(publishers, root, FIRST).is_new
    return Standing(publishers, root, content(root, FIRST))


def faults() -> list[object]:
    return [pytest.param(name, marks=pytest.mark.long if name in LONG else []) for name in FAULTS]


@pytest.mark.parametrize("fault", faults())
def test_what_stands_stays_or_is_right(fault: str, standing: Standing, tmp_path: Path) -> None:
    root = tmp_path / "root"
    shutil.copytree(standing.root, root)
    before = published_files(root)
    started = time.monotonic()
    summary = run(standing.publishers, root, SECOND, Fault(fault))
    assert time.monotonic() - started < SECONDS
    assert summary.sentence() and "\n" not in summary.sentence()
    assert before.items() <= published_files(root).items()
    if summary.is_new:
        assert figures(root, str(summary.version)) == figures(root, str(summary.previous))
    else:
        assert content(root, SECOND) == standing.content
        assert published_files(root) == before
    assert_whole(root)
    again = run(standing.publishers, root, THIRD)
    assert again.fetched is not None
    assert not again.fetched.stale and not again.fetched.left_out
    assert figures(root, str(again.version)) == figures(root, FIRST.isoformat())
    assert_whole(root)


@pytest.mark.parametrize("fault", faults())
def test_an_empty_root_gets_what_is_right_or_nothing(fault: str, standing: Standing, tmp_path: Path) -> None:
    """Fetched alone: what a snapshot is made of tells whether it would be the same."""
    root = tmp_path / "root"
    storage = Storage(str(root))
    started = time.monotonic()
    with serve(standing.publishers, faults=[Fault(fault)]) as address:
        spoilt = ask_publishers(storage, RefreshRequest(FIRST, SMALL_DATASETS, (2019,), address), settings_of(root))
    assert time.monotonic() - started < SECONDS
    assert "\n" not in spoilt.sentence()
    assert_whole(root)
    with serve(standing.publishers) as address:
        honest = ask_publishers(storage, RefreshRequest(SECOND, SMALL_DATASETS, (2019,), address), settings_of(root))
    assert not honest.stale and not honest.left_out
    if {copy.sha256 for copy in spoilt.files} <= {
        copy.sha256 for copy in files_as_of(Storage(str(standing.root)), FIRST)
    }:
        assert content(root, SECOND) == standing.content
    else:
        assert fault in MEANS_THE_SAME | CUTS


@pytest.mark.long
@pytest.mark.parametrize("fault", FAULTS)
def test_an_empty_root_is_published_right_or_not_at_all(fault: str, standing: Standing, tmp_path: Path) -> None:
    root = tmp_path / "root"
    try:
        summary = run(standing.publishers, root, FIRST, Fault(fault))
    except NothingAvailableError as error:
        assert "\n" not in str(error)
        assert published_files(root) == {}
    else:
        right = figures(standing.root, FIRST.isoformat())
        published = figures(root, str(summary.version))
        sources = {row[0] for row in published}
        assert published == [row for row in right if row[0] in sources] or fault in CUTS
    again = run(standing.publishers, root, SECOND)
    if fault not in CUTS:
        assert figures(root, str(again.version)) == figures(standing.root, FIRST.isoformat())
