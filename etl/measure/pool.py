"""The common rule on matrices of pooled regions by traded clusters (n, k)."""

from collections.abc import Mapping

import numpy as np

from etl.measure.draws import Seeds, draw, uniforms
from etl.measure.grid import Flags
from etl.measure.quantiles import Floats, column_quantiles

# Draws computed at once: bounds the memory, changes no result.
DRAWS_AT_ONCE = 50


def quotients(employment: Floats, reference: Floats, usable: Flags) -> Floats:
    """Quotients (n, k[, draws]) on the traded employment of the `usable` clusters, against a reference area (k,).

    NaN for a cluster that is not usable and where a denominator is zero: nothing can be said of it.
    """
    tail = (1,) * (employment.ndim - 2)
    total = employment[:, usable].sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(usable, reference / reference[usable].sum(), np.nan).reshape(-1, *tail)
        result = employment / total / share
    return np.where(np.isfinite(result), result, np.nan)


def strong_regions(employment: Floats, establishments: Floats, quotient: Floats, quantile: float) -> Flags:
    """Where a cluster is strong: quotient at least 1 and in the pooled top share, size above the first quartile.

    Quantiles are taken over regions with employment and a quotient. A region whose establishments are not known
    (NaN) is spared their floor, and is not part of their quartile.
    """
    active = (employment > 0) & ~np.isnan(quotient)
    (employment_floor,) = column_quantiles(np.where(active, employment, np.nan), 0.25)
    (establishments_floor,) = column_quantiles(np.where(active, establishments, np.nan), 0.25)
    (edge,) = column_quantiles(np.where(active, quotient, np.nan), quantile)
    is_large = (employment > employment_floor) & (np.isnan(establishments) | (establishments > establishments_floor))
    strong: Flags = active & is_large & (quotient >= 1) & (quotient >= edge)
    return strong


def strong_probability(
    amounts: Mapping[str, Floats],
    establishments: Floats,
    reference: Floats,
    usable: Flags,
    seed: Seeds,
    count: int,
    quantile: float,
) -> Floats:
    """Share of `count` draws of the pool's employment in which each cluster is strong (n, k).

    `amounts`: employment, its bounds and its band, by column name. Cells are drawn independently of each other; region
    totals and pooled quantiles are those of the draw, the reference area stays as it is.
    """
    hits = np.zeros(amounts["employment"].shape)
    for first in range(0, count, DRAWS_AT_ONCE):
        size = min(DRAWS_AT_ONCE, count - first)
        employment = draw(amounts, uniforms(seed, first, size))
        quotient = quotients(employment, reference, usable)
        known = np.broadcast_to(establishments[..., None], employment.shape)
        flat = (len(employment), -1)
        strong = strong_regions(employment.reshape(flat), known.reshape(flat), quotient.reshape(flat), quantile)
        hits += strong.reshape(employment.shape).sum(axis=2)
    return hits / count
