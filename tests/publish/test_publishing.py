"""Versions: whole or not at all, never rewritten, one per change, and a pointer that only moves on."""

import errno
import itertools
import json
import os
import shutil
import stat
import threading
from dataclasses import replace
from datetime import date
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from snapshot_samples import check_whole, draft

from etl.contracts import contracts
from etl.errors import DataError, IntegrityError, TransientError, UsageError
from etl.publish import (
    Manifest,
    OvertakenError,
    Part,
    latest_version,
    newest_manifest,
    publish,
    published_already,
    read_manifest,
    versions,
)
from etl.publish.manifest import manifest_json_schema
from etl.publish.versions import LATEST, advance_pointer, content_id, latest_manifest, version_name, version_order
from etl.storage import Storage


def test_the_first_version_is_whole_and_the_pointer_names_it(root: Storage) -> None:
    done = publish(root, draft("2026-01-01"))
    assert (done.version, done.previous, done.is_new) == ("2026-01-01", None, True)
    manifest = check_whole(root, done.version)
    assert latest_version(root) == "2026-01-01"
    latest_manifest(root)
    assert set(manifest.tables) == set(contracts())
    assert manifest.tables["region_cluster"].files == 2
    assert manifest.tables["region_partner"].rows == 0
    assert {"manifest.schema.json", "datapackage.json", "catalogue.jsonld", "ATTRIBUTION.txt"} <= set(manifest.files)
    stored = json.loads(root.read_bytes("snapshots/2026-01-01/manifest.json"))
    jsonschema.validate(stored, json.loads(root.read_bytes("snapshots/2026-01-01/manifest.schema.json")))
    assert root.read_bytes("snapshots/2026-01-01/manifest.schema.json") == manifest_json_schema()


def test_unchanged_content_makes_no_new_version_on_any_later_day(folder_root: Storage) -> None:
    publish(folder_root, draft("2026-01-01"))
    before = folder_root.list("snapshots")
    for day in ("2026-01-01", "2026-01-05"):
        done = publish(folder_root, draft(day, previous="2026-01-01"))
        assert (done.version, done.is_new) == ("2026-01-01", False)
    assert folder_root.list("snapshots") == before
    early = published_already(folder_root, date(2026, 1, 9), draft("2026-01-09").content_id)
    assert early is not None and early.version == "2026-01-01"
    assert published_already(folder_root, date(2025, 12, 31), draft("2026-01-09").content_id) is None


def test_changed_content_on_the_same_day_takes_the_next_number(root: Storage) -> None:
    publish(root, draft("2026-01-01"))
    second = publish(root, draft("2026-01-01", 2.0, previous="2026-01-01"))
    third = publish(root, draft("2026-01-01", 1.0, previous="2026-01-01.2"))
    assert (second.version, third.version) == ("2026-01-01.2", "2026-01-01.3")
    assert read_manifest(root, "2026-01-01.3").previous == "2026-01-01.2"
    assert latest_version(root) == "2026-01-01.3"
    for version in versions(root):
        check_whole(root, version)


def test_an_earlier_day_never_moves_the_pointer_back(folder_root: Storage) -> None:
    publish(folder_root, draft("2026-02-02"))
    done = publish(folder_root, draft("2026-01-15", 2.0))
    assert (done.version, done.previous, done.is_new) == ("2026-01-15", None, True)
    assert latest_version(folder_root) == "2026-02-02"
    assert versions(folder_root) == ["2026-01-15", "2026-02-02"]


def part_of(manifest: Manifest | None, path: str, inputs_id: str) -> Part | None:
    """A file of an earlier version that was made of the same inputs and code; None where there is none."""
    entry = manifest.files.get(path) if manifest else None
    if manifest is None or entry is None or entry.rows is None or entry.inputs_id != inputs_id:
        return None
    return Part(f"snapshots/{manifest.version}/{path}", entry.sha256, entry.bytes, entry.rows, inputs_id)


def test_unchanged_files_are_taken_over_from_the_version_before(folder_root: Storage) -> None:
    first = draft("2026-01-01")
    publish(folder_root, first)
    newest = newest_manifest(folder_root)
    parts = {path: part_of(newest, path, part.inputs_id) or part for path, part in first.parts.items()}
    assert all(isinstance(part.source, str) for part in parts.values())
    publish(folder_root, replace(draft("2026-01-02", code="other", previous="2026-01-01"), parts=parts))
    path = "region_cluster/region_cluster-2017.parquet"
    old, new = (folder_root.local_path(f"snapshots/{day}/{path}") for day in ("2026-01-01", "2026-01-02"))
    assert old.samefile(new)


