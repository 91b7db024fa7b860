"""Which failures are tried again: those of networks and storage, with growing delay. Wrong data fail at once."""

from datetime import timedelta
from typing import Any

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule
from airflow.sdk.exceptions import AirflowTaskTimeout

from etl.airflow.schedule import Schedule
from etl.errors import ClusterbridgeError, TransientError

#: Rules in their order. `OSError` covers broken connections and everything requests raises; the last line is for
#: failures that another try would meet again, such as a file that cannot be read. What no rule names, such as a killed
#: worker, is tried again.
POLICY = ExceptionRetryPolicy(
    rules=[
        RetryRule(exception=[TransientError, OSError], action=RetryAction.RETRY, reason="may pass"),
        RetryRule(exception=ClusterbridgeError, action=RetryAction.FAIL, reason="would fail again"),
        RetryRule(exception=AirflowTaskTimeout, action=RetryAction.FAIL, reason="took too long for a night"),
        RetryRule(
            exception=[ValueError, TypeError, LookupError, ArithmeticError, AssertionError],
            action=RetryAction.FAIL,
            reason="would fail again",
        ),
    ]
)


def retried(nights: Schedule, retries: int) -> dict[str, Any]:
    """Arguments of a task that is tried again: the first delay as the settings say, doubled up to ten minutes."""
    return {
        "retries": retries,
        "retry_policy": POLICY,
        "retry_delay": timedelta(seconds=nights.retry_seconds),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(minutes=10),
    }
