"""The DAG that publishes: measure, validate, publish, and a person's release of what the gate refused."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG, Metadata, PartitionedAssetTimetable, get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException

from etl.airflow import steps
from etl.airflow.alerts import alert, on_failure
from etl.airflow.api import note_run
from etl.airflow.assets import RAW, SNAPSHOT
from etl.airflow.retries import retried
from etl.airflow.schedule import Schedule, day_of_key, is_past
from etl.errors import GateError, NothingAvailableError

KEY = "{{ partition_key or '' }}"


def publish_dag() -> DAG:
    """Make the DAG `publish_snapshot`. It runs once both sides have delivered a day, and publishes what the data root
    holds as of that day; what the events say is for people only.

    A snapshot that the gate refuses fails `validate` and publishes nothing. `approve` then waits for a person: who
    approves is recorded in the manifest.
    """
    nights = Schedule.from_environment()
    with DAG(
        dag_id="publish_snapshot",
        description="Measure, check and publish what the data root holds as of a day.",
        schedule=PartitionedAssetTimetable(assets=RAW["us"] & RAW["eu"]),
        start_date=datetime(2020, 1, 1, tzinfo=UTC),
        catchup=False,
        # Many: neither a run that waits for a person nor a backfill of days keeps the next night from starting.
        max_active_runs=1000,
        tags=["clusterbridge"],
        doc_md=publish_dag.__doc__,
    ) as dag:
        publishing_tasks(KEY, nights)
    return dag


def publishing_tasks(key: Any, nights: Schedule, **arguments: Any) -> Any:
    """Add measure, validate, approve and publish to the DAG being made; returns measure."""
    # First in line: a night is late by whatever it waits for a backfill.
    options: dict[str, Any] = {
        "execution_timeout": nights.window,
        "priority_weight": 100,
        "weight_rule": "absolute",
        # Each may take the memory of a whole year. Days of the past leave one place (see policy).
        "max_active_tis_per_dag": 3,
        "on_failure_callback": on_failure,
        **retried(nights, 5),
    }
    options |= arguments
    measured = task(task_id="measure", **options)(_measure)(key)
    validated = task(task_id="validate", **options)(_validate)(key)
    approved = ReleaseOperator(
        task_id="approve",
        trigger_rule="all_failed",
        subject="Publish although the gate refuses?",
        body="{{ (ti.xcom_pull(task_ids='validate', key='refused') or {}).get('refusal') }}",
        fail_on_reject=True,
        response_timeout=timedelta(hours=nights.release_hours),
    )
    published = task(task_id="publish", trigger_rule="one_success", outlets=[SNAPSHOT], **options)(_publish)(key)
    measured >> validated >> approved
    [validated, approved] >> published
    return measured


class ReleaseOperator(ApprovalOperator):  # type: ignore[misc]
    """Asks a person whether a refused snapshot is to be published; skipped where nothing was refused."""

    def execute(self, context: Any) -> Any:
        """Wait for the answer."""
        if not context["ti"].xcom_pull(task_ids="validate", key="refused"):
            raise AirflowSkipException("the gate refused nothing: there is nothing to release")
        return super().execute(context)


def _measure(key: str) -> steps.Json:
    try:
        return steps.measure(key)
    except NothingAvailableError as error:
        if not is_past(day_of_key(key)):
            raise
        _note(str(error))
        raise AirflowSkipException(str(error)) from error


def _validate(key: str) -> steps.Json:
    said = steps.validate(key)
    if said["refusal"] is not None:
        instance = get_current_context()["ti"]
        instance.xcom_push(key="refused", value=said)
        _note(f"Refused: {said['refusal']}")
        raise GateError(said["refusal"])
    return said


def _publish(key: str) -> Iterator[Metadata]:
    instance = get_current_context()["ti"]
    said, released_by = instance.xcom_pull(task_ids="validate"), None
    if said is None:
        said = instance.xcom_pull(task_ids="validate", key="refused") or {}
        answer = instance.xcom_pull(task_ids="approve")
        released_by = f"{answer['responded_by_user']['name']}, {answer['responded_at']}" if answer else None
    result = steps.publish(key, said.get("verdict"), released_by)
    gate = result["gate"]
    warnings = f"{len(gate['warnings'])} warnings"
    if gate["released_by"]:
        warnings += f", released by {gate['released_by']}"
    _note(f"{result['said']} Gate: {gate['executed']} of {gate['declared']} expectations executed, {warnings}.")
    if result["is_new"]:
        _tell_others(result, released_by)
    yield Metadata(SNAPSHOT, result)


def _tell_others(result: steps.Json, released_by: str | None) -> None:
    from etl.airflow.lineage import tell_lineage

    tell_lineage(result["version"])
    if released_by:
        alert(f"version {result['version']} was released", f"{released_by}: {'; '.join(result['gate']['failures'])}")


def _note(text: str) -> None:
    run = get_current_context()["dag_run"]
    note_run(run.dag_id, run.run_id, text)
