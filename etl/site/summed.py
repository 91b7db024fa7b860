"""NUTS 1 for sources that publish NUTS 2 alone: their regions' figures added up, with the least sure of their statuses.

The comparison adds them up in the same way; without this its quotients would stand on the page without status or size.
"""

from collections import Counter
from collections.abc import Callable, Sequence

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from etl.reference.nuts import CURRENT_NUTS, is_extra_regio, nuts_regions
from etl.site.encode import STATUS_LETTERS
from etl.site.page_grid import frame
from etl.site.tables import Tables

REASON = "added up from NUTS 2, for which the source has quotients"

# What adds up, and what is the same in all parts of a region, by table.
_SUMS = {
    "region_cluster": (
        *("employment", "employment_low", "employment_high", "establishments", "payroll"),
        *("cluster_share", "job_creation"),
    ),
    "region_total": ("employment", "employment_low", "employment_high", "employment_traded", "employment_local"),
}
_KEYS = {
    "region_cluster": ("source", "year", "region_scheme", "region_code", "cluster_code"),
    "region_total": ("source", "year", "region_scheme", "region_code"),
}
_SAME = {"region_cluster": ("region_vintage", "currency_code", "previous_year"), "region_total": ("region_vintage",)}
_LEAST_SURE = {"region_cluster": ("employment_status", "grade"), "region_total": ("employment_status",)}


def with_nuts1(tables: Tables) -> Tables:
    """The same tables; what has no NUTS 1 of a year but NUTS 2 has the sums by NUTS 1 besides."""

    def read(name: str, year: int | None, columns: Sequence[str]) -> pa.Table:
        if name not in _SUMS or year is None:
            return tables.read(name, year, columns)
        return _with_sums(name, columns, lambda wanted: tables.read(name, year, wanted))

    return Tables(tables.years, read)


def _with_sums(name: str, columns: Sequence[str], read: Callable[[Sequence[str]], pa.Table]) -> pa.Table:
    table, named = read(columns), ["source", "region_scheme"]
    keys = frame(read(named).group_by(named, use_threads=False).aggregate([]))
    lacking = set(keys.loc[keys["region_scheme"] == "nuts2", "source"])
    lacking -= set(keys.loc[keys["region_scheme"] == "nuts1", "source"])
    if not lacking:
        return table
    rows = read([*_KEYS[name], *_SUMS[name], *_SAME[name], *_LEAST_SURE[name]])
    of_source = pc.is_in(pc.cast(rows["source"], pa.string()), pa.array(sorted(lacking)))
    parts = frame(rows.filter(pc.and_(of_source, pc.equal(pc.cast(rows["region_scheme"], pa.string()), "nuts2"))))
    found = added_up(parts, name).reindex(columns=list(columns))
    plain = pa.schema([(one.name, _plain(one.type)) for one in table.schema])
    return pa.concat_tables([table.cast(plain), pa.Table.from_pandas(found, plain, preserve_index=False)])


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def added_up(parts: pd.DataFrame, name: str) -> pd.DataFrame:
    """Rows of NUTS 2 regions by the NUTS 1 region they lie in, of regions all of whose parts are there.

    `name`: of the table that they are rows of. What is unknown of one part is unknown of the whole. Growth and the
    share of the region follow from the sums; status and grade are those of the least sure part; quotients, flags and
    bands do not add up and are unknown.
    """
    order = {status: place for place, status in enumerate(STATUS_LETTERS)}
    parts = parts.assign(region_scheme="nuts1", region_code=parts["region_code"].str[:3])
    parts["employment_status"] = parts["employment_status"].map(order)
    groups = parts.groupby(list(_KEYS[name]), sort=True)
    sums = groups[list(_SUMS[name])]
    found = sums.sum().where(sums.count().eq(groups.size(), axis=0)).join(groups[list(_SAME[name])].first())
    found = found.join(groups[list(_LEAST_SURE[name])].max())
    expected = Counter(code[:3] for code in nuts_regions(CURRENT_NUTS) if len(code) == 4 and not is_extra_regio(code))
    found["parts"] = groups.size()
    found = found.reset_index()
    found = found[found["parts"] == found["region_code"].map(dict(expected))].drop(columns="parts")
    found["employment_status"] = found["employment_status"].map({place: status for status, place in order.items()})
    return found if name == "region_total" else _with_rates(found)


def _with_rates(found: pd.DataFrame) -> pd.DataFrame:
    """Add growth a year, the share of the region's employment of the same class, and why there is no quotient."""
    before = found["employment"] - found["job_creation"]
    growth = (found["employment"] / before.where(before > 0)) ** (1 / (found["year"] - found["previous_year"])) - 1
    in_class = found["employment"].where(found["cluster_code"] > 0)
    classes = [found["source"], found["region_code"], found["cluster_code"] > 100]
    total = in_class.groupby(classes).transform("sum", min_count=1)
    return found.assign(employment_growth_rate=growth, region_share=in_class / total, quotient_reason=REASON)
