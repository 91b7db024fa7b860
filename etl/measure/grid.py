"""One source-year as matrices of regions by clusters, so that every rule is a few operations on whole columns."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from etl.columns import codes
from etl.errors import DataError
from etl.measure.quantiles import Floats

_Value = TypeVar("_Value", bound=np.generic)

Flags = NDArray[np.bool_]
Positions = NDArray[np.int64]

CLUSTERS = np.array([-1, 0, *range(1, 52), *range(101, 117)], np.int16)
TRADED = slice(2, 53)
LOCAL = slice(53, 69)
NO_CLUSTER = CLUSTERS <= 0
IS_TRADED = (CLUSTERS >= 1) & (CLUSTERS <= 51)
IS_LOCAL = CLUSTERS >= 101
_COLUMN_OF = np.full(118, -1, np.int64)
_COLUMN_OF[CLUSTERS + 1] = np.arange(len(CLUSTERS))


@dataclass(frozen=True, slots=True)
class Grid:
    """The rows of a source-year, sorted by scheme, region and cluster, and where each stands in the matrix.

    `schemes`, `regions`, `vintages` (r,): the regions. `is_remainder` (r,): those that are no place to compare:
    counties 999, state 99, the Z's of a NUTS country. `cell` (n,): position of each row in the flattened (r, 69)
    matrix, whose columns are `CLUSTERS`.
    """

    table: pa.Table
    schemes: NDArray[np.object_]
    regions: NDArray[np.object_]
    vintages: NDArray[np.int16]
    is_remainder: Flags
    cell: Positions

    @property
    def shape(self) -> tuple[int, int]:
        """Regions and clusters."""
        return len(self.regions), len(CLUSTERS)

    def amounts(self, name: str) -> Floats:
        """A column of amounts as (r, 69): NaN where it is null or the table has no such column.

        0 where the region has no row for the cluster: what a publisher left out and still counted is in cluster -1.
        """
        result = np.zeros(self.shape)
        result.flat[self.cell] = self.column(name)
        return result

    def column(self, name: str) -> Floats:
        """A number column by row (n,), null as NaN."""
        if name not in self.table.column_names:
            return np.full(len(self.cell), np.nan)
        values: Floats = pc.cast(self.table.column(name), pa.float64()).to_numpy()
        return values

    def where(self, name: str, *values: str) -> Flags:
        """Where (r, 69) a text column holds one of these values; False where it is null, absent or has no row."""
        result = np.zeros(self.shape, np.bool_)
        if name in self.table.column_names:
            found = pc.is_in(self.table.column(name), value_set=pa.array(values, pa.string()), skip_nulls=True)
            result.flat[self.cell] = found.to_numpy(zero_copy_only=False)
        return result

    @property
    def is_incomplete(self) -> Flags:
        """Regions (r,) known to lack parts; a region about which nothing is said counts as whole."""
        result = np.zeros(len(self.regions), np.bool_)
        if "is_complete" in self.table.column_names:
            lacking = pc.equal(self.table.column("is_complete"), False).fill_null(False)
            result[self.cell[lacking.to_numpy(zero_copy_only=False)] // len(CLUSTERS)] = True
        return result

    def rows_of(self, scheme: str) -> Positions:
        """Positions of a scheme's regions."""
        return np.flatnonzero(self.schemes == scheme)

    def position(self, scheme: str, region: str) -> int | None:
        """Position of one region, None where it is not there."""
        found = np.flatnonzero((self.schemes == scheme) & (self.regions == region))
        return int(found[0]) if len(found) else None

    def positions_in(self, other: "Grid") -> Positions:
        """For each region its position in another grid, -1 where it is not there."""
        index = {key: i for i, key in enumerate(zip(other.schemes, other.regions, strict=True))}
        keys = zip(self.schemes, self.regions, strict=True)
        return np.array([index.get(key, -1) for key in keys], np.int64)

    def by_row(self, matrix: NDArray[_Value]) -> NDArray[_Value]:
        """Values of a matrix (r, 69) in the order of the table's rows."""
        return matrix.reshape(-1)[self.cell]

    def with_columns(self, columns: Mapping[str, pa.Array]) -> pa.Table:
        """The table with these columns set, those of the same name replaced."""
        table = self.table
        for name, values in columns.items():
            if name in table.column_names:
                table = table.set_column(table.column_names.index(name), name, values)
            else:
                table = table.append_column(name, values)
        return table


def is_remainder(scheme: str, region: str) -> bool:
    """Whether a code stands for what its publisher could not place: county 999, state 99, NUTS country code and Z's."""
    if scheme == "us_county":
        return region.endswith("999")
    if scheme == "us_state":
        return region == "99"
    return scheme.startswith("nuts") and len(region) > 2 and set(region[2:]) == {"Z"}


def make_grid(table: pa.Table) -> Grid:
    """Sort the rows of one source-year (or of one portal's year) by region and cluster and place them in a matrix.

    Raises DataError for a cluster code that is none, and where a region and cluster come twice.
    """
    schemes, scheme_names = codes(table.column("region_scheme"))
    regions, region_names = codes(table.column("region_code"))
    clusters = table.column("cluster_code").to_numpy().astype(np.int64)
    inside = (clusters >= -1) & (clusters <= 116)
    column = np.where(inside, _COLUMN_OF[np.where(inside, clusters, -1) + 1], -1)
    if np.any(column < 0):
        unknown = sorted({int(code) for code in clusters[column < 0]})
        raise DataError(f"region_cluster: no cluster has code {unknown[0]}; codes are -1, 0, 1 to 51, 101 to 116")
    key = _ranks(scheme_names)[schemes] * max(len(region_names), 1) + _ranks(region_names)[regions]
    distinct, first, region = np.unique(key, return_index=True, return_inverse=True)
    cell = region * len(CLUSTERS) + column
    order = np.argsort(cell, kind="stable")
    cell = cell[order]
    if len(cell) > 1 and np.any(cell[1:] == cell[:-1]):
        at = int(order[1:][cell[1:] == cell[:-1]][0])
        where = f"{scheme_names[schemes[at]]}:{region_names[regions[at]]}, cluster {clusters[at]}"
        raise DataError(f"region_cluster: two rows for {where}; one source-year has one row a region and cluster")
    vintages = table.column("region_vintage").to_numpy() if len(distinct) else np.zeros(0)
    its_scheme = np.array(scheme_names, object)[schemes[first]]
    its_code = np.array(region_names, object)[regions[first]]
    remainders = [is_remainder(scheme, code) for scheme, code in zip(its_scheme, its_code, strict=True)]
    return Grid(
        table=table.take(pa.array(order)),
        schemes=its_scheme,
        regions=its_code,
        vintages=vintages[first].astype(np.int16) if len(distinct) else np.zeros(0, np.int16),
        is_remainder=np.array(remainders, np.bool_),
        cell=cell,
    )


def _ranks(names: list[str]) -> Positions:
    ranks = np.empty(len(names), np.int64)
    ranks[np.argsort(np.array(names, object), kind="stable")] = np.arange(len(names))
    return ranks


def number(values: NDArray[np.generic], kind: pa.DataType | None = None) -> pa.Array:
    """A column of numbers, NaN as null."""
    return pa.array(values, pa.float64(), from_pandas=True).cast(kind or pa.float64())


def flag(values: NDArray[np.generic], known: NDArray[np.generic]) -> pa.Array:
    """A column of flags, null where not `known`."""
    return pa.array(values.astype(np.bool_), pa.bool_(), mask=~known.astype(np.bool_))
