"""What is known of every cell of a completed European grid: bounds, band, status, grade, and whether it is a leaf."""

import numpy as np
import pyarrow as pa

from etl.estimate.common.bounds import exact
from etl.estimate.common.tree import Booleans
from etl.estimate.europe import bands
from etl.estimate.europe.classes import Classes
from etl.estimate.europe.grid import AreaGrid, industry_tree
from etl.estimate.europe.holdout import HeldOut
from etl.estimate.europe.imputation import ImputedGrid
from etl.uncertainty.grades import WITHIN_B, grade_of, known_bounds

#: A remainder below this many persons is none.
_NOTHING = 0.5


class CellFacts:
    """What is known of every cell of the completed grid: areas × industries."""

    def __init__(self, published: pa.Table, done: ImputedGrid, classes: Classes, held: HeldOut) -> None:
        grid = done.grid
        self.done, self.grid = done, grid
        self.is_own = grid.row >= 0
        self.exists = self.is_own | (grid.present & (done.value >= _NOTHING) & ~_is_spread(grid, classes))
        self.is_silent = done.is_silent
        self.value = np.where(done.is_silent, np.nan, done.value)
        self.status = _statuses(published, done)
        self.is_published = np.isin(self.status, ("reported", "rounded", "noised"))
        self.low = np.where(self.is_published, grid.low, done.low)
        self.high = np.where(self.is_published, grid.high, done.high)
        self.is_exact = self.is_published | (self.status == "derived_exactly")
        self.is_calibrated = held.represents(grid) & self.is_own & ~self.is_exact & ~self.is_silent
        ends = bands.completed(done.value, done.low, done.high, held.q)
        self.band_low, self.band_high = (np.where(self.is_calibrated, end, np.nan) for end in ends)
        bounds = known_bounds(self.low, self.high)
        self.grade = grade_of(np.nan_to_num(done.value), (self.band_low, self.band_high), bounds, self.is_exact)
        self.is_leaf = self._leaves(published, classes)

    def _leaves(self, published: pa.Table, classes: Classes) -> Booleans:
        """The publisher's leaves and the remainders with nothing below them, without the rows that were spread."""
        listed = np.zeros(self.grid.row.shape, bool)
        listed[self.is_own] = published.column("is_leaf").to_numpy()[self.grid.row[self.is_own]]
        parent = industry_tree(self.grid)
        has_below = np.zeros(parent.size, bool)
        has_below[parent[(parent >= 0) & self.grid.present.ravel()]] = True
        is_group = np.array([len(code.rstrip("~")) == 4 for code in self.grid.industries])
        made = self.grid.present & ~self.is_own & ~has_below.reshape(listed.shape) & ~is_group[None, :]
        # A division of a remainder has groups below it, but groups are never leaves beside their division.
        made |= self.grid.present & ~self.is_own & is_division(self.grid)[None, :] & ~self._has_leaves()
        leaf: Booleans = listed | made
        area, _ = np.nonzero(classes.exists)
        leaf[area, classes.parent[classes.exists]] = False
        return leaf

    def _has_leaves(self) -> Booleans:
        """Divisions (areas × industries) with a class or a remainder among the rows of the same area."""
        place = {code: number for number, code in enumerate(self.grid.industries)}
        result = np.zeros(self.grid.row.shape, bool)
        for code, number in place.items():
            if code[:2] in place and (len(code) == 5 or (code.endswith("~") and len(code) > 2)):
                result[:, place[code[:2]]] |= self.exists[:, number]
        return result


def _statuses(published: pa.Table, done: ImputedGrid) -> np.ndarray:
    """Status of every cell: the publisher's, or how well its bounds tell a withheld one."""
    grid = done.grid
    given = np.array(published.column("employment_status").to_pylist(), object)
    status = np.full(grid.row.shape, "withheld", object)
    own = grid.row >= 0
    status[own] = given[grid.row[own]]
    half = (done.high - done.low) / 2
    found = np.where(half <= WITHIN_B * done.value, "bounded", "estimated").astype(object)
    found[exact(done.low, done.high)] = "derived_exactly"
    found[done.is_silent] = "withheld"
    result: np.ndarray = np.where((status == "withheld") & grid.present, found, status)
    return result


def _is_spread(grid: AreaGrid, classes: Classes) -> Booleans:
    """Remainders of divisions (areas × industries) that are spread with their division, over the groups that lack."""
    place = {code: number for number, code in enumerate(grid.industries)}
    result = np.zeros(grid.row.shape, bool)
    for code, number in place.items():
        division = code.removesuffix("~")
        if code != division and len(division) == 2 and division in place:
            result[:, number] = (classes.parent == place[division]).any(axis=1)
    return result


def is_division(grid: AreaGrid) -> Booleans:
    """Which industries are divisions."""
    return np.array([len(code) == 2 and code.isdigit() for code in grid.industries], bool)
