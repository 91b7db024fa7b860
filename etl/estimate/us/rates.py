"""Usual rates: employees an establishment, pay a head; of an industry, of its region above, shrunk step by step."""

import numpy as np

from etl.estimate.common.tree import Booleans, Floats, Integers, levels


def usual_rate(
    amount: Floats,
    base: Floats,
    known: Booleans,
    industry: Integers,
    industry_up: Integers,
    region_level: Integers,
    region_parent: Integers,
    weight_above: float,
    factor: Floats | None = None,
) -> Floats:
    """Rate `amount / base` to expect of each cell, from the cells that are `known`, without its own figure.

    It is that of the same industry in the region above where that is known, else of the industry in the highest regions
    that show it, else of the industry above. Each is drawn towards the next wider one as if that had `weight_above`
    units of base. `factor`: general level of each cell's region, for rates that differ between regions.
    """
    own_factor = np.ones(amount.size) if factor is None else factor
    usable = known & (base > 0)
    wide = _by_industry(amount / own_factor, base, usable, industry, industry_up, region_level, weight_above)
    expected = wide[industry] * own_factor
    posterior = np.where(usable, (amount + weight_above * expected) / (base + weight_above), expected)
    for child in _from_the_top(region_level, region_parent):
        above = region_parent[child]
        expected[child] = posterior[above] * own_factor[child] / own_factor[above]
        drawn = (amount[child] + weight_above * expected[child]) / (base[child] + weight_above)
        posterior[child] = np.where(usable[child], drawn, expected[child])
    return expected


def _from_the_top(region_level: Integers, region_parent: Integers) -> list[Integers]:
    """Cells with a region above, those of the higher regions first; what only closes a sum has the level of its sum."""
    child = np.flatnonzero(region_parent >= 0)
    order = 2 * region_level[child].astype(np.int64) + (region_level[region_parent[child]] == region_level[child])
    return [child[order == step] for step in np.unique(order)]


def _by_industry(
    amount: Floats,
    base: Floats,
    usable: Booleans,
    industry: Integers,
    industry_up: Integers,
    region_level: Integers,
    weight_above: float,
) -> Floats:
    """Rate by industry, from the highest level of regions that shows it."""
    amounts, bases = np.zeros(industry_up.size), np.zeros(industry_up.size)
    for level in range(int(region_level.max(initial=0)) + 1):
        cells = np.flatnonzero(usable & (region_level == level))
        found = np.bincount(industry[cells], base[cells], minlength=industry_up.size)
        take = (bases == 0) & (found > 0)
        bases[take] = found[take]
        amounts[take] = np.bincount(industry[cells], amount[cells], minlength=industry_up.size)[take]
    total = amounts[industry_up < 0].sum() / max(bases[industry_up < 0].sum(), 1e-9)
    overall = total if total > 0 else amounts.sum() / max(bases.sum(), 1e-9)
    rate = np.full(industry_up.size, overall if overall > 0 else 1.0)
    top = np.flatnonzero(industry_up < 0)
    rate[top] = (amounts[top] + weight_above * rate[top]) / (bases[top] + weight_above)
    for group in levels(industry_up):
        below, above = group.child, rate[group.parent[group.group]]
        rate[below] = (amounts[below] + weight_above * above) / (bases[below] + weight_above)
    return rate
