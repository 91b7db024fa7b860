"""The published tables about classifications: clusters, industries in clusters, concordances, breaks by definition."""

from functools import cache
from itertools import pairwise

import numpy as np
import pyarrow as pa

from etl import reference
from etl.contracts import contract
from etl.harmonise import families
from etl.harmonise.arrays import Floats, Strings
from etl.harmonise.cluster_weights import CLUSTER, CODES, ClusterWeights, cluster_weights
from etl.harmonise.concordance import Concordance
from etl.harmonise.region_links import region_concordances
from etl.harmonise.vintages import (
    WEIGHT_YEAR,
    move,
    nace2_flows,
    nace2_to_naics2017,
    nace21_to_nace2,
    nace_links,
    naics,
    naics2017_to_nace2,
)
from etl.reference import NAICS_VINTAGES, NO_CLUSTER, naics_cluster
from etl.reference.clusters import NaicsPlace, naics_places
from etl.reference.nace import nace_classes, nace_levels
from etl.reference.us_employment import us_employment

INDUSTRY_SCHEMES = (*(f"naics{vintage}" for vintage in NAICS_VINTAGES), "nace2", "nace21")

DEFINITION_SOURCES = {
    "uscm": "US Cluster Mapping, October 2018",
    "uscm2012": "US Cluster Mapping, October 2018; code unchanged since NAICS 2012",
    "acr1": "regional planner's mapping of November 2019 for codes new in NAICS 2017; not Harvard's",
}


def cluster_table() -> pa.Table:
    """The clusters with the share of their US employment that maps to NACE classes of the cluster alone."""
    table = reference.clusters()
    share = unambiguous_employment_share()
    codes = table.column("cluster_code").to_pylist()
    column = pa.array([share.get(code) for code in codes], pa.float64())
    return table.set_column(table.column_names.index("unambiguous_employment_share"), table.schema.field(4), column)


@cache
def unambiguous_employment_share() -> dict[int, float]:
    """By cluster: share of its US employment of 2017 in NAICS codes whose NACE classes hold no other cluster."""
    classes = cluster_weights("nace2")
    is_sure = {code: bool(low.any()) for code, low in zip(classes.codes.tolist(), classes.low, strict=True)}
    own = naics_cluster(WEIGHT_YEAR)
    total, sure = np.zeros((2, max(CODES) + 1))
    for (code, nace), flow in zip(nace_links()[0], nace2_flows().tolist(), strict=True):
        total[own[code]] += flow
        sure[own[code]] += flow * is_sure[nace]
    return {code: float(sure[code] / total[code]) for code in CODES if code != NO_CLUSTER}


def industry_cluster_table() -> pa.Table:
    """Every industry of every scheme with its clusters: weight, lower and upper, entropy, subcluster where unique."""
    return contract("industry_cluster").conform(
        pa.concat_tables([_industries(cluster_weights(scheme)) for scheme in INDUSTRY_SCHEMES])
    )


def _industries(placed: ClusterWeights) -> pa.Table:
    industry, column = np.nonzero(placed.high)
    codes = placed.codes[industry].tolist()
    clusters = [CODES[number] for number in column.tolist()]
    places = _places(placed.scheme)
    details = [
        places.get(code) if places.get(code) and places[code].cluster_code == cluster else None
        for code, cluster in zip(codes, clusters, strict=True)
    ]
    rows = len(codes)
    return pa.table(
        {
            "industry_scheme": [placed.scheme] * rows,
            "industry_code": codes,
            "cluster_code": pa.array(clusters, pa.int16()),
            "industry_level": [_level(placed.scheme, code) for code in codes],
            "weight": placed.weight[industry, column],
            "weight_low": placed.low[industry, column],
            "weight_high": placed.high[industry, column],
            "weight_method": placed.method[industry],
            "subcluster_code": pa.array([place.subcluster_code if place else None for place in details], pa.string()),
            "entropy": placed.entropy()[industry],
            "weight_year": pa.array([placed.weight_year] * rows, pa.int16()),
            "definition_source": [
                DEFINITION_SOURCES[place.definition_source] if place else placed.basis for place in details
            ],
        }
    )


def _places(scheme: str) -> dict[str, NaicsPlace]:
    vintage = int(scheme[5:]) if scheme.startswith("naics") else 0
    return naics_places(vintage) if vintage in NAICS_VINTAGES[:-1] else {}


def _level(scheme: str, code: str) -> str:
    if scheme.startswith("naics"):
        return "national_industry" if len(code) == 6 else "sector"
    return nace_levels(scheme)[code]


@cache
def industry_concordances() -> tuple[Concordance, ...]:
    """All concordances between industry classifications, for publication."""
    steps = list(pairwise(NAICS_VINTAGES))
    return (
        *(naics(older, newer) for older, newer in steps),
        *(naics(newer, older) for older, newer in steps),
        naics2017_to_nace2(),
        nace2_to_naics2017(),
        nace21_to_nace2(),
    )


def concordance_table() -> pa.Table:
    """Every link between industry classifications and between region lists, one method a link."""
    parts = [families.table(one) for one in (*industry_concordances(), *region_concordances())]
    return contract("concordance").conform(pa.concat_tables(parts))


