"""Where nothing published tells the size of a withheld cell: such a cell has no estimate, it is never zero.

A country that is blank in a year (its last ones, or before its first release) has neither cells nor sums to estimate
from. What the trees of sums determine all the same stays.
"""

import numpy as np

from etl.estimate.common.bounds import exact
from etl.estimate.common.tree import Booleans, Floats
from etl.estimate.europe.grid import AreaGrid
from etl.uncertainty.grades import WITHIN_B

#: A region without any figure is estimated only where its country leaves no more than this share of itself to it.
NEGLIGIBLE = 0.01


def silent_cells(grid: AreaGrid, value: Floats, low: Floats, high: Floats) -> Booleans:
    """Cells (areas × industries) of the source that cannot be estimated.

    `value`: the first guess of `prior`; `low`, `high`: the tightened bounds, an unknown upper one infinite. Silent is
    what no figure bounds and none tells the size of, and everything in an area without a figure, unless its bounds
    are narrow or leave it next to nothing of its country.
    """
    is_narrow = exact(low, high) | ((high - low) / 2 <= WITHIN_B * low)
    open_ = (grid.row >= 0) & ~grid.is_known & ~is_narrow
    evidence = has_evidence(grid)
    is_mute = ~evidence.any(axis=1, keepdims=True) & ~_is_negligible(grid, value, high)[:, None]
    unbounded = np.isinf(high) & ~evidence
    result: Booleans = open_ & (unbounded | is_mute)
    return result


def has_evidence(grid: AreaGrid) -> Booleans:
    """Cells for which `prior` has something to go by; elsewhere its zero means that nothing is known.

    Countries: a figure of the country and one of the industry; regions: a figure of the region and the same of the
    country; or local units, and the average size of a unit in the country.
    """
    told = _is_told(grid)
    result = told.copy()
    is_nation = grid.members("nuts0") | grid.members("eu_aggregate")
    nation = grid.nation
    for rows in (np.flatnonzero(is_nation), np.flatnonzero((nation < 0) & ~is_nation)):
        result[rows] |= told[rows].any(axis=1, keepdims=True) & told[rows].any(axis=0, keepdims=True)
    for country in np.flatnonzero(is_nation).tolist():
        regions = np.flatnonzero((nation == country) & ~is_nation)
        shared = told[regions] & result[country][None, :]
        result[regions] |= shared.any(axis=1, keepdims=True) & result[country][None, :]
    for country in np.unique(nation).tolist():
        rows = np.flatnonzero(nation == country)
        is_average = told[rows] & (grid.units[rows] > 0)
        result[rows] |= (grid.units[rows] >= 0) & is_average.any(axis=0, keepdims=True)
    return result


def _is_told(grid: AreaGrid) -> Booleans:
    """Published figures that tell a size: zeros tell that of their own cell alone."""
    result: Booleans = grid.is_known & (np.nan_to_num(grid.figure) > 0)
    return result


def _is_negligible(grid: AreaGrid, value: Floats, high: Floats) -> Booleans:
    """Areas to which the bounds leave next to nothing of their country, section by section."""
    sections = np.array([code.isalpha() and len(code) == 1 for code in grid.industries], bool)
    columns = sections if sections.any() else np.ones(sections.size, bool)
    nation = grid.nation
    room = np.nan_to_num(high[:, columns], nan=0.0, posinf=np.inf).sum(axis=1)
    whole = np.nan_to_num(value[:, columns]).sum(axis=1)
    result: Booleans = (nation >= 0) & (room <= NEGLIGIBLE * whole[nation])
    return result


def even_shares(grid: AreaGrid, value: Floats) -> Floats:
    """For every region an equal part of its country's `value` (areas × industries); 0 for countries."""
    result = np.zeros(value.shape)
    nation = grid.nation
    schemes = np.array([area.scheme for area in grid.areas])
    for country in np.flatnonzero(grid.members("nuts0")).tolist():
        for scheme in ("nuts1", "nuts2", "nuts3"):
            regions = np.flatnonzero((nation == country) & (schemes == scheme))
            result[regions] = np.nan_to_num(value[country]) / max(regions.size, 1)
    return result
