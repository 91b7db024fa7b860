"""Airflow's REST API, as far as runs need it: their notes, and backfills. Raises TransientError and UsageError."""

import logging
from datetime import date
from typing import Any

from etl.airflow.schedule import PREFIX, Schedule
from etl.errors import TransientError, UsageError

log = logging.getLogger(__name__)
SECONDS = 30


class AirflowApi:
    """The API server that the settings name, as the user that they name."""

    def __init__(self, nights: Schedule) -> None:
        self._nights = nights
        self._token = ""

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request below /api/v2 and return the answer's JSON. Raises UsageError where it is refused."""
        if not self._token:
            credentials = {"username": self._nights.user, "password": self._nights.password}
            self._token = self._send("POST", "/auth/token", credentials)["access_token"]
        return self._send(method, f"/api/v2/{path}", body)

    def _send(self, method: str, path: str, body: Any) -> Any:
        import requests

        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        address = self._nights.url.rstrip("/") + path
        try:
            answer = requests.request(method, address, json=body, headers=headers, timeout=SECONDS)
        except requests.RequestException as error:
            raise TransientError(f"Airflow's API at {self._nights.url} does not answer: {error}") from error
        if answer.status_code >= 500:
            raise TransientError(f"Airflow's API answers HTTP {answer.status_code} to {method} {path}")
        if not answer.ok:
            raise UsageError(f"Airflow's API refuses {method} {path}: HTTP {answer.status_code} {_detail(answer)}")
        return answer.json() if answer.content else None


def _detail(answer: Any) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return ""


def configured_api(nights: Schedule) -> AirflowApi:
    """The API. Raises UsageError naming what is not set."""
    missing = [PREFIX + name.upper() for name in ("url", "user", "password") if not getattr(nights, name)]
    if missing:
        raise UsageError(f"Airflow's API is not configured: set {', '.join(missing)}")
    return AirflowApi(nights)


def note_run(dag_id: str, run_id: str, text: str) -> None:
    """Write a run's note, which the UI shows. Where that fails, the log says so and the run goes on."""
    nights = Schedule.from_environment()
    if not nights.url:
        log.info("no note was written: %sURL is not set", PREFIX)
        return
    try:
        configured_api(nights).request(
            "PATCH", f"dags/{dag_id}/dagRuns/{run_id}?update_mask=note", {"note": text[:1000]}
        )
    except (TransientError, UsageError) as error:
        log.warning("no note was written: %s", error)


INGESTS = ("ingest_us", "ingest_eu")
CONSUMER = "publish_snapshot"


def planned_days(api: AirflowApi, first: date, last: date, again: bool) -> tuple[list[str], bool]:
    """Ask, without starting anything, which days a backfill of both sides would rebuild.

    A day is published once both sides have delivered it. Where one side has runs that the other lacks, both are
    rebuilt whole: the second value says so. Raises UsageError where a DAG is paused (its runs would wait, and events
    for a paused consumer are lost), and where a backfill of one of them is under way (Airflow runs one at a time).
    """
    paused = [name for name in (*INGESTS, CONSUMER) if api.request("GET", f"dags/{name}")["is_paused"]]
    if paused:
        raise UsageError(f"{', '.join(paused)} {'is' if len(paused) == 1 else 'are'} paused; unpause, then backfill")
    for dag_id in INGESTS:
        newest = api.request("GET", f"backfills?dag_id={dag_id}&order_by=-id&limit=10")["backfills"]
        if any(one["completed_at"] is None for one in newest):
            raise UsageError(f"a backfill of {dag_id} is under way; start the next one when it is done")
    planned = []
    for dag_id in INGESTS:
        answer = api.request("POST", "backfills/dry_run", _whole_days(dag_id, first, last, again))
        planned.append([str(run["partition_key"]) for run in answer["backfills"]])
    if planned[0] != planned[1] and not again:
        return planned_days(api, first, last, True)
    return planned[0], again


def backfill_days(api: AirflowApi, first: date, last: date, again: bool) -> None:
    """Start a backfill of both sides. `again`: also of days that have a run already."""
    for dag_id in INGESTS:
        api.request("POST", "backfills", _whole_days(dag_id, first, last, again))


def _whole_days(dag_id: str, first: date, last: date, again: bool) -> dict[str, Any]:
    """The request for a backfill of whole days: the last one up to its end, or its own run would be left out."""
    return {
        "dag_id": dag_id,
        "from_date": f"{first}T00:00:00Z",
        "to_date": f"{last}T23:59:59Z",
        "reprocess_behavior": "completed" if again else "none",
        "max_active_runs": 1,
    }
