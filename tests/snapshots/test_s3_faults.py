"""An S3 server that fails in the middle: what was there stands, the next run succeeds, no lost answer misleads."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from s3_faults import Faults, faulty
from snapshot_roots import S3_VARIABLES
from snapshot_samples import check_whole, draft

from etl import snapshots
from etl.errors import ClusterbridgeError, TransientError, UsageError
from etl.publish import Draft, latest_version, newest_manifest, publish, versions
from etl.snapshots.verify import verify
from etl.storage import Storage

#: Longer than any of our retries.
ALWAYS = 10_000


@pytest.fixture
def failing(s3_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Storage, Faults]]:
    """An empty root on an S3 server behind something that fails, and what fails."""
    import s3fs

    with faulty(s3_server) as (address, faults):
        variables = {**S3_VARIABLES, "AWS_ENDPOINT_URL": address, "AWS_MAX_ATTEMPTS": "2"}
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()
        yield Storage(f"s3://snapshots/a prefix/{tmp_path.parent.name}-{tmp_path.name}"), faults
        s3fs.S3FileSystem.clear_instance_cache()


def following(storage: Storage) -> Draft:
    """What a second run publishes."""
    newest = newest_manifest(storage)
    return draft("2026-01-02", 2.0, previous=newest.version if newest else None)


def check_next_run_succeeds(storage: Storage) -> None:
    """After a failure: readers find the version before, the next run publishes, and all is as published."""
    assert latest_version(storage) in ("2026-01-01", "2026-01-02")
    snapshots.open(root=storage.root).verify("region_total")
    publish(storage, draft("2026-01-02", 2.0, previous="2026-01-01"))
    assert latest_version(storage) == "2026-01-02" and versions(storage) == ["2026-01-01", "2026-01-02"]
    check_whole(storage, "2026-01-02")
    assert not [one for one in verify(storage, ["2026-01-02"]).problems if one.path.startswith("snapshots")]


@pytest.mark.parametrize(
    ("kind", "place"),
    [("500", "claim.json"), ("lost", "claim.json"), ("reset", "region_total-2017"), 
     ("cut", "datapackage"), ("503", "manifest.json"), ("lost", "manifest.json"),
     ("garbage", "latest.json")],
)  # fmt: skip
def test_a_server_that_stops_answering_at_a_step(failing: tuple[Storage, Faults], kind: str, place: str) -> None:
    storage, faults = failing
    publish(storage, draft("2026-01-01"))
    method = "GET" if kind in ("cut", "garbage") else "PUT"
    faults.set(kind, lambda verb, path: verb == method and place in path, ALWAYS)
    try:
        publish(storage, following(storage))
    except ClusterbridgeError as error:
        assert "snapshots" in str(error)
    assert faults.met
    faults.set("", lambda verb, path: False, 0)
    check_next_run_succeeds(storage)


@pytest.mark.parametrize(
    ("kind", "place"),
    [("lost", "claim.json"), ("lost", "manifest.json"), ("lost", "latest.json"), ("lost", "datapackage"),
     ("500", "claim.json"), ("409", "manifest.json"), ("409", "latest.json"), ("reset", "manifest.json")],
)  # fmt: skip
def test_a_write_that_goes_wrong_once_is_done_in_the_end(
    failing: tuple[Storage, Faults], kind: str, place: str
) -> None:
    storage, faults = failing
    publish(storage, draft("2026-01-01"))
    faults.set(kind, lambda verb, path: verb == "PUT" and place in path, 1)
    done = publish(storage, following(storage))
    assert len(faults.met) == 1
    assert done.is_new and done.version == "2026-01-02", "the run that wrote it knows that it did"
    check_next_run_succeeds(storage)


def test_a_name_taken_at_the_last_moment_is_not_written_over(failing: tuple[Storage, Faults]) -> None:
    storage, faults = failing
    publish(storage, draft("2026-01-01"))
    faults.set("412", lambda verb, path: verb == "PUT" and "latest.json" in path, 1)
    assert publish(storage, following(storage)).is_new
    assert latest_version(storage) == "2026-01-02"


def test_a_conflict_that_does_not_end_is_said(failing: tuple[Storage, Faults], monkeypatch: pytest.MonkeyPatch) -> None:
    storage, faults = failing
    publish(storage, draft("2026-01-01"))
    monkeypatch.setattr("etl.storage.s3.time.sleep", lambda seconds: None)
    faults.set("409", lambda verb, path: verb == "PUT" and "latest.json" in path, ALWAYS)
    with pytest.raises(TransientError, match="another run keeps writing it"):
        publish(storage, following(storage))
    faults.set("", lambda verb, path: False, 0)
    check_next_run_succeeds(storage)


def test_a_server_without_conditional_writes_is_wrong_use(failing: tuple[Storage, Faults]) -> None:
    storage, faults = failing
    faults.set("501", lambda verb, path: verb == "PUT", ALWAYS)
    with pytest.raises(UsageError, match="no conditional writes"):
        publish(storage, draft("2026-01-01"))
