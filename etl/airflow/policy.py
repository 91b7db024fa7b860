"""A cluster policy of Airflow, found by its entry point `airflow.policy`: days of the past go after tonight.

A backfill over many days starts as many runs, and their tasks would stand in line with those of the night.
"""

from typing import Any

from airflow import settings
from airflow.configuration import conf
from airflow.policies import hookimpl

from etl.airflow.schedule import today

# Airflow 3.3 asks for no policy while it makes tasks unless this says so; it looks at its own settings file only.
settings.task_instance_mutation_hook.is_noop = False

DAGS = frozenset({"ingest_us", "ingest_eu", "publish_snapshot"})
PRIORITY = 1


@hookimpl  # type: ignore[untyped-decorator]
def task_instance_mutation_hook(task_instance: Any, dag_run: Any) -> None:
    """Give a task of a day in the past the lowest priority, and more than a third of the pool: two run at a time."""
    key = getattr(dag_run, "partition_key", None)
    if key and task_instance.dag_id in DAGS and key < today().isoformat():
        task_instance.priority_weight = PRIORITY
        task_instance.pool_slots = conf.getint("core", "default_pool_task_slot_count") // 3 + 1
