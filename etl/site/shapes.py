"""Outlines of the regions for the maps: from the publishers' boundaries, else from those built in.

The page draws states and economic areas on the American side and NUTS 1 and NUTS 2 on the European side. All are made
up of counties and of NUTS 2 regions, so that neighbours keep one common line when outlines are simplified.
"""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from shapely.geometry import shape

from etl.reference import county_area
from etl.reference.counties import ECONOMIC_AREA_VINTAGE, states

FOLDER = Path(__file__).parent / "boundaries"

CENSUS = "US Census Bureau, cartographic boundary files"
GISCO = "© EuroGeographics for the administrative boundaries (Eurostat, GISCO)"

# Coordinates are kept in hundredths of a degree, about a kilometre; the tolerance of simplifying is twice that.
STEPS_A_DEGREE = 100
TOLERANCE = 0.02
# A cell of the sketch reaches this many times the distance to the nearest neighbour, between these degrees.
CELL_REACH, CELL_LEAST, CELL_MOST = 1.25, 0.5, 2.0
# Degrees of longitude are shorter than those of latitude in the middle of Europe (50° north).
EAST_WEST = 0.64

Feature = Mapping[str, Any]
Outline = list[list[list[int]]]
Polygons = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Boundaries:
    """What publishers gave: features with a `geometry`, and `properties.GEOID` or `properties.NUTS_ID`; or None."""

    counties: Sequence[Feature] | None = None
    nuts2: Sequence[Feature] | None = None


@dataclass(frozen=True, slots=True)
class Shapes:
    """Outlines of one scheme: for each region its polygons, for each polygon its rings, the outer one first.

    A ring is a list x, y, then differences to the point before, in hundredths of a degree. `is_sketch`: drawn about
    points, because no boundaries are at hand.
    """

    outlines: dict[str, Outline]
    attribution: str
    is_sketch: bool


def shapes(boundaries: Boundaries) -> dict[str, Shapes]:
    """Outlines by region scheme: us_state, us_economic_area, nuts1, nuts2."""
    if boundaries.counties is None:
        american = _built_in_american()
    else:
        american = american_shapes({f["properties"]["GEOID"]: shape(f["geometry"]) for f in boundaries.counties})
    if boundaries.nuts2 is None:
        european = _built_in_european()
    else:
        european = european_shapes({f["properties"]["NUTS_ID"]: shape(f["geometry"]) for f in boundaries.nuts2})
    return american | european


def american_shapes(counties: Polygons) -> dict[str, Shapes]:
    """States and economic areas, made up of counties."""
    state_of = {code: code[:2] for code in counties if code[:2] in states()}
    area_of = county_area("us_economic_area", ECONOMIC_AREA_VINTAGE)
    return {
        "us_state": Shapes(outlines(merged(counties, state_of)), CENSUS, False),
        "us_economic_area": Shapes(outlines(merged(counties, area_of)), CENSUS, False),
    }


def european_shapes(nuts2: Polygons, is_sketch: bool = False) -> dict[str, Shapes]:
    """NUTS 2 regions, and NUTS 1 regions made up of them."""
    return {
        "nuts1": Shapes(outlines(merged(nuts2, {code: code[:3] for code in nuts2})), GISCO, is_sketch),
        "nuts2": Shapes(outlines(nuts2), GISCO, is_sketch),
    }


@cache
def _built_in_american() -> dict[str, Shapes]:
    return american_shapes(built_in_counties())


@cache
def _built_in_european() -> dict[str, Shapes]:
    return european_shapes(sketch(built_in_points()), is_sketch=True)


def merged(polygons: Polygons, group_of: Mapping[str, str]) -> Polygons:
    """The polygons of each group as one; a polygon in no group is left out."""
    groups: dict[str, list[Any]] = {}
    for code in sorted(polygons):
        if code in group_of:
            groups.setdefault(group_of[code], []).append(polygons[code])
    return {code: _polygonal(shapely.union_all(members)) for code, members in groups.items()}


def _polygonal(geometry: Any) -> Any:
    """A valid geometry without the lines that shrunken parts leave behind."""
    parts = shapely.get_parts(shapely.get_parts(shapely.make_valid(geometry)))
    return shapely.MultiPolygon([part for part in parts if part.geom_type == "Polygon" and part.area > 0])


