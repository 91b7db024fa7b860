"""Alerts through each channel, and lineage."""

import json
import logging
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from etl.airflow.alerts import alert, on_failure
from etl.airflow.schedule import OutOfTimeError

ALERTS = "CLUSTERBRIDGE_AIRFLOW_ALERTS"


@contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def hook() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """The address of a webhook, and what it has received."""
    received: list[dict[str, str]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(500 if "fails" in self.path else 200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with serving(HTTPServer(("127.0.0.1", 0), Hook)) as port:
        yield f"http://127.0.0.1:{port}/hook", received


def test_an_alert_goes_to_the_log_and_to_a_webhook(
    hook: tuple[str, list[dict[str, str]]], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(ALERTS, f"log,{hook[0]}")
    alert("the gate refuses", "region: 3 rows")
    assert "ALERT Clusterbridge: the gate refuses. region: 3 rows" in caplog.text
    assert hook[1] == [
        {"subject": "Clusterbridge: the gate refuses", "text": "Clusterbridge: the gate refuses\nregion: 3 rows"}
    ]


def test_a_channel_that_fails_does_not_keep_the_next_from_being_used(
    hook: tuple[str, list[dict[str, str]]], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(ALERTS, f"{hook[0]}/fails,{hook[0]}")
    alert("a", "b")
    assert len(hook[1]) == 2
    assert "the alert could not be sent" in caplog.text


def test_an_alert_goes_out_by_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    class Mail(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 test\r\n")
            for line in self.rfile:
                lines.append(line.decode().strip())
                if lines[-1].upper() == "DATA":
                    self.wfile.write(b"354 go on\r\n")
                    while (text := self.rfile.readline().decode().strip()) != ".":
                        lines.append(text)
                self.wfile.write(b"221 bye\r\n" if lines[-1].upper() == "QUIT" else b"250 ok\r\n")

    lines: list[str] = []
    with serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mail)) as port:
        extra = json.dumps({"disable_ssl": True, "disable_tls": True, "from_email": "line@example.org"})
        connection = {"conn_type": "smtp", "host": "127.0.0.1", "port": port, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(connection))
        monkeypatch.setenv(ALERTS, "mail:people@example.org")
        alert("the gate refuses", "region: 3 rows < 4")
    text = "\n".join(lines)
    assert "Subject: Clusterbridge: the gate refuses" in text
    assert "people@example.org" in text and "line@example.org" in text


def test_a_failed_task_is_told_unless_there_was_only_no_time(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(ALERTS, "log")
    instance = SimpleNamespace(dag_id="ingest_us", task_id="build", run_id="r")
    on_failure({"ti": instance, "partition_key": "2026-01-01", "exception": ValueError("line 3")})
    on_failure({"ti": instance, "partition_key": "2026-01-01", "exception": OutOfTimeError("over")})
    on_failure({"ti": instance})
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert told == [
        "ALERT Clusterbridge: ingest_us, build of 2026-01-01 failed. line 3",
        "ALERT Clusterbridge: ingest_us, build of r failed. the worker died or the task was stopped",
    ]


def test_lineage_leads_from_publishers_addresses_to_published_tables(
    data_root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datetime import date

    from etl.airflow.lineage import tell_lineage
    from etl.publish.manifest import Environment, GateResult, Manifest, SourceFileState, TableEntry

    manifest = Manifest(
        version="2026-01-01",
        previous=None,
        snapshot_date=date(2026, 1, 1).isoformat(),
        published_at="2026-01-01T05:00:00+00:00",
        content_id="c",
        code_id="d",
        tables={"region_total": TableEntry(title="t", contract_version="1.0.0", rows=1, files=1)},
        files={},
        source_files=(
            SourceFileState(dataset="census_cbp", url="https://www2.census.gov/a/b.zip", sha256="a" * 64, bytes=1),
        ),
        gate=GateResult(),
        environment=Environment(python="3", machine="m"),
    )
    events = tmp_path / "events.json"
    monkeypatch.setenv(
        "AIRFLOW__OPENLINEAGE__TRANSPORT", json.dumps({"type": "file", "log_file_path": str(events), "append": True})
    )
    monkeypatch.setattr("etl.publish.read_manifest", lambda storage, version: manifest)
    tell_lineage("2026-01-01")
    event = json.loads(events.read_text())
    assert [(one["namespace"], one["name"]) for one in event["inputs"]] == [("https://www2.census.gov", "a/b.zip")]
    assert event["inputs"][0]["facets"]["version"]["datasetVersion"] == "a" * 64
    (table,) = event["outputs"]
    assert (table["namespace"], table["name"]) == (f"file://{data_root}", "snapshots/region_total")
    assert "employment" in {field["name"] for field in table["facets"]["schema"]["fields"]}
