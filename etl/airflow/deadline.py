"""The publishing deadline: what is told, and when, if the night's snapshot is not there."""

import asyncio
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, CronTriggerTimetable, task

from etl.airflow import steps
from etl.airflow.alerts import alert, on_failure
from etl.airflow.schedule import Schedule, today
from etl.errors import DataError


def deadline_dag() -> DAG:
    """Make the DAG `publishing_deadline`: at the deadline it looks whether the day's snapshot is published.

    It reads the data root alone, so that it also tells when another DAG never ran.
    """
    nights = Schedule.from_environment()
    with DAG(
        dag_id="publishing_deadline",
        description="Tell people when the night's snapshot is not published by the deadline.",
        schedule=CronTriggerTimetable(nights.deadline_cron, timezone="UTC", run_immediately=timedelta()),
        # No start date, nor anything at once: the first look is at the first deadline after the installation.
        catchup=False,
        tags=["clusterbridge"],
        doc_md=deadline_dag.__doc__,
    ) as dag:
        task(task_id="look", on_failure_callback=on_failure, priority_weight=100, weight_rule="absolute")(_look)()
    return dag


def _look() -> None:
    why = steps.overdue(today())
    if why is not None:
        raise DataError(f"no snapshot by the deadline: {why}")


async def night_missed(context: Any) -> None:
    """Tell people that an ingest run is not done at the deadline; the triggerer runs it, even if no worker works."""
    run = context["dag_run"]
    text = f"{run['dag_id']} of {run.get('partition_key')} is still {run['state']}: look for a worker that hangs"
    await asyncio.to_thread(alert, "a night's run is not done by the deadline", text)
