"""Looks a code up in the concordances, for people: links, weights and why."""

import numpy as np

from etl.errors import UsageError
from etl.harmonise.cluster_weights import CLUSTER, cluster_weights
from etl.harmonise.concordance import Concordance
from etl.harmonise.published import industry_concordances
from etl.harmonise.region_links import region_concordances
from etl.harmonise.vintages import naics
from etl.reference import clusters, naics_codes
from etl.reference.clusters import NAICS_VINTAGES
from etl.reference.nace import nace_names


def concordance_rows(scheme: str, code: str, to_scheme: str) -> list[dict[str, str]]:
    """The links from one code to another classification, the heaviest first.

    Keys: from, to, name (of the target, empty where none is built in), weight (empty for a break), method, partial
    (yes or empty), basis. `to_scheme`: a classification, a region list, or `cluster`. Raises UsageError for a pair of
    schemes without a concordance, naming those there are, and for a code that the concordance does not have.
    """
    concordance = _find(scheme, to_scheme)
    found = np.flatnonzero(concordance.from_code == code)
    if not found.size:
        raise UsageError(f"{scheme} has no code {code} that leads to {to_scheme}")
    order = found[np.argsort(-np.nan_to_num(concordance.weight[found], nan=-1.0), kind="stable")]
    names = _names(to_scheme)
    return [
        {
            "from": code,
            "to": str(concordance.to_code[link]),
            "name": names.get(str(concordance.to_code[link]), ""),
            "weight": "" if np.isnan(concordance.weight[link]) else f"{concordance.weight[link]:.4f}",
            "method": str(concordance.weight_method[link]),
            "partial": "yes" if concordance.is_partial[link] else "",
            "basis": concordance.basis,
        }
        for link in order.tolist()
    ]


def _find(scheme: str, to_scheme: str) -> Concordance:
    if to_scheme == CLUSTER:
        return cluster_weights(scheme).concordance
    if {scheme[:5], to_scheme[:5]} == {"naics"} and {scheme, to_scheme} <= {f"naics{year}" for year in NAICS_VINTAGES}:
        naics_codes(int(scheme[5:]))
        return naics(int(scheme[5:]), int(to_scheme[5:]))
    pairs = {(one.from_scheme, one.to_scheme): one for one in (*industry_concordances(), *region_concordances())}
    if (scheme, to_scheme) not in pairs:
        known = sorted({target for source, target in pairs if source == scheme})
        if not known:
            schemes = ", ".join(sorted({source for source, _ in pairs}))
            raise UsageError(f"no concordance leads from {scheme}; there are some from: {schemes}")
        there = ", ".join([*known, CLUSTER])
        raise UsageError(f"no concordance leads from {scheme} to {to_scheme}; there are: {there}")
    return pairs[scheme, to_scheme]


def _names(scheme: str) -> dict[str, str]:
    if scheme == CLUSTER:
        table = clusters()
        codes, names = table.column("cluster_code").to_pylist(), table.column("cluster_name").to_pylist()
        return {str(code): name for code, name in zip(codes, names, strict=True)}
    return nace_names(scheme) if scheme in ("nace2", "nace21") else {}
