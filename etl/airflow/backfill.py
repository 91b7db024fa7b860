"""The DAG that builds years: once for a new data root, or after a change of code, beside the nightly runs."""

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import DAG, Param, get_current_context, task

from etl.airflow import steps
from etl.airflow.alerts import on_failure
from etl.airflow.ingest import built_units
from etl.airflow.publishing import publishing_tasks
from etl.airflow.retries import retried
from etl.airflow.schedule import Schedule, today
from etl.errors import UsageError

FIRST_YEAR, LAST_YEAR = 1990, 2100


def backfill_dag() -> DAG:
    """Make the DAG `backfill_years`: builds the source-years of a range, the largest first, and publishes.

    It goes on where an earlier run stopped, since what is built is in the cache. Of all its tasks only so many run at
    once as the settings say, after those of a night.
    """
    nights = Schedule.from_environment()
    year = {"type": "integer", "minimum": FIRST_YEAR, "maximum": LAST_YEAR}
    with DAG(
        dag_id="backfill_years",
        description="Build a range of years, from the archive or asked for again, and publish.",
        schedule=None,
        start_date=datetime(2020, 1, 1, tzinfo=UTC),
        max_active_runs=1,
        max_active_tasks=nights.backfill_builds,
        default_args={
            "priority_weight": 1,
            "weight_rule": "absolute",
            "on_failure_callback": on_failure,
            **retried(nights, 3),
        },
        params={
            "first": Param(1998, title="First year", **year),
            "last": Param(2023, title="Last year", **year),
            "datasets": Param([], type="array", items={"type": "string"}, title="Datasets; none means all"),
            "fetch": Param(
                "archive", enum=["archive", "publishers"], title="Read the archive, or ask the publishers first"
            ),
        },
        tags=["clusterbridge"],
        doc_md=backfill_dag.__doc__,
    ) as dag:
        asked = task(task_id="asked", multiple_outputs=True)(_asked)()
        groups = task(task_id="datasets")(_groups)(asked["key"])
        fetched = (
            task(task_id="fetch", map_index_template="{{ task.op_kwargs['group'] | join(', ') }}")(steps.fetch)
            .partial(key=asked["key"], started=None, years=asked["years"])
            .expand(group=groups)
        )
        units = task(task_id="plan", trigger_rule="all_done")(_plan)(asked["key"], asked["years"], asked["datasets"])
        built = built_units(
            units,
            asked["key"],
            None,
            nights,
            nights.backfill_builds,
            execution_timeout=None,
            priority_weight=1,
        )
        day = task(task_id="day", trigger_rule="none_failed")(_day)()
        measured = publishing_tasks(day, nights, priority_weight=1, execution_timeout=None)
        fetched >> units
        built >> day >> measured
    return dag


def _asked() -> dict[str, Any]:
    params = get_current_context()["params"]
    if params["first"] > params["last"]:
        raise UsageError(f"the years run backwards: write {params['last']} to {params['first']}")
    years = list(range(params["first"], params["last"] + 1))
    return {"key": _day(), "years": years, "datasets": params["datasets"]}


def _groups(key: str) -> list[list[str]]:
    params = get_current_context()["params"]
    groups = steps.datasets_to_ask(key, None, params["datasets"])
    return groups if params["fetch"] == "publishers" else []


def _day() -> str:
    return today().isoformat()


def _plan(key: str, years: list[int], datasets: list[str]) -> list[steps.Json]:
    return steps.source_years_to_build(key, None, years, datasets)
