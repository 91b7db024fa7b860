"""A whole refresh is killed at random moments: what is published is whole, the next run goes on, nothing is left."""

import multiprocessing
import os
import random
import time
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from line_cases import SMALL_DATASETS, small_publishers

from etl import snapshots
from etl.archive import known, object_path
from etl.cache import kept_tables
from etl.mirror import serve
from etl.publish import latest_version, versions
from etl.run.refresh import RefreshRequest, Summary, refresh
from etl.settings import Settings
from etl.snapshots.prune import plan_prune, prune
from etl.snapshots.verify import verify
from etl.storage import Storage

DAY = date(2026, 3, 2)
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["etl.run.refresh", "etl.site", "etl.validate", "etl.diff", "s3fs"])


def run(root: str, mirror: str, day: date = DAY) -> Summary:
    settings = Settings(data=root, workers=1)
    return refresh(Storage(root), RefreshRequest(day, SMALL_DATASETS, (2019,), mirror, is_invented=True), settings)


def run_in_child(root: str, mirror: str, variables: dict[str, str], started: Any) -> None:
    """What is killed; its parent process is older than the S3 server."""
    os.environ.update(variables)
    started.set()
    run(root, mirror)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_publishers(tmp_path_factory.mktemp("publishers"))


def check_nothing_is_left(storage: Storage) -> None:
    """Every file in the root is one that somebody tells of."""
    prune(storage, plan_prune(storage, unfinished_after=0))
    told = {"snapshots/latest.json"}
    for version in versions(storage):
        files = snapshots.open(version, storage.root).manifest.files
        told |= {f"snapshots/{version}/{path}" for path in ["manifest.json", "claim.json", *files]}
    told |= {object_path(held.sha256) for held in known(storage).values()}
    notes = [path for path in storage.list("cache") if path.endswith(".json")]
    for note in notes:
        told |= {note, *(table.path for table in kept_tables(storage, note) or ())}
    there = storage.list("")
    assert {path for path in there if not path.startswith("archive/log/")} <= told
    if not storage.root.startswith("s3://"):
        assert sum(path.is_file() for path in Path(storage.root).rglob("*")) == len(there)


def kill_refreshes(roots: list[Storage], publishers: Path, kills: int) -> None:
    """Kill a refresh of each root so many times, each going on where the one before was killed."""
    chance = random.Random(kills)
    with serve(publishers) as mirror:
        for storage in roots:
            seconds = 8.0
            for _ in range(kills):
                variables = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
                started = CONTEXT.Event()
                process = CONTEXT.Process(target=run_in_child, args=(storage.root, mirror, variables, started))
                process.start()
                assert started.wait(60)
                start = time.monotonic()
                process.join(chance.uniform(0, seconds))
                if not process.is_alive():
                    assert process.exitcode == 0, "the refresh failed by itself"
                    seconds = max(time.monotonic() - start, 0.2)
                process.kill()
                process.join()
                report = verify(storage)
                assert report.is_sound, report.sentence()
                assert latest_version(storage) in [None, *versions(storage)]
            summary = run(storage.root, mirror)
            assert latest_version(storage) == summary.version == "2026-03-02"
            assert verify(storage).is_sound
            assert snapshots.open(root=storage.root).table("region_cluster", verify=True).num_rows
            check_nothing_is_left(storage)


def test_a_refresh_that_is_killed_goes_on(small: Path, tmp_path: Path) -> None:
    kill_refreshes([Storage(tmp_path / "a root")], small, kills=3)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_refreshes_that_are_killed_many_times(small: Path, tmp_path: Path) -> None:
    kill_refreshes([Storage(tmp_path / f"root{number}") for number in range(8)], small, kills=5)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_refreshes_on_s3_that_are_killed_many_times(small: Path, s3_root: Storage) -> None:
    kill_refreshes([Storage(f"{s3_root.root}/root{number}") for number in range(3)], small, kills=5)
