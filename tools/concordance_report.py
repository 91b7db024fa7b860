"""The report on concordances: how ambiguous each is, its families, links that carry nothing. Markdown."""

from collections import Counter

import numpy as np

from etl.harmonise.cluster_weights import cluster_weights
from etl.harmonise.concordance import Concordance
from etl.harmonise.families import KINDS, families
from etl.harmonise.published import (
    INDUSTRY_SCHEMES,
    definition_break_table,
    industry_concordances,
    unambiguous_employment_share,
)
from etl.harmonise.region_links import region_concordances
from etl.harmonise.vintages import WEIGHT_YEAR, nace2_flows, nace_links
from etl.reference import clusters
from etl.reference.store import rows
from etl.reference.us_employment import us_employment
from tools.lint_reference import WITHOUT_NAICS_LINK, described


def report() -> str:
    """The whole report, from the built-in tables alone."""
    parts = [
        "# Concordances",
        "Made by `tools.concordance_report` from the built-in tables; a test fails when it is stale. "
        "Shares and weights: see table `concordance`, method: [methodology](methodology.md).",
        "## Links and families",
        _families_table(),
        "A family is a connected component: the finest groups that agree exactly in both lists.",
        "## Links that carry nothing",
        _unused(),
        "## Industries over clusters",
        _placements(),
        "## Clusters whose employment involves no judgement",
        _sure_clusters(),
        "## What a change of definitions alone moves",
        _breaks(),
        "## Decisions by hand",
        _overrides(),
        "## Tables and where they are from",
        _origins(),
    ]
    return "\n\n".join(parts) + "\n"


def _table(header: list[str], lines: list[list[str]]) -> str:
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join("| " + " | ".join(line) + " |" for line in [header, rule, *lines])


def _families_table() -> str:
    header = ["from, to", "codes", "links", "one target", *KINDS, "largest family", "breaks", "mean entropy (bits)"]
    return _table(header, [_line(one) for one in (*industry_concordances(), *region_concordances())])


def _line(concordance: Concordance) -> list[str]:
    family, kind = families(concordance)
    linked = concordance.to_code != ""
    first = np.unique(family[linked], return_index=True)[1]
    kinds = Counter(kind[linked][first].tolist())
    known = ~np.isnan(concordance.weight)
    degree = np.bincount(concordance.source_index[known], minlength=concordance.sources.size)
    size = Counter(family[linked].tolist())
    largest = max(size, key=lambda number: (size[number], -number))
    mine = linked & (family == largest)
    return [
        f"{concordance.from_scheme}, {concordance.to_scheme}",
        f"{concordance.sources.size:,}",
        f"{int(linked.sum()):,}",
        f"{(degree == 1).mean():.1%}",
        *(f"{kinds[one]:,}" for one in KINDS),
        f"{len(set(concordance.from_code[mine].tolist()))} + {len(set(concordance.to_code[mine].tolist()))}",
        str(int((~known).sum())),
        f"{concordance.entropy().mean():.3f}",
    ]


def _unused() -> str:
    links, _ = nace_links()
    covered = us_employment(WEIGHT_YEAR)
    idle = [link for link, flow in zip(links, nace2_flows().tolist(), strict=True) if flow == 0]
    codes = {source for source, _ in idle}
    above = [f"{source} to {target}" for source, target in links if len(target) < 5]
    inside = len(codes & covered.keys())
    return (
        f"Of the {len(links):,} links NAICS 2017 to NACE 2 {len(idle):,} carry no US employment: their {len(codes)} "
        "NAICS industries are outside County Business Patterns (farms, rail, post, funds, government, households; "
        f"{inside} inside it without employees). {', '.join(above)} leads to a group and takes no part in weights by "
        f"class. The NACE classes {', '.join(sorted(WITHOUT_NAICS_LINK))} have no link."
    )


def _placements() -> str:
    lines = []
    for scheme in INDUSTRY_SCHEMES:
        found = cluster_weights(scheme)
        sure = found.low.any(axis=1)
        lines.append(
            [
                scheme,
                f"{found.codes.size:,}",
                f"{int(sure.sum()):,}",
                f"{int((found.weight[:, 0] == 1).sum()):,}",
                f"{(found.high > 0).sum(axis=1).mean():.2f}",
                f"{found.entropy().mean():.3f}",
            ]
        )
    header = ["scheme", "codes", "in one cluster for sure", "in no cluster", "mean clusters", "mean entropy (bits)"]
    return _table(header, lines) + "\n\nNACE: codes of all levels, sections to classes."


def _sure_clusters() -> str:
    share = unambiguous_employment_share()
    names = {row["cluster_code"]: row["cluster_name"] for row in clusters().to_pylist()}
    ordered = sorted(share, key=lambda code: (-share[code], code))
    lines = [[f"{code} {names[code]}", f"{share[code]:.1%}"] for code in ordered]
    return _table(["cluster", f"share of US employment of {WEIGHT_YEAR} in NACE classes of this cluster alone"], lines)


def _breaks() -> str:
    moved = [row for row in definition_break_table().to_pylist() if abs(row["difference"]) >= 1]
    lines = [
        [
            f"{row['from_scheme']} to {row['to_scheme']}, cluster {row['cluster_code']}",
            f"{row['employment_before']:,.0f}",
            f"{row['employment_after']:,.0f}",
            f"{row['difference']:+,.0f}",
        ]
        for row in moved
    ]
    return _table(["change", "persons by the older list", "by the newer list", "difference"], lines)


def _overrides() -> str:
    lines = [
        [row["nace_code"], row["cluster_code"], row["date"], row["reason"]] for row in rows("nace_cluster_override")
    ]
    return _table(["NACE 2 class", "cluster", "date", "reason"], lines)


def _origins() -> str:
    lines = [[f"`{name}`", about["title"], about["origin"]] for name, about in sorted(described().items())]
    return _table(["table", "what", "origin"], lines)
