"""How related clusters are: how often regions that have the one have the other.

Two measures of co-location. `co_location` is that of products in Hidalgo and others (2007): specialisation in one given
the other, the lesser of both directions. `employment_correlation` is the location correlation of Delgado, Porter and
Stern (2016): how far employment in the one goes with employment in the other, over regions.
"""

import numpy as np
import pyarrow as pa

from etl.contracts import contract
from etl.measure.grid import Flags
from etl.measure.quantiles import Floats
from etl.partners.profiles import TRADED_CODES, Profiles

# A region is specialised from this quotient on: its revealed comparative advantage, as Hidalgo and others have it.
SPECIALISED = 1.0
# Regions that are needed: in which both clusters are known, and that are specialised in each of them.
KNOWN_IN = 10
SPECIALISED_IN = 5

AREAS = ("US", "Europe", "pooled")


def co_location(quotient: Floats, is_known: Flags) -> Floats:
    """Relatedness (k, k) over regions (n, k): min of P(specialised in c | in d) and P(in d | in c), diagonal 1.

    Counted over regions in which both are known. NaN where those are fewer than `KNOWN_IN`, or fewer than
    `SPECIALISED_IN` of them are specialised in one of the two.
    """
    known = is_known.astype(np.float64)
    specialised = ((quotient >= SPECIALISED) & is_known).astype(np.float64)
    both, of_one = specialised.T @ specialised, specialised.T @ known
    least = np.minimum(of_one, of_one.T)
    with np.errstate(divide="ignore", invalid="ignore"):
        result: Floats = both / np.maximum(of_one, of_one.T)
    result[(known.T @ known < KNOWN_IN) | (least < SPECIALISED_IN)] = np.nan
    np.fill_diagonal(result, 1.0)
    return result


def employment_correlation(employment: Floats, is_known: Flags) -> Floats:
    """Correlation (k, k) of employment (n, k) over the regions in which both are known; NaN where those are too few."""
    known = is_known.astype(np.float64)
    # Scaled by column, so that sums of squares stay well within what floats can tell apart.
    amounts = np.where(is_known, employment, 0.0)
    amounts = amounts / np.maximum(amounts.max(axis=0, initial=0.0), 1.0)
    count = known.T @ known
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = amounts.T @ known / count
        spread = (amounts**2).T @ known / count - mean**2
        result = ((amounts.T @ amounts) / count - mean * mean.T) / np.sqrt(spread * spread.T)
    result[(count < KNOWN_IN) | ~np.isfinite(result)] = np.nan
    correlation: Floats = np.clip(result, -1.0, 1.0)
    return correlation


def similarity_matrix(relatedness: Floats) -> Floats:
    """Relatedness as a matrix of inner products: unit diagonal, unknown 0, negative eigenvalues cut off."""
    known = np.nan_to_num(relatedness)
    np.fill_diagonal(known, 1.0)
    values, vectors = np.linalg.eigh(known)
    result: Floats = (vectors * np.maximum(values, 0.0)) @ vectors.T
    return result


def area_regions(profiles: Profiles, area: str) -> Flags:
    """The regions (n,) of an area: US, Europe or pooled."""
    if area == "pooled":
        return np.ones(len(profiles.region), np.bool_)
    return profiles.is_american if area == "US" else ~profiles.is_american


def relatedness_rows(profiles: Profiles, level: str, year: int) -> pa.Table:
    """`cluster_relatedness` of one level and year: every area, every ordered pair of different clusters."""
    first, second = np.nonzero(~np.eye(len(TRADED_CODES), dtype=np.bool_))
    parts = []
    for area in AREAS:
        rows = area_regions(profiles, area)
        is_known = profiles.is_known[rows]
        related = co_location(profiles.quotient[rows], is_known)[first, second]
        correlation = employment_correlation(profiles.amounts["employment"][rows], is_known)[first, second]
        columns = {
            "level": [level] * len(first),
            "area": [area] * len(first),
            "year": pa.array([year] * len(first), pa.int16()),
            "cluster_code": pa.array(TRADED_CODES[first], pa.int16()),
            "related_cluster_code": pa.array(TRADED_CODES[second], pa.int16()),
            "relatedness": pa.array(related, pa.float64(), from_pandas=True),
            "employment_correlation": pa.array(correlation, pa.float64(), from_pandas=True),
            "regions": pa.array((is_known.T.astype(np.int16) @ is_known.astype(np.int16))[first, second], pa.int16()),
        }
        parts.append(pa.table(columns))
    return contract("cluster_relatedness").conform(pa.concat_tables(parts))
