"""A whole Airflow on one machine: Postgres, scheduler, dag-processor, triggerer, API server, LocalExecutor.

The tests tell one story on one data root, in their order: a first night, a night on which one side is down while a
backfill runs, a refused snapshot and its release, two runs at once, days of the past, years over the API.
"""

import csv
import json
import shutil
import threading
import zipfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow_platform import Platform, a_night_from_now, platform_folder, wait_for
from small_publishers import write_small_publishers
from typer.testing import CliRunner

from etl.airflow.schedule import today
from etl.mirror import Fault, MirrorServer
from etl.publish import latest_version, read_manifest, versions
from etl.run.refresh import RefreshRequest, ask_publishers
from etl.settings import Settings
from etl.storage import Storage

pytestmark = [pytest.mark.scale, pytest.mark.timeout(900)]

KEY = today().isoformat()
PAST = [(today() - timedelta(days=days)).isoformat() for days in (3, 2, 1)]
TSV = "SBS_R_NUTS06_R2"


@pytest.fixture(scope="module")
def alerts() -> Iterator[tuple[str, list[str]]]:
    """The address of a webhook and the texts that it has received."""
    received: list[str] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/hook", received
    server.shutdown()


@pytest.fixture(scope="module")
def world(alerts: tuple[str, list[str]]) -> Iterator[SimpleNamespace]:
    """Airflow, the publishers, the data root with what was archived on two days of the past, and the alerts."""
    with platform_folder() as folder:
        yield from built_world(folder, alerts)


