"""Small source-years for the tests: cells from a few words, and their clusters as a dictionary."""

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa

from etl.columns import concat
from etl.contracts import contract
from etl.harmonise import Harmonised, harmonise
from etl.sources import SOURCES
from etl.sources.base import ArchivedFile

LEVELS = {2: "sector", 3: "subsector", 4: "industry_group", 5: "industry", 6: "national_industry"}
DISCLOSED = ("reported", "noised", "rounded", "derived_exactly")


def cell(region: str, industry: str, employment: float | None, **more: Any) -> dict[str, Any]:
    """One cell: `us_state:01`, an industry, and a figure (None: withheld, from 0 to unknown)."""
    scheme, code = region.split(":")
    is_nace = scheme.startswith("nuts") or scheme.startswith("eu_")
    status = more.get("employment_status", "withheld" if employment is None else "reported")
    row = {
        "source": "eurostat_sbs" if is_nace else "census_cbp",
        "year": 2019,
        "region_scheme": scheme,
        "region_code": code,
        "region_vintage": {"us_economic_area": 2004}.get(scheme, 2021 if is_nace else 2020),
        "industry_scheme": "nace2" if is_nace else "naics2017",
        "industry_code": industry,
        "industry_level": _level(industry, is_nace),
        "is_leaf": _is_leaf(industry, is_nace),
        "employment": employment,
        "employment_low": employment if employment is not None else 0.0,
        "employment_high": employment,
        "employment_reported": employment if status in ("reported", "noised", "rounded") else None,
        "employment_status": status,
        "establishments": None if is_nace else 1.0,
        "payroll": None if is_nace or employment is None else employment * 50_000.0,
        "payroll_status": None if is_nace else status,
        "currency_code": "EUR" if is_nace else "USD",
    }
    return row | more


def _level(industry: str, is_nace: bool) -> str:
    if industry.endswith("~"):
        return "not_allocated"
    if industry in ("00", "TOTAL"):
        return "total"
    if is_nace:
        return "section" if industry.isalpha() else {2: "division", 4: "group", 5: "class"}[len(industry)]
    return LEVELS[len(industry)]


def _is_leaf(industry: str, is_nace: bool) -> bool:
    if industry.endswith("~") or industry in ("99", "95"):
        return True
    return len(industry) == (2 if is_nace else 6) and not (is_nace and industry.isalpha())


def source_year(rows: Iterable[dict[str, Any]]) -> pa.Table:
    """The cells as `region_industry`."""
    listed = list(rows)
    names = {name for row in listed for name in row}
    return contract("region_industry").conform(
        pa.table({name: [row.get(name) for row in listed] for name in sorted(names)})
    )


def done(rows: Iterable[dict[str, Any]], year: int = 2019) -> Harmonised:
    """The cells, harmonised."""
    return harmonise(source_year(rows), year)


def clusters(result: Harmonised) -> dict[tuple[str, int], dict[str, Any]]:
    """Rows of region_cluster by region (`us_state:01`) and cluster."""
    table = contract("region_cluster").conform(result.region_cluster)
    return {(f"{row['region_scheme']}:{row['region_code']}", row["cluster_code"]): row for row in table.to_pylist()}


def archived(shared: Path, source: str, years: Iterable[int], kinds: Collection[str] = ()) -> list[ArchivedFile]:
    """The publishers' files of a source in the mirror, as the archive would hand them over; of some kinds or all."""
    import csv
    import gzip
    import tempfile

    from etl.sources import DATASETS

    def key(url: str) -> tuple[str, tuple[str, ...]]:
        address, _, query = url.partition("?")
        return address, tuple(sorted(query.split("&")))

    with (shared / "mirror/index.csv").open(encoding="utf-8", newline="") as file:
        listed = {key(row["url"]): row for row in csv.DictReader(file)}
    folder = Path(tempfile.gettempdir()) / "clusterbridge-tests"
    folder.mkdir(exist_ok=True)
    found = []
    for dataset in DATASETS.values():
        asked = list(dataset.requests(years)) if dataset.source == source else []
        while asked:
            request = asked.pop(0)
            row = listed.get(key(request.url))
            if row is None or (kinds and request.kind not in kinds):
                continue
            path = shared / "mirror" / row["path"]
            if row["gzipped"] == "1":
                unpacked = folder / row["sha256"]
                unpacked.write_bytes(gzip.decompress(path.read_bytes()))
                path = unpacked
            file = ArchivedFile(
                request.dataset,
                request.url,
                request.kind,
                request.content,
                request.year,
                row["sha256"],
                path.stat().st_size,
                path,
            )
            found.append(file)
            asked += dataset.follow(file)
    return found


def published_cells(shared: Path, source: str, year: int, kinds: Collection[str] = ()) -> pa.Table:
    """The cells of a source-year as published, from the mirror."""
    return SOURCES[source].parse(archived(shared, source, [year], kinds), year).tables["region_industry"]


__all__ = ["archived", "cell", "clusters", "concat", "done", "published_cells", "source_year"]
