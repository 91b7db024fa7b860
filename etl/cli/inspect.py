"""Verbs that look: status, snapshots, sources, explain, concordance."""

import json
import re
from typing import Annotated, Any

import typer

from etl.cli.options import Data, Json, data_root
from etl.cli.tables import show
from etl.errors import UsageError


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    app.command()(status)
    app.command()(sources)
    app.command()(explain)
    app.command()(concordance)


def status(data: Data = None, as_json: Json = False) -> None:
    """Tell what the data root holds: the newest version, each dataset, its age, what is stale."""
    from etl.snapshots.status import root_status
    from etl.storage import Storage

    state = root_status(Storage(data_root(data)))
    if as_json:
        typer.echo(json.dumps(state, indent=2))
        return
    if state["latest"] is None:
        typer.echo(f"{state['root']} holds no published version yet; clusterbridge refresh makes one.")
    else:
        mark = " (invented figures)" if state["is_invented"] else ""
        gate, rows = state["gate"], sum(state["rows"].values())
        changed = sum(count for kinds in state["changes"].values() for count in kinds.values())
        since = f", {changed:,} cells changed since {state['previous']}" if state["previous"] else ""
        released = f", released by {gate['released_by']}" if gate["released_by"] else ""
        typer.echo(
            f"{state['root']}: version {state['latest']}{mark}, published {state['published_at']}, "
            f"{state['versions']} in all; {rows:,} rows{since}; {gate['executed']} of {gate['declared']} expectations "
            f"executed, {len(gate['warnings'])} warnings{released}."
        )
    for one in state["refused"]:
        typer.echo(
            f"Refused by the gate as of {one['snapshot_date']}: {'; '.join(one['failures'])}. The rows are in "
            f"{one['rows_in']}"
        )
    held = [row for row in state["datasets"] if row["files"]]
    show(
        ["dataset", "years in hand", "files", "MB", "age in days", "stale"],
        [
            [
                row["dataset"],
                row["years_in_hand"],
                row["files"],
                round(row["bytes"] / 1e6, 1),
                row["age_days"],
                f"{row['stale_files']}: {row['stale_reason']}" if row["stale_files"] else "",
            ]
            for row in held
        ],
    )


def sources(
    data: Data = None,
    check: Annotated[bool, typer.Option("--check", help="Ask each live publisher for one small answer.")] = False,
    mirror: Annotated[str | None, typer.Option("--mirror", help="Ask this mirror in place of the publishers.")] = None,
    as_json: Json = False,
) -> None:
    """List datasets, their addresses, the years on offer, what is in hand and how old it is."""
    from dataclasses import asdict

    from etl.run.refresh import requests_for
    from etl.snapshots.status import dataset_statuses
    from etl.storage import Storage

    if check:
        _check_publishers(mirror, as_json)
        return
    rows = []
    for one in dataset_statuses(Storage(data_root(data))):
        requests = requests_for([one.dataset])
        rows.append(asdict(one) | {"address": requests[0].url if requests else None, "addresses": len(requests)})
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    typer.echo("\n\n".join(_in_lines(row) for row in rows))


def _in_lines(row: dict[str, Any]) -> str:
    """A dataset for people: what it is, what there is of it and how old, where it comes from."""
    offered = f"on offer {row['years_on_offer']}; " if row["years_on_offer"] else ""
    held = "nothing in hand"
    if row["files"]:
        years = f"{row['years_in_hand']}: " if row["years_in_hand"] else ""
        held = f"in hand {years}{row['files']:,} files, the oldest confirmed {row['age_days']:g} days ago"
    stale = f"; {row['stale_files']:,} stale: {row['stale_reason']}" if row["stale_files"] else ""
    more = f" and {row['addresses'] - 1:,} more addresses" if row["addresses"] > 1 else ""
    address = f"{row['address']}{more}" if row["address"] else "not configured"
    return f"{row['dataset']}: {row['title']} ({row['publisher']})\n  {offered}{held}{stale}\n  {address}"


def _check_publishers(mirror: str | None, as_json: bool) -> None:
    from dataclasses import asdict

    from etl.archive.probe import probe_publishers
    from etl.cli.run import served
    from etl.settings import Settings
    from etl.sources import DATASETS

    with served(mirror) as address:
        probes = probe_publishers(DATASETS, Settings(), address)
    if as_json:
        typer.echo(json.dumps([asdict(probe) for probe in probes], indent=2))
    else:
        for probe in probes:
            typer.echo(f"{probe.dataset:24} {probe.status:14} {probe.said}")
    statuses = {probe.status for probe in probes}
    if "has changed" in statuses or "as expected" not in statuses:
        raise typer.Exit(1)


def explain(
    region: Annotated[str, typer.Argument(help="SCHEME:CODE, such as us_state:26.")],
    cluster: Annotated[int, typer.Argument(help="Cluster code, such as 4.")],
    year: Annotated[int, typer.Argument(help="Reference year.")],
    data: Data = None,
) -> None:
    """Tell how a figure came about: source rows, weights, bounds, denominators, rules and thresholds."""
    from etl.measure.explain import explain as explained
    from etl.snapshots import open as open_snapshot

    scheme, code = scheme_and_code(region)
    typer.echo("\n".join(explained(open_snapshot("latest", data_root(data)), scheme, code, cluster, year)))


def concordance(
    code: Annotated[str, typer.Argument(help="SCHEME:CODE, such as naics2017:336411.")],
    to: Annotated[str, typer.Option("--to", help="Classification to go to: nace2, naics2012, cluster ...")],
) -> None:
    """Print the links of a code to another classification, with weights and the reason for each."""
    from etl.harmonise import concordance_rows

    scheme, value = scheme_and_code(code)
    rows = concordance_rows(scheme, value, to)
    names = ["from", "to", "name", "weight", "method", "partial", "basis"]
    show(names, [[row.get(name, "") for name in names] for row in rows])


def scheme_and_code(text: str) -> tuple[str, str]:
    """Read SCHEME:CODE. Raises UsageError for anything else."""
    match = re.fullmatch(r"([a-z][a-z0-9_]*):([A-Za-z0-9._~-]+)", text)
    if not match:
        raise UsageError(f"{text}: write SCHEME:CODE, such as us_state:26 or naics2017:336411")
    return match[1], match[2]
