"""A small data set with both sides of the Atlantic, coherent in every sum, and drafts of snapshots made of it."""

import hashlib
import io
from collections.abc import Mapping
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from etl.columns import concat
from etl.contracts import contract, contracts
from etl.measure import measure_year
from etl.measure.rules import REFERENCE_AREAS
from etl.publish import (
    Draft,
    GateResult,
    Manifest,
    Part,
    SourceFileState,
    content_id,
    parquet_bytes,
    part_path,
    read_manifest,
)
from etl.reference import clusters, source_table, subclusters
from etl.storage import Storage

CLUSTERS = np.array([-1, 0, *range(1, 52), *range(101, 117)])
STATES = [f"{number:02d}" for number in range(1, 53)]
COUNTRIES = sorted(REFERENCE_AREAS["EU28"])
Tables = dict[str, pa.Table]


def facts(year: int, factor: float = 1.0, withheld: bool = True) -> Tables:
    """All tables of one year, made by the same measures as real ones; `factor` scales one state's first cluster."""
    rng = np.random.default_rng(year)
    sides = {
        "census_cbp": _american(rng, year, factor, withheld),
        "eurostat_sbs": _european(rng, year),
    }
    measured = measure_year(sides, year=year)
    industries = concat([_industries(table, year) for table in sides.values()])
    ledger = [
        {
            "step": "industries to clusters", "source": source, "year": year, "region_scheme": scheme,
            "measure": "employment_reported", "amount_in": 10.0, "amount_out": 9.0, "amount_unmapped": 1.0,
            "difference": 0.0,
        }
        for source, scheme in (("census_cbp", "us_state"), ("eurostat_sbs", "nuts0"))
    ]  # fmt: skip
    coverage = [
        {"source": source, "year": year, "cluster_code": code, "covered_share": 0.5}
        for source in sides
        for code in range(1, 52)
    ]
    return {
        "region_industry": contract("region_industry").conform(industries),
        "region_cluster": measured["region_cluster"],
        "region_total": measured["region_total"],
        "conservation_ledger": contract("conservation_ledger").conform(pa.Table.from_pylist(ledger)),
        "coverage": contract("coverage").conform(pa.Table.from_pylist(coverage)),
    }


def references() -> Tables:
    """The tables without a year: clusters, regions, sources, industries."""
    regions = [_region("us_nation", "US", 2020, "US", None)]
    regions += [_region("us_state", code, 2020, "US", ("us_nation", "US")) for code in STATES]
    regions += [_region("nuts0", code, 2021, code, None) for code in COUNTRIES]
    industries = [
        {
            "industry_scheme": scheme, "industry_code": f"{index + 10:02d}{tail}", "cluster_code": int(code),
            "weight": 1.0, "weight_low": 1.0, "weight_high": 1.0, "weight_method": "unique",
        }
        for scheme, tail in (("naics2017", "1110"), ("nace2", ""))
        for index, code in enumerate(CLUSTERS)
        if code >= 0
    ]  # fmt: skip
    return {
        "cluster": contract("cluster").conform(clusters()),
        "subcluster": contract("subcluster").conform(subclusters()),
        "source": source_table(),
        "region": contract("region").conform(pa.Table.from_pylist(regions)),
        "industry_cluster": contract("industry_cluster").conform(pa.Table.from_pylist(industries)),
        "contradiction": contract("contradiction").empty(),
    }


def parts_of(tables: Mapping[str, pa.Table], inputs: str = "inputs") -> dict[str, Part]:
    """Files of these tables, those of the facts by year."""
    parts = {}
    for name, table in tables.items():
        rule = contract(name)
        for year in sorted(set(table["year"].to_pylist())) if rule.partition else [None]:
            rows = table if year is None else table.filter(pa.compute.equal(table["year"], year))
            data = parquet_bytes(rows, rule, inputs_id=inputs, sources=source_table())
            parts[part_path(name, year)] = Part.of(data, rows.num_rows, inputs)
    return parts


