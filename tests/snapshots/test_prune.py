"""Prune removes what it said it would, and never what must stay."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from snapshot_samples import draft

from etl.errors import UsageError
from etl.publish import latest_version, publish, versions
from etl.snapshots import open as open_snapshot
from etl.snapshots.prune import pin, pinned, plan_prune, prune, unpin
from etl.snapshots.verify import verify
from etl.storage import TEMPORARY_PREFIX, Storage
from etl.storage.checksummed import with_checksum

HOLDER = """
import sys
from pathlib import Path
from etl.publish.folder import _building_folder
from etl.storage import Storage
with _building_folder(Storage(sys.argv[1]), Path(sys.argv[1]) / "snapshots", "2026-05-05") as folder:
    (folder / "half.parquet").write_bytes(b"x" * 1000)
    print(folder.name, flush=True)
    sys.stdin.read()
"""


def claim_made_in(year: int) -> bytes:
    """A claim on a name for content that is nobody's here."""
    return with_checksum({"content_id": "c", "claimed_at": f"{year}-01-01T00:00:00+00:00"})


@pytest.fixture
def four(folder_root: Storage) -> Storage:
    """A root with four versions."""
    previous = None
    for day in range(1, 5):
        previous = publish(folder_root, draft(f"2026-01-0{day}", float(1 + day % 2), previous=previous)).version
    return folder_root


def test_nothing_is_removed_unasked(four: Storage) -> None:
    plan = plan_prune(four)
    assert plan.removals == () and plan.sentence() == "Nothing to remove: 4 versions stay."
    prune(four, plan)
    assert len(versions(four)) == 4


def test_a_plan_removes_nothing_until_it_is_carried_out(four: Storage) -> None:
    before = four.list("")
    plan = plan_prune(four, keep=2)
    assert [removal.path for removal in plan.removals] == ["snapshots/2026-01-01/", "snapshots/2026-01-02/"]
    assert plan.kept == ("2026-01-03", "2026-01-04")
    assert four.list("") == before
    prune(four, plan)
    assert versions(four) == ["2026-01-03", "2026-01-04"]
    assert four.list("snapshots/2026-01-01") == []
    assert verify(four).sentence().startswith("All is as published") or not verify(four).problems[0].path.startswith(
        "snap"
    )
    assert open_snapshot(root=four.root).table("region_total", verify=True).num_rows == 162


def test_the_latest_and_pinned_versions_stay(four: Storage) -> None:
    pin(four, "2026-01-01")
    assert pinned(four) == {"2026-01-01"}
    plan = plan_prune(four, keep=1)
    assert plan.kept == ("2026-01-01", "2026-01-04")
    for version, why in (("2026-01-04", "the latest"), ("2026-01-01", "pinned")):
        with pytest.raises(UsageError, match=f"{version} is {why} and stays"):
            plan_prune(four, remove=[version])
    with pytest.raises(UsageError, match="holds no version 2026-09-09"):
        plan_prune(four, remove=["2026-09-09"])
    with pytest.raises(UsageError, match="at least one version stays"):
        plan_prune(four, keep=0)
    unpin(four, "2026-01-01")
    prune(four, plan_prune(four, remove=["2026-01-01"]))
    assert versions(four) == ["2026-01-02", "2026-01-03", "2026-01-04"]
    with pytest.raises(UsageError):
        pin(four, "2026-01-01")
    assert latest_version(four) == "2026-01-04"


def test_bytes_that_a_kept_version_shares_are_not_counted(four: Storage) -> None:
    plan = plan_prune(four, remove=["2026-01-01", "2026-01-02"])
    first, second = plan.removals
    assert first.bytes < 200_000 and second.bytes < 200_000


def test_the_cache_goes_only_when_asked(four: Storage) -> None:
    four.write("cache/measure/x/2017/abc.cluster.parquet", b"x" * 10)
    four.write("cache/measure/x/2017/abc.json", b"x")
    assert plan_prune(four).removals == ()
    plan = plan_prune(four, cache=True)
    assert [(one.path.rsplit("/", 1)[1], one.bytes) for one in plan.removals] == [
        ("abc.json", 1),
        ("abc.cluster.parquet", 10),
    ]
    prune(four, plan)
    assert four.list("cache") == [] and len(versions(four)) == 4


def test_folders_of_killed_runs_go_and_those_of_live_ones_stay(folder_root: Storage) -> None:
    publish(folder_root, draft("2026-01-01"))
    command = [sys.executable, "-c", HOLDER, folder_root.root]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        name = process.stdout.readline().strip()
        assert name.startswith(".building-")
        assert plan_prune(folder_root, unfinished_after=0).removals == ()
        process.send_signal(signal.SIGKILL)
        process.wait()
    folder = Path(folder_root.root) / "snapshots" / name
    assert folder.is_dir()
    plan = plan_prune(folder_root)
    assert [(one.path, one.bytes) for one in plan.removals] == [(f"snapshots/{name}/", 1000)]
    prune(folder_root, plan)
    assert not folder.exists()


def test_temporary_files_go_when_they_are_old(folder_root: Storage) -> None:
    publish(folder_root, draft("2026-01-01"))
    file = Path(folder_root.root) / "archive" / f"{TEMPORARY_PREFIX}abc"
    file.parent.mkdir()
    file.write_bytes(b"x" * 7)
    scratch = Path(folder_root.root) / f"{TEMPORARY_PREFIX}folder"
    scratch.mkdir()
    (scratch / "body").write_bytes(b"x" * 5)
    assert plan_prune(folder_root).removals == ()
    for path in (file, scratch):
        os.utime(path, (time.time() - 90_000, time.time() - 90_000))
    plan = plan_prune(folder_root)
    assert sorted(one.bytes for one in plan.removals) == [5, 7]
    prune(folder_root, plan)
    assert not file.exists() and not scratch.exists()


def test_a_removal_that_was_cut_short_is_finished_by_the_next(folder_root: Storage) -> None:
    publish(folder_root, draft("2026-01-01"))
    publish(folder_root, draft("2026-01-02", 2.0, previous="2026-01-01"))
    folder = Path(folder_root.root) / "snapshots"
    (folder / "2026-01-01").rename(folder / ".removing-2026-01-01")
    assert versions(folder_root) == ["2026-01-02"]
    plan = plan_prune(folder_root)
    assert [one.path for one in plan.removals] == ["snapshots/.removing-2026-01-01/"]
    prune(folder_root, plan)
    assert sorted(path.name for path in folder.iterdir()) == ["2026-01-02", "latest.json"]


def test_claims_without_a_version_go_when_they_are_old_or_passed(s3_root: Storage) -> None:
    publish(s3_root, draft("2026-01-01"))
    s3_root.write("snapshots/2026-01-03/claim.json", claim_made_in(2020))
    s3_root.write("snapshots/2026-01-03/cluster/cluster.parquet", b"half")
    publish(s3_root, draft("2026-01-04", 2.0, previous="2026-01-01"))
    fresh = replace(draft("2026-01-05", 3.0, previous="2026-01-04"))
    s3_root.write("snapshots/2026-01-05/claim.json", claim_made_in(2999))
    assert [one.path for one in plan_prune(s3_root).removals] == ["snapshots/2026-01-03/"]
    assert publish(s3_root, fresh).version == "2026-01-05.2"
    plan = plan_prune(s3_root)
    assert [one.path for one in plan.removals] == ["snapshots/2026-01-03/", "snapshots/2026-01-05/"]
    prune(s3_root, plan)
    assert s3_root.folders("snapshots") == ["2026-01-01", "2026-01-04", "2026-01-05.2"]