def test_a_damaged_file_is_never_built_on(root: Storage) -> None:
    first = draft("2026-01-01")
    publish(root, first)
    path = "region_cluster/region_cluster-2017.parquet"
    part = part_of(newest_manifest(root), path, "inputs")
    assert part is not None
    data = bytearray(root.read_bytes(f"snapshots/2026-01-01/{path}"))
    data[1000] ^= 1
    root.write(f"snapshots/2026-01-01/{path}", bytes(data))
    second = replace(draft("2026-01-02", 2.0, previous="2026-01-01"), parts={**first.parts, path: part})
    with pytest.raises(IntegrityError, match=r"region_cluster-2017.parquet is damaged"):
        publish(root, second)
    assert versions(root) == ["2026-01-01"]


def test_a_cached_file_that_is_gone_is_said(folder_root: Storage) -> None:
    first = draft("2026-01-01")
    path = "cluster/cluster.parquet"
    missing = replace(first.parts[path], source="cache/measure/gone.parquet")
    with pytest.raises(IntegrityError, match=r"cache/measure/gone.parquet is gone"):
        publish(folder_root, replace(first, parts={**first.parts, path: missing}))
    assert latest_version(folder_root) is None


def test_a_draft_compared_with_an_older_version_is_overtaken(root: Storage) -> None:
    publish(root, draft("2026-01-01"))
    publish(root, draft("2026-01-01", 2.0, previous="2026-01-01"))
    with pytest.raises(OvertakenError, match=r"2026-01-01.2 was published by another run"):
        publish(root, draft("2026-01-01", 3.0, previous="2026-01-01"))
    assert versions(root) == ["2026-01-01", "2026-01-01.2"]


