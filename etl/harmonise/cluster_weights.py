"""Which share of each industry belongs to which cluster, with bounds: NAICS of every vintage, NACE at every level.

NAICS: the vintage's own list, no judgement (2022 has none and goes through 2017). NACE 2: derived, since no official
table exists: the clusters of the NAICS industries a class is linked to, by US employment of 2017. A class belongs to
no cluster (0) where it is linked to industries of no cluster alone, or by an override. Above the class: the classes'
clusters by the same employment. Industries that US employment does not cover (farms, rail, post, funds, government,
households) weigh nothing, so the share of 0 is 0 beside covered classes; its upper bound is 1, and no other cluster
of such a code has a lower bound.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from etl.errors import UsageError
from etl.harmonise.arrays import Floats, Integers, Strings, sums
from etl.harmonise.concordance import Concordance
from etl.harmonise.vintages import WEIGHT_YEAR, nace2_flows, nace21_to_nace2, nace_links, naics
from etl.reference import NAICS_VINTAGES, NO_CLUSTER, cluster_codes, naics_cluster
from etl.reference.nace import nace_classes, nace_levels, nace_parent
from etl.reference.store import rows

CLUSTER = "cluster"
"""Name of the cluster list as a scheme; its codes are written as text in concordances."""

CODES: tuple[int, ...] = (NO_CLUSTER, *cluster_codes())
"""Clusters in the order of the columns of a placement: 0, then 1 to 51 and 101 to 116."""

UNCLASSIFIED = "99"
AUXILIARIES = "95"
"""Sectors that stand for themselves, in no cluster; the auxiliaries in NAICS 1997 alone."""

NACE_BASIS = (
    "cluster definitions for NAICS 2017 through Eurostat's links NAICS 2017 to NACE 2; "
    f"employment: County Business Patterns {WEIGHT_YEAR}"
)


@dataclass(frozen=True)
class ClusterWeights:
    """Industries × clusters: `weight` (rows sum to 1), `low` what belongs without judgement, `high` what could belong.

    `codes`: industries, ascending; columns are CODES. `method`: by industry, one of the weight methods.
    """

    scheme: str
    codes: Strings
    weight: Floats
    low: Floats
    high: Floats
    method: Strings
    weight_year: int | None
    basis: str

    @property
    def concordance(self) -> Concordance:
        """The weights as a concordance to the clusters, links of weight 0 left out."""
        industry, cluster = np.nonzero(self.weight)
        return Concordance(
            self.scheme,
            CLUSTER,
            from_code=self.codes[industry],
            to_code=np.array([str(CODES[column]) for column in cluster.tolist()]),
            weight=self.weight[industry, cluster],
            weight_method=self.method[industry],
            is_partial=np.zeros(industry.size, bool),
            weight_year=self.weight_year,
            basis=self.basis,
        )

    def entropy(self) -> Floats:
        """Ambiguity of each industry over its clusters, in bits."""
        bits: Floats = -(self.weight * np.log2(np.where(self.weight > 0, self.weight, 1.0))).sum(axis=1)
        return bits + 0.0


@cache
def cluster_weights(scheme: str) -> ClusterWeights:
    """The placement of an industry scheme: `naics1997` to `naics2022`, `nace2`, `nace21`.

    Raises UsageError for another scheme.
    """
    if scheme == "nace2":
        return _nace(scheme, *_nace2_classes())
    if scheme == "nace21":
        return _nace(scheme, *_nace21_classes())
    if scheme.startswith("naics") and scheme[5:].isdigit():
        return _naics(int(scheme[5:]))
    raise UsageError(f"{scheme} is no industry scheme; there are naics1997 to naics2022, nace2 and nace21")


def _columns(clusters: Iterable[int]) -> Integers:
    place = {code: column for column, code in enumerate(CODES)}
    return np.array([place[code] for code in clusters], np.int64)


def _naics(vintage: int) -> ClusterWeights:
    if vintage == NAICS_VINTAGES[-1]:
        return _naics2022()
    own = naics_cluster(vintage) | {UNCLASSIFIED: NO_CLUSTER}
    if vintage == NAICS_VINTAGES[0]:
        own[AUXILIARIES] = NO_CLUSTER
    codes = sorted(own)
    weight = np.zeros((len(codes), len(CODES)))
    weight[np.arange(len(codes)), _columns(own[code] for code in codes)] = 1
    method = np.full(len(codes), "unique")
    basis = f"cluster definitions for NAICS {vintage}"
    return ClusterWeights(f"naics{vintage}", np.array(codes), weight, weight, weight, method, None, basis)


def _naics2022() -> ClusterWeights:
    """Through NAICS 2017: the definitions have no list for 2022, and no employment file uses it yet."""
    links = naics(2022, 2017)
    target = cluster_weights("naics2017")
    row = np.searchsorted(target.codes, links.to_code)
    share, place = links.weight[:, None], links.source_index
    codes = np.concatenate([links.sources, [UNCLASSIFIED]])
    weight, possible, certain = (np.zeros((codes.size, len(CODES))) for _ in range(3))
    np.add.at(weight, place, share * target.weight[row])
    np.maximum.at(possible, place, target.high[row])
    certain[: links.sources.size] = 1
    np.minimum.at(certain, place, target.low[row])
    for matrix in (weight, possible, certain):
        matrix[links.sources.size :, 0] = 1
    weight = _exact(weight, certain)
    method = np.where(certain.any(axis=1), "unique", "employment")
    return ClusterWeights("naics2022", codes, weight, certain, possible, method, WEIGHT_YEAR, links.basis)


Classes = tuple[Floats, Floats, Floats, Floats]
"""By class in ascending order: weights × clusters, low, high, and the employment that stands behind the class."""


@cache
def _nace2_classes() -> Classes:
    classes = nace_classes("nace2")
    place = {code: number for number, code in enumerate(classes)}
    own = naics_cluster(WEIGHT_YEAR)
    links = nace_links()[0]
    used = [number for number, (_, nace) in enumerate(links) if nace in place]
    row = np.array([place[links[number][1]] for number in used])
    column = _columns(own[links[number][0]] for number in used)
    flow = np.zeros((len(classes), len(CODES)))
    np.add.at(flow, (row, column), nace2_flows()[used])
    possible = np.zeros_like(flow)
    possible[row, column] = 1
    mass = flow.sum(axis=1)
    weight = np.divide(flow, mass[:, None], out=np.zeros_like(flow), where=mass[:, None] > 0)
    is_uncovered = mass == 0
    if possible[is_uncovered, 1:].any():
        raise UsageError("a NACE class without US employment is linked to a cluster; it needs an override")
    weight[is_uncovered, 0] = possible[is_uncovered, 0] = 1
    for code, cluster in _overrides().items():
        weight[place[code]] = 0
        weight[place[code], _columns([cluster])] = 1
    certain = possible * (possible.sum(axis=1, keepdims=True) == 1)
    return weight, certain, possible, mass


@cache
def _overrides() -> Mapping[str, int]:
    return {row["nace_code"]: int(row["cluster_code"]) for row in rows("nace_cluster_override")}


@cache
def _nace21_classes() -> Classes:
    """Through the NACE 2 classes a class draws on; 46.89, which has none, like the rest of its group."""
    links = nace21_to_nace2()
    weight2, certain2, possible2, mass2 = _nace2_classes()
    classes = nace_classes("nace21")
    known = np.flatnonzero(links.to_code != "")
    source = np.searchsorted(np.array(classes), links.from_code[known])
    target = np.searchsorted(np.array(nace_classes("nace2")), links.to_code[known])
    share = links.weight[known][:, None]
    weight, possible = np.zeros((2, len(classes), len(CODES)))
    certain = np.ones((len(classes), len(CODES)))
    np.add.at(weight, source, share * weight2[target])
    np.maximum.at(possible, source, possible2[target])
    np.minimum.at(certain, source, certain2[target])
    # A class of NACE 2 gives its employment in equal parts, as in the weights of the links.
    parts = np.bincount(target, minlength=mass2.size)
    mass = sums(source, mass2[target] / parts[target], len(classes))
    for new in sorted(set(range(len(classes))) - set(source.tolist())):
        group = [n for n, code in enumerate(classes) if code[:4] == classes[new][:4] and n != new]
        weight[new] = mass[group] @ weight[group] / mass[group].sum()
        possible[new] = possible[group].max(axis=0)
        certain[new] = certain[group].min(axis=0)
    return _exact(weight, certain), certain, possible, mass


def _exact(weight: Floats, certain: Floats) -> Floats:
    """The weights without the rounding of sums where an industry belongs to one cluster for sure."""
    return np.where(certain.any(axis=1, keepdims=True), certain, weight)


def nace_class_mass(scheme: str) -> Floats:
    """US employment of 2017 by class of `nace2` or `nace21`, in ascending order of the classes; persons."""
    return (_nace2_classes() if scheme == "nace2" else _nace21_classes())[3]


def _nace(scheme: str, weight: Floats, certain: Floats, possible: Floats, mass: Floats) -> ClusterWeights:
    """Add the levels above to the classes."""
    classes = nace_classes(scheme)
    levels = nace_levels(scheme)
    codes = sorted(levels)
    result = {name: np.zeros((len(codes), len(CODES))) for name in ("weight", "low", "high")}
    method = []
    for number, code in enumerate(codes):
        below = [n for n, name in enumerate(classes) if code in line_of(name, scheme)]
        share = mass[below] if mass[below].sum() > 0 else np.ones(len(below))
        result["weight"][number] = weight[below[0]] if len(below) == 1 else share @ weight[below] / share.sum()
        result["low"][number] = certain[below].min(axis=0)
        result["high"][number] = possible[below].max(axis=0)
        is_sure = result["low"][number].any()
        method.append("unique" if is_sure else "employment" if mass[below].sum() > 0 else "equal")
    result["weight"] = _exact(result["weight"], result["low"])
    return ClusterWeights(
        scheme,
        np.array(codes),
        **result,
        method=np.array(method),
        weight_year=WEIGHT_YEAR,
        basis=NACE_BASIS,
    )


@cache
def line_of(code: str, scheme: str) -> tuple[str, ...]:
    """A code and everything above it: `10.11`, `10.1`, `10`, `C`."""
    parent = nace_parent(code, scheme)
    return (code, *line_of(parent, scheme)) if parent else (code,)
