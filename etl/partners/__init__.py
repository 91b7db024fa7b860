"""Partners across the Atlantic: regions alike and complementary, related clusters, and what regions may grow into.

Everything here is made from `region_cluster_common`, its `full` variant: clusters of grade D and regions of which too
little is known take no part.
"""

import pyarrow as pa
import pyarrow.compute as pc

from etl.contracts import contract
from etl.measure.rules import LEVELS
from etl.partners.backtest import BackTest, back_test
from etl.partners.profiles import read_profiles
from etl.partners.relatedness import relatedness_rows
from etl.partners.search import partner_rows

__all__ = ["BackTest", "back_test", "cluster_relatedness", "region_partner"]


def region_partner(common: pa.Table, year: int) -> pa.Table:
    """Table `region_partner` of one year, from its `region_cluster_common`."""
    parts = [partner_rows(read_profiles(common, level), level, year) for level in LEVELS]
    return contract("region_partner").conform(pa.concat_tables(parts))


def cluster_relatedness(common: pa.Table, year: int) -> pa.Table:
    """Table `cluster_relatedness` of one year, from its `region_cluster_common`; a level without quotients has none."""
    quoted = common.filter(pc.is_valid(common.column("location_quotient")))
    levels = [level for level in LEVELS if pc.any(pc.equal(quoted.column("level"), level)).as_py()]
    parts = [relatedness_rows(read_profiles(common, level), level, year) for level in levels]
    return contract("cluster_relatedness").conform(
        pa.concat_tables(parts) if parts else contract("cluster_relatedness").empty()
    )
