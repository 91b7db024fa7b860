"""Runs that are killed, storage that fails, several runs at once: readers always find a whole version."""

import json
import multiprocessing
import os
import random
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from snapshot_samples import check_whole, draft

from etl import snapshots
from etl.errors import ClusterbridgeError, TransientError
from etl.publish import Draft, OvertakenError, latest_version, newest_manifest, publish, versions
from etl.snapshots.prune import plan_prune, prune
from etl.snapshots.verify import verify
from etl.storage import Storage

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["snapshot_samples", "etl.diff", "s3fs"])


def next_draft(storage: Storage, choices: list[Draft]) -> Draft:
    """The first of these contents that is not the newest version's."""
    newest = newest_manifest(storage)
    chosen = next(one for one in choices if newest is None or one.content_id != newest.content_id)
    return replace(chosen, previous=newest.version if newest else None)


def environment() -> dict[str, str]:
    """How a child reaches the S3 server; its parent process is older than the server."""
    return {name: value for name, value in os.environ.items() if name.startswith("AWS_")}


def publish_for_ever(root: str, choices: list[Draft], variables: dict[str, str], started: Any) -> None:
    """What is killed: one version after another, as fast as it goes."""
    os.environ.update(variables)
    storage = Storage(root)
    newest_manifest(storage)
    started.set()
    while True:
        publish(storage, next_draft(storage, choices))


def check_root(storage: Storage, known: set[str]) -> None:
    """Every version is whole and the pointer names one; versions that are `known` to be are not read again."""
    fresh = [version for version in versions(storage) if version not in known]
    for version in fresh:
        check_whole(storage, version)
    known |= set(fresh)
    latest = latest_version(storage)
    assert latest is None or latest in known
    if latest is not None:
        assert snapshots.open(root=storage.root).table("region_total").num_rows == 162


def kill_at_random_moments(storage: Storage, kills: int) -> None:
    """Kill a publishing process again and again; after each kill readers and the next run find all in order."""
    choices = [replace(draft("2026-01-01", factor), source_files=()) for factor in (1.0, 2.0)]
    chance, known = random.Random(kills), set[str]()
    start = time.monotonic()
    publish(storage, next_draft(storage, choices))
    seconds = 2 * (time.monotonic() - start)
    for _ in range(kills):
        started = CONTEXT.Event()
        process = CONTEXT.Process(target=publish_for_ever, args=(storage.root, choices, environment(), started))
        process.start()
        assert started.wait(60)
        time.sleep(chance.uniform(0, seconds))
        assert process.is_alive(), "the publisher failed by itself"
        process.kill()
        process.join()
        check_root(storage, known)
        done = publish(storage, next_draft(storage, choices))
        assert done.is_new and latest_version(storage) == done.version
        check_root(storage, known)
    assert not [problem for problem in verify(storage).problems if problem.path.startswith("snapshots")]
    prune(storage, plan_prune(storage, unfinished_after=0))
    prune(storage, plan_prune(storage, keep=1, unfinished_after=0))
    (last,) = versions(storage)
    expected = {f"snapshots/{last}/{path}" for path in snapshots.open(root=storage.root).manifest.files}
    expected |= {f"snapshots/{last}/manifest.json", "snapshots/latest.json"}
    there = set(storage.list("")) - {f"snapshots/{last}/claim.json"}
    assert there == expected
    if not storage.root.startswith("s3://"):
        on_disk = {path for path in Path(storage.root).rglob("*") if path.is_file()}
        assert len(on_disk) == len(expected), "something was left on the disk"


def test_kills_at_random_moments_on_disk(folder_root: Storage) -> None:
    kill_at_random_moments(folder_root, kills=12)


def test_kills_at_random_moments_on_s3(s3_root: Storage) -> None:
    kill_at_random_moments(s3_root, kills=4)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_many_kills_on_disk(folder_root: Storage) -> None:
    kill_at_random_moments(folder_root, kills=150)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_many_kills_on_s3(s3_root: Storage) -> None:
    kill_at_random_moments(s3_root, kills=50)


