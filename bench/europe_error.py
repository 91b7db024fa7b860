"""How wrong Europe's estimates are, as tables: Great Britain, and the United States made coarse.

    python -m bench.europe_error ../shared > tables.md

prints the tables of docs/estimates-europe.md, for every year whose answers are in the folder, and that of
docs/methodology.md.
"""

import sys
from collections.abc import Mapping, Sequence
from functools import reduce
from pathlib import Path

import numpy as np
import pyarrow as pa

from bench.europe_truth import (
    TRADED,
    American,
    British,
    Floats,
    american,
    bres,
    british,
    compare_british,
    matrix,
    plain_spread,
    primary_clusters,
    regions_of,
    states,
    states_from_divisions,
    weighted_clusters,
)
from etl.reference import clusters
from etl.reference.nace import nace_classes

BY_CLUSTER = (
    *("cluster", "strong a year"),
    *("wrong cell, plain", "rank correlation, plain", "precision, plain", "recall, plain"),
    *("wrong cell, ours", "rank correlation, ours", "precision, ours", "recall, ours"),
)
METHODS = {
    "plain": {},
    "pattern of other states": {"is_learned": True},
    "establishment counts": {"by_counts": True},
}


def _british_line(year: int | str, name: str, found: British, by_weights: British) -> str:
    return (
        f"| {year} | {name} | {found.wrong:.1%} | {found.median:.1%} | {found.p90:.1%} | {found.true} | "
        f"{found.found} | {found.false} | {by_weights.wrong:.1%} |"
    )


def _print_british(tables: Mapping[int, pa.Table]) -> None:
    primary, weighted = primary_clusters(), weighted_clusters()
    print("| year | method | wrong cell | median | p90 | specialised | found | false | by the product's weights |")
    print("|---|---|---|---|---|---|---|---|---|")
    pairs: dict[str, list[tuple[British, British]]] = {}
    for year, table in tables.items():
        truth = matrix(table, regions_of(table), nace_classes("nace2"))
        others = [other for of_year, other in tables.items() if of_year != year]
        made = {
            "plain": plain_spread(truth),
            "ours": british(table)[0],
            "ours, groups of trade known": british(table, groups_in=("45", "46", "47"))[0],
            "ours, other years known": british(table, others)[0],
        }
        for name, estimate in made.items():
            found, other = (compare_british(estimate, truth, weights) for weights in (primary, weighted))
            print(_british_line(year, name, found, other))
            pairs.setdefault(name, []).append((found, other))
    for name, years in pairs.items():
        together = [reduce(British.and_also, ways) for ways in zip(*years, strict=True)]
        print(_british_line("all", name, *together))
    print("\n| cluster | plain | ours | ours, other years known |\n|---|---|---|---|")
    shown = ("plain", "ours", "ours, other years known")
    # A cluster without jobs has none in any year.
    mean = np.stack([np.mean([found.by_cluster for found, _ in pairs[name]], axis=0) for name in shown])
    for number, name in enumerate(_names()):
        texts = ["–" if np.isnan(value) else f"{value:.0%}" for value in mean[:, number]]
        print(f"| {name} | {' | '.join(texts)} |")


def _print_american(tables: Mapping[int, pa.Table]) -> None:
    print(
        "\n| year | from | method | wrong cell | rank correlation | precision | recall |\n|---|---|---|---|---|---|---|"
    )
    for year, table in tables.items():
        for digits in (3, 2):
            for name, options in METHODS.items():
                found = american(table, digits, **options)
                print(
                    f"| {year} | {digits} digits | {name} | {found.total_wrong:.1%} | {found.rank_correlation:.2f} | "
                    f"{found.precision:.2f} | {found.recall:.2f} |"
                )


def _print_by_division(tables: Mapping[int, pa.Table]) -> None:
    print("\n| year | method | wrong cell | median | p90 | specialised | found | false |")
    print("|---|---|---|---|---|---|---|---|")
    for (year, method), found in sorted(states_from_divisions(tables).items(), key=lambda pair: pair[0][0]):
        print(
            f"| {year} | {method} | {found.wrong:.1%} | {found.median:.1%} | {found.p90:.1%} | {found.true} | "
            f"{found.found} | {found.false} |"
        )


def american_by_cluster(tables: Mapping[int, pa.Table]) -> list[str]:
    """The table of docs/methodology.md: states spread from three digits, by cluster, mean of the years."""
    plain = [american(table) for table in tables.values()]
    bent = [american(table, is_learned=True) for table in tables.values()]
    lines = [f"| {' | '.join(BY_CLUSTER)} |", "|---|" + "---:|" * (len(BY_CLUSTER) - 1)]
    for number, name in enumerate(_names()):
        strong = _mean(plain, "true")[number]
        texts = []
        for found in (plain, bent):
            hit, flagged = (_mean(found, column)[number] for column in ("found", "flagged"))
            texts += [f"{_mean(found, 'wrong')[number]:.0%}", f"{_mean(found, 'rank')[number]:.2f}"]
            texts += [f"{_share(hit, flagged)}", f"{_share(hit, strong)}"]
        lines.append(f"| {name} | {strong:.1f} | {' | '.join(texts)} |")
    overall = [_overall(found) for found in (plain, bent)]
    strong = _mean(plain, "true").sum()
    return [*lines, f"| **all** | {strong:.1f} | {' | '.join(overall)} |"]


def _overall(found: Sequence[American]) -> str:
    wrong, rank, precision, recall = (
        float(np.mean([getattr(one, name) for one in found]))
        for name in ("total_wrong", "rank_correlation", "precision", "recall")
    )
    return f"{wrong:.1%} | {rank:.2f} | {precision:.2f} | {recall:.2f}"


def _mean(found: Sequence[American], column: str) -> Floats:
    result: Floats = np.nanmean(np.stack([getattr(one, column) for one in found]), axis=0)
    return result


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.2f}" if whole else "–"


def _names() -> list[str]:
    table = clusters()
    names = dict(zip(table["cluster_code"].to_pylist(), table["cluster_name"].to_pylist(), strict=True))
    return [names[code] for code in TRADED]


def main(shared: Path) -> None:
    """Print all tables."""
    _print_british(bres(shared))
    american_years = states(shared)
    _print_american(american_years)
    _print_by_division(american_years)
    print("\n" + "\n".join(american_by_cluster(american_years)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
