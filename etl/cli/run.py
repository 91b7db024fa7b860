"""Verbs that rebuild: refresh, backfill, demo."""

import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from etl.cli.options import (
    Data,
    Datasets,
    Json,
    Mirror,
    Years,
    data_root,
    datasets_of,
    day_of,
    today,
    years_of,
)
from etl.errors import UsageError


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    app.command()(refresh)
    app.command()(backfill)
    app.command()(demo)


def refresh(
    data: Data = None,
    mirror: Mirror = None,
    years: Years = None,
    datasets: Datasets = None,
    as_of: Annotated[str | None, typer.Option("--as-of", help="Rebuild as of this past day; fetches nothing.")] = None,
    accept: Annotated[
        list[str] | None, typer.Option("--accept", help="Take a change of this dataset that a guard refused.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Fetch what changed, rebuild what depends on it, check it, and publish a snapshot."""
    chosen_years, chosen_datasets = years_of(years), datasets_of(datasets)
    accepted = datasets_of(",".join(accept)) if accept else ()
    day = day_of(as_of, "--as-of")
    if day is not None and mirror is not None:
        raise UsageError("--as-of reads the archive only; leave out --mirror")
    _run(data_root(data), mirror, chosen_years, chosen_datasets, day, accepted or (), as_json)


def backfill(
    years: Annotated[str, typer.Option("--years", help="Years to rebuild: 1998-2023.")],
    data: Data = None,
    mirror: Mirror = None,
    datasets: Datasets = None,
    as_json: Json = False,
) -> None:
    """Refresh over a named range of years: largest first, going on where an earlier run stopped."""
    _run(data_root(data), mirror, years_of(years), datasets_of(datasets), None, (), as_json)


def demo(
    data: Annotated[str, typer.Option("--data", help="Where the demo keeps its data root.")] = "demo-data",
) -> None:
    """Refresh from small built-in publishers with invented figures, and query what was published."""
    from etl.demo import organisations_configured, write_publishers
    from etl.demo.query import first_query
    from etl.mirror import serve
    from etl.progress import shown_progress
    from etl.run.refresh import RefreshRequest, refresh
    from etl.settings import Settings
    from etl.storage import Storage

    typer.echo("Built-in publishers with invented figures: real codes and formats, no real statistics.")
    storage = Storage(data)
    with (
        tempfile.TemporaryDirectory() as folder,
        serve(write_publishers(Path(folder))) as address,
        organisations_configured(Path(folder)),
        shown_progress() as progress,
    ):
        asked = RefreshRequest(today(), mirror=address, is_invented=True)
        summary = refresh(storage, asked, Settings(data=data), progress)
    typer.echo(summary.sentence())
    typer.echo(first_query(storage))


def _run(
    root: str,
    mirror: str | None,
    years: tuple[int, ...] | None,
    datasets: tuple[str, ...] | None,
    as_of: date | None,
    accept: tuple[str, ...],
    as_json: bool,
) -> None:
    from etl.progress import shown_progress
    from etl.run.refresh import RefreshRequest, refresh
    from etl.settings import Settings
    from etl.storage import Storage

    storage, settings = Storage(root), Settings(data=root)
    with served(mirror or settings.mirror) as address, shown_progress() as progress:
        asked = RefreshRequest(as_of or today(), datasets, years, address, as_of is None, frozenset(accept))
        summary = refresh(storage, asked, settings, progress)
    if as_json:
        typer.echo(json.dumps(summary.as_json(), indent=2))
        return
    for note in summary.notes:
        typer.echo(note, err=True)
    typer.echo(summary.sentence())


@contextmanager
def served(mirror: str | None) -> Iterator[str | None]:
    """The address that stands in for the publishers, served from a folder for the time of the block where it is one."""
    from etl.mirror import serve

    if mirror is None or re.match(r"https?://", mirror):
        yield mirror
        return
    with serve(Path(mirror)) as address:
        yield address
