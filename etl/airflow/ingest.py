"""The DAG of one side of the Atlantic: ask the publishers, build what changed, deliver whatever happened."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG, CronPartitionTimetable, Metadata, task
from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference

from etl.airflow import steps
from etl.airflow.alerts import alert, on_failure
from etl.airflow.assets import RAW
from etl.airflow.deadline import night_missed
from etl.airflow.retries import retried
from etl.airflow.schedule import Schedule

KEY = "{{ partition_key or '' }}"
STARTED = "{{ dag_run.start_date.isoformat() }}"
SHORT = timedelta(minutes=10)
SIDES = {"us": "the United States", "eu": "Europe"}


def ingest_dag(side: steps.Side) -> DAG:
    """Make the DAG `ingest_us` or `ingest_eu`. The partition key is the snapshot date.

    A failed task never keeps the side from being delivered, and every phase ends in time for the deadline. A key in
    the past reads the archive and asks nobody.
    """
    nights = Schedule.from_environment()
    with DAG(
        dag_id=f"ingest_{side}",
        description=f"From the publishers of {SIDES[side]} to clusters, source-year by source-year.",
        schedule=CronPartitionTimetable(nights.cron, timezone="UTC", key_format="%Y-%m-%d"),
        start_date=datetime(2020, 1, 1, tzinfo=UTC),
        catchup=False,
        # More than one: a backfill of past days never keeps the nightly run from starting.
        max_active_runs=4,
        default_args={
            "execution_timeout": SHORT,
            "priority_weight": 50,
            "weight_rule": "absolute",
            "on_failure_callback": on_failure,
            **retried(nights, 3),
        },
        deadline=DeadlineAlert(
            reference=DeadlineReference.DAGRUN_QUEUED_AT,
            interval=nights.window,
            callback=AsyncCallback(night_missed),
        ),
        tags=["clusterbridge"],
        doc_md=ingest_dag.__doc__,
    ) as dag:
        groups = task(task_id="datasets")(steps.datasets_to_ask)(KEY, side, nights.asked)
        fetched = (
            task(
                task_id="fetch",
                map_index_template="{{ task.op_kwargs['group'] | join(', ') }}",
                **retried(nights, nights.retries) | {"execution_timeout": nights.fetch_limit + SHORT},
            )(steps.fetch)
            .partial(key=KEY, started=STARTED)
            .expand(group=groups)
        )
        units = task(task_id="plan", trigger_rule="all_done")(steps.source_years_to_build)(KEY, side)
        built = built_units(units, KEY, STARTED, nights, nights.builds)
        delivered = task(
            task_id="deliver", trigger_rule="all_done", outlets=[RAW[side]], on_failure_callback=on_failure
        )(_deliver)(KEY, side)
        fetched >> units
        built >> delivered
    return dag


def built_units(units: Any, key: Any, started: str | None, nights: Schedule, at_once: int, **arguments: Any) -> Any:
    """The tasks that build source-years, one each, so many at once."""
    options = {"execution_timeout": nights.build_limit, "max_active_tis_per_dagrun": at_once} | arguments
    build = task(
        task_id="build",
        map_index_template="{{ task.op_kwargs['unit']['source'] }} {{ task.op_kwargs['unit']['year'] }}",
        **retried(nights, 3) | options,
    )(steps.build)
    return build.partial(key=key, started=started).expand(unit=units)


def _deliver(key: str, side: steps.Side) -> Iterator[Metadata]:
    told = steps.delivery(key, side)
    if told["unbuilt"] and told["freshness"] != "archive":
        alert(f"ingest_{side} of {key} is delivered, though not all of it is built", ", ".join(told["unbuilt"]))
    yield Metadata(RAW[side], told)
