"""What a region's clusters are together: concentration, entropy, and quotients made fit for statistics."""

import numpy as np
import pyarrow as pa

from etl.measure.quantiles import Floats

# Persons at which a quotient counts half: keeps very small regions from leading every ranking.
SHRINKAGE = 500.0


def shares_of_total(employment: Floats) -> Floats:
    """Shares (r, k) of each region's clusters in their sum; NaN where that is zero or one of them is withheld."""
    with np.errstate(divide="ignore", invalid="ignore"):
        shares: Floats = employment / employment.sum(axis=1, keepdims=True)
    return shares


def herfindahl(shares: Floats) -> Floats:
    """Sum of squared shares (r,): 1/k for an even portfolio, 1 for a single cluster."""
    total: Floats = np.square(shares).sum(axis=1)
    return total


def entropy(shares: Floats) -> Floats:
    """Entropy of the shares (r,) in bits: 0 for a single cluster, log2 k for an even portfolio."""
    logs = np.log2(np.where(shares > 0, shares, 1.0))
    total: Floats = -(shares * logs).sum(axis=1) + 0.0
    return total


def symmetric_quotient(quotient: Floats) -> Floats:
    """(q - 1) / (q + 1): from -1 (none) over 0 (as in the reference area) to 1."""
    return (quotient - 1) / (quotient + 1)


def shrunken_log_quotient(quotient: Floats, employment: Floats) -> Floats:
    """log2 of the quotient times E / (E + 500); 0, its limit, where there is no employment."""
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.log2(quotient) * (employment / (employment + SHRINKAGE))
    return np.where(quotient == 0, 0.0, value)


def columns(quotient: Floats, employment: Floats) -> dict[str, pa.Array]:
    """Transformed quotients as columns of `region_cluster`, by row."""
    return {
        "symmetric_quotient": pa.array(symmetric_quotient(quotient), pa.float64(), from_pandas=True),
        "shrunken_log_quotient": pa.array(shrunken_log_quotient(quotient, employment), pa.float64(), from_pandas=True),
    }
