"""The chain as tasks of Airflow, in one process and without its servers, beside the same work without Airflow."""

import os
from datetime import UTC, datetime
from pathlib import Path

from bench.measured import Clock, Row
from etl.demo import write_publishers
from etl.mirror import serve
from etl.settings import Settings
from etl.storage import Storage

DATASETS = ("census_cbp", "eurostat_sbs")
YEARS = (2016, 2019)


def chain(folder: Path) -> list[Row]:
    """Run `backfill_years` over the demo's publishers twice: everything new, then nothing changed.

    Airflow's own work shows as the ratio to the same refresh without it, which comes first and meets cold imports.
    """
    publishers = write_publishers(folder / "airflow-publishers")
    os.environ |= {
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__CORE__DAGS_FOLDER": str(Path(__file__).parent.parent / "dags"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder}/airflow.db",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "CLUSTERBRIDGE_DATA": str(folder / "airflow-root"),
    }
    from airflow.utils.db import initdb

    initdb()
    clock = Clock("inside Airflow")
    with serve(publishers) as address:
        os.environ["CLUSTERBRIDGE_MIRROR"] = address
        plain = [_refresh(address, str(folder / "plain-root")) for _ in range(2)]
        for stage, peer in zip(("everything new", "nothing changed"), plain, strict=True):
            with clock.stage(stage) as row:
                tasks = _backfill()
            row.stage = f"{stage}, {tasks} tasks"
            row.beside("refresh without Airflow", peer)
    return clock.lines


def _refresh(mirror: str, root: str) -> float:
    from etl.run.refresh import RefreshRequest, refresh

    clock = Clock("refresh")
    with clock.stage("refresh") as row:
        asked = RefreshRequest(datetime.now(UTC).date(), DATASETS, YEARS, mirror=mirror)
        refresh(Storage(root), asked, Settings(data=root, workers=1))
    return row.cpu_seconds or 0.0


def _backfill() -> int:
    """Run the DAG as Airflow does, task by task, and return how many tasks did something."""
    from etl.airflow.backfill import backfill_dag

    conf = {"first": min(YEARS), "last": max(YEARS), "datasets": list(DATASETS), "fetch": "publishers"}
    run = backfill_dag().test(run_conf=conf)
    if run.state != "success":
        raise AssertionError(f"backfill_years ended as {run.state}")
    return sum(instance.state == "success" for instance in run.get_task_instances())
