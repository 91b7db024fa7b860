"""One small root through the nights that a refresh may meet: what it says, its exit status, what stands after it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cli_cases import Run
from small_publishers import write_small_publishers

from etl.mirror import serve

NOBODY = "http://127.0.0.1:9"  # the discard port: nothing listens there

pytestmark = pytest.mark.usefixtures("hasty")


@dataclass(frozen=True, slots=True)
class World:
    """The publishers' folder, their address, and a data root."""

    publishers: Path
    mirror: str
    root: Path

    @property
    def latest(self) -> str:
        """The version that readers are pointed to."""
        return str(json.loads((self.root / "snapshots" / "latest.json").read_text())["version"])


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings for publishers that are next door."""
    for name, value in {"RETRIES": "0", "BACKOFF": "0.01", "CONNECT_TIMEOUT": "1", "HOST_FAILURES_MAX": "1"}.items():
        monkeypatch.setenv(f"CLUSTERBRIDGE_{name}", value)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("cli")
    with serve(write_small_publishers(folder / "publishers")) as address:
        yield World(folder / "publishers", address, folder / "root")


def test_a_first_night_publishes(run: Run, world: World) -> None:
    ended = run("refresh", "--data", world.root, "--mirror", world.mirror)
    assert ended.status == 0
    assert ended.out.startswith(f"Published version {world.latest}: ") and ended.out.count("\n") == 1


def test_a_night_without_news_publishes_nothing(run: Run, world: World) -> None:
    ended = run("refresh", "--data", world.root, "--mirror", world.mirror, "--json")
    told = json.loads(ended.out)
    assert ended.status == 0 and told["is_new"] is False and told["version"] == world.latest


def test_the_mirror_may_be_a_setting(run: Run, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUSTERBRIDGE_MIRROR", world.mirror)
    ended = run("refresh", "--data", world.root)
    assert ended.status == 0 and "unchanged" in ended.out and "stale" not in ended.out


def test_silent_publishers_leave_the_last_good_copies_standing(run: Run, world: World) -> None:
    ended = run("refresh", "--data", world.root, "--mirror", NOBODY)
    assert ended.status == 0 and f"version {world.latest} stands" in ended.out and "stale" in ended.out
    status = json.loads(run("status", "--data", world.root, "--json").out)
    assert any(one["stale_files"] for one in status["datasets"])


def test_a_first_night_with_silent_publishers_fails(run: Run, tmp_path: Path) -> None:
    ended = run("refresh", "--data", tmp_path / "root", "--mirror", NOBODY)
    assert ended.status == 1 and "nothing that was asked for could be had" in ended.err and ended.out == ""
    assert not (tmp_path / "root" / "snapshots").exists()


def test_a_refused_gate_leaves_the_version_before(run: Run, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    before = world.latest
    monkeypatch.setattr("etl.run.checked_publishing.validate", _refuses)
    monkeypatch.setenv("CLUSTERBRIDGE_WORKERS", "1")  # the gate of this process, which the test has changed
    monkeypatch.setenv("CLUSTERBRIDGE_COMMON_YEAR_WINDOW", "3")
    ended = run("refresh", "--data", world.root, "--mirror", world.mirror)
    assert ended.status == 1 and "gate" in ended.err and ended.out == ""
    assert world.latest == before


def test_damage_is_named(run: Run, world: World) -> None:
    assert run("verify", "--data", world.root, "--all").status == 0
    victim = next((world.root / "snapshots" / world.latest / "region_total").glob("*.parquet"))
    whole = victim.read_bytes()
    victim.chmod(0o644)
    victim.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    ended = run("verify", "--data", world.root)
    victim.write_bytes(whole)
    assert ended.status == 1 and victim.name in ended.err
    assert run("verify", "--data", world.root).status == 0


def _refuses(*_: object, **__: object) -> None:
    from etl.errors import GateError

    raise GateError("the gate of this test lets nothing pass")
