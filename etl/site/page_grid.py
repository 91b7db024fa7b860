"""Puts rows of the published tables on a grid of regions and clusters, one value each."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from etl.measure.rules import LEVELS
from etl.site.tables import Tables

#: Clusters that the page shows: traded, then local.
TRADED = tuple(range(1, 52))
CLUSTERS = (*TRADED, *range(101, 117))

#: Between sources of one region and year, where none is chosen by the comparison: the widest coverage first.
PRECEDENCE = ("census_cbp", "eurostat_sbs_ebs", "eurostat_sbs", "uk_bres", "fr_urssaf", "bls_qcew")

REGION = ["region_scheme", "region_code"]


@dataclass(frozen=True, slots=True)
class PageGrid:
    """Regions (a frame with region_scheme, region_code, source, source_year) by clusters, flat, region by region."""

    regions: pd.DataFrame
    clusters: tuple[int, ...]

    def lay(self, rows: pd.DataFrame) -> "Laid":
        """Lay rows with REGION and cluster_code on the grid; those that belong nowhere are left out."""
        index = pd.MultiIndex.from_frame(self.regions[REGION])
        region = index.get_indexer(pd.MultiIndex.from_frame(rows[REGION]))
        cluster = pd.Index(self.clusters).get_indexer(pd.Index(rows["cluster_code"]))
        is_in = (region >= 0) & (cluster >= 0)
        place = (region * len(self.clusters) + cluster)[is_in]
        return Laid(rows[is_in], place, len(self.regions) * len(self.clusters))


@dataclass(frozen=True, slots=True)
class Laid:
    """Rows, the place of each on a grid, and how many places the grid has."""

    rows: pd.DataFrame
    place: np.ndarray
    size: int

    def numbers(self, column: str) -> np.ndarray:
        """A column of numbers or truths on the grid; NaN where there is none."""
        result = np.full(self.size, np.nan)
        result[self.place] = self.rows[column].to_numpy(dtype=float, na_value=np.nan)
        return result

    def texts(self, column: str) -> list[str | None]:
        """A column of texts on the grid; None where there is none."""
        result = np.full(self.size, None, dtype=object)
        known = self.rows[column].notna().to_numpy()
        result[self.place[known]] = self.rows[column].to_numpy(dtype=object)[known]
        return list(result)


def frame(table: pa.Table) -> pd.DataFrame:
    """A table as a frame, whatever its texts are encoded as."""
    plain = [column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column for column in table.columns]
    result: pd.DataFrame = pa.table(plain, names=table.column_names).to_pandas()
    return result


def of_schemes(table: pa.Table, level: str) -> pa.Table:
    """The rows of a level's regions; what is no place (remainders) is left out."""
    schemes = pc.is_in(pc.cast(table["region_scheme"], pa.string()), pa.array(LEVELS[level]))
    codes = pc.cast(table["region_code"], pa.string())
    remainder = pc.or_(pc.match_substring_regex(codes, "Z+$"), pc.equal(codes, "99"))
    return table.filter(pc.and_(schemes, pc.invert(remainder)))


def chosen_sources(tables: Tables, year: int, level: str) -> pd.DataFrame:
    """For each region of a level, the source and year shown: that of the comparison, else by precedence.

    Columns region_scheme, region_code, source, source_year; sorted, the American side first.
    """
    found = []
    if year in tables.years.get("region_cluster_common", ()):
        columns = [*REGION, "level", "variant", "source", "source_year"]
        common = of_schemes(tables.read("region_cluster_common", year, columns), level)
        full = frame(common.filter(pc.equal(common["variant"], "full")))
        found.append(full[[*REGION, "source", "source_year"]].drop_duplicates())
    if year in tables.years.get("region_cluster", ()):
        native = of_schemes(tables.read("region_cluster", year, [*REGION, "source"]), level)
        others = frame(native.group_by([*REGION, "source"], use_threads=False).aggregate([]))
        others["order"] = others["source"].map({name: i for i, name in enumerate(PRECEDENCE)})
        others = others.sort_values("order", kind="stable").drop_duplicates(REGION)
        found.append(others.assign(source_year=year)[[*REGION, "source", "source_year"]])
    if not found:
        return pd.DataFrame(columns=[*REGION, "source", "source_year"])
    together = pd.concat(found).drop_duplicates(REGION, keep="first")
    order = {scheme: i for i, scheme in enumerate(LEVELS[level])}
    together["order"] = together["region_scheme"].map(order)
    return together.sort_values(["order", "region_code"])[[*REGION, "source", "source_year"]].reset_index(drop=True)


def native_rows(tables: Tables, name: str, regions: pd.DataFrame, level: str, columns: Sequence[str]) -> pd.DataFrame:
    """Rows of a table by source and year for these regions, each from the source and year chosen for it."""
    parts = []
    for year in sorted({int(year) for year in regions["source_year"]}):
        if year in tables.years.get(name, ()):
            rows = frame(of_schemes(tables.read(name, year, [*REGION, "source", *columns]), level))
            chosen = regions[regions["source_year"] == year]
            parts.append(rows.merge(chosen[[*REGION, "source"]], on=[*REGION, "source"]))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=[*REGION, "source", *columns])
