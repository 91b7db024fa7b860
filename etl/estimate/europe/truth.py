"""The European method against the truth: classes by region are added up to divisions, spread again, and compared."""

from dataclasses import dataclass

import numpy as np

from etl.estimate.common.tree import Floats, Integers
from etl.estimate.europe import bands
from etl.estimate.europe import colocation_pattern as colocation
from etl.estimate.europe.grid import AreaGrid, is_nuts
from etl.reference.nace import nace_classes, nace_section
from etl.uncertainty import composition

#: Regions a country needs for the comparison.
REGIONS = 10


@dataclass(frozen=True, slots=True)
class TruthComparison:
    """Regions × classes: `truth`, the estimate of the method and the plain one (the nation's shares everywhere)."""

    truth: Floats
    estimate: Floats
    plain: Floats
    division: Integers


def compare(truth: Floats) -> TruthComparison:
    """Spread the divisions of a country's regions by its class structure, with and without the pattern.

    `truth`: regions × classes of NACE Rev. 2. Only divisions by region and classes of the nation are used.
    """
    classes = nace_classes("nace2")
    names = tuple(sorted({code[:2] for code in classes}))
    place = {name: number for number, name in enumerate(names)}
    division = np.array([place[code[:2]] for code in classes], np.int64)
    totals = colocation.block_sums(truth, division)
    shares = colocation.shares(truth.sum(axis=0), division)
    found, is_there = colocation.known_features(names)
    profile = colocation.profile(np.where(is_there[None, :], totals[:, found], 0.0))
    ratios = colocation.us_pattern().for_leaves(classes).ratios(profile)
    estimate = colocation.spread(totals, shares, division, ratios)
    return TruthComparison(truth, estimate, totals[:, division] * shares, division)


def class_quality(grid: AreaGrid) -> list[dict[str, object]]:
    """Rows of `estimate_quality` for a source that has all classes of a country's regions, by section and in all.

    `midpoint_error` is that of an equal split of each division, the rule that knows nothing.
    """
    if grid.industry_scheme != "nace2":
        return []
    rows: list[dict[str, object]] = []
    place = {code: number for number, code in enumerate(grid.industries)}
    columns = np.array([place.get(code, -1) for code in nace_classes("nace2")], np.int64)
    if (columns < 0).any():
        return []
    section = np.array([nace_section(code, "nace2") for code in nace_classes("nace2")])
    for country in sorted({area.code[:2] for area in grid.areas if is_nuts(area)}):
        regions = [n for n, area in enumerate(grid.areas) if area.code[:2] == country and area.scheme == "nuts2"]
        truth = grid.figure[regions][:, columns]
        if len(regions) < REGIONS or np.isnan(truth).any():
            continue
        compared = compare(truth)
        for letter in (None, *sorted(set(section.tolist()))):
            chosen = np.ones(section.size, bool) if letter is None else section == letter
            row = _quality(compared, chosen)
            if row["cells"]:
                rows.append(
                    {"region_scheme": "nuts2", "sector": letter or "ALL", **row, "is_calibrated": letter is None}
                )
    return rows


def _quality(compared: TruthComparison, chosen: np.ndarray) -> dict[str, object]:
    truth, estimate = compared.truth[:, chosen], compared.estimate[:, chosen]
    block = colocation.block_sums(compared.truth, compared.division)[:, compared.division][:, chosen]
    kappa = composition.restlessness_of(nace_classes("nace2"))[chosen]
    ends = composition.part_band(estimate, block, kappa)
    inside = (truth >= ends[0]) & (truth <= ends[1])
    open_ = (estimate > 0) & (estimate < block * (1 - 1e-9))
    hits, cells = int((inside & open_).sum()), int(open_.sum())
    low, high = bands.interval(hits, cells)
    members = np.bincount(compared.division)[compared.division][chosen]
    total = truth.sum()
    return {
        "cells": cells,
        "weighted_error": float(np.abs(estimate - truth).sum() / total) if total else None,
        "midpoint_error": float(np.abs(block / members - truth).sum() / total) if total else None,
        "band_coverage": hits / cells if cells else None,
        "band_coverage_low": low,
        "band_coverage_high": high,
    }
