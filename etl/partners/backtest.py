"""Relatedness density, and whether it foretells: clusters that became strong against those that did not.

Density of a cluster in a region: how much of what is related to it the region is strong in (Hidalgo and others, 2007).
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl.measure.grid import TRADED, Flags, Grid, make_grid
from etl.measure.quantiles import Floats
from etl.measure.rules import DISTRICT_OF_COLUMBIA
from etl.partners.relatedness import co_location

# Below this area under the curve density says too little to be shown.
SHOWN_FROM = 0.6


@dataclass(frozen=True, slots=True)
class BackTest:
    """How well density of the `earlier` year foretells the `later` one.

    `cells`: those not strong in the earlier year that have a flag in both; `became`: those of them strong in the later
    one. `auc`: how often, of one that became strong and one that did not, the first had the higher density; 0.5 is
    chance, NaN unknown.
    """

    earlier: int
    later: int
    auc: float
    cells: int
    became: int

    @property
    def is_passed(self) -> bool:
        """Whether density may be shown."""
        return self.auc >= SHOWN_FROM

    def sentence(self) -> str:
        """The result for people."""
        told = f"relatedness density {self.earlier} to {self.later}, US states: "
        if np.isnan(self.auc):
            return told + "no cells to test it with"
        counts = f"{self.became} of {self.cells:,} cells became strong"
        return told + f"area under the curve {self.auc:.3f} ({counts}; 0.5 is chance)"


def density(relatedness: Floats, is_strong: Flags, has_flag: Flags) -> Floats:
    """Share (n, k) of what is related to each cluster, itself left out, in which the region is strong.

    Clusters without a flag count on neither side; NaN where nothing related has one.
    """
    related = np.nan_to_num(relatedness)
    np.fill_diagonal(related, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        result: Floats = ((is_strong & has_flag) @ related) / (has_flag.astype(np.float64) @ related)
    return result


def area_under_curve(score: Floats, is_hit: Flags) -> float:
    """Share of pairs of a hit and a miss in which the hit has the higher score, ties half; NaN without either."""
    hits, misses = np.count_nonzero(is_hit), np.count_nonzero(~is_hit)
    if not hits or not misses:
        return float("nan")
    # Importing scipy.stats takes a second, which every task and every verb would pay.
    from scipy.stats import rankdata

    ranks = rankdata(score)
    return float((ranks[is_hit].sum() - hits * (hits + 1) / 2) / (hits * misses))


def back_test(earlier: pa.Table, later: pa.Table) -> BackTest:
    """Density of one year against what became strong by another: US states by the American rule, traded clusters.

    `earlier`, `later`: `region_cluster` of one American source in two years. A cell without a flag is left out.
    """
    grids = [make_grid(_states(table)) for table in (earlier, later)]
    years = [int(table.column("year")[0].as_py()) if table.num_rows else 0 for table in (earlier, later)]
    first, second = grids
    place = first.positions_in(second)
    both = np.flatnonzero(place >= 0)
    was_strong, had_flag = (matrix[both] for matrix in _flags(first))
    is_strong, has_flag = (matrix[place[both]] for matrix in _flags(second))
    graded = first.where("grade", "A", "B", "C")[both][:, TRADED]
    quotient = first.amounts("location_quotient")[both][:, TRADED]
    score = density(co_location(quotient, graded & ~np.isnan(quotient)), was_strong, had_flag)
    asked = ~was_strong & had_flag & has_flag & ~np.isnan(score)
    became = is_strong[asked]
    auc = area_under_curve(score[asked], became)
    return BackTest(years[0], years[1], auc, int(asked.sum()), int(became.sum()))


def _states(table: pa.Table) -> pa.Table:
    is_state = pc.equal(table.column("region_scheme"), "us_state")
    return table.filter(pc.and_(is_state, pc.not_equal(table.column("region_code"), DISTRICT_OF_COLUMBIA)))


def _flags(grid: Grid) -> tuple[Flags, Flags]:
    """Where (r, 51) a cluster is strong, and where it has a flag at all."""
    flags = grid.amounts("is_strong")[:, TRADED]
    return flags == 1, ~np.isnan(flags)
