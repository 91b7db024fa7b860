"""The verb `airflow backfill`, and notes of runs, against an API server that remembers what it was asked."""

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from typer.testing import CliRunner

from etl.airflow.api import note_run
from etl.airflow.schedule import today
from etl.cli import app
from etl.errors import UsageError

FIRST, LAST = (today() - timedelta(days=days) for days in (3, 1))
DAYS = [(FIRST + timedelta(days=number)).isoformat() for number in range(3)]


class FakeAirflow(HTTPServer):
    """Answers as Airflow's API does. `had`: for each DAG the days that have a run; `paused`, `under_way`: DAGs that
    are, or that are backfilled."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, str, dict[str, object]]] = []
        self.had: dict[str, set[str]] = {}
        self.paused: set[str] = set()
        self.under_way: set[str] = set()
        self.broken = False


class _Handler(BaseHTTPRequestHandler):
    server: FakeAirflow

    def answer(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        if self.path == "/auth/token":
            is_right = body == {"username": "ada", "password": "secret"}
            return self.send(201 if is_right else 401, {"access_token": "token"} if is_right else {"detail": "no"})
        if self.server.broken:
            return self.send(503, {})
        if self.headers["Authorization"] != "Bearer token":
            return self.send(401, {"detail": "Invalid or unsafe JWT token"})
        self.server.asked.append((self.command, self.path, body))
        if self.path == "/api/v2/backfills/dry_run":
            had = self.server.had.get(body["dag_id"], set()) if body["reprocess_behavior"] == "none" else set()
            return self.send(200, {"backfills": [{"partition_key": day} for day in DAYS if day not in had]})
        if self.command == "GET" and self.path.startswith("/api/v2/backfills?dag_id="):
            name = self.path.partition("=")[2].partition("&")[0]
            done = [{"completed_at": "2026-11-01T00:00:00Z"}]
            return self.send(200, {"backfills": done + [{"completed_at": None}] * (name in self.server.under_way)})
        name = self.path.rpartition("/")[2]
        return self.send(200, {"is_paused": name in self.server.paused})

    do_GET = do_POST = do_PATCH = answer  # noqa: N815

    def send(self, status: int, content: object) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def airflow(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAirflow]:
    server = FakeAirflow()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    monkeypatch.setenv("CLUSTERBRIDGE_AIRFLOW_URL", f"http://127.0.0.1:{server.server_address[1]}/")
    monkeypatch.setenv("CLUSTERBRIDGE_AIRFLOW_USER", "ada")
    monkeypatch.setenv("CLUSTERBRIDGE_AIRFLOW_PASSWORD", "secret")
    yield server
    server.shutdown()
    server.server_close()


def backfill(*arguments: str) -> str:
    command = ["airflow", "backfill", "--from", FIRST.isoformat(), "--to", LAST.isoformat(), *arguments]
    done = CliRunner().invoke(app, command, catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def test_both_sides_are_backfilled_to_the_end_of_the_last_day_after_a_dry_run(airflow: FakeAirflow) -> None:
    assert f"as of {', '.join(DAYS)}" in backfill()
    posts = [(path, body) for method, path, body in airflow.asked if method == "POST"]
    assert [path for path, _ in posts] == ["/api/v2/backfills/dry_run"] * 2 + ["/api/v2/backfills"] * 2
    assert [body["dag_id"] for _, body in posts] == ["ingest_us", "ingest_eu"] * 2
    for _, body in posts:
        assert (body["from_date"], body["to_date"]) == (f"{DAYS[0]}T00:00:00Z", f"{DAYS[-1]}T23:59:59Z")
        assert (body["reprocess_behavior"], body["max_active_runs"]) == ("none", 1)


def test_a_dry_run_starts_nothing(airflow: FakeAirflow) -> None:
    assert "Would rebuild" in backfill("--dry-run")
    assert "/api/v2/backfills" not in [path for _, path, _ in airflow.asked]


def test_days_that_one_side_lacks_are_rebuilt_on_both(airflow: FakeAirflow) -> None:
    airflow.had = {"ingest_us": {DAYS[0]}}
    assert f"as of {', '.join(DAYS)}" in backfill()
    started = [body for _, path, body in airflow.asked if path == "/api/v2/backfills"]
    assert [body["reprocess_behavior"] for body in started] == ["completed", "completed"]


def test_days_that_have_runs_are_left_unless_asked_for_again(airflow: FakeAirflow) -> None:
    airflow.had = {"ingest_us": set(DAYS), "ingest_eu": set(DAYS)}
    assert "Nothing to rebuild" in backfill()
    assert "/api/v2/backfills" not in [path for _, path, _ in airflow.asked]
    assert DAYS[1] in backfill("--again")


def test_what_would_go_wrong_is_said_before_anything_is_started(
    airflow: FakeAirflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    airflow.paused = {"publish_snapshot"}
    with pytest.raises(UsageError, match="publish_snapshot is paused"):
        backfill()
    assert not [path for method, path, _ in airflow.asked if method == "POST"]
    airflow.paused, airflow.under_way = set(), {"ingest_eu"}
    with pytest.raises(UsageError, match="a backfill of ingest_eu is under way"):
        backfill()
    assert not [path for method, path, _ in airflow.asked if method == "POST"]
    command = ["airflow", "backfill", "--from", LAST.isoformat(), "--to", FIRST.isoformat()]
    with pytest.raises(UsageError, match="backwards"):
        CliRunner().invoke(app, command, catch_exceptions=False)
    monkeypatch.setenv("CLUSTERBRIDGE_AIRFLOW_PASSWORD", "wrong")
    with pytest.raises(UsageError, match="401"):
        backfill()
    monkeypatch.delenv("CLUSTERBRIDGE_AIRFLOW_PASSWORD")
    with pytest.raises(UsageError, match="CLUSTERBRIDGE_AIRFLOW_PASSWORD"):
        backfill()


def test_a_note_is_written_and_its_failure_harms_nothing(
    airflow: FakeAirflow, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    note_run("publish_snapshot", "run", "Published.")
    assert airflow.asked[-1] == (
        "PATCH",
        "/api/v2/dags/publish_snapshot/dagRuns/run?update_mask=note",
        {"note": "Published."},
    )
    airflow.broken = True
    note_run("publish_snapshot", "run", "Published.")
    assert "no note was written: Airflow's API answers HTTP 503" in caplog.text
    monkeypatch.setenv("CLUSTERBRIDGE_AIRFLOW_URL", "http://127.0.0.1:9")
    note_run("publish_snapshot", "run", "Published.")
    assert "does not answer" in caplog.text
