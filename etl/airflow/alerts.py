"""Alerts to people, through the channels of one setting: the log, mail, a webhook."""

import logging
from typing import Any

from etl.airflow.schedule import OutOfTimeError, Schedule

log = logging.getLogger(__name__)


def alert(subject: str, text: str) -> None:
    """Tell people. A channel that fails is logged, and does not keep the others from being used."""
    for channel in Schedule.from_environment().channels:
        try:
            _send(channel, f"Clusterbridge: {subject}", text)
        except Exception:
            log.exception("the alert could not be sent through %s", channel.split("?")[0].split("/services/")[0])


def _send(channel: str, subject: str, text: str) -> None:
    if channel == "log":
        log.error("ALERT %s. %s", subject, text)
    elif channel.startswith("mail:"):
        from html import escape

        from airflow.providers.smtp.hooks.smtp import SmtpHook

        with SmtpHook() as hook:
            hook.send_email_smtp(
                to=channel.removeprefix("mail:"), subject=subject, html_content=f"<p>{escape(text)}</p>"
            )
    else:
        import requests

        requests.post(channel, json={"subject": subject, "text": f"{subject}\n{text}"}, timeout=30).raise_for_status()


def on_failure(context: Any) -> None:
    """Tell people that a task has failed for good; for `on_failure_callback`.

    Source-years for which there was no time are many, and `deliver` names them in one alert.
    """
    if isinstance(context.get("exception"), OutOfTimeError):
        return
    instance = context["ti"]
    name = f"{instance.dag_id}, {instance.task_id} of {context.get('partition_key') or instance.run_id} failed"
    alert(name, str(context.get("exception") or "the worker died or the task was stopped"))
