"""Which part of each cluster a source-year covers."""

import numpy as np
import pyarrow as pa

from etl.contracts import contract
from etl.harmonise.arrays import Floats
from etl.harmonise.cluster_weights import CODES, UNCLASSIFIED, cluster_weights, line_of, nace_class_mass
from etl.harmonise.source_year import NOT_ALLOCATED, SourceYearArrays, read_source_year
from etl.harmonise.vintages import WEIGHT_YEAR, move, naics
from etl.reference.nace import nace_classes
from etl.reference.us_employment import VINTAGE_OF_YEAR, us_employment


def coverage(cells: pa.Table, year: int) -> pa.Table:
    """By cluster, the share of its industries (by US employment) that any cell of the source-year stands for.

    NACE: the classes below every code that has a leaf, by US employment of 2017. NAICS: the codes that have a leaf, by
    the employment of the reference year of their vintage.
    """
    return coverage_of(read_source_year(cells, year))


def coverage_of(data: SourceYearArrays) -> pa.Table:
    """As `coverage`, for cells that are already read."""
    has_leaf = np.bincount(data.industry, data.is_leaf, minlength=len(data.industries)) > 0
    used = {data.industries[number] for number in np.flatnonzero(has_leaf).tolist()}
    used = {code for code in used if not code.endswith(NOT_ALLOCATED)}
    codes, mass = _masses(data.industry_scheme)
    if data.is_nace:
        covered = np.array([bool(used & set(line_of(code, data.industry_scheme))) for code in codes], bool)
    else:
        covered = np.array([code in used for code in codes], bool)
    placed = cluster_weights(data.industry_scheme)
    row = np.searchsorted(placed.codes, codes)
    by_cluster = mass[:, None] * placed.weight[row]
    total = by_cluster.sum(axis=0)[1:]
    found = by_cluster[covered].sum(axis=0)[1:]
    share = np.divide(found, total, out=np.zeros_like(total), where=total > 0)
    clusters = [code for code in CODES if code > 0]
    return contract("coverage").conform(
        pa.table(
            {
                "source": [data.source] * len(clusters),
                "year": pa.array([data.year] * len(clusters), pa.int16()),
                "cluster_code": pa.array(clusters, pa.int16()),
                "covered_share": np.minimum(share, 1.0),
            }
        )
    )


def _masses(scheme: str) -> tuple[list[str], Floats]:
    """The finest industries of a scheme and their US employment."""
    if scheme.startswith("nace"):
        return list(nace_classes(scheme)), nace_class_mass(scheme)
    vintage = int(scheme[5:])
    years = [year for year, found in VINTAGE_OF_YEAR.items() if found == vintage]
    # 2012 and 2022 have no file of their own at hand.
    amounts = us_employment(max(years)) if years else move(us_employment(WEIGHT_YEAR), naics(2017, vintage))
    known = {code: amount for code, amount in amounts.items() if len(code) == 6 or code == UNCLASSIFIED}
    return list(known), np.array(list(known.values()))
