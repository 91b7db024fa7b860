"""Outlines for the maps: whole, without gaps between neighbours, and the way round that the browser's library takes."""

import numpy as np
import pytest
import shapely

from etl.reference import area_names, nuts_regions, states
from etl.site.shapes import (
    TOLERANCE,
    Boundaries,
    Shapes,
    american_shapes,
    built_in_counties,
    built_in_points,
    european_shapes,
    merged,
    outlines,
    shapes,
    sketch,
)


@pytest.fixture(scope="module")
def drawn() -> dict[str, Shapes]:
    return shapes(Boundaries())


def polygons(shape: list[list[list[int]]]) -> shapely.MultiPolygon:
    """Put an outline together again, in degrees."""
    rings = [[np.cumsum(np.reshape(ring, (-1, 2)), axis=0) / 100 for ring in polygon] for polygon in shape]
    return shapely.MultiPolygon([(outer, inner) for outer, *inner in rings])


def test_every_region_that_is_compared_has_an_outline(drawn: dict[str, Shapes]) -> None:
    assert set(drawn["us_state"].outlines) == set(states())
    assert set(area_names("us_economic_area", 2004)) <= set(drawn["us_economic_area"].outlines)
    for scheme, length in (("nuts1", 3), ("nuts2", 4)):
        expected = {code for code in nuts_regions(2021) if len(code) == length and not code.endswith("Z")}
        assert expected <= set(drawn[scheme].outlines), scheme


def test_what_is_built_in_says_whether_it_is_a_sketch(drawn: dict[str, Shapes]) -> None:
    assert {scheme: shape.is_sketch for scheme, shape in drawn.items()} == {
        "us_state": False,
        "us_economic_area": False,
        "nuts1": True,
        "nuts2": True,
    }
    assert "EuroGeographics" in drawn["nuts2"].attribution and "Census" in drawn["us_state"].attribution


def test_outer_rings_run_clockwise(drawn: dict[str, Shapes]) -> None:
    for scheme, shape in drawn.items():
        for code, outline in shape.outlines.items():
            for outer, *_ in outline:
                ring = shapely.LinearRing(np.cumsum(np.reshape(outer, (-1, 2)), axis=0))
                assert not ring.is_ccw, (scheme, code)


def test_simplified_states_keep_their_area_and_leave_no_gaps(drawn: dict[str, Shapes]) -> None:
    counties = built_in_counties()
    whole = merged(counties, {code: code[:2] for code in counties if code[:2] in states()})
    simple = {code: polygons(shape).buffer(0) for code, shape in drawn["us_state"].outlines.items()}
    for code, state in whole.items():
        assert simple[code].area == pytest.approx(state.area, rel=0.05, abs=TOLERANCE**2), code
    together = shapely.union_all(list(simple.values()))
    assert sum(state.area for state in simple.values()) == pytest.approx(together.area, rel=2e-3)
    # Colorado lies amid others: what is missing about it would be a gap.
    about = simple["08"].buffer(0.3)
    assert together.intersection(about).area == pytest.approx(about.area, rel=1e-3)


def test_cells_of_the_sketch_hold_their_points_and_do_not_overlap() -> None:
    points = built_in_points()
    cells = sketch(points)
    assert all(cells[code].covers(shapely.Point(point).buffer(1e-3)) for code, point in points.items())
    assert sum(cell.area for cell in cells.values()) == pytest.approx(
        shapely.union_all(list(cells.values())).area, rel=1e-6
    )


def test_publishers_boundaries_go_before_those_built_in() -> None:
    square = {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]]}
    beside = {"type": "Polygon", "coordinates": [[[1, 0], [2, 0], [2, 1], [1, 1], [1, 0]]]}
    given = Boundaries(
        counties=[
            {"properties": {"GEOID": "26001"}, "geometry": square},
            {"properties": {"GEOID": "26003"}, "geometry": beside},
        ],
        nuts2=[{"properties": {"NUTS_ID": "DE11"}, "geometry": square}],
    )
    found = shapes(given)
    assert set(found["us_state"].outlines) == {"26"} and set(found["nuts1"].outlines) == {"DE1"}
    assert not found["nuts2"].is_sketch
    assert polygons(found["us_state"].outlines["26"]).area == pytest.approx(2)
    assert shapes(Boundaries(nuts2=given.nuts2))["us_state"].outlines == shapes(Boundaries())["us_state"].outlines


def test_a_region_smaller_than_a_step_is_still_to_be_seen() -> None:
    tiny = shapely.Point(9.53, 47.14).buffer(0.002)
    neighbour = shapely.box(9.6, 47, 10, 48)
    found = outlines({"LI00": tiny, "AT34": neighbour})
    assert polygons(found["LI00"]).area > 0


def test_holes_stay_holes() -> None:
    land = shapely.Polygon(shapely.box(0, 0, 3, 3).exterior, [shapely.box(1, 1, 2, 2).exterior])
    found = european_shapes({"AT11": land, "AT12": shapely.box(1, 1, 2, 2)})["nuts2"].outlines
    assert len(found["AT11"][0]) == 2 and polygons(found["AT11"]).area == pytest.approx(8)


def test_counties_of_no_state_are_left_out() -> None:
    box = shapely.box(-66, 18, -65, 19)
    assert american_shapes({"72001": box, "26001": shapely.box(0, 0, 1, 1)})["us_state"].outlines.keys() == {"26"}