def outlines(polygons: Polygons) -> dict[str, Outline]:
    """Simplify so that neighbours keep one common line, and round; a part that is smaller than a step is dropped.

    The outer ring runs clockwise, as map projections of the browser's library take it.
    """
    codes = sorted(polygons)
    simple = shapely.coverage_simplify(np.array([polygons[code] for code in codes], dtype=object), TOLERANCE)
    result = {}
    for code, geometry in zip(codes, simple, strict=True):
        parts = shapely.get_parts(shapely.orient_polygons(_polygonal(geometry), exterior_cw=True))
        drawn = [rings for polygon in parts if (rings := _rings(polygon))]
        result[code] = drawn or [[_box(polygons[code])]]
    return result


def _rings(polygon: Any) -> list[list[int]]:
    outer = _steps(polygon.exterior)
    return [outer, *[inner for ring in polygon.interiors if (inner := _steps(ring))]] if outer else []


def _steps(ring: Any) -> list[int]:
    """The points of a ring in whole steps, as differences; empty where fewer than three are left."""
    points = np.rint(shapely.get_coordinates(ring) * STEPS_A_DEGREE).astype(int)
    kept = np.append(True, (np.diff(points, axis=0) != 0).any(axis=1))
    points = points[kept]
    if len(points) < 4:
        return []
    return [int(value) for value in np.diff(points, axis=0, prepend=[[0, 0]]).ravel()]


def _box(polygon: Any) -> list[int]:
    """The smallest box that can be seen, for a region of less than a step."""
    x, y = (int(value) for value in np.rint(np.array(polygon.centroid.coords[0]) * STEPS_A_DEGREE))
    return [x, y, 0, 2, 2, 0, 0, -2, -2, 0]


def sketch(points: Mapping[str, tuple[float, float]]) -> Polygons:
    """Draw a cell about each point (longitude, latitude): what is nearer to it than to any other, within reach."""
    codes = sorted(points)
    flat = shapely.points([(points[code][0] * EAST_WEST, points[code][1]) for code in codes])
    cells = shapely.get_parts(shapely.voronoi_polygons(shapely.multipoints(flat)))
    cell_at = shapely.STRtree(cells).query_nearest(flat, all_matches=False)[1]
    distances = shapely.distance(flat[:, None], flat[None, :])
    np.fill_diagonal(distances, np.inf)
    reach = np.clip(distances.min(axis=1) * CELL_REACH, CELL_LEAST, CELL_MOST)
    drawn = shapely.intersection(cells[cell_at], shapely.buffer(flat, reach, quad_segs=4))
    stretched = shapely.transform(drawn, lambda xy: xy / [EAST_WEST, 1])
    return dict(zip(codes, stretched, strict=True))


def built_in_points() -> dict[str, tuple[float, float]]:
    """A point (longitude, latitude) in the middle of each NUTS 2 region."""
    with (FOLDER / "nuts2_point.csv").open(encoding="utf-8") as file:
        return {row["region_code"]: (float(row["longitude"]), float(row["latitude"])) for row in csv.DictReader(file)}


def built_in_counties() -> Polygons:
    """Outlines of US counties by code.

    In TopoJSON arcs are shared lines of steps, and a ring is a chain of arcs (~n: arc n backwards).
    """
    topology = json.loads((FOLDER / "us_counties.json").read_bytes())
    scale, translate = (np.array(topology["transform"][name]) for name in ("scale", "translate"))
    arcs = [np.cumsum(arc, axis=0) * scale + translate for arc in topology["arcs"]]

    def ring(indexes: list[int]) -> Any:
        lines = [arcs[i] if i >= 0 else arcs[~i][::-1] for i in indexes]
        return np.concatenate([lines[0], *[line[1:] for line in lines[1:]]])

    found = {}
    for county in topology["objects"]["counties"]["geometries"]:
        polygons = county["arcs"] if county["type"] == "MultiPolygon" else [county["arcs"]]
        rings = [[ring(indexes) for indexes in polygon] for polygon in polygons]
        # Islets and holes can have shrunk to a line.
        whole = [(outer, [r for r in inner if len(r) >= 4]) for outer, *inner in rings if len(outer) >= 4]
        found[county["id"]] = _polygonal(shapely.MultiPolygon(whole))
    return found
