"""Airflow on several workers: CeleryExecutor, Redis, two real workers, the data root in a bucket of an S3 server."""

import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from airflow_platform import Platform, a_night_from_now, platform_folder, wait_for
from held_s3 import HeldS3
from small_publishers import write_small_publishers

from etl.airflow.schedule import today
from etl.mirror import MirrorServer
from etl.publish import read_manifest
from etl.run.refresh import RefreshRequest, refresh
from etl.settings import Settings
from etl.storage import Storage

pytestmark = [pytest.mark.scale, pytest.mark.timeout(900)]

KEY = today().isoformat()
WORKERS = ("worker-1", "worker-2")


@pytest.fixture(scope="module")
def s3() -> Iterator[HeldS3]:
    server = HeldS3()
    yield server
    server.close()


@pytest.fixture(scope="module")
def world(s3: HeldS3) -> Iterator[SimpleNamespace]:
    """Airflow with two workers, the publishers, and an empty bucket."""
    import boto3

    patch = pytest.MonkeyPatch()
    credentials = {
        "AWS_ENDPOINT_URL": s3.address,
        "AWS_ACCESS_KEY_ID": "only",
        "AWS_SECRET_ACCESS_KEY": "for-tests",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    for name, value in credentials.items():
        patch.setenv(name, value)
    boto3.client("s3").create_bucket(Bucket="bridge")
    with platform_folder() as folder:
        mirror = MirrorServer(write_small_publishers(folder / "publishers"))
        threading.Thread(target=mirror.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        settings = {
            "CLUSTERBRIDGE_DATA": "s3://bridge/data",
            "CLUSTERBRIDGE_MIRROR": mirror.address,
            "CLUSTERBRIDGE_AIRFLOW_DATASETS": "census_cbp,eurostat_sbs",
            "CLUSTERBRIDGE_AIRFLOW_RETRY_SECONDS": "1",
        }
        platform = Platform(folder, "CeleryExecutor", credentials | settings | a_night_from_now())
        # The first night starts with the workers; it is held in the middle of a source-year.
        s3.hold(r"/cache/harmonise/eurostat_sbs/2019/")
        try:
            platform.start()
            for name in WORKERS:
                platform.start_worker(name)
            yield SimpleNamespace(
                airflow=platform, mirror=mirror, s3=s3, folder=folder, storage=Storage("s3://bridge/data")
            )
        finally:
            platform.stop()
            mirror.shutdown()
            mirror.server_close()
            patch.undo()


def kill_writer(world: SimpleNamespace) -> str:
    """Wait until the write that is held has come, and kill the worker it came from, with all it started."""
    port = wait_for("the write to be killed in", lambda: world.s3.held_from, 300, 0.05)
    (name,) = [
        name for name in WORKERS if any(port in ports_of(process) for process in family(world.airflow.process(name)))
    ]
    world.airflow.kill(name)
    world.s3.let_go()
    return str(name)


def family(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]


def ports_of(process: psutil.Process) -> set[int]:
    try:
        return {connection.laddr.port for connection in process.net_connections() if connection.laddr}
    except psutil.NoSuchProcess:  # a task that has ended since its parent was asked
        return set()


def test_a_night_in_which_workers_are_killed_publishes_the_same_bytes(world: SimpleNamespace, tmp_path: Path) -> None:
    airflow = world.airflow
    # In the middle of a source-year: its cells are written, its clusters are on their way.
    first = kill_writer(world)
    runs = {side: airflow.runs(f"ingest_{side}", KEY)[0]["dag_run_id"] for side in ("us", "eu")}
    # In the middle of publishing: some tables are in place, there is no manifest yet.
    world.s3.hold(r"/snapshots/.*/region_cluster/")
    airflow.start_worker(first)
    for side, run_id in runs.items():
        assert airflow.finished(f"ingest_{side}", run_id)["state"] == "success"
    kill_writer(world)
    assert world.storage.exists(f"snapshots/{KEY}/manifest.json") is False
    assert world.storage.list(f"snapshots/{KEY}") != []
    (run,) = wait_for("the publishing run", lambda: airflow.runs("publish_snapshot", KEY))
    assert airflow.finished("publish_snapshot", run["dag_run_id"])["state"] == "success"

    undisturbed = Storage(str(tmp_path / "undisturbed"))
    refresh(
        undisturbed,
        RefreshRequest(today(), ("census_cbp", "eurostat_sbs"), mirror=world.mirror.address),
        Settings(data=undisturbed.root, workers=1),
    )
    builds = {task["rendered_map_index"]: task for task in airflow.tasks("ingest_eu", runs["eu"])}
    assert builds["eurostat_sbs 2019"]["try_number"] == 2
    publish = {task["task_id"]: task for task in airflow.tasks("publish_snapshot", run["dag_run_id"])}["publish"]
    assert publish["try_number"] == 2
    expected = {path: entry.sha256 for path, entry in read_manifest(undisturbed, KEY).files.items()}
    found = {path: entry.sha256 for path, entry in read_manifest(world.storage, KEY).files.items()}
    tables = {path for path in expected if path.endswith(".parquet")}
    assert {path: found[path] for path in tables} == {path: expected[path] for path in tables}
    assert set(found) == set(expected)
    for path in sorted(tables):
        assert world.storage.read_bytes(f"snapshots/{KEY}/{path}") == undisturbed.read_bytes(f"snapshots/{KEY}/{path}")


def test_the_next_night_changes_nothing(world: SimpleNamespace) -> None:
    run_id = world.airflow.trigger("publish_snapshot", KEY)
    run = world.airflow.finished("publish_snapshot", run_id)
    assert (run["state"], run["note"].startswith(f"Nothing changed: version {KEY} stands")) == ("success", True)
