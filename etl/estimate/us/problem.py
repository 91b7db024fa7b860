"""The arrays of one set of American cells, ready to be estimated."""

from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np

from etl.estimate.common.tree import Booleans, Floats, Integers
from etl.estimate.us.rates import usual_rate
from etl.estimate.us.sizes import SizeClasses


def place_of(parent: Integers, rows: Integers) -> Integers:
    """A tree over some of its cells, which are numbered anew; a cell whose sum is not among them adds into none."""
    place = np.full(parent.size + 1, -1)
    place[rows] = np.arange(rows.size)
    result: Integers = place[parent[rows]]
    return result


@dataclass(frozen=True, slots=True)
class Problem:
    """Cells to estimate, aligned arrays.

    `low`, `high`: what the file says of each cell by itself, equal where it prints a figure. `industry_parent`,
    `region_parent`: see `etl.estimate.common.tree`. `region_level`: 0 the nation …; `state`: a number,
    -1 for the nation; `industry`: a number, whose parent is
    `industry_up[industry]`; `sector`: a number. `is_leaf`: nothing below it by industry. `is_published`: not added by
    us. `payroll`: as printed, NaN where not. `before`: the figure of the year before brought forward by establishments,
    NaN where none. `slack`: how far a sum may miss its members because figures are rounded, by tree.
    """

    low: Floats
    high: Floats
    establishments: Floats
    industry_parent: Integers
    region_parent: Integers
    region: Integers
    region_level: Integers
    state: Integers
    industry: Integers
    industry_up: Integers
    sector: Integers
    is_leaf: Booleans
    is_published: Booleans
    payroll: Floats
    before: Floats
    sizes: SizeClasses | None
    is_noisy: bool
    slack: tuple[Floats | None, Floats | None] = (None, None)

    @property
    def parents(self) -> tuple[Integers, Integers]:
        """Both trees, the industries first: they are made to add up exactly."""
        return self.industry_parent, self.region_parent

    def take(self, rows: Integers) -> Self:
        """These cells alone, see `place_of`."""
        arrays = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "industry_up"}
        aligned: dict[str, Any] = {name: one[rows] for name, one in arrays.items() if isinstance(one, np.ndarray)}
        industries, regions = (None if one is None else one[rows] for one in self.slack)
        aligned["industry_parent"] = place_of(self.industry_parent, rows)
        aligned["region_parent"] = place_of(self.region_parent, rows)
        sizes = None if self.sizes is None else self.sizes.take(rows)
        return replace(self, **aligned, sizes=sizes, slack=(industries, regions))

    def rate(
        self, amount: Floats, base: Floats, known: Booleans, weight: float, factor: Floats | None = None
    ) -> Floats:
        """`usual_rate` over these cells."""
        return usual_rate(
            amount,
            base,
            known & self.is_published,
            self.industry,
            self.industry_up,
            self.region_level,
            self.region_parent,
            weight,
            factor,
        )
