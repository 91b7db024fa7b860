"""The chain of a night, task function by task function, on small publishers over HTTP."""

import json
import logging
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from etl.airflow import steps
from etl.airflow.schedule import OutOfTimeError, today
from etl.errors import DataError, GateError, NothingAvailableError, TransientError, UsageError
from etl.mirror import Fault, MirrorServer
from etl.publish import read_manifest
from etl.snapshots.status import root_status
from etl.storage import Storage
from etl.validate import GateReport
from etl.validate.report import FAILING_SCHEMA, Checked

DAY = today()
KEY, YESTERDAY = DAY.isoformat(), (DAY - timedelta(days=1)).isoformat()


@pytest.fixture(autouse=True)
def day(monkeypatch: pytest.MonkeyPatch) -> None:
    """Midnight does not come while these tests run."""
    monkeypatch.setattr("etl.airflow.schedule.today", lambda: DAY)


@pytest.fixture(autouse=True)
def gate(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A gate that looks at nothing: it refuses for each sentence in this list, and passes where there is none."""
    refusals: list[str] = []

    def validate(tables: dict[str, pa.Table], **_: object) -> GateReport:
        checked = [Checked("region", None, text, {}, "critical", "", False, 1) for text in refusals]
        return GateReport(tuple(checked), len(checked), FAILING_SCHEMA.empty_table())

    monkeypatch.setattr("etl.run.checked_publishing.validate", validate)
    return refusals


def ingest(side: steps.Side, key: str = KEY) -> dict[str, object]:
    for group in steps.datasets_to_ask(key, side):
        steps.fetch(group, key, None)
    for unit in steps.source_years_to_build(key, side):
        steps.build(unit, key, None)
    return steps.delivery(key, side)


def parquet_hashes(root: str, version: str) -> dict[str, str]:
    files = read_manifest(Storage(root), version).files
    return {path: entry.sha256 for path, entry in files.items() if path.endswith(".parquet")}


def test_a_night_task_by_task_publishes_what_a_refresh_does(
    data_root: str, tmp_path: Path, mirror: MirrorServer
) -> None:
    from etl.run.refresh import RefreshRequest, refresh
    from etl.settings import Settings

    told = [ingest("us"), ingest("eu")]
    assert [(one["freshness"], one["stale"], one["unbuilt"]) for one in told] == [("fresh", {}, [])] * 2
    assert steps.overdue(DAY) == f"what the archive holds of {KEY} is not published; the version before still stands"
    measured = steps.measure(KEY)
    said = steps.validate(KEY)
    assert (said["refusal"], said["content_id"]) == (None, measured["content_id"])
    result = steps.publish(KEY, said["verdict"])
    assert (result["version"], result["is_new"], result["previous"]) == (KEY, True, None)
    assert result["rows"] == measured["rows"]
    assert steps.overdue(DAY) is None
    for small in (*told, measured, said, result):
        assert len(json.dumps(small)) < 5000

    other = str(tmp_path / "other")
    refresh(Storage(other), RefreshRequest(DAY, mirror=mirror.address), Settings(data=other, workers=1))
    assert parquet_hashes(data_root, KEY) == parquet_hashes(other, KEY)

    assert steps.measure(KEY) == {"version": KEY}
    assert steps.validate(KEY) == {"refusal": None, "verdict": None}
    again = steps.publish(KEY, None)
    assert (again["version"], again["is_new"]) == (KEY, False)


def test_what_is_built_is_not_built_again_and_the_largest_comes_first(data_root: str) -> None:
    for group in steps.datasets_to_ask(KEY, None):
        steps.fetch(group, KEY, None)
    units = steps.source_years_to_build(KEY, None)
    assert [(unit["source"], unit["year"]) for unit in units] == [
        ("census_cbp", 2019),
        ("eurostat_sbs", 2016),
        ("eurostat_sbs", 2019),
    ]
    assert steps.source_years_to_build(KEY, "eu") == units[1:]
    assert steps.source_years_to_build(KEY, None, [2016]) == units[1:2]
    assert steps.source_years_to_build(KEY, None, [], ["census_cbp"]) == units[:1]
    keys = steps.build(units[1], KEY, None)["keys"]
    assert steps.source_years_to_build(KEY, None) == [units[0], units[2]]
    assert steps.build(units[1], KEY, None)["keys"] == keys
    with pytest.raises(NothingAvailableError, match="census_cbp 1998"):
        steps.build({"source": "census_cbp", "year": 1998}, KEY, None)


def test_a_day_in_the_past_asks_nobody(data_root: str, mirror: MirrorServer) -> None:
    seen = []
    mirror.on_request = seen.append
    assert steps.datasets_to_ask(YESTERDAY, "us") == []
    assert steps.source_years_to_build(YESTERDAY, "us") == []
    assert steps.delivery(YESTERDAY, "us")["freshness"] == "archive"
    with pytest.raises(NothingAvailableError, match="nothing known on that day"):
        steps.measure(YESTERDAY)
    assert seen == []


def test_a_day_in_the_past_is_rebuilt_from_what_was_known_then(data_root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as yesterday:
        yesterday.setattr("etl.airflow.schedule.today", lambda: DAY - timedelta(days=1))
        ingest("eu", YESTERDAY)
    steps.fetch(["census_cbp"], KEY, None)
    result = steps.publish(YESTERDAY, None)
    manifest = read_manifest(Storage(data_root), YESTERDAY)
    assert result["version"] == YESTERDAY
    assert {file.dataset for file in manifest.source_files} == {"eurostat_sbs"}


def test_datasets_that_go_together_are_asked_together(data_root: str) -> None:
    groups = steps.datasets_to_ask(KEY, "eu")
    assert [len(group) > 1 for group in groups if "eurostat_toc" in group] == [True]
    assert all(name.startswith("eurostat") for group in groups if "eurostat_toc" in group for name in group)
    assert ["census_cbp"] in steps.datasets_to_ask(KEY, "us")
    assert steps.datasets_to_ask(KEY, None, ["eurostat_sbs", "census_cbp"]) == [["census_cbp"], ["eurostat_sbs"]]
    with pytest.raises(UsageError, match="census_cpb"):
        steps.datasets_to_ask(KEY, None, ["census_cpb"])


def test_an_unreachable_publisher_is_tried_again_and_its_side_is_delivered_stale(
    data_root: str, mirror: MirrorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror.faults = (Fault("503", "cbp19us"),)
    with pytest.raises(TransientError, match="never had"):
        steps.fetch(["census_cbp"], KEY, None, [2019])
    mirror.faults = ()
    steps.fetch(["census_cbp"], KEY, None, [2019])
    mirror.faults = (Fault("503", "cbp19us"),)
    with pytest.raises(TransientError, match="the last good bytes stand"):
        steps.fetch(["census_cbp"], KEY, None, [2019])
    told = steps.delivery(KEY, "us")
    assert (told["freshness"], list(told["stale"]), told["unbuilt"]) == ("stale", ["census_cbp"], ["census_cbp 2019"])
    monkeypatch.setenv("CLUSTERBRIDGE_AIRFLOW_STALE", "wait")
    with pytest.raises(DataError, match="waited for"):
        steps.delivery(KEY, "us")


def test_a_side_whose_publisher_was_not_asked_tonight_is_not_fresh(
    data_root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as yesterday:
        yesterday.setattr("etl.airflow.schedule.today", lambda: DAY - timedelta(days=1))
        ingest("eu", YESTERDAY)
        assert steps.delivery(YESTERDAY, "eu")["freshness"] == "fresh"
    told = steps.delivery(KEY, "eu")
    assert (told["freshness"], list(told["stale"])) == ("stale", ["eurostat_sbs"])
    steps.fetch(["eurostat_sbs"], KEY, None)
    assert steps.delivery(KEY, "eu")["freshness"] == "fresh"


def test_a_dataset_that_is_not_there_keeps_no_side_from_being_delivered(
    data_root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLUSTERBRIDGE_AIRFLOW_DATASETS", "eurostat_sbs,census_cpb")
    steps.fetch(["eurostat_sbs"], KEY, None)
    assert steps.delivery(KEY, "eu")["freshness"] == "fresh"


@pytest.mark.parametrize("fault", ["truncated", "html"])
def test_a_refused_answer_fails_at_once(data_root: str, mirror: MirrorServer, fault: str) -> None:
    steps.fetch(["eurostat_sbs"], KEY, None)
    mirror.faults = (Fault(fault, "SBS_R_NUTS06_R2"),)
    with pytest.raises(DataError, match=r"eurostat_sbs: .* is refused .* the last good bytes stand"):
        steps.fetch(["eurostat_sbs"], KEY, None)
    assert list(steps.delivery(KEY, "eu")["stale"]) == ["eurostat_sbs"]


def test_what_has_no_time_left_says_so(data_root: str) -> None:
    long_ago = (DAY - timedelta(days=2)).isoformat() + "T00:00:00+00:00"
    for call in (
        lambda: steps.fetch(["census_cbp"], KEY, long_ago),
        lambda: steps.build({"source": "census_cbp", "year": 2019}, KEY, long_ago),
    ):
        with pytest.raises(OutOfTimeError, match="published on time"):
            call()


def test_a_refused_snapshot_is_published_only_once_a_person_has_released_it(data_root: str, gate: list[str]) -> None:
    for group in steps.datasets_to_ask(KEY, "eu"):
        steps.fetch(group, KEY, None)
    gate.append("members_add_up")
    said = steps.validate(KEY)
    assert "members_add_up" in said["refusal"]
    storage = Storage(data_root)
    with pytest.raises(GateError, match="members_add_up"):
        steps.publish(KEY, said["verdict"])
    assert storage.list("snapshots") == []
    (refused,) = root_status(storage)["refused"]
    assert (refused["snapshot_date"], set(refused["failures"])) == (KEY, {"members_add_up of region"})
    assert storage.exists(refused["rows_in"])

    result = steps.publish(KEY, said["verdict"], "Ada, 2026-01-01T00:00:00+00:00")
    assert result["gate"]["released_by"] == "Ada, 2026-01-01T00:00:00+00:00"
    manifest = read_manifest(storage, result["version"])
    assert manifest.gate.released_by == "Ada, 2026-01-01T00:00:00+00:00"
    assert "members_add_up" in manifest.gate.failures[0]
    assert root_status(storage)["refused"] == []


def test_a_release_counts_only_for_what_was_refused(data_root: str, gate: list[str]) -> None:
    steps.fetch(["census_cbp"], KEY, None)
    gate.append("members_add_up")
    said = steps.validate(KEY)
    steps.fetch(["eurostat_sbs"], KEY, None)
    with pytest.raises(DataError, match="the archive has changed"):
        steps.publish(KEY, said["verdict"], "Ada")
    with pytest.raises(DataError, match="the archive has changed"):
        steps.publish(KEY, None, "Ada")
    assert Storage(data_root).list("snapshots") == []


def test_a_verdict_of_another_content_does_not_let_anything_pass(data_root: str, gate: list[str]) -> None:
    steps.fetch(["census_cbp"], KEY, None)
    said = steps.validate(KEY)
    assert said["refusal"] is None
    steps.fetch(["eurostat_sbs"], KEY, None)
    gate.append("members_add_up")
    with pytest.raises(GateError):
        steps.publish(KEY, said["verdict"])


def test_the_deadline_tells_a_night_that_never_ran(data_root: str) -> None:
    assert "no publisher of eu and us was asked" in str(steps.overdue(DAY))
    steps.fetch(["census_cbp"], KEY, None)
    assert "no publisher of eu was asked" in str(steps.overdue(DAY))


def test_tasks_log_in_plain_words(data_root: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "etl.airflow.steps"):
        steps.fetch(["census_cbp"], KEY, None)
        steps.source_years_to_build(KEY, "us")
    assert "census_cbp: 2 new" in caplog.text
    assert "1 source-years to build: census_cbp 2019" in caplog.text


@pytest.mark.parametrize("is_refused", [True, False])
def test_an_answer_counts_only_where_the_gate_refuses(monkeypatch: pytest.MonkeyPatch, is_refused: bool) -> None:
    from types import SimpleNamespace

    from etl.airflow import publishing

    said = {"verdict": "hash"}
    answer = {"responded_by_user": {"name": "Ada"}, "responded_at": "2026-01-01T00:00:00+00:00"}
    pushed = {("validate", "refused" if is_refused else "return_value"): said, ("approve", "return_value"): answer}
    instance = SimpleNamespace(xcom_pull=lambda task_ids, key="return_value": pushed.get((task_ids, key)))
    asked = []

    def publish(*arguments: object) -> dict[str, object]:
        asked.append(arguments)
        gate = {"released_by": None, "warnings": [], "executed": 1, "declared": 1}
        return {"gate": gate, "said": "", "is_new": False}

    monkeypatch.setattr(publishing, "get_current_context", lambda: {"ti": instance})
    monkeypatch.setattr(publishing.steps, "publish", publish)
    monkeypatch.setattr(publishing, "_note", lambda _: None)
    list(publishing._publish(KEY))
    assert asked == [(KEY, "hash", "Ada, 2026-01-01T00:00:00+00:00" if is_refused else None)]
