"""Verbs that keep versions in order: snapshots, verify, diff, prune."""

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from etl.cli.options import Data, Json, data_root
from etl.cli.tables import show
from etl.errors import UsageError


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    app.command()(snapshots)
    app.command()(verify)
    app.command()(diff)
    app.command()(prune)


def snapshots(
    data: Data = None,
    file: Annotated[str | None, typer.Option("--file", help="Which versions hold this file, or SHA-256.")] = None,
    as_json: Json = False,
) -> None:
    """List the published versions, or those that hold a file."""
    from etl.snapshots import holding, listed
    from etl.storage import Storage

    storage = Storage(data_root(data))
    if file is not None:
        found = holding(storage, file)
        if as_json:
            typer.echo(json.dumps([{"version": version, "path": path} for version, path in found], indent=2))
        elif found:
            show(["version", "file"], found)
        else:
            typer.echo(f"No version holds {file}.")
        return
    rows = [asdict(one) for one in listed(storage)]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    names = ["version", "published_at", "rows", "files", "bytes", "changed_cells", "is_latest", "is_invented"]
    show([name.replace("_", " ") for name in names], [[row[name] for name in names] for row in rows])


def verify(
    version: Annotated[str | None, typer.Argument(help="Version; the latest where none is named.")] = None,
    data: Data = None,
    every: Annotated[bool, typer.Option("--all", help="Verify every version and the whole archive.")] = False,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Build the version again from the archive.")] = False,
    as_json: Json = False,
) -> None:
    """Verify hashes, sizes, keys and references of published versions and of the archived files behind them."""
    from etl.publish import latest_version
    from etl.snapshots.verify import verify as verified
    from etl.storage import Storage

    storage = Storage(data_root(data))
    # Everything is verified without the pointer, which may itself be what is damaged.
    chosen = version or (None if every and not rebuild else latest_version(storage))
    if chosen is None and not every:
        raise UsageError(f"{storage.root} holds no published version yet; clusterbridge refresh makes one")
    if rebuild and chosen is not None:
        _rebuild(data_root(data), chosen)
        return
    report = verified(storage, None if every or chosen is None else [chosen])
    if as_json:
        typer.echo(json.dumps(asdict(report), indent=2))
    else:
        for problem in report.problems:
            typer.echo(f"{problem.path}: {problem.what}", err=True)
        typer.echo(report.sentence())
    if not report.is_sound:
        raise typer.Exit(1)


def _rebuild(root: str, version: str) -> None:
    from etl.progress import shown_progress
    from etl.run.rebuild import rebuild_draft
    from etl.settings import Settings
    from etl.snapshots.verify import verify_rebuild
    from etl.storage import Storage

    storage, settings = Storage(root), Settings(data=root)
    with tempfile.TemporaryDirectory() as folder, shown_progress() as progress:
        report = verify_rebuild(
            storage, version, lambda manifest: rebuild_draft(storage, manifest, settings, Path(folder), progress)
        )
    typer.echo(report.sentence())
    if not report.is_confirmed:
        raise typer.Exit(1)


def diff(
    old: Annotated[str, typer.Argument(help="The older version.")],
    new: Annotated[str, typer.Argument(help="The newer version.")],
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Tell what changed between two versions, the largest changes first. Unchanged files are not read."""
    from etl.diff import PublishedSide, compare
    from etl.publish import read_manifest
    from etl.sources import DATASETS
    from etl.storage import Storage

    storage = Storage(data_root(data))
    older, newer = (PublishedSide(storage, read_manifest(storage, version)) for version in (old, new))
    found = compare(older, newer, {name: dataset.source for name, dataset in DATASETS.items()}).diff
    typer.echo(found.as_json().decode() if as_json else "\n".join(found.lines()))


def prune(
    data: Data = None,
    keep: Annotated[int | None, typer.Option("--keep", help="Keep so many of the newest versions.")] = None,
    remove: Annotated[list[str] | None, typer.Option("--remove", help="Remove this version.")] = None,
    cache: Annotated[bool, typer.Option("--cache", help="Remove the cached results of steps too.")] = False,
    pin: Annotated[str | None, typer.Option("--pin", help="Keep this version whatever is pruned.")] = None,
    unpin: Annotated[str | None, typer.Option("--unpin", help="Let this version be pruned again.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Remove; without it the plan is only shown.")] = False,
) -> None:
    """Show what could be removed, and remove it only with --yes. The latest and pinned versions always stay."""
    from etl.snapshots import prune as pruning
    from etl.storage import Storage

    storage = Storage(data_root(data))
    if pin:
        pruning.pin(storage, pin)
        typer.echo(f"Version {pin} is pinned.")
        return
    if unpin:
        pruning.unpin(storage, unpin)
        typer.echo(f"Version {unpin} is no longer pinned.")
        return
    plan = pruning.plan_prune(storage, keep=keep, remove=remove or (), cache=cache)
    for removal in plan.removals[:50]:
        typer.echo(f"{removal.path}: {removal.reason}, {removal.bytes:,} bytes", err=True)
    if yes:
        pruning.prune(storage, plan)
        typer.echo(f"Removed. {plan.sentence()}")
    else:
        typer.echo(plan.sentence() + (" Say --yes to remove." if plan.removals else ""))