_PARTS: dict[tuple[tuple[int, ...], float], dict[str, Part]] = {}


def sample_parts(years: tuple[int, ...] = (2016, 2017), factor: float = 1.0) -> dict[str, Part]:
    """Files of a whole small snapshot; made once."""
    if (years, factor) not in _PARTS:
        by_year = [facts(year, factor) for year in years]
        stacked = {name: concat([tables[name] for tables in by_year]) for name in by_year[0]}
        _PARTS[years, factor] = parts_of({**references(), **stacked, "source_file": source_file_table(factor)})
    return dict(_PARTS[years, factor])


def source_files(factor: float = 1.0) -> tuple[SourceFileState, ...]:
    """One publisher's file a side; the American one changes with `factor`."""
    digest = f"{round(factor * 1000):064x}"
    return (
        SourceFileState(dataset="census_cbp", url="https://example.org/cbp17.zip", year=2017, sha256=digest, bytes=7),
        SourceFileState(dataset="eurostat_sbs", url="https://example.org/sbs.tsv", sha256="e" * 64, bytes=9),
    )


def source_file_table(factor: float = 1.0) -> pa.Table:
    """Table source_file of `source_files`."""
    rows = [file.model_dump(include={"dataset", "url", "year", "sha256", "bytes"}) for file in source_files(factor)]
    return contract("source_file").conform(pa.Table.from_pylist(rows))


def draft(day: str, factor: float = 1.0, previous: str | None = None, code: str = "code", **fields: object) -> Draft:
    """A draft of the small snapshot; another `factor` is another content."""
    parts = sample_parts(factor=factor)
    inputs = [f"{file.url}={file.sha256}" for file in source_files(factor)]
    return Draft(
        snapshot_date=date.fromisoformat(day),
        content_id=content_id(inputs, code, contracts()),
        code_id=code,
        parts=parts,
        gate=GateResult(declared=1, executed=1),
        previous=previous,
        sources=tuple(source_table().to_pylist()),
        source_files=source_files(factor),
        **fields,  # type: ignore[arg-type]
    )


def check_whole(storage: Storage, version: str) -> Manifest:
    """Every file of the version is there with the bytes that its manifest says."""
    manifest = read_manifest(storage, version)
    for path, entry in manifest.files.items():
        data = storage.read_bytes(f"snapshots/{version}/{path}")
        assert (len(data), hashlib.sha256(data).hexdigest()) == (entry.bytes, entry.sha256), path
    return manifest


def read_part(part: Part) -> pa.Table:
    """Rows of a part that still holds its bytes."""
    assert isinstance(part.source, bytes)
    return pq.read_table(io.BytesIO(part.source))


def _region(scheme: str, code: str, vintage: int, country: str, parent: tuple[str, str] | None) -> dict[str, object]:
    above = {"parent_scheme": parent[0], "parent_code": parent[1]} if parent else {}
    return {
        "region_scheme": scheme, "region_code": code, "region_vintage": vintage, "region_name": f"Region {code}",
        "country_code": country, **above,
    }  # fmt: skip


def _rows(source: str, year: int, scheme: str, codes: list[str], vintage: int, amounts: np.ndarray) -> dict[str, list]:
    count, width = amounts.shape
    return {
        "source": [source] * amounts.size,
        "year": [year] * amounts.size,
        "region_scheme": [scheme] * amounts.size,
        "region_code": np.repeat(codes, width).tolist(),
        "region_vintage": [vintage] * amounts.size,
        "cluster_code": np.tile(CLUSTERS, count).tolist(),
        "employment": amounts.ravel().tolist(),
        "establishments": np.ceil(amounts / 10).ravel().tolist(),
    }