def concordance_alternative_table() -> pa.Table:
    """Ambiguous links under the other methods: equal and dominant; NACE classes to clusters under both, all of them."""
    parts = []
    for one in industry_concordances():
        ambiguous = one.restrict(_ambiguous(one))
        if ambiguous.weight.size:
            parts += [_alternative(_equal(ambiguous)), _alternative(ambiguous.dominant())]
    parts.append(_alternative(nace2_cluster_equal()))
    parts += [_alternative(cluster_weights(scheme).concordance.dominant()) for scheme in ("nace2", "nace21")]
    return contract("concordance_alternative").conform(pa.concat_tables(parts))


def _ambiguous(concordance: Concordance) -> list[str]:
    known = concordance.source_index[~np.isnan(concordance.weight)]
    many: Strings = concordance.sources[np.bincount(known, minlength=concordance.sources.size) > 1]
    return list(many.tolist())


def _equal(concordance: Concordance) -> Concordance:
    degree = np.bincount(concordance.source_index)
    return _with_weight(concordance, 1 / degree[concordance.source_index])


def _with_weight(concordance: Concordance, weight: Floats) -> Concordance:
    return Concordance(
        concordance.from_scheme,
        concordance.to_scheme,
        concordance.from_code,
        concordance.to_code,
        weight,
        np.full(weight.size, "equal"),
        concordance.is_partial,
    )


def nace2_cluster_equal() -> Concordance:
    """NACE 2 classes to clusters without any amounts: each NAICS industry of a cluster gives 1/k to its k classes.

    The plain table that other products use; a class that no such industry reaches is in no cluster.
    """
    own = naics_cluster(WEIGHT_YEAR)
    classes = set(nace_classes("nace2"))
    links = [(code, nace) for code, nace in nace_links()[0] if own[code] != NO_CLUSTER and nace in classes]
    parts: dict[str, int] = {}
    for code, _ in links:
        parts[code] = parts.get(code, 0) + 1
    mass: dict[tuple[str, str], float] = {}
    for code, nace in links:
        pair = (nace, str(own[code]))
        mass[pair] = mass.get(pair, 0.0) + 1 / parts[code]
    total: dict[str, float] = {}
    for (nace, _), amount in mass.items():
        total[nace] = total.get(nace, 0.0) + amount
    mass |= {(nace, str(NO_CLUSTER)): 1.0 for nace in classes - total.keys()}
    pairs = sorted(mass)
    weight = np.array([mass[pair] / total.get(pair[0], 1.0) for pair in pairs])
    size = len(pairs)
    names = np.array(pairs)
    return Concordance("nace2", CLUSTER, names[:, 0], names[:, 1], weight, np.full(size, "equal"), np.zeros(size, bool))


def _alternative(concordance: Concordance) -> pa.Table:
    rows = concordance.weight.size
    return pa.table(
        {
            "from_scheme": [concordance.from_scheme] * rows,
            "from_code": concordance.from_code,
            "to_scheme": [concordance.to_scheme] * rows,
            "to_code": concordance.to_code,
            "weight_method": concordance.weight_method,
            "weight": concordance.weight,
            "weight_year": pa.array([concordance.weight_year] * rows, pa.int16()),
        }
    )


def definition_break_table() -> pa.Table:
    """What each change of NAICS moves between clusters: the same US employment by the older and by the newer list.

    Employment of the older vintage (2012: that of 2017 carried back), in the codes that have links; persons.
    """
    parts = []
    for older, newer in pairwise(NAICS_VINTAGES[:-1]):
        year = {1997: 2001, 2002: 2005, 2007: 2011, 2012: 2017}[older]
        amounts = us_employment(year) if older != 2012 else move(us_employment(year), naics(2017, 2012))
        links = naics(older, newer)
        linked = set(links.from_code[links.to_code != ""].tolist())
        kept = {code: amount for code, amount in amounts.items() if code in linked}
        before, after = _by_cluster(kept, older), _by_cluster(move(kept, links), newer)
        clusters = sorted(before.keys() | after.keys())
        parts.append(
            pa.table(
                {
                    "from_scheme": [f"naics{older}"] * len(clusters),
                    "to_scheme": [f"naics{newer}"] * len(clusters),
                    "cluster_code": pa.array(clusters, pa.int16()),
                    "employment_before": [before.get(code, 0.0) for code in clusters],
                    "employment_after": [after.get(code, 0.0) for code in clusters],
                    "difference": [after.get(code, 0.0) - before.get(code, 0.0) for code in clusters],
                    "weight_year": pa.array([year] * len(clusters), pa.int16()),
                }
            )
        )
    return contract("definition_break").conform(pa.concat_tables(parts))


def _by_cluster(amounts: dict[str, float], vintage: int) -> dict[int, float]:
    own = naics_cluster(vintage)
    result: dict[int, float] = dict.fromkeys((code for code in CODES if code != NO_CLUSTER), 0.0)
    for code, amount in amounts.items():
        result[own[code]] = result.get(own[code], 0.0) + amount
    return result
