"""Settings of the nights, partition keys, and what is tried again."""

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import pytest
import requests

from etl.airflow.schedule import OutOfTimeError, Schedule, day_of_key, is_past, time_left, today
from etl.errors import DataError, GateError, NothingAvailableError, SourceFormatError, TransientError, UsageError


def test_settings_come_from_the_environment() -> None:
    nights = Schedule.from_environment(
        {
            "CLUSTERBRIDGE_AIRFLOW_START": "01:30",
            "CLUSTERBRIDGE_AIRFLOW_DEADLINE": "07:00",
            "CLUSTERBRIDGE_AIRFLOW_BUILDS": "3",
            "CLUSTERBRIDGE_AIRFLOW_ALERTS": "log, mail:a@example.org,https://hooks.example.org/x",
        }
    )
    assert (nights.cron, nights.deadline_cron) == ("30 1 * * *", "0 7 * * *")
    assert nights.window == timedelta(hours=5, minutes=30)
    assert nights.builds == 3
    assert nights.channels == ("log", "mail:a@example.org", "https://hooks.example.org/x")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("START", "2 o'clock"),
        ("DEADLINE", "25:00"),
        ("DEADLINE", "01:00"),
        ("BUILDS", "0"),
        ("RETRIES", "-1"),
        ("STALE", "perhaps"),
        ("ALERTS", "pigeon"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(name: str, value: str) -> None:
    with pytest.raises(UsageError, match=f"CLUSTERBRIDGE_AIRFLOW_{name}"):
        Schedule.from_environment({f"CLUSTERBRIDGE_AIRFLOW_{name}": value})


def test_the_line_s_own_settings_do_not_mind_those_of_airflow(monkeypatch: pytest.MonkeyPatch) -> None:
    from etl.settings import Settings

    monkeypatch.setenv("CLUSTERBRIDGE_AIRFLOW_ALERTS", "log")
    assert Settings().workers == 2


def test_a_partition_key_is_a_day_that_has_come() -> None:
    assert day_of_key("2024-02-29") == date(2024, 2, 29)
    assert is_past(date(2024, 2, 29)) and not is_past(today())
    for key in ("", "None", "2026-13-01", (today() + timedelta(days=1)).isoformat()):
        with pytest.raises(UsageError):
            day_of_key(key)


def test_a_phase_ends_in_time_for_the_deadline_but_only_tonight() -> None:
    ago = datetime.now(UTC) - timedelta(minutes=10)
    started = ago.isoformat()
    # A deadline that this run can no longer keep: it has as long as a whole night, four hours.
    nights = Schedule(start="00:00", deadline="04:00") if ago.hour >= 4 else Schedule(start="19:59", deadline="23:59")
    whole = nights.window_from(ago)
    assert 0 < time_left(today(), started, timedelta(minutes=11) / whole, nights) <= 60
    with pytest.raises(OutOfTimeError):
        time_left(today(), started, timedelta(minutes=9) / whole, nights)
    assert time_left(today() - timedelta(days=1), started, 0.01, nights) > 1e9
    assert time_left(today(), None, 0.01, nights) > 1e9


def test_a_run_that_starts_late_has_less_time_so_that_the_deadline_is_kept() -> None:
    nights = Schedule(start="02:00", deadline="06:00")
    windows = [
        nights.window_from(datetime(2026, 3, 1, hour, minute, tzinfo=UTC))
        for hour, minute in ((2, 0), (1, 0), (5, 50), (6, 0), (15, 0))
    ]
    whole = timedelta(hours=4)
    assert windows == [whole, whole, timedelta(minutes=10), whole, whole]


@pytest.mark.parametrize(
    ("dag_id", "days_ago", "is_last"),
    [
        ("publish_snapshot", 1, True),
        ("publish_snapshot", 0, False),
        ("publish_snapshot", None, False),
        ("somebody_else_s", 1000, False),
    ],
)
def test_days_of_the_past_go_after_tonight_and_two_at_a_time(dag_id: str, days_ago: int | None, is_last: bool) -> None:
    from importlib.metadata import entry_points

    key = None if days_ago is None else (today() - timedelta(days=days_ago)).isoformat()
    (policy,) = entry_points(group="airflow.policy", name="clusterbridge")
    task = SimpleNamespace(dag_id=dag_id, priority_weight=100, pool_slots=1)
    policy.load().task_instance_mutation_hook(task, SimpleNamespace(partition_key=key))
    policy.load().task_instance_mutation_hook(task, None)
    assert (task.priority_weight, task.pool_slots) == ((1, 128 // 3 + 1) if is_last else (100, 1))


@pytest.mark.parametrize(
    ("error", "action"),
    [
        (TransientError("x"), "retry"),
        (requests.ConnectionError("x"), "retry"),
        (requests.HTTPError("x"), "retry"),
        (TimeoutError("x"), "retry"),
        (DataError("x"), "fail"),
        (SourceFormatError("x"), "fail"),
        (GateError("x"), "fail"),
        (UsageError("x"), "fail"),
        (NothingAvailableError("x"), "fail"),
        (OutOfTimeError("x"), "fail"),
        (ValueError("x"), "fail"),
        (KeyError("x"), "fail"),
        (RuntimeError("x"), "default"),
        (MemoryError(), "default"),
    ],
)
def test_transient_errors_are_tried_again_and_wrong_data_fail_at_once(error: Exception, action: str) -> None:
    from etl.airflow.retries import POLICY

    assert POLICY.evaluate(error, 1, 3).action.value == action


def test_a_task_that_took_too_long_is_not_tried_again() -> None:
    from airflow.sdk.exceptions import AirflowTaskTimeout

    from etl.airflow.retries import POLICY

    assert POLICY.evaluate(AirflowTaskTimeout(), 1, 3).action.value == "fail"