def built_world(folder: Path, alerts: tuple[str, list[str]]) -> Iterator[SimpleNamespace]:
    publishers = write_small_publishers(folder / "publishers")
    mirror = MirrorServer(publishers)
    threading.Thread(target=mirror.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    root = str(folder / "data")
    platform = Platform(
        folder,
        "LocalExecutor",
        a_night_from_now()
        | {
            "CLUSTERBRIDGE_DATA": root,
            "CLUSTERBRIDGE_MIRROR": mirror.address,
            "CLUSTERBRIDGE_RETRIES": "0",
            "CLUSTERBRIDGE_READ_TIMEOUT": "300",
            "CLUSTERBRIDGE_STALL_SECONDS": "300",
            "CLUSTERBRIDGE_AIRFLOW_DATASETS": "census_cbp,eurostat_sbs",
            "CLUSTERBRIDGE_AIRFLOW_RETRIES": "2",
            "CLUSTERBRIDGE_AIRFLOW_RETRY_SECONDS": "1",
            "CLUSTERBRIDGE_AIRFLOW_ALERTS": f"log,{alerts[0]}",
        },
    )
    world = SimpleNamespace(
        airflow=platform, mirror=mirror, publishers=publishers, storage=Storage(root), alerts=alerts[1]
    )
    archive(world, "eurostat_sbs", PAST[1])
    archive(world, "census_cbp", PAST[2])
    mirror.faults = (Fault("503", "cbp19us", first=2),)
    try:
        platform.start()
        yield world
    finally:
        platform.stop()
        mirror.shutdown()
        mirror.server_close()


def archive(world: SimpleNamespace, dataset: str, day: str, *, accept: bool = False) -> None:
    """Ask a publisher as of a day, outside Airflow."""
    asked = RefreshRequest(
        datetime.fromisoformat(day).date(),
        (dataset,),
        mirror=world.mirror.address,
        accept=frozenset({dataset} if accept else ()),
    )
    ask_publishers(world.storage, asked, Settings())


def published(world: SimpleNamespace, seconds: float = 300, runs: int = 1, key: str = KEY) -> dict[str, Any]:
    """Wait until the given number of publishing runs of a day is there and over; return the newest."""
    found = wait_for(
        f"{runs} publishing runs of {key}",
        lambda: len(made := world.airflow.runs("publish_snapshot", key)) >= runs and made,
        seconds,
    )
    return dict(world.airflow.finished("publish_snapshot", found[-1]["dag_run_id"], seconds))


def event(world: SimpleNamespace, asset: str, key: str = KEY) -> dict[str, Any]:
    """What the newest event of an asset says of a day."""
    events = world.airflow.get("assets/events?limit=100&order_by=-timestamp")["asset_events"]
    return dict(next(one["extra"] for one in events if (one["name"], one["partition_key"]) == (asset, key)))


def nation(world: SimpleNamespace) -> Path:
    """The zip with the figures of the American nation."""
    index = csv.DictReader((world.publishers / "index.csv").read_text().splitlines())
    return Path(world.publishers / next(row["path"] for row in index if "us.zip" in row["url"]))


def weights(world: SimpleNamespace, run: dict[str, Any]) -> set[int]:
    """The priorities of a run's tasks, but for the one that a person answers."""
    tasks = world.airflow.tasks(run["dag_id"], run["dag_run_id"])
    return {task["priority_weight"] for task in tasks if task["task_id"] != "approve"}


def repacked(file: Path, without: str = "no such line") -> None:
    """Give a zip other bytes with the same members, without the lines that hold a text."""
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
        kind = archive.infolist()[0].compress_type
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            kept = [line for line in data.splitlines(keepends=True) if without.encode() not in line]
            archive.writestr(zipfile.ZipInfo(name, (2020, 2, 2, 2, 2, 2)), b"".join(kept), kind)


def test_a_night_is_scheduled_and_published_though_a_publisher_fails_twice(world: SimpleNamespace) -> None:
    run = published(world)
    assert (run["state"], run["run_type"]) == ("success", "asset_triggered")
    (ingest,) = world.airflow.runs("ingest_us", KEY)
    assert (ingest["run_type"], ingest["state"]) == ("scheduled", "success")
    (fetch,) = [task for task in world.airflow.tasks("ingest_us", ingest["dag_run_id"]) if task["task_id"] == "fetch"]
    assert (fetch["state"], fetch["try_number"], fetch["rendered_map_index"]) == ("success", 3, "census_cbp")
    first_try = world.airflow.log_of("ingest_us", ingest["dag_run_id"], "fetch", 1, 0)
    assert "HTTP 503" in first_try and "may pass" in first_try

    assert latest_version(world.storage) == KEY
    assert {file.dataset for file in read_manifest(world.storage, KEY).source_files} == {"census_cbp", "eurostat_sbs"}
    assert run["note"].startswith(f"Published version {KEY}") and "expectations executed" in run["note"]
    told = event(world, "clusterbridge_snapshot")
    assert (told["version"], told["is_new"], told["gate"]["released_by"]) == (KEY, True, None)
    assert told["rows"] > 100_000
    assert event(world, "clusterbridge_us")["freshness"] == event(world, "clusterbridge_eu")["freshness"] == "fresh"
    assert world.alerts == []


def test_a_night_with_a_side_down_is_published_on_time_beside_a_backfill_of_years(world: SimpleNamespace) -> None:
    airflow = world.airflow
    # The backfill hangs at a publisher; the European side is down for the nightly run.
    world.mirror.faults = (Fault("timeout", "data.bls.gov"), Fault("503", TSV))
    years = {"first": 2019, "last": 2019, "datasets": ["bls_qcew"], "fetch": "publishers"}
    backfill = airflow.trigger("backfill_years", conf=years)
    wait_for("the backfill", lambda: airflow.states("backfill_years", backfill).get("fetch bls_qcew") == "running")
    repacked(nation(world))
    runs = {side: airflow.trigger(f"ingest_{side}", KEY) for side in ("us", "eu")}
    run = published(world, runs=2)
    assert run["state"] == "success"
    assert airflow.states("backfill_years", backfill)["fetch bls_qcew"] == "running"

    assert latest_version(world.storage) == f"{KEY}.2"
    stale = {file.dataset: file.is_stale for file in read_manifest(world.storage, f"{KEY}.2").source_files}
    assert stale == {"census_cbp": False, "eurostat_sbs": True}
    states = airflow.states("ingest_eu", runs["eu"])
    assert (states["fetch eurostat_sbs"], states["deliver"]) == ("failed", "success")
    assert event(world, "clusterbridge_eu")["freshness"] == "stale"
    assert event(world, "clusterbridge_us")["freshness"] == "fresh"
    assert any("ingest_eu, fetch" in text and "HTTP 503" in text for text in world.alerts)

    world.mirror.faults = ()
    world.mirror.closing.set()  # ends what hangs
    assert airflow.finished("backfill_years", backfill)["state"] == "success"
    world.mirror.closing.clear()


def test_a_refused_snapshot_is_not_published_until_a_person_releases_it(world: SimpleNamespace) -> None:
    airflow = world.airflow
    before, world.alerts[:] = versions(world.storage), []
    # Somebody accepts a file of the nation that has lost an industry which the states still have.
    whole = nation(world).read_bytes()
    repacked(nation(world), without='"3122')
    archive(world, "census_cbp", KEY, accept=True)
    look = airflow.trigger("publishing_deadline")
    run_id = airflow.trigger("publish_snapshot", KEY)
    assert airflow.finished("publishing_deadline", look)["state"] == "failed"
    assert any("no snapshot by the deadline" in text for text in world.alerts)

    wait_for("a person", lambda: airflow.states("publish_snapshot", run_id)["approve"] == "awaiting_input", 300)
    assert airflow.states("publish_snapshot", run_id)["validate"] == "failed"
    note = airflow.get(f"dags/publish_snapshot/dagRuns/{run_id}")["note"]
    assert note.startswith("Refused: nothing was published") and "quotients_fit_shares" in note
    assert any("publish_snapshot, validate" in text and "quotients_fit_shares" in text for text in world.alerts)
    log = airflow.log_of("publish_snapshot", run_id, "validate")
    assert "quotients_fit_shares" in log and "would fail again" in log
    assert versions(world.storage) == before
    assert any(path.endswith("failing.parquet") for path in world.storage.list(f"refused/{KEY}"))

    # A person takes longer than the scheduler, which must have heard that the task waits.
    heard = "Received executor event with state success for task instance TaskInstanceKey(dag_id='publish_snapshot', "
    heard += f"task_id='approve', run_id='{run_id}'"
    wait_for("the scheduler", lambda: heard in (airflow.folder / "scheduler.log").read_text())
    detail = f"dags/publish_snapshot/dagRuns/{run_id}/taskInstances/approve/-1/hitlDetails"
    airflow.request("PATCH", detail, {"chosen_options": ["Approve"], "params_input": {}})
    assert airflow.finished("publish_snapshot", run_id)["state"] == "success"
    manifest = read_manifest(world.storage, f"{KEY}.3")
    assert str(manifest.gate.released_by).startswith("clusterbridge, 20")
    assert any("quotients_fit_shares" in failure for failure in manifest.gate.failures)
    nation(world).write_bytes(whole)


def test_two_runs_of_a_day_at_once_publish_once(world: SimpleNamespace) -> None:
    archive(world, "census_cbp", KEY, accept=True)
    before = versions(world.storage)
    runs = [world.airflow.trigger("publish_snapshot", KEY) for _ in range(2)]
    assert [world.airflow.finished("publish_snapshot", run)["state"] for run in runs] == ["success", "success"]
    assert versions(world.storage) == [*before, f"{KEY}.4"]


def test_a_backfill_over_three_days_rebuilds_what_was_known_then(
    world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from etl.cli import app

    for name in ("URL", "USER", "PASSWORD"):
        monkeypatch.setenv(f"CLUSTERBRIDGE_AIRFLOW_{name}", world.airflow.environment[f"CLUSTERBRIDGE_AIRFLOW_{name}"])
    asked: list[Any] = []
    world.mirror.on_request = asked.append
    done = CliRunner().invoke(app, ["airflow", "backfill", "--from", PAST[0], "--to", PAST[2]])
    assert (done.exit_code, done.exception) == (0, None)
    assert ", ".join(PAST) in done.output

    runs = [published(world, key=day) for day in PAST]
    world.mirror.on_request = None
    assert [run["state"] for run in runs] == ["success"] * 3
    assert "nothing known on that day" in runs[0]["note"]
    assert asked == []
    assert versions(world.storage)[:2] == PAST[1:]
    sources = [{file.dataset for file in read_manifest(world.storage, day).source_files} for day in PAST[1:]]
    assert sources == [{"eurostat_sbs"}, {"eurostat_sbs", "census_cbp"}]
    assert latest_version(world.storage) == f"{KEY}.4"
    for side in ("us", "eu"):
        (run,) = world.airflow.runs(f"ingest_{side}", PAST[0])
        assert (run["run_type"], run["state"]) == ("backfill", "success")
    # Whatever is waiting, tonight's tasks go before those of the past.
    (tonight, *_) = world.airflow.runs("publish_snapshot", KEY)
    assert weights(world, tonight) == {100}
    assert [weights(world, run) for run in runs] == [{1}] * 3


def test_a_backfill_of_years_over_the_api_builds_what_is_missing(world: SimpleNamespace) -> None:
    before = versions(world.storage)
    shutil.rmtree(Path(world.storage.root) / "cache")
    years = {"first": 2016, "last": 2019, "datasets": ["eurostat_sbs"], "fetch": "archive"}
    run_id = world.airflow.trigger("backfill_years", conf=years)
    assert world.airflow.finished("backfill_years", run_id)["state"] == "success"
    states = world.airflow.states("backfill_years", run_id)
    assert {name for name in states if name.startswith("build")} == {
        "build eurostat_sbs 2016",
        "build eurostat_sbs 2019",
    }
    assert states["fetch"] == "skipped"
    assert versions(world.storage) == before

    with pytest.raises(AssertionError, match=r"400.*first"):
        world.airflow.trigger("backfill_years", conf={"first": 12})
