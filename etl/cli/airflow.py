"""Verbs for an Airflow that runs the line: airflow backfill."""

from typing import Annotated

import typer

from etl.cli.options import day_of
from etl.errors import UsageError

airflow_app = typer.Typer(help="Work with the Airflow that runs the nightly refresh.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    app.add_typer(airflow_app, name="airflow")
    # A lone command would otherwise take the place of its group.
    airflow_app.callback()(lambda: None)


@airflow_app.command()
def backfill(
    first: Annotated[str, typer.Option("--from", help="First snapshot date to rebuild, YYYY-MM-DD.")],
    last: Annotated[str, typer.Option("--to", help="Last snapshot date to rebuild, YYYY-MM-DD.")],
    again: Annotated[bool, typer.Option("--again", help="Also days that have a run already.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say which days would be rebuilt, and stop.")] = False,
) -> None:
    """Rebuild snapshots as of past days: a backfill of both sides, through Airflow's API."""
    from etl.airflow.api import backfill_days, configured_api, planned_days
    from etl.airflow.schedule import Schedule

    start, end = day_of(first, "--from"), day_of(last, "--to")
    if start is None or end is None or start > end:
        raise UsageError(f"--from {first} --to {last}: the days run backwards")
    api = configured_api(Schedule.from_environment())
    days, all_again = planned_days(api, start, end, again)
    if not days:
        typer.echo("Nothing to rebuild: each of these days has a run; --again rebuilds them.")
        return
    typer.echo(f"{'Would rebuild' if dry_run else 'Rebuilding'} as of {', '.join(days)}, from the archive, both sides.")
    if not dry_run:
        backfill_days(api, start, end, all_again)