def _with_status(columns: dict[str, list], hidden: np.ndarray, currency: str) -> pa.Table:
    amounts = np.array(columns["employment"])
    rest = np.array(columns["cluster_code"]) == -1
    hidden = hidden & ~rest
    reported = np.where(hidden, 0.0, amounts)
    # What a publisher counts in the total and prints nowhere below it stands in cluster -1.
    reported[rest] += np.where(hidden, amounts, 0.0).reshape(-1, len(CLUSTERS)).sum(axis=1)
    columns["employment_reported"] = reported.tolist()
    columns["employment_status"] = np.select([hidden, rest], ["estimated", "derived_exactly"], "reported").tolist()
    columns["employment_low"] = np.where(hidden, np.floor(amounts / 2), amounts).tolist()
    columns["employment_high"] = np.where(hidden, amounts * 2 + 20, amounts).tolist()
    columns["grade"] = np.where(hidden, "C", "A").tolist()
    columns["payroll"] = [
        None if is_hidden else value * 50_000 for value, is_hidden in zip(amounts, hidden, strict=True)
    ]
    columns["currency_code"] = [currency] * len(amounts)
    schema = contract("region_cluster").arrow_schema
    return pa.table({name: pa.array(values, schema.field(name).type) for name, values in columns.items()})


def _american(rng: np.random.Generator, year: int, factor: float, withheld: bool) -> pa.Table:
    states = np.round(rng.gamma(1.2, 800, (len(STATES), len(CLUSTERS))))
    states[0, 2] = round(states[0, 2] * factor + 5)
    nation = states.sum(axis=0, keepdims=True)
    columns = _rows("census_cbp", year, "us_state", STATES, 2020, states)
    for name, values in _rows("census_cbp", year, "us_nation", ["US"], 2020, nation).items():
        columns[name] += values
    count = len(columns["year"])
    hidden = (rng.random(count) < 0.2) & (np.arange(count) < states.size) & withheld
    return _with_status(columns, hidden, "USD")


def _european(rng: np.random.Generator, year: int) -> pa.Table:
    amounts = np.round(rng.gamma(1.2, 2000, (len(COUNTRIES), len(CLUSTERS))))
    columns = _rows("eurostat_sbs", year, "nuts0", COUNTRIES, 2021, amounts)
    return _with_status(columns, np.zeros(amounts.size, bool), "EUR")


def _industries(table: pa.Table, year: int) -> pa.Table:
    """One leaf a cluster and a total a region, from which the clusters could have come."""
    frame = table.drop_columns(["cluster_code", "grade"])
    is_american = table["source"][0].as_py() == "census_cbp"
    scheme, level, total = ("naics2017", "national_industry", "00") if is_american else ("nace2", "division", "TOTAL")
    at = {int(code): index for index, code in enumerate(CLUSTERS)}
    codes = [f"{at[code] + 10:02d}" + ("1110" if is_american else "") for code in table["cluster_code"].to_pylist()]
    codes = [
        f"{total}~" if code == -1 else name for code, name in zip(table["cluster_code"].to_pylist(), codes, strict=True)
    ]
    leaves = frame.append_column("industry_code", pa.array(codes))
    leaves = leaves.append_column("industry_level", pa.array(["not_allocated" if "~" in c else level for c in codes]))
    leaves = leaves.append_column("is_leaf", pa.array([True] * len(codes)))
    is_hidden = pa.compute.equal(leaves["employment_status"], "estimated")
    reported = pa.compute.if_else(is_hidden, pa.scalar(None, pa.float64()), leaves["employment_reported"])
    leaves = leaves.set_column(leaves.column_names.index("employment_reported"), "employment_reported", reported)
    key = ["source", "year", "region_scheme", "region_code", "region_vintage"]
    sums = table.group_by(key).aggregate([("employment_reported", "sum"), ("establishments", "sum")])
    sums = sums.rename_columns([*key, "employment", "establishments"])
    for name in ("employment_reported", "employment_low", "employment_high"):
        sums = sums.append_column(name, sums["employment"])
    for name, value in {
        "employment_status": "reported", "industry_code": total, "industry_level": "total", "is_leaf": False,
    }.items():  # fmt: skip
        sums = sums.append_column(name, pa.array([value] * sums.num_rows))
    both = concat([leaves, sums])
    return both.append_column("industry_scheme", pa.array([scheme] * both.num_rows))
