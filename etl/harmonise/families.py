"""Families of a concordance, its connected components, and its published form."""

import numpy as np
import pyarrow as pa
from scipy import sparse
from scipy.sparse import csgraph

from etl.contracts import contract
from etl.harmonise.arrays import Integers, Strings
from etl.harmonise.concordance import Concordance

KINDS = ("1:1", "1:n", "n:1", "m:n")


def families(concordance: Concordance) -> tuple[Integers, Strings]:
    """Connected component of each link, numbered from 1 in the order of the codes, and its kind.

    Kinds: 1:1, 1:n (one source, several targets), n:1, m:n. A link without a target (an empty code) joins nothing and
    has an empty kind.
    """
    source, target = concordance.source_index, concordance.target_index
    offset = concordance.sources.size
    joined = np.flatnonzero(concordance.to_code != "")
    shape = (offset + concordance.targets.size,) * 2
    graph = sparse.coo_array((np.ones(joined.size), (source[joined], offset + target[joined])), shape=shape)
    _, component = csgraph.connected_components(graph, directed=False)
    _, first, family = np.unique(component[source], return_index=True, return_inverse=True)
    number = np.empty(first.size, np.int64)
    number[np.argsort(first)] = np.arange(1, first.size + 1)
    has_many_sources = _members(family, source) > 1
    has_many_targets = _members(family, target) > 1
    kind = np.array(KINDS)[2 * has_many_sources + has_many_targets]
    return number[family], np.where(concordance.to_code == "", "", kind[family])


def _members(family: Integers, code: Integers) -> Integers:
    """Number of distinct codes in each family."""
    distinct = np.unique(np.stack([family, code]), axis=1)
    return np.bincount(distinct[0])


def table(concordance: Concordance) -> pa.Table:
    """The links by the contract of table concordance; a break has a null weight, an empty code where none is known."""
    family, kind = families(concordance)
    rows = concordance.weight.size
    return contract("concordance").conform(
        pa.table(
            {
                "from_scheme": [concordance.from_scheme] * rows,
                "from_code": concordance.from_code,
                "to_scheme": [concordance.to_scheme] * rows,
                "to_code": concordance.to_code,
                "weight": pa.array(concordance.weight, from_pandas=True),
                "weight_method": concordance.weight_method,
                "is_partial": concordance.is_partial,
                "family_id": family,
                "family_kind": pa.array([value or None for value in kind.tolist()], pa.string()),
                "weight_year": pa.array([concordance.weight_year] * rows, pa.int16()),
                "weight_basis": [concordance.basis or None] * rows,
            }
        )
    )
