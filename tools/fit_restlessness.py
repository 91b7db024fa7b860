"""Fits the restlessness of classes to US states, and prints what the bands hold on Great Britain.

    python -m tools.fit_restlessness ../shared [--write]

States are spread from divisions by a pattern fitted without them; Great Britain has no part in the fit of κ.
"""

import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from bench.europe_truth import bres, british, matrix, regions_of, states
from etl.estimate.europe import colocation_pattern
from etl.reference.nace import nace_classes
from etl.uncertainty import composition
from tools.fit_colocation import States, blocks_of, held_out_states

Floats = composition.Floats
SIZES = (0, 100, 1000, 10_000, np.inf)


def shares_of(value: Floats) -> tuple[Floats, composition.Integers]:
    """Share of every class in its division, and the first class of each division."""
    block, names = blocks_of(nace_classes("nace2"), 2)
    whole = colocation_pattern.block_sums(value, block)[:, block]
    return colocation_pattern.ratio(value, whole), np.searchsorted(block, np.arange(len(names)))


def fit(years: Sequence[States]) -> Floats:
    """κ by class, drawn to 1 by composition.ENOUGH cells."""
    squares, cells = np.zeros((2, len(nace_classes("nace2"))))
    for truth, estimate in zip(years, held_out_states(years, with_sizes=False), strict=True):
        share, _ = shares_of(estimate)
        counts = (estimate > 1) & (share < 1 - 1e-9)
        usual = composition.variance(estimate, share, np.ones(share.shape[1]))
        squares += np.divide((truth.amounts - estimate) ** 2, usual, out=np.zeros_like(usual), where=counts).sum(axis=0)
        cells += counts.sum(axis=0)
    overall = squares.sum() / cells.sum()
    kappa: Floats = (squares / overall + composition.ENOUGH) / (cells + composition.ENOUGH)
    return kappa


def coverage(value: Floats, truth: Floats, low: Floats, high: Floats) -> str:
    """Share of truths inside the band by size of the figure."""
    counts = (value > 0.5) & (high - low > 1e-6 * value)
    inside = (truth >= np.where(low < 1, 0, low)) & (truth <= high)
    texts = [f"all {inside[counts].mean():.1%} of {counts.sum():,}"]
    for least, most in pairwise(SIZES):
        chosen = counts & (value >= least) & (value < most)
        texts.append(f"from {least:,}: {inside[chosen].mean():.1%} of {chosen.sum():,}")
    return "; ".join(texts)


def main(shared: Path, *, writes: bool) -> None:
    """Fit, write where asked, and print the coverage of single classes of Great Britain."""
    kappa = fit([States.of(table) for table in states(shared).values()])
    classes = nace_classes("nace2")
    if writes:
        lines = [f"{code},{value:.3f}" for code, value in zip(classes, kappa.tolist(), strict=True)]
        composition._TABLE.write_text("\n".join(["nace_code,restlessness", *lines]) + "\n", encoding="utf-8")
    parts: list[tuple[Floats, ...]] = []
    for table in bres(shared).values():
        truth, value = matrix(table, regions_of(table), classes), british(table)[0]
        share, _ = shares_of(value)
        parts.append((value, truth, *composition.gamma_band(value, composition.variance(value, share, kappa))))
    print(coverage(*(np.concatenate(part) for part in zip(*parts, strict=True))))


if __name__ == "__main__":
    main(Path(sys.argv[1]), writes="--write" in sys.argv)
