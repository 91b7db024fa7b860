"""What each region of a level is made of: its known clusters, and the vectors by which regions are held together."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from etl.errors import DataError
from etl.measure.draws import Seeds, draw, seeds, uniforms
from etl.measure.grid import CLUSTERS, TRADED, Flags
from etl.measure.panel import AMOUNTS
from etl.measure.portfolio import shrunken_log_quotient
from etl.measure.quantiles import Floats

TRADED_CODES = CLUSTERS[TRADED]
# Traded employment of the region in which a cluster's size is read when its quotient is shrunk: the mean of economic
# areas and NUTS 2 regions. With it the vector depends on shares alone, so that size by itself makes no difference.
STANDARD_REGION = 250_000.0
# Logarithms are cut at an eighth and eight times the reference area's share.
LARGEST_LOG = 3.0
# Known clusters that a region needs to be compared.
KNOWN_AT_LEAST = 10


@dataclass(frozen=True)
class Profiles:
    """Regions (n,) of one level and year with their traded clusters (n, 51).

    `quotient`: NaN where unknown; `is_known`: it may be used, its grade is A, B or C; `is_strong`: only where it
    `has_flag`; `reference`: share of each cluster (51,) in the reference area's employment in the clusters that are
    compared, 0 for those that are not. `source_year` is the year of the figures.
    """

    scheme: NDArray[np.object_]
    region: NDArray[np.object_]
    vintage: NDArray[np.int16]
    source_year: NDArray[np.int16]
    amounts: Mapping[str, Floats]
    quotient: Floats
    is_known: Flags
    is_strong: Flags
    has_flag: Flags
    reference: Floats

    @cached_property
    def is_american(self) -> Flags:
        """Which side of the Atlantic each region is on (n,)."""
        return np.array([scheme.startswith("us_") for scheme in self.scheme], np.bool_)

    @cached_property
    def is_compared(self) -> Flags:
        """Regions (n,) of which enough is known."""
        compared: Flags = np.count_nonzero(self.is_known, axis=1) >= KNOWN_AT_LEAST
        return compared

    @cached_property
    def size(self) -> Floats:
        """Traded employment (n,) in the clusters that are compared."""
        total: Floats = self.amounts["employment"][:, self.reference > 0].sum(axis=1)
        return total

    @cached_property
    def strengths(self) -> Floats:
        """Shrunken logs of the quotients (n, 51); 0 where unknown."""
        return shrunken(self.quotient * self.reference, self.reference, self.is_known)

    @cached_property
    def seed(self) -> Seeds:
        """Seeds of the draws (n, 51), the same that other measures of these figures use."""
        result = np.empty(self.quotient.shape, np.uint64)
        keys = [f"{scheme}:{region}" for scheme, region in zip(self.scheme, self.region, strict=True)]
        for year in np.unique(self.source_year):
            of_year = np.flatnonzero(self.source_year == year)
            result[of_year] = seeds([keys[i] for i in of_year], TRADED_CODES.tolist(), int(year))
        return result

    def drawn_strengths(self, first: int, count: int) -> Floats:
        """`strengths` of the draws `first`, `first + 1` … of employment (count, n, 51)."""
        employment = np.moveaxis(draw(self.amounts, uniforms(self.seed, first, count)), 2, 0)
        total = employment[..., self.reference > 0].sum(axis=-1, keepdims=True)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = employment / total
        return shrunken(share, self.reference, self.is_known)


def shrunken(share: Floats, reference: Floats, is_known: Flags) -> Floats:
    """log2 of share over reference share, shrunk by E / (E + 500), cut at -3 and 3; 0 where unknown (…, n, k).

    E is what the share comes to in a region of the standard size: a region's size alone changes nothing.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        quotient = np.maximum(share / reference, 0.0)
        strength = np.clip(shrunken_log_quotient(quotient, share * STANDARD_REGION), -LARGEST_LOG, LARGEST_LOG)
    return np.where(is_known, strength, 0.0)


def weighted(strengths: Floats, reference: Floats) -> Floats:
    """Vectors by which regions are compared: strengths (…, k) times the root of the reference area's share (k,)."""
    vectors: Floats = strengths * np.sqrt(reference)
    return vectors


def read_profiles(common: pa.Table, level: str) -> Profiles:
    """The regions of one level from the `full` rows of `region_cluster_common` of one year.

    Raises DataError where a region has not one row for each traded cluster.
    """
    chosen = common.filter(pc.and_(pc.equal(common.column("level"), level), pc.equal(common.column("variant"), "full")))
    chosen = chosen.sort_by([(name, "ascending") for name in ("region_scheme", "region_code", "cluster_code")])
    clusters = chosen.column("cluster_code").to_numpy()
    count = len(TRADED_CODES)
    if len(clusters) % count or not np.array_equal(clusters, np.tile(TRADED_CODES, len(clusters) // count)):
        raise DataError("region_cluster_common: a region has not one row for each traded cluster")

    def matrix(name: str) -> Floats:
        values: Floats = pc.cast(chosen.column(name), pa.float64()).to_numpy().reshape(-1, count)
        return values

    def of_region(name: str) -> NDArray[np.object_]:
        return np.array(chosen.column(name).to_pylist()[::count], object)

    quotient = matrix("location_quotient")
    employment, is_strong = matrix("employment"), matrix("is_strong")
    grade = np.array(chosen.column("grade").to_pylist(), object).reshape(-1, count)
    return Profiles(
        scheme=of_region("region_scheme"),
        region=of_region("region_code"),
        vintage=of_region("region_vintage").astype(np.int16),
        source_year=of_region("source_year").astype(np.int16),
        amounts={name: matrix(name) for name in AMOUNTS},
        quotient=quotient,
        is_known=~np.isnan(quotient) & np.isin(grade, ["A", "B", "C"]),
        is_strong=is_strong == 1,
        has_flag=~np.isnan(is_strong),
        reference=_reference_shares(employment, quotient),
    )


def _reference_shares(employment: Floats, quotient: Floats) -> Floats:
    """The shares (k,) that the quotients were made with, read from the region with the most employment; else 0."""
    is_used = ~np.isnan(quotient).all(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = employment / employment[:, is_used].sum(axis=1, keepdims=True)
    shares = np.zeros(quotient.shape[1])
    for cluster in np.flatnonzero(is_used):
        known = np.where(quotient[:, cluster] > 0, employment[:, cluster], 0.0)
        at = int(np.argmax(known))
        if known[at] > 0:
            shares[cluster] = share[at, cluster] / quotient[at, cluster]
    return shares
