"""Makes the page of a snapshot: a folder of static files that any web server, any bucket and any disk can show."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from etl.measure.rules import LEVELS
from etl.organisations import PlacedRegion, overlap
from etl.organisations.region_matching import STATE_VINTAGE
from etl.reference.counties import ECONOMIC_AREA_VINTAGE
from etl.reference.nuts import CURRENT_NUTS
from etl.site.encode import data_file
from etl.site.page_data import cells, series
from etl.site.page_grid import CLUSTERS, REGION, frame, of_schemes
from etl.site.shapes import Boundaries, Shapes, shapes
from etl.site.summed import with_nuts1
from etl.site.tables import Tables

PAGE = Path(__file__).parent / "page"

#: How many of the years in which both sides can be compared are shown in full. Curves go over all years.
YEARS = 4
RELATED = 6
#: What the page opens with is known in at least this share of what the best known is known in.
NEARLY_EVERYWHERE = 0.9
TWOFOLD = 2.0

SOURCE_COLUMNS = (
    *("source", "publisher", "title", "concept", "coverage", "currency_code", "licence", "attribution"),
    "is_invented",
)
ORGANISATION_COLUMNS = (
    *("organisation_id", "organisation_name", "country_code", "region_scheme", "region_code", "region_vintage"),
    *("cluster_code", "link_rank", "score", "link_method", "evidence"),
)


def build_site(tables: Tables, boundaries: Boundaries, *, content_id: str, is_invented: bool) -> dict[str, bytes]:
    """Return the files of the page by path, `index.html` among them; equal tables and boundaries, equal bytes.

    `content_id`: what the page shows as its identity, because a version's name is only given when it is published.
    """
    tables = with_nuts1(tables)
    compared = _compared_years(tables)
    years = shown_years(sorted(compared), _regions_by_year(tables))
    files = {f"{path.relative_to(PAGE).as_posix()}": path.read_bytes() for path in sorted(PAGE.rglob("*.*"))}
    files["index.html"] = _stamped(files["index.html"], is_invented)
    shown: dict[str, list[dict[str, Any]]] = {level: [] for level in LEVELS}
    for year in years:
        for level in LEVELS:
            content = cells(tables, year, level)
            if content is not None:
                name = f"cells-{year}-{level}"
                files[f"data/{name}.js"] = data_file(name, content)
                sides = sorted({"us" if key.startswith("us_") else "eu" for key in content["regions"]})
                shown[level].append({"year": year, "sides": sides})
    for level in LEVELS:
        files[f"data/series-{level}.js"] = data_file(f"series-{level}", series(tables, level))
    drawn = shapes(boundaries)
    for level, schemes in LEVELS.items():
        content = {scheme: _shape(drawn[scheme]) for scheme in schemes}
        files[f"data/shapes-{level}.js"] = data_file(f"shapes-{level}", content)
    files["data/organisations.js"] = data_file("organisations", _organisations(tables, _compared_regions(tables)))
    index = {
        "content_id": content_id,
        "is_invented": is_invented,
        "years": shown,
        "start": start_view(tables, compared, years),
        "clusters": _clusters(tables),
        "regions": _regions(tables),
        "sources": frame(tables.read("source", None, SOURCE_COLUMNS)).to_dict("records"),
        "related": _related(tables),
    }
    files["data/index.js"] = data_file("index", _plain(index))
    return dict(sorted(files.items()))


def shown_years(compared: Sequence[int], regions: Mapping[int, int]) -> list[int]:
    """The years that the page shows in full: the latest compared ones, the latest of all, and the one that holds most.

    `regions`: how many regions each year has, of both levels.
    """
    if not regions:
        return []
    fullest = max(regions, key=lambda year: (regions[year], year))
    return sorted({*(list(compared) or sorted(regions))[-YEARS:], max(regions), fullest})


def _stamped(page: bytes, is_invented: bool) -> bytes:
    """Put the warning of invented figures into the page itself: it stands before any script has run."""
    marks = {b"<!--invented-->": b"", b"<!--title-->": b""}
    if is_invented:
        warning = b"<strong>Invented figures.</strong> They show how the software works. Never quote them."
        marks[b"<!--invented-->"] = b'<p id="invented" role="note">' + warning + b"</p>"
        marks[b"<!--title-->"] = b"INVENTED FIGURES - "
    for mark, text in marks.items():
        page = page.replace(mark, text)
    return page


def _regions_by_year(tables: Tables) -> dict[int, int]:
    found = {}
    for year in tables.years.get("region_total", ()):
        keys = tables.read("region_total", year, REGION)
        found[year] = sum(of_schemes(keys, level).group_by(REGION).aggregate([]).num_rows for level in LEVELS)
    return {year: regions for year, regions in found.items() if regions}


def _compared_years(tables: Tables) -> dict[int, pd.DataFrame]:
    """Years with quotients on both sides of the Atlantic, and their rows: level, region, cluster, quotient or none."""
    found = {}
    for year in tables.years.get("region_cluster_common", ()):
        columns = ["level", "variant", *REGION, "cluster_code", "employment", "location_quotient"]
        table = tables.read("region_cluster_common", year, columns)
        rows = frame(table.filter(pc.equal(table["variant"], "full")))
        known = rows[rows["location_quotient"].notna()]
        if known["region_scheme"].str.startswith("us").nunique() == 2:
            found[year] = rows
    return found


def start_view(tables: Tables, compared: dict[int, pd.DataFrame], years: Sequence[int]) -> dict[str, Any]:
    """What the page opens with: the latest year of both sides, and there a cluster that shows what a map can.

    Of the clusters known nearly everywhere it is the one with the most employment in regions specialised in it twofold.
    The level of the smaller regions goes first unless a smaller part of its cells can be compared. Without any
    comparison: the latest year, each side's own quotients.
    """
    both = [year for year in years if year in compared]
    if not both:
        return {"level": "M", "year": years[-1] if years else None, "cluster": 1, "measure": "native_quotient"}
    rows = compared[both[-1]]
    by_level = rows["location_quotient"].notna().groupby(rows["level"]).mean()
    level = "M" if by_level.get("M", 0.0) >= NEARLY_EVERYWHERE * by_level.get("L", 0.0) else "L"
    rows = rows[(rows["level"] == level) & rows["location_quotient"].notna()]
    known = rows.groupby("cluster_code").size()
    gathered = rows["employment"].where(rows["location_quotient"] >= TWOFOLD, 0.0).groupby(rows["cluster_code"]).sum()
    gathered = gathered[known >= NEARLY_EVERYWHERE * known.max()]
    cluster = int(gathered.index[int(gathered.argmax())])
    return {"level": level, "year": both[-1], "cluster": cluster, "measure": "quotient"}


def _shape(drawn: Shapes) -> dict[str, Any]:
    return {"outlines": drawn.outlines, "attribution": drawn.attribution, "is_sketch": drawn.is_sketch}


def _clusters(tables: Tables) -> list[dict[str, Any]]:
    """The clusters of the page with their subclusters."""
    columns = ("cluster_code", "cluster_name", "short_name", "kind", "unambiguous_employment_share")
    rows = frame(tables.read("cluster", None, columns))
    parts = frame(tables.read("subcluster", None, ("cluster_code", "subcluster_name")))
    names = parts.groupby("cluster_code")["subcluster_name"].apply(list).to_dict()
    shown = rows[rows["cluster_code"].isin(CLUSTERS)].sort_values("cluster_code")
    records: list[dict[Any, Any]] = shown.to_dict("records")
    return [row | {"subclusters": sorted(names.get(row["cluster_code"], []))} for row in records]


def _regions(tables: Tables) -> list[list[Any]]:
    """Key, name, country and level of the regions in levels L and M, in the vintages that figures are shown in."""
    found = []
    for level in LEVELS:
        columns = [*REGION, "region_vintage", "region_name", "country_code", "is_extra_regio"]
        rows = frame(of_schemes(tables.read("region", None, columns), level))
        rows = rows[~rows["is_extra_regio"].fillna(False).astype(bool)]
        newest = rows.sort_values([*REGION, "region_vintage"]).drop_duplicates(REGION, keep="last")
        found += [
            [f"{row.region_scheme}:{row.region_code}", row.region_name, row.country_code, level]
            for row in newest.itertuples()
        ]
    return found


def _compared_regions(tables: Tables) -> list[PlacedRegion]:
    vintages = {"us_state": STATE_VINTAGE, "us_economic_area": ECONOMIC_AREA_VINTAGE}
    keys = [key.split(":") for key, *_ in _regions(tables)]
    return [PlacedRegion(scheme, code, vintages.get(scheme, CURRENT_NUTS)) for scheme, code in keys]


def _related(tables: Tables) -> dict[str, list[list[Any]]]:
    """For each traded cluster the clusters most often found in the same regions, latest year, both sides pooled."""
    if "cluster_relatedness" not in tables.years:
        return {}
    columns = ("level", "area", "year", "cluster_code", "related_cluster_code", "relatedness")
    rows = frame(tables.read("cluster_relatedness", None, columns)).dropna(subset=["relatedness"])
    rows = rows[(rows["area"] == "pooled") & (rows["cluster_code"] != rows["related_cluster_code"])]
    rows = rows[rows["year"] == rows["year"].max()]
    found: dict[str, list[list[Any]]] = {}
    ordered = rows.sort_values(
        ["level", "cluster_code", "relatedness", "related_cluster_code"], ascending=[True, True, False, True]
    )
    for row in ordered.itertuples():
        group = found.setdefault(f"{row.level}:{row.cluster_code}", [])
        if len(group) < RELATED:
            group.append([int(row.related_cluster_code), round(float(row.relatedness), 3)])
    return found


def _organisations(tables: Tables, regions: Sequence[PlacedRegion]) -> dict[str, Any]:
    """Organisations with the name of their region, and those of the page's regions that share territory with it."""
    if "cluster_organisation" not in tables.years:
        return {"rows": []}
    rows = frame(tables.read("cluster_organisation", None, ORGANISATION_COLUMNS))
    named = frame(tables.read("region", None, [*REGION, "region_vintage", "region_name"]))
    rows = rows[rows["cluster_code"] != 0].merge(named, on=[*REGION, "region_vintage"], how="left")
    rows = rows.sort_values(["organisation_id", "cluster_code"])
    records = _plain(rows.astype(object).where(rows.notna(), None).to_dict("records"))
    there = {place: _places(place, regions) for place in {_place(row) for row in records}}
    return {"rows": [{**row, "regions": there[_place(row)]} for row in records]}


def _place(row: Mapping[str, Any]) -> PlacedRegion | None:
    return PlacedRegion(row["region_scheme"], row["region_code"], row["region_vintage"]) if row["region_code"] else None


def _places(place: PlacedRegion | None, regions: Sequence[PlacedRegion]) -> list[str]:
    """Keys of the regions that share territory with a place; none for a nation, or for nothing."""
    return [f"{one.scheme}:{one.code}" for one in regions if place and overlap(place, one)]


def _plain(value: Any) -> Any:
    """Values as JSON has them: numbers of the libraries as plain ones, unknown ones as null."""
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and np.isnan(value) else value
