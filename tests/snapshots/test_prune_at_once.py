"""Pruning beside publishers and readers: versions that stay are whole, and who reads one that goes is told."""

import threading
from dataclasses import replace
from datetime import date
from importlib import import_module
from typing import Any

import pytest
from snapshot_samples import check_whole, draft

import etl.snapshots.prune as prune_module
from etl import snapshots
from etl.errors import IntegrityError
from etl.publish import latest_version, newest_manifest, publish, versions
from etl.publish.objects import CLAIM, claim_of, claim_on
from etl.publish.versions import advance_pointer
from etl.snapshots.prune import pin, plan_prune, prune
from etl.storage import Storage


def prune_until(storage: Storage, end: threading.Event, failures: list[BaseException]) -> None:
    try:
        while not end.is_set():
            prune(storage, plan_prune(storage, keep=2))
    except BaseException as error:
        failures.append(error)


def read_until(storage: Storage, end: threading.Event, failures: list[BaseException]) -> None:
    """Whatever a reader opens by the pointer it reads whole, unless it is gone altogether."""
    while not end.is_set():
        try:
            snapshot = snapshots.open(root=storage.root)
            try:
                assert snapshot.table("region_total", verify=True).num_rows == 162
            except IntegrityError:
                assert snapshot.version not in versions(storage)
        except IntegrityError as error:
            # The version that the pointer named was removed between the two reads.
            if "which is not there" not in str(error):
                failures.append(error)
        except BaseException as error:
            failures.append(error)
            return


def test_prune_beside_a_publisher_and_readers(root: Storage) -> None:
    publish(root, draft("2026-01-01"))
    pin(root, "2026-01-01")
    end, failures = threading.Event(), list[BaseException]()
    threads = [threading.Thread(target=prune_until, args=(root, end, failures))]
    threads += [threading.Thread(target=read_until, args=(Storage(root.root), end, failures)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(6):
        newest = newest_manifest(root)
        assert newest is not None
        one = replace(draft("2026-01-02", 1.0 + number % 2, code=str(number)), previous=newest.version)
        assert publish(root, one).is_new
    end.set()
    for thread in threads:
        thread.join()
    assert not failures, failures[:3]
    prune(root, plan_prune(root, keep=2, unfinished_after=0))
    assert versions(root) == ["2026-01-01", "2026-01-02.5", "2026-01-02.6"]
    assert latest_version(root) == "2026-01-02.6"
    for version in versions(root):
        check_whole(root, version)


def test_what_came_to_be_needed_since_the_plan_stays(root: Storage) -> None:
    for day, previous in (("2026-01-01", None), ("2026-01-02", "2026-01-01"), ("2026-01-03", "2026-01-02")):
        publish(root, draft(day, 1.0 + int(day[-1]) % 2, previous=previous))
    plan = plan_prune(root, keep=1)
    assert [removal.path for removal in plan.removals] == ["snapshots/2026-01-01/", "snapshots/2026-01-02/"]
    pin(root, "2026-01-01")
    prune(root, plan)
    assert versions(root) == ["2026-01-01", "2026-01-03"]
    prune(root, plan)
    check_whole(root, "2026-01-01")


def test_a_claim_that_is_finished_after_the_plan_stays(s3_root: Storage) -> None:
    one = draft("2026-01-01")
    ours = claim_on(one.content_id, None, {path: part.sha256 for path, part in one.complete_parts().items()})
    path = f"snapshots/2026-01-01/{CLAIM}"
    s3_root.write(path, claim_of(ours))
    plan = plan_prune(s3_root, unfinished_after=-1)
    assert [removal.path for removal in plan.removals] == ["snapshots/2026-01-01/"]
    assert publish(s3_root, one).version == "2026-01-01", "a claim with my own content is mine to finish"
    prune(s3_root, plan)
    check_whole(s3_root, "2026-01-01")
    assert latest_version(s3_root) == "2026-01-01"


def test_a_claim_made_anew_while_prune_looks_stays(s3_root: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    one = draft("2026-01-01")
    ours = claim_on(one.content_id, None, {path: part.sha256 for path, part in one.complete_parts().items()})
    s3_root.write(f"snapshots/2026-01-01/{CLAIM}", claim_of(ours))
    plan = plan_prune(s3_root, unfinished_after=-1)
    is_abandoned = prune_module._is_abandoned

    def published_meanwhile(*arguments: Any) -> bool:
        told = is_abandoned(*arguments)
        assert publish(s3_root, one).is_new
        return told

    monkeypatch.setattr(prune_module, "_is_abandoned", published_meanwhile)
    prune(s3_root, plan)
    check_whole(s3_root, "2026-01-01")


def test_a_version_that_goes_while_it_is_looked_at_is_passed_over(
    root: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(root, draft("2026-01-01"))
    publish(root, draft("2026-01-02", 2.0, previous="2026-01-01"))
    root.delete("snapshots/latest.json")
    module = import_module("etl.publish.versions")
    newest, told = module.newest_version, iter(["2026-01-03", None, "2026-01-03"])

    def gone_meanwhile(storage: Storage, until: date | None = None) -> str | None:
        return next(told, None) or newest(storage, until)

    monkeypatch.setattr(module, "newest_version", gone_meanwhile)
    manifest = newest_manifest(root)
    assert manifest is not None and manifest.version == "2026-01-02"
    advance_pointer(root)
    assert latest_version(root) == "2026-01-02"


def test_a_claim_of_the_same_content_against_another_version_is_not_mine(s3_root: Storage) -> None:
    first = publish(s3_root, draft("2026-01-01")).version
    one = draft("2026-01-02", 2.0, previous=first)
    files = {path: part.sha256 for path, part in one.complete_parts().items()}
    s3_root.write(f"snapshots/2026-01-02/{CLAIM}", claim_of(claim_on(one.content_id, "2025-12-31", files)))
    assert publish(s3_root, one).version == "2026-01-02.2"


def test_a_killed_upload_in_parts_is_removed(s3_root: Storage) -> None:
    publish(s3_root, draft("2026-01-01"))
    s3_root._call("create_multipart_upload", "archive/objects/ab/cd")  # type: ignore[attr-defined]
    plan = plan_prune(s3_root, unfinished_after=-1)
    assert [removal.path.split("?")[0] for removal in plan.removals] == ["archive/objects/ab/cd"]
    prune(s3_root, plan)
    assert plan_prune(s3_root, unfinished_after=-1).removals == ()


def test_who_reads_a_version_that_is_pruned_is_told(folder_root: Storage) -> None:
    publish(folder_root, draft("2026-01-01"))
    snapshot = snapshots.open(root=folder_root.root)
    publish(folder_root, draft("2026-01-02", 2.0, previous="2026-01-01"))
    prune(folder_root, plan_prune(folder_root, keep=1))
    with pytest.raises(IntegrityError, match="if prune removed the version, open the latest"):
        snapshot.table("region_total")
