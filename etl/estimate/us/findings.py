"""What the estimate found out about itself and about its source: quality and contradictions, as tables."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from etl.contracts import contract
from etl.estimate.common.bounds import UNBOUNDED
from etl.estimate.common.tree import Booleans
from etl.estimate.us.bands import strata
from etl.estimate.us.holdout import HoldOut
from etl.estimate.us.missing_cells import HIDDEN
from etl.estimate.us.problem_from_rows import EstimationInput
from etl.estimate.us.solve import Solution
from etl.estimate.us.tables import SCHEMES, region_vintages

NORMAL_99 = 2.5758
"""Half-width of a 99 % interval in standard errors."""

ENOUGH_BY_SECTOR = 30
"""Held-out cells from which a sector's coverage means something."""

KINDS = ("industry", "geography")
"""Kind of a contradiction by tree."""


def nothing_found() -> tuple[pa.Table, pa.Table]:
    """Both tables without rows."""
    return contract("estimate_quality").empty(), contract("contradiction").empty()


def quality_rows(posed: EstimationInput, held_out: HoldOut, source: str, year: int) -> pa.Table:
    """Error and coverage by region scheme and sector, and over all sectors; rows of `estimate_quality`.

    A row is calibrated where it has held-out cells enough and most of the leaves estimated in it are published cells of
    calibrated strata: cells that a file dropped are like none that it prints.
    """
    names = _sector_names(posed)
    share = _share_represented(posed, held_out)
    rows: list[dict[str, Any]] = []
    for level in np.unique(held_out.region_level).tolist():
        for sector in [None, *np.unique(held_out.sector).tolist()]:
            own = (held_out.region_level == level) & (True if sector is None else held_out.sector == sector)
            if own.any():
                rows.append(
                    {
                        "source": source,
                        "year": year,
                        "region_scheme": SCHEMES[level],
                        "sector": "ALL" if sector is None else names[sector],
                        "is_calibrated": share(level, sector) >= 0.5 and int(own.sum()) >= ENOUGH_BY_SECTOR,
                        **_measures(held_out, own),
                    }
                )
    return _conformed(rows, "estimate_quality")


def _share_represented(posed: EstimationInput, held_out: HoldOut) -> Callable[[int, int | None], float]:
    """By level of regions and sector (None: all), the share of the estimated leaves that held-out cells represent."""
    problem = posed.problem
    leaves = np.flatnonzero(problem.is_leaf & (problem.high > problem.low) & (posed.completed.kind != HIDDEN))
    is_like = problem.is_published[leaves] & held_out.calibration.is_calibrated[strata(problem, leaves)]
    width = int(problem.sector.max(initial=0)) + 1
    group = problem.region_level[leaves].astype(np.int64) * width + problem.sector[leaves]
    all_leaves = np.bincount(group, minlength=3 * width).reshape(3, width)
    like = np.bincount(group, is_like, minlength=3 * width).reshape(3, width)

    def share(level: int, sector: int | None) -> float:
        chosen = slice(None) if sector is None else slice(sector, sector + 1)
        return float(like[level, chosen].sum() / max(all_leaves[level, chosen].sum(), 1))

    return share


def _sector_names(posed: EstimationInput) -> dict[int, str]:
    """Code of each sector by its number; the total's is the total."""
    lists = posed.completed.lists
    sector_of = np.zeros(len(lists.industries), np.int64)
    sector_of[posed.problem.industry] = posed.problem.sector
    by_length = sorted(range(len(lists.industries)), key=lambda number: -len(lists.industries[number]))
    return {int(sector_of[number]): lists.industries[number] for number in by_length}


def _measures(held_out: HoldOut, own: Booleans) -> dict[str, float | int | None]:
    truth, covered = held_out.truth[own], held_out.is_covered[own]
    total, coverage = truth.sum(), float(covered.mean())
    midpoint = float(np.abs(held_out.midpoint[own] - truth).sum() / total)
    # Wilson's interval: honest near 0 and 1 and for few cells.
    count, square = truth.size, NORMAL_99**2
    centre = (coverage + square / (2 * count)) / (1 + square / count)
    half = NORMAL_99 * np.sqrt(coverage * (1 - coverage) / count + square / (4 * count**2)) / (1 + square / count)
    return {
        "cells": count,
        "weighted_error": float(np.abs(held_out.estimate[own] - truth).sum() / total),
        "midpoint_error": None if np.isnan(midpoint) else midpoint,
        "band_coverage": coverage,
        "band_coverage_low": float(max(centre - half, 0.0)),
        "band_coverage_high": float(min(centre + half, 1.0)),
    }


def contradiction_rows(posed: EstimationInput, solution: Solution, table: pa.Table) -> pa.Table:
    """What cannot all be true; rows of `contradiction`.

    Sums that their members cannot meet (within what their ranges allow), sums over regions that no choice within the
    ranges meets beside the other sums although each might by itself, and cells whose range and size classes exclude
    each other.
    """
    lists, cells = posed.completed.lists, posed.completed
    vintages = region_vintages(table)
    shared = {name: table.column(name)[0].as_py() for name in ("source", "year", "industry_scheme")}
    found = [
        (one.cell, KINDS[one.tree], one.low, one.high, one.members_low, one.members_high) for one in solution.conflicts
    ]
    for tree, missing in enumerate(solution.unmet):
        for cell, amount in missing.items():
            value = solution.value[cell]
            found.append((cell, KINDS[tree], value, value, value - amount, value - amount))
    if posed.problem.sizes is not None and solution.range_conflicts.size:
        least, most = posed.problem.sizes.range(is_noisy=posed.problem.is_noisy)
        found += [
            (cell, "range", posed.problem.low[cell], posed.problem.high[cell], least[cell], most[cell])
            for cell in solution.range_conflicts.tolist()
        ]
    is_printed = posed.problem.low == posed.problem.high
    rows = []
    for cell, kind, low, high, members_low, members_high in found:
        scheme = SCHEMES[lists.region_level[cells.region[cell]]]
        rows.append(
            {
                **shared,
                "region_scheme": scheme,
                "region_code": lists.regions[cells.region[cell]],
                "region_vintage": vintages[scheme],
                "industry_code": lists.industries[cells.industry[cell]],
                "kind": kind,
                "amount_published": low if is_printed[cell] else None,
                "amount_possible_low": members_low,
                "amount_possible_high": members_high if members_high < UNBOUNDED / 10 else None,
                "difference": high - members_low if members_low > high else low - members_high,
            }
        )
    return _conformed(rows, "contradiction")


def _conformed(rows: list[dict[str, Any]], name: str) -> pa.Table:
    schema = contract(name).arrow_schema
    return contract(name).conform(pa.Table.from_pylist(rows, schema=schema) if rows else schema.empty_table())
