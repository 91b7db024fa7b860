"""How wrong Europe's estimates are, as tables: Great Britain, and the United States made coarse.

    python -m bench.europe_error ../shared > tables.md

prints the tables of docs/estimates-europe.md, for every year whose answers are in the folder.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from bench.europe_truth import (
    TRADED,
    American,
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
    weighted_clusters,
)
from etl.reference import clusters
from etl.reference.nace import nace_classes

METHODS = {
    "plain": {},
    "pattern of other states": {"is_learned": True},
    "establishment counts": {"by_counts": True},
}


def _print_british(tables: Mapping[int, pa.Table]) -> None:
    primary, weighted = primary_clusters(), weighted_clusters()
    print("| year | method | wrong cell | median | p90 | specialised | found | false | by the product's weights |")
    print("|---|---|---|---|---|---|---|---|---|")
    clustered: list[Floats] = []
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
            print(
                f"| {year} | {name} | {found.wrong:.1%} | {found.median:.1%} | {found.p90:.1%} | {found.true} | "
                f"{found.found} | {found.false} | {other.wrong:.1%} |"
            )
        clustered.append(
            np.stack(
                [
                    compare_british(made[name], truth, primary).by_cluster
                    for name in ("plain", "ours", "ours, other years known")
                ]
            )
        )
    print("\n| cluster | plain | ours | ours, other years known |\n|---|---|---|---|")
    mean = np.nanmean(np.stack(clustered), axis=0)
    for number, name in enumerate(_names()):
        print(f"| {name} | " + " | ".join(f"{value:.0%}" for value in mean[:, number]) + " |")


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
    heads = ["wrong, plain", "wrong, pattern", "rank, plain", "rank, pattern", "strong"]
    heads += ["found, plain", "false, plain", "found, pattern", "false, pattern"]
    print(f"\n| cluster | {' | '.join(heads)} |")
    print("|---" * (len(heads) + 1) + "|")
    plain = [american(table) for table in tables.values()]
    learned = [american(table, is_learned=True) for table in tables.values()]

    def mean(found: Sequence[American], column: str) -> Floats:
        result: Floats = np.nanmean(np.stack([getattr(one, column) for one in found]), axis=0)
        return result

    for number, name in enumerate(_names()):
        values = [mean(years, column)[number] for column in ("wrong", "rank") for years in (plain, learned)]
        counts = [mean(plain, "true")[number]]
        for years in (plain, learned):
            counts += [mean(years, "found")[number], (mean(years, "flagged") - mean(years, "found"))[number]]
        print(
            f"| {name} | {values[0]:.0%} | {values[1]:.0%} | {values[2]:.2f} | {values[3]:.2f} | "
            + " | ".join(f"{count:.1f}" for count in counts)
            + " |"
        )


def _names() -> list[str]:
    table = clusters()
    names = dict(zip(table["cluster_code"].to_pylist(), table["cluster_name"].to_pylist(), strict=True))
    return [names[code] for code in TRADED]


def main(shared: Path) -> None:
    """Print all tables."""
    _print_british(bres(shared))
    _print_american(states(shared))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
