"""The command line `clusterbridge`: each verb calls one function and says in one sentence what came of it."""

import logging
import sys

import typer

from etl.cli import airflow, inspect, maintain, partners, run, serve, site
from etl.errors import ClusterbridgeError

app = typer.Typer(
    name="clusterbridge",
    help="The industry clusters of every US and European region on one taxonomy, as versioned Parquet.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for module in (run, inspect, partners, maintain, serve, site, airflow):
    module.register(app)


def main() -> None:
    """Run the command line; failures that are expected end in one sentence and the exit status of their class."""
    _log_to_stderr()
    try:
        app()
    except ClusterbridgeError as error:
        typer.echo(f"clusterbridge: {error}", err=True)
        sys.exit(error.exit_status)
    except KeyboardInterrupt:
        typer.echo("clusterbridge: stopped; the version before still stands", err=True)
        sys.exit(130)


def _log_to_stderr() -> None:
    # The handler has the level, too: Great Expectations sets one of its own on its logger.
    handler = logging.StreamHandler(sys.stderr)
    handler.setLevel(logging.WARNING)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], format="%(levelname)s %(name)s: %(message)s")
