"""Harmonise: industries to clusters, regions to one vintage, and a ledger that closes.

The step takes the cells of one source-year, as published or estimated, and gives its clusters in every region scheme.
"""

from dataclasses import dataclass

import pyarrow as pa

from etl.harmonise.coverage import coverage, coverage_of
from etl.harmonise.industries import industries_to_clusters
from etl.harmonise.ledger import ledger_table
from etl.harmonise.lookup import concordance_rows
from etl.harmonise.published import (
    cluster_table,
    concordance_alternative_table,
    concordance_table,
    definition_break_table,
    industry_cluster_table,
)
from etl.harmonise.regions import regions_to_regions
from etl.harmonise.result import region_cluster
from etl.harmonise.source_year import read_source_year

__all__ = [
    "Harmonised",
    "cluster_table",
    "concordance_alternative_table",
    "concordance_rows",
    "concordance_table",
    "coverage",
    "definition_break_table",
    "harmonise",
    "industry_cluster_table",
]


@dataclass(frozen=True, slots=True)
class Harmonised:
    """The clusters of one source-year, the ledger, what the source covers, and sentences for the run's summary.

    `region_cluster`: the columns of that table that this step fills; `ledger`: conservation_ledger; `coverage`: that
    table.
    """

    region_cluster: pa.Table
    ledger: pa.Table
    coverage: pa.Table
    notes: list[str]


def harmonise(cells: pa.Table, year: int) -> Harmonised:
    """Take the cells of one source-year (columns of region_industry, any region schemes) to clusters.

    Raises SourceFormatError for an industry or region its list does not have, ConservationError where an amount is
    lost or made up, DataError for cells of several sources or years.
    """
    data = read_source_year(cells, year)
    native, lines = industries_to_clusters(data)
    grid, more, notes = regions_to_regions(native)
    return Harmonised(
        region_cluster(grid, data),
        ledger_table([*lines, *more], data.source, year),
        coverage_of(data),
        notes,
    )
