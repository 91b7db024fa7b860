"""Scores of pairs of regions: alike, alike with related clusters counted, and complementary."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from etl.measure.grid import Flags, Positions
from etl.measure.quantiles import Floats
from etl.partners.profiles import weighted
from etl.partners.relatedness import similarity_matrix

KINDS = ("twin", "twin_related", "complement")
# Clusters are linked from this quantile of relatedness on.
LINKED_FROM = 0.9
# How much being alike in shared strengths takes from complementarity.
LIKENESS_COSTS = 0.5
# Products of strengths below this are the rounding of nothing.
_NO_PAIR = 1e-9

Product = Callable[[Floats, Floats], Floats]


def every(first: Floats, second: Floats) -> Floats:
    """Inner products of every row (n, k) with every row (m, k): (n, m)."""
    result: Floats = first @ second.T
    return result


def paired(first: Floats, second: Floats) -> Floats:
    """Inner products of rows with rows (…, k) of the same place: (…)."""
    result: Floats = np.einsum("...k,...k->...", first, second)
    return result


@dataclass(frozen=True)
class Relations:
    """How clusters relate (k, k): `inner` the inner product of twins, `links` the relatedness of the linked, else 0."""

    inner: Floats
    links: Floats

    @classmethod
    def of(cls, relatedness: Floats) -> "Relations":
        """From a matrix of relatedness, NaN where unknown."""
        pairs = relatedness[~np.eye(len(relatedness), dtype=np.bool_)]
        known = pairs[~np.isnan(pairs)]
        edge = np.quantile(known, LINKED_FROM) if known.size else np.inf
        links = np.where(np.nan_to_num(relatedness) >= edge, relatedness, 0.0)
        np.fill_diagonal(links, 0.0)
        return cls(similarity_matrix(relatedness), links)

    @cached_property
    def root(self) -> Floats:
        """A matrix whose product with its transpose is `inner`: vectors times it are compared by their cosine."""
        values, vectors = np.linalg.eigh(self.inner)
        result: Floats = vectors * np.sqrt(np.maximum(values, 0.0))
        return result


@dataclass(frozen=True, slots=True)
class Features:
    """What scores are made of, a row a region (…, k).

    `alike`, `related`: vectors of length 1, plain and in the space of related clusters; NaN for a region without any
    strength or weakness. `strong`: strengths of strong clusters, else 0; `linked`: these times the links; `shared`:
    `alike` of strong clusters, else 0.
    """

    alike: Floats
    related: Floats
    strong: Floats
    linked: Floats
    shared: Floats

    @classmethod
    def of(cls, strengths: Floats, reference: Floats, is_strong: Flags, relations: Relations) -> "Features":
        """From strengths (…, n, k), the clusters' shares in the reference area (k,) and strong clusters (n, k)."""
        vectors = weighted(strengths, reference)
        alike = _unit(vectors)
        strong = np.where(is_strong, np.maximum(strengths, 0.0), 0.0)
        return cls(
            alike=alike,
            related=_unit(_times(vectors, relations.root)),
            strong=strong,
            linked=_times(strong, relations.links),
            shared=np.where(is_strong, alike, 0.0),
        )


def score(kind: str, features: Features, first: Positions, second: Positions, product: Product) -> Floats:
    """Scores of one kind between regions at positions `first` and `second`: of `every` pair or of those `paired`.

    twin, twin_related: cosine. complement: of all pairs of different clusters, one strong here and one strong there,
    weighed by their strengths, the mean of the links; less half the cosine of the strengths they share. NaN where
    nothing can be said: vectors of zeros; no strong cluster, or the same single one.
    """

    def of(left: Floats, right: Floats) -> Floats:
        return product(left.take(first, axis=-2), right.take(second, axis=-2))

    if kind == "twin":
        return of(features.alike, features.alike)
    if kind == "twin_related":
        return of(features.related, features.related)
    total = features.strong.sum(axis=-1, keepdims=True)
    pairs = of(total, total) - of(features.strong, features.strong)
    with np.errstate(divide="ignore", invalid="ignore"):
        links = of(features.linked, features.strong) / pairs
    return np.where(pairs > _NO_PAIR, links - LIKENESS_COSTS * of(features.shared, features.shared), np.nan)


def _unit(vectors: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        result: Floats = vectors / np.sqrt(np.square(vectors).sum(axis=-1, keepdims=True))
    return result


def _times(vectors: Floats, matrix: Floats) -> Floats:
    return (vectors.reshape(-1, len(matrix)) @ matrix).reshape(vectors.shape)