class FailingStorage:
    """Lets a storage fail at its n-th call that reads or writes."""

    METHODS = ("write", "write_new", "read_bytes", "copy", "replace_if", "exists", "folders")

    def __init__(self, storage: Storage, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
        self.calls = 0
        for name in self.METHODS:
            monkeypatch.setattr(storage, name, self._failing(getattr(storage, name), at))

    def _failing(self, real: Any, at: int) -> Any:
        def call(*arguments: Any) -> Any:
            self.calls += 1
            if self.calls == at:
                raise TransientError("the storage does not answer")
            return real(*arguments)

        return call


@pytest.mark.parametrize("kind", ["folder_root", "s3_root"])
def test_storage_that_fails_in_the_middle(request: pytest.FixtureRequest, kind: str) -> None:
    storage: Storage = request.getfixturevalue(kind)
    publish(storage, draft("2026-01-01"))
    one = draft("2026-01-02", 2.0, previous="2026-01-01")
    failed = 0
    for at in (1, 3, 6, 20, 60, 70, 120, 150):
        failing = Storage(storage.root)
        with pytest.MonkeyPatch.context() as patch:
            FailingStorage(failing, patch, at)
            try:
                publish(failing, one)
            except TransientError:
                failed += 1
        assert latest_version(storage) in {"2026-01-01", "2026-01-02"}
        snapshots.open(root=storage.root).verify("region_total")
    assert failed >= 4
    assert publish(storage, one).version == latest_version(storage) == "2026-01-02"
    assert [problem for problem in verify(storage).problems if problem.path.startswith("snapshots")] == []


def change(number: int) -> Draft:
    """The content that is wanted after so many changes."""
    return draft("2026-01-01", 1.0 + number % 3, code=str(number))


def write_what_is_wanted(root: str, wanted: Any, variables: dict[str, str], stop: Any, outcomes: Any) -> None:
    """One of several publishers: again and again it publishes what is wanted now, as a nightly run would."""
    os.environ.update(variables)
    storage = Storage(root)
    new = overtaken = 0
    while not stop.is_set():
        # In this order: a change that is old by now is held against a version that is older still, and so overtaken.
        newest = newest_manifest(storage)
        current = change(wanted.value)
        try:
            new += publish(storage, replace(current, previous=newest.version if newest else None)).is_new
        except OvertakenError:
            overtaken += 1
        time.sleep(0.005)
    outcomes.put((new, overtaken))


def read_for_ever(root: str, stop: threading.Event, seen: list[str], wrong: list[str]) -> None:
    """One of several readers: whatever it opens, all of it is of one change."""
    while not stop.is_set():
        try:
            snapshot = snapshots.open(root=root)
            digest = snapshot.table("source_file", ["sha256"], [("dataset", "=", "census_cbp")])[0][0].as_py()
            if digest != snapshot.manifest.source_files[0].sha256:
                wrong.append(f"{snapshot.version} holds a table of another change")
            for table in ("source_file", "region_total", "region_cluster"):
                snapshot.verify(table)
            order = [*seen[-1:], snapshot.version]
            if order != sorted(order, key=lambda name: int(name.partition(".")[2] or 1)):
                wrong.append(f"the pointer moved back from {order[0]} to {order[1]}")
            seen.append(snapshot.version)
        except ClusterbridgeError as error:
            wrong.append(str(error))


def write_and_read_at_once(storage: Storage, readers: int, seconds: float) -> tuple[int, int]:
    """Two writers and so many readers at once. Returns the numbers of changes and of versions read."""
    stop, wanted, outcomes = CONTEXT.Event(), CONTEXT.Value("i", 0), CONTEXT.Queue()
    arguments = (storage.root, wanted, environment(), stop, outcomes)
    writers = [CONTEXT.Process(target=write_what_is_wanted, args=arguments) for _ in range(2)]
    for writer in writers:
        writer.start()
    while latest_version(storage) is None:
        time.sleep(0.05)
    halt, wrong = threading.Event(), list[str]()
    seen: list[list[str]] = [[] for _ in range(readers)]
    threads = [threading.Thread(target=read_for_ever, args=(storage.root, halt, own, wrong)) for own in seen]
    for thread in threads:
        thread.start()
    end = time.monotonic() + seconds
    while True:
        newest = newest_manifest(storage)
        if newest is not None and newest.content_id == change(wanted.value).content_id:
            if time.monotonic() > end:
                break
            wanted.value += 1
        time.sleep(0.02)
    stop.set()
    published = sum(outcomes.get(timeout=60)[0] for _ in writers)
    for writer in writers:
        writer.join()
    halt.set()
    for thread in threads:
        thread.join()
    changes = wanted.value + 1
    assert not wrong, wrong[:5]
    assert len(versions(storage)) == published == changes, "one version per change"
    assert latest_version(storage) == versions(storage)[-1]
    return changes, sum(len(own) for own in seen)


def test_two_writers_and_readers_on_disk(folder_root: Storage) -> None:
    changes, reads = write_and_read_at_once(folder_root, readers=6, seconds=6)
    assert changes >= 2 and reads >= 12


@pytest.mark.long
@pytest.mark.timeout(600)
def test_two_writers_and_twenty_readers_for_a_minute(folder_root: Storage) -> None:
    write_and_read_at_once(folder_root, readers=20, seconds=60)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_two_writers_and_twenty_readers_for_a_minute_on_s3(s3_root: Storage) -> None:
    write_and_read_at_once(s3_root, readers=20, seconds=60)


def test_a_clock_that_runs_backwards(folder_root: Storage) -> None:
    days = ["2026-03-05", "2026-03-04", "2026-03-04", "2026-01-01", "2026-03-06"]
    for number, day in enumerate(days):
        newest = newest_manifest(folder_root, draft(day).snapshot_date)
        publish(folder_root, draft(day, float(number), previous=newest.version if newest else None))
    assert versions(folder_root) == ["2026-01-01", "2026-03-04", "2026-03-04.2", "2026-03-05", "2026-03-06"]
    assert latest_version(folder_root) == "2026-03-06"
    pointer = json.loads(folder_root.read_bytes("snapshots/latest.json"))
    assert pointer["version"] == "2026-03-06"
