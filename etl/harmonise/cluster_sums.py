"""Regions × clusters as matrices of sums, in which regions can be added up."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy import sparse

from etl.harmonise.arrays import Booleans, Floats, Integers
from etl.harmonise.cluster_weights import CODES
from etl.harmonise.source_year import NO_STATUS, WITHHELD, RegionKey
from etl.reference import NOT_ALLOCATED

COLUMNS: tuple[int, ...] = (NOT_ALLOCATED, *CODES)
"""The columns of every matrix here: -1, 0, 1 to 51, 101 to 116."""

WIDTH = len(COLUMNS)

LINEAR = (
    "reported",
    "known",
    "low",
    "high",
    "room",
    "establishments",
    "payroll",
    "own",
    "sure",
    "entropy",
    "weighted",
)
COUNTS = ("members", "missing", "coarse", "banded", "establishments_missing", "payroll_missing")
SQUARES = ("below", "above", "half_width")

Statuses = npt.NDArray[np.int8]


def _matrices(rows: int) -> dict[str, Floats]:
    return {name: np.zeros((rows, WIDTH)) for name in (*LINEAR, *COUNTS, *SQUARES)}


@dataclass
class ClusterSums:
    """Sums by region and cluster.

    LINEAR: `reported` and `known` (best) employment of the members that have one, hard bounds `low` and `high` (inf:
    none), `room` what unallocated employment could add, establishments, payroll; `own`, `sure`, `entropy`: employment
    times these shares; `weighted`: employment that came through a shift of boundaries. COUNTS: members; members without
    an employment, establishments, payroll; members with a band; `coarse`: shares of what no publisher gives by class.
    SQUARES: squared half-widths of bands and of doubt. `status`, `payroll_status`: the last in STATUSES among the
    members. `is_complete`: by region.
    """

    regions: list[RegionKey]
    sums: dict[str, Floats]
    status: Statuses
    payroll_status: Statuses
    is_complete: Booleans = field(default_factory=lambda: np.ones(0, bool))

    @classmethod
    def empty(cls, regions: Sequence[RegionKey]) -> "ClusterSums":
        """Zeros for these regions, without any status."""
        shape = (len(regions), WIDTH)
        return cls(
            list(regions),
            _matrices(len(regions)),
            np.full(shape, NO_STATUS, np.int8),
            np.full(shape, NO_STATUS, np.int8),
            np.ones(len(regions), bool),
        )

    def take(self, rows: Integers) -> "ClusterSums":
        """Only these regions."""
        return ClusterSums(
            [self.regions[row] for row in rows.tolist()],
            {name: values[rows] for name, values in self.sums.items()},
            self.status[rows],
            self.payroll_status[rows],
            self.is_complete[rows],
        )

    def added_up(
        self, targets: Sequence[RegionKey], source: Integers, target: Integers, weight: Floats
    ) -> "ClusterSums":
        """The sums of other regions: row `source[j]` goes to `targets[target[j]]` with `weight[j]`."""
        shape = (len(targets), len(self.regions))
        share = sparse.csr_array((weight, (target, source)), shape=shape)
        whole = sparse.csr_array((np.ones(weight.size), (target, source)), shape=shape)
        square = sparse.csr_array((weight**2, (target, source)), shape=shape)
        split = sparse.csr_array((np.where(weight < 1, weight, 0.0), (target, source)), shape=shape)
        split.eliminate_zeros()
        result = ClusterSums.empty(targets)
        for names, factor in ((LINEAR, share), (COUNTS, whole), (SQUARES, square)):
            for name in names:
                result.sums[name] = np.asarray(factor @ self.sums[name])
        result.sums["weighted"] += split @ (self.sums["known"] - self.sums["weighted"])
        np.maximum.at(result.status, target, self.status[source])
        np.maximum.at(result.payroll_status, target, self.payroll_status[source])
        lacking = np.zeros(len(targets), bool)
        np.logical_or.at(lacking, target, ~self.is_complete[source])
        result.is_complete = ~lacking
        return result

    def withhold(self, rows: Integers, high: Floats | None = None) -> None:
        """Take the figures of these regions back to bounds, `high` or none: something of them is not in the data."""
        for name in ("missing", "establishments_missing", "payroll_missing"):
            self.sums[name][rows] += 1
        self.sums["high"][rows] = np.inf if high is None else high
        self.status[rows] = WITHHELD
        self.is_complete[rows] = False

    def rows_of(self, scheme: str) -> Integers:
        """The regions of one scheme."""
        return np.array([row for row, region in enumerate(self.regions) if region.scheme == scheme], np.int64)

    @property
    def schemes(self) -> list[str]:
        """The region schemes, in order of appearance."""
        return list(dict.fromkeys(region.scheme for region in self.regions))


def stack(grids: Sequence[ClusterSums]) -> ClusterSums:
    """The regions of several grids one after the other."""
    return ClusterSums(
        [region for grid in grids for region in grid.regions],
        {name: np.concatenate([grid.sums[name] for grid in grids]) for name in (*LINEAR, *COUNTS, *SQUARES)},
        np.concatenate([grid.status for grid in grids]),
        np.concatenate([grid.payroll_status for grid in grids]),
        np.concatenate([grid.is_complete for grid in grids]),
    )