def test_publishers_at_once_one_wins_and_the_others_say_so(root: Storage) -> None:
    outcomes: list[object] = []
    start = threading.Barrier(4)

    def run(factor: float) -> None:
        start.wait()
        try:
            outcomes.append(publish(root, draft("2026-01-01", factor)))
        except OvertakenError as error:
            outcomes.append(error)

    for factor in (1.0, 2.0):
        draft("2026-01-01", factor)
    threads = [threading.Thread(target=run, args=(factor,)) for factor in (1.0, 1.0, 2.0, 2.0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 4
    for version in versions(root):
        check_whole(root, version)
    contents = [read_manifest(root, version).content_id for version in versions(root)]
    assert len(contents) == len(set(contents)) >= 1
    new = [outcome for outcome in outcomes if getattr(outcome, "is_new", False)]
    assert len(new) == len(contents)
    latest_manifest(root)
    assert latest_version(root) == versions(root)[-1]


def test_a_killed_run_does_not_stop_one_with_other_content(s3_root: Storage) -> None:
    first = draft("2026-01-01")
    real = s3_root.write_new

    def killed(path: str, data: bytes) -> bool:
        if path.endswith("manifest.json"):
            raise KeyboardInterrupt
        return real(path, data)

    s3_root.write_new = killed  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        publish(s3_root, first)
    s3_root.write_new = real  # type: ignore[method-assign]
    assert versions(s3_root) == []
    assert latest_version(s3_root) is None
    with_other_content = publish(s3_root, draft("2026-01-01", 2.0))
    assert with_other_content.version == "2026-01-01.2"
    check_whole(s3_root, "2026-01-01.2")


def test_a_claim_with_the_same_content_is_finished(s3_root: Storage) -> None:
    reference = publish(s3_root, draft("2026-01-01"))
    s3_root.delete("snapshots/2026-01-01/manifest.json")
    s3_root.delete("snapshots/2026-01-01/cluster/cluster.parquet")
    s3_root.delete(LATEST)
    assert publish(s3_root, draft("2026-01-01")) == reference
    check_whole(s3_root, "2026-01-01")


def test_an_object_damaged_on_the_way_is_noticed(s3_root: Storage) -> None:
    real = s3_root.write

    def losing(path: str, data: bytes) -> None:
        real(path, data[:-1] if path.endswith("region_total-2016.parquet") else data)

    s3_root.write = losing  # type: ignore[method-assign]
    with pytest.raises(IntegrityError, match=r"region_total-2016.parquet is damaged"):
        publish(s3_root, draft("2026-01-01"))
    assert versions(s3_root) == []


def test_the_pointer_catches_up_after_a_run_killed_before_it(root: Storage) -> None:
    publish(root, draft("2026-01-01"))
    publish(root, draft("2026-01-02", 2.0, previous="2026-01-01"))
    root.write(LATEST, b"broken")
    with pytest.raises(IntegrityError, match=r"latest.json is damaged"):
        latest_version(root)
    publish(root, draft("2026-01-03", 2.0, previous="2026-01-02"))
    assert latest_version(root) == "2026-01-02"
    latest_manifest(root)


@pytest.mark.parametrize("write", [1, 7, 30])
def test_a_full_disk_leaves_nothing_behind(folder_root: Storage, monkeypatch: pytest.MonkeyPatch, write: int) -> None:
    publish(folder_root, draft("2026-01-01"))
    before = sorted(Path(folder_root.root).rglob("*"))
    real, calls = os.fsync, itertools.count(1)

    def full(handle: int) -> None:
        if stat.S_ISREG(os.fstat(handle).st_mode) and next(calls) >= write:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(TransientError, match="no space left"):
            publish(folder_root, draft("2026-01-02", 2.0, previous="2026-01-01"))
    assert sorted(Path(folder_root.root).rglob("*")) == before
    assert publish(folder_root, draft("2026-01-02", 2.0, previous="2026-01-01")).is_new


def test_a_root_that_cannot_be_written_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "snapshots").write_text("a file where a folder should be")
    with pytest.raises(UsageError, match=r"data root .*root: "):
        publish(Storage(tmp_path / "root"), draft("2026-01-01"))


def test_a_manifest_shows_every_changed_byte() -> None:
    shown = Manifest(
        version="2026-01-01", previous=None, snapshot_date="2026-01-01", published_at="x", content_id="c",
        code_id="d", tables={}, files={}, gate={"declared": 1}, environment={"python": "3", "machine": "m"},
    ).to_bytes()  # fmt: skip
    assert Manifest.from_bytes(shown, "m").version == "2026-01-01"
    for position in range(len(shown)):
        spoiled = bytearray(shown)
        spoiled[position] ^= 0x01
        with pytest.raises(IntegrityError, match=r"somewhere/manifest.json is damaged"):
            Manifest.from_bytes(bytes(spoiled), "somewhere/manifest.json")


def test_a_version_that_is_not_there_is_said_with_those_that_are(folder_root: Storage) -> None:
    publish(folder_root, draft("2026-01-01"))
    with pytest.raises(UsageError, match="holds no version 2026-01-09; the newest are: 2026-01-01"):
        read_manifest(folder_root, "2026-01-09")
    with pytest.raises(UsageError, match="yesterday is not a version"):
        read_manifest(folder_root, "yesterday")


@given(st.lists(st.tuples(st.dates(), st.integers(1, 1000)), min_size=2, max_size=2))
def test_versions_are_ordered_by_date_then_number(pair: list[tuple[date, int]]) -> None:
    names = [version_name(*one) for one in pair]
    assert [version_order(name) for name in names] == pair
    assert sorted(names, key=version_order) == [version_name(*one) for one in sorted(pair)]


@pytest.mark.parametrize("name", ["2026-1-1", "2026-01-01.0", "2026-01-01.1", "2026-13-01", "latest", "2026-01-01/.."])
def test_what_is_not_a_version_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        version_order(name)


def test_the_content_id_depends_on_inputs_code_and_contracts_and_not_on_order() -> None:
    base = content_id(["a", "b"], "code", contracts())
    assert base == content_id(["b", "a"], "code", dict(reversed(contracts().items())))
    fewer = {name: contract for name, contract in contracts().items() if name != "cluster"}
    others = {content_id(["a"], "code", contracts()), content_id(["a", "b"], "x", contracts())}
    assert base not in others | {content_id(["a", "b"], "code", fewer)}


def test_a_file_that_is_no_table_is_refused(folder_root: Storage) -> None:
    first = draft("2026-01-01")
    for path in ("nonsense/nonsense.parquet", "cluster/cluster-2017.parquet", "cluster/x.parquet"):
        with pytest.raises(DataError, match="is not the file of a published table"):
            publish(folder_root, replace(first, parts={path: first.parts["cluster/cluster.parquet"]}))


def test_a_pointer_to_a_version_that_is_gone_is_damaged(folder_root: Storage) -> None:
    publish(folder_root, draft("2026-01-01"))
    shutil.rmtree(Path(folder_root.root) / "snapshots/2026-01-01")
    with pytest.raises(IntegrityError, match="names version 2026-01-01, which is not there"):
        latest_manifest(folder_root)
    advance_pointer(folder_root)
