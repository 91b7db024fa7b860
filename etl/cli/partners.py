"""The verb partners: who is alike, who complements, and who is there to talk to."""

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from etl.cli.inspect import scheme_and_code
from etl.cli.options import Data, Json, data_root
from etl.cli.tables import show
from etl.errors import UsageError

if TYPE_CHECKING:
    from etl.partners.report import PartnerReport

TITLES = {
    "twin": "Twins: alike cluster by cluster",
    "twin_related": "Twins, related clusters counted",
    "complement": "Complements: strong in clusters linked to the region's own (own > partner's)",
}


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command()(partners)


def partners(
    region: Annotated[str, typer.Argument(help="SCHEME:CODE, such as us_economic_area:57045 or nuts2:DE11.")],
    cluster: Annotated[int | None, typer.Option("--cluster", help="Only partners this cluster has to do with.")] = None,
    year: Annotated[int | None, typer.Option("--year", help="Reference year; the latest with partners.")] = None,
    any_size: Annotated[
        bool, typer.Option("--any-size", help="Also partners of less than 1/4 or more than 4 x.")
    ] = False,
    count: Annotated[int, typer.Option("--count", help="Partners of each kind.")] = 5,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Find partners for a region across the Atlantic, with the reasons, the bands and the organisations there."""
    from etl.partners.report import compared_regions, partner_report
    from etl.partners.suggestions import did_you_mean, suggestions
    from etl.snapshots import open as open_snapshot

    snapshot = open_snapshot("latest", data_root(data))
    try:
        scheme, code = scheme_and_code(region)
    except UsageError as error:
        meant = did_you_mean(suggestions(region, compared_regions(snapshot)))
        raise UsageError(f"{region}: write SCHEME:CODE, such as us_state:26 or nuts2:DE11{meant}") from error
    report = partner_report(snapshot, scheme, code, cluster=cluster, year=year, any_size=any_size)
    report = replace(report, partners=_first(report.partners, count))
    if as_json:
        told = {"version": snapshot.version, "is_invented": snapshot.manifest.is_invented, **asdict(report)}
        typer.echo(json.dumps(told, indent=2, ensure_ascii=False))
        return
    mark = ", invented figures" if snapshot.manifest.is_invented else ""
    typer.echo(f"{report.name} ({report.region}), {report.year}, version {snapshot.version}{mark}")
    if report.why_none:
        typer.echo(f"\n{report.why_none}")
    for kind, title in TITLES.items():
        _partners(report, kind, title, cluster is not None)
    _organisations(report)
    _opportunities(report)


def _first(partners: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """The best partners of each kind."""
    return [row for kind in TITLES for row in [one for one in partners if one["kind"] == kind][:count]]


def _partners(report: "PartnerReport", kind: str, title: str, has_cluster: bool) -> None:
    rows = [row for row in report.partners if row["kind"] == kind]
    if not rows:
        return
    typer.echo(f"\n{title}")
    names = ["rank", "region", "partner", "score", "band", "size", *(["quotient"] if has_cluster else [])]
    names += ["because of", *(["organisations"] if report.has_organisations else [])]
    show(
        names,
        [
            [
                row["partner_rank"],
                f"{row['partner_scheme']}:{row['partner_code']}",
                f"{row['partner_name']} ({row['partner_country']})",
                f"{row['score']:.2f}",
                f"{row['score_low']:.2f} to {row['score_high']:.2f}",
                f"{row['size_ratio']:.1f} x",
                *([row["partner_quotient"]] if has_cluster else []),
                ", ".join(row["explanation"]),
                *([", ".join(row["organisations"])] if report.has_organisations else []),
            ]
            for row in rows
        ],
    )


def _organisations(report: "PartnerReport") -> None:
    if not report.has_organisations:
        typer.echo("\nOrganisations: this version has no list of them (docs/partners.md says how to configure one).")
        return
    names = dict.fromkeys(row["organisation_name"] for row in report.organisations)
    if names:
        typer.echo(f"\nOrganisations here: {', '.join(names)}")
    if report.lacking:
        typer.echo(f"\nStrong clusters without an organisation: {', '.join(report.lacking)}")
    for row in report.without_strength:
        typer.echo(f"\n{row['organisation_name']}, cluster {row['cluster_code']}: {row['gap']}")


def _opportunities(report: "PartnerReport") -> None:
    if report.opportunities:
        typer.echo(f"\nNear to what is strong here ({report.test})")
        names = ["cluster", "name", "density"]
        show(
            names, [[row["cluster_code"], row["cluster_name"], f"{row['density']:.2f}"] for row in report.opportunities]
        )
    elif report.test and not report.is_test_passed:
        typer.echo(f"\nWhat the region may grow into is not shown: {report.test}")
    elif report.test:
        typer.echo(
            f"\nWhat the region may grow into cannot be told: no cluster's strength is known here ({report.test})"
        )
