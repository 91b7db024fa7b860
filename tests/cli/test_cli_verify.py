"""`clusterbridge verify` where what it would start from is itself damaged."""

from dataclasses import replace
from pathlib import Path

from cli_cases import Run
from snapshot_samples import draft

from etl.publish import publish
from etl.storage import Storage


def test_everything_is_verified_though_the_pointer_is_broken(run: Run, tmp_path: Path) -> None:
    storage = Storage(tmp_path / "root")
    publish(storage, replace(draft("2026-01-01"), source_files=()))
    assert run("verify", "--data", storage.root).status == 0
    storage.write("snapshots/latest.json", b"{")
    ended = run("verify", "--all", "--data", storage.root)
    assert ended.status == 1
    assert "snapshots/latest.json" in ended.err and "in 1 versions" in ended.out


def test_an_archive_without_versions_can_be_verified(run: Run, tmp_path: Path) -> None:
    Storage(tmp_path / "root").write("archive/objects/ab/cd", b"not what its name says")
    assert run("verify", "--data", tmp_path / "root").status == 2
    ended = run("verify", "--all", "--data", tmp_path / "root")
    assert ended.status == 1 and "archive/objects/ab/cd: is damaged" in ended.err
