"""How nights run, from variables CLUSTERBRIDGE_AIRFLOW_…: read whenever a DAG file is parsed, so nothing heavy here."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time, timedelta

from etl.errors import ClusterbridgeError, UsageError

PREFIX = "CLUSTERBRIDGE_AIRFLOW_"

# Shares of the time from a run's start to its deadline: publishers may be asked in the first 40 %, a source-year may be
# begun in the first 60 % and takes at most 15 %; the rest is for publishing.
FETCH_SHARE, BEGIN_SHARE, BUILD_SHARE = 0.4, 0.6, 0.15


class OutOfTimeError(ClusterbridgeError):
    """The share of the night that a phase may take is over; what is done stands, the next run goes on."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Settings of the nightly run and its backfills.

    `start`, `deadline`: when a night begins, and when its snapshot is to be published (UTC). `stale`: whether a side
    that is down is delivered as it was, or waited for. `datasets`: what the nights ask for, separated by commas; empty
    means all. `alerts`: where alerts go, separated by commas: log, mail:ADDRESS, an https address. `builds`,
    `backfill_builds`: source-years that one run builds at a time. `retry_seconds`, `retries`: before the first further
    try at a publisher (doubled each time), and how many there are. `release_hours`: how long a refused snapshot waits
    for a person. `url`, `user`, `password`: Airflow's API, for the notes of runs and for `airflow backfill`.
    """

    start: str = "02:00"
    deadline: str = "06:00"
    stale: str = "deliver"
    datasets: str = ""
    alerts: str = "log"
    builds: int = 2
    backfill_builds: int = 1
    retry_seconds: int = 30
    retries: int = 6
    release_hours: int = 20
    url: str = ""
    user: str = ""
    password: str = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Schedule":
        """Read the variables. Raises UsageError naming the one that cannot be used."""
        values: dict[str, str | int] = {}
        for field in fields(cls):
            name = PREFIX + field.name.upper()
            text = environment.get(name, "")
            if text and field.type is int:
                if not text.isdecimal() or int(text) < 1:
                    raise UsageError(f"{name}: a whole number from 1 on is needed")
                values[field.name] = int(text)
            elif text:
                values[field.name] = text
        schedule_settings = cls(**values)  # type: ignore[arg-type]
        if schedule_settings.window <= timedelta():
            raise UsageError(f"{PREFIX}DEADLINE: the deadline lies after the start, on the same day in UTC")
        if schedule_settings.stale not in ("deliver", "wait"):
            raise UsageError(f"{PREFIX}STALE: write deliver or wait")
        for channel in schedule_settings.channels:
            if channel != "log" and not channel.startswith(("mail:", "http://", "https://")):
                raise UsageError(f"{PREFIX}ALERTS: write log, mail:ADDRESS or an https address, separated by commas")
        return schedule_settings

    @property
    def channels(self) -> tuple[str, ...]:
        """Where alerts go."""
        return _listed(self.alerts)

    @property
    def asked(self) -> tuple[str, ...]:
        """The datasets that the nights ask for; none means all."""
        return _listed(self.datasets)

    @property
    def cron(self) -> str:
        """When the nightly runs start."""
        return _cron(_time("START", self.start))

    @property
    def deadline_cron(self) -> str:
        """When the night's snapshot is looked for."""
        return _cron(_time("DEADLINE", self.deadline))

    @property
    def window(self) -> timedelta:
        """From start to deadline."""
        start, deadline = _time("START", self.start), _time("DEADLINE", self.deadline)
        return datetime.combine(date.min, deadline) - datetime.combine(date.min, start)

    @property
    def fetch_limit(self) -> timedelta:
        """How long asking one publisher may take at most."""
        return self.window * FETCH_SHARE

    @property
    def build_limit(self) -> timedelta:
        """How long one source-year may take."""
        return self.window * BUILD_SHARE

    def window_from(self, start: datetime) -> timedelta:
        """From the start of a run to the deadline; after the deadline, as long as a whole night has."""
        left = datetime.combine(start.date(), _time("DEADLINE", self.deadline), UTC) - start
        return min(left, self.window) if left > timedelta() else self.window


def day_of_key(key: str) -> date:
    """Return the day of a partition key. Raises UsageError for anything but a day up to today, written YYYY-MM-DD."""
    try:
        day = date.fromisoformat(key)
    except ValueError:
        raise UsageError(f"{key or 'no partition key'}: give the snapshot date as partition key, YYYY-MM-DD") from None
    if day > today():
        raise UsageError(f"{key}: that day is still to come")
    return day


def today() -> date:
    """Today in UTC."""
    return datetime.now(UTC).date()


def is_past(day: date) -> bool:
    """Whether a day is over: its snapshot is rebuilt from the archive, and nobody is asked."""
    return day < today()


def time_left(day: date, started: str | None, share: float, schedule_settings: Schedule) -> float:
    """Seconds that a phase of a night's run may still take: one that ends after this share of the run's time.

    Days in the past, and runs that are no night's (`started` None), have no deadline. Raises OutOfTimeError where the
    time is over.
    """
    if started is None or is_past(day):
        return math.inf
    start = datetime.fromisoformat(started)
    left = (start + schedule_settings.window_from(start) * share - datetime.now(UTC)).total_seconds()
    if left <= 0:
        raise OutOfTimeError(
            "the time that this phase has in a night is over, so that the snapshot is published on time; "
            "what is done stands, and the next run goes on from there"
        )
    return left


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _time(name: str, text: str) -> time:
    try:
        return time.fromisoformat(text).replace(second=0, microsecond=0)
    except ValueError:
        raise UsageError(f"{PREFIX}{name}: {text} is no time of day; write HH:MM in UTC") from None


def _cron(at: time) -> str:
    return f"{at.minute} {at.hour} * * *"
