"""The Census Bureau's boundaries: a zipped shapefile, read as features; anything else is refused."""

import io
import zipfile
from pathlib import Path

import pytest
import shapefile
import shapely
from us_files import archived, request_of

from etl.errors import SourceFormatError
from etl.reference import counties
from etl.site.shapes import Boundaries, shapes
from etl.sources import DATASETS
from etl.sources.base import ArchivedFile
from etl.sources.us_boundaries import UsBoundaries, features

DATASET = UsBoundaries()


def boundary_file(folder: Path, codes: list[str], members: tuple[str, ...] = ("shp", "dbf", "shx")) -> ArchivedFile:
    """A zipped shapefile of squares, as the publisher's: GEOID among other attributes."""
    parts = {name: io.BytesIO() for name in ("shp", "dbf", "shx")}
    with shapefile.Writer(**parts, shapeType=shapefile.POLYGON) as writer:
        for name in ("STATEFP", "GEOID", "NAME"):
            writer.field(name, "C", size=20)
        for i, code in enumerate(codes):
            writer.poly([[[i, 0], [i, 1], [i + 1, 1], [i + 1, 0], [i, 0]]])
            writer.record(code[:2], code, f"County {i}")
    path = folder / "cb_2020_us_county_20m.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in members:
            archive.writestr(f"cb_2020_us_county_20m.{name}", parts[name].getvalue())
    return archived(request_of(DATASET, None, "boundaries"), path)


def test_it_is_asked_for_like_every_source() -> None:
    assert DATASETS["us_boundaries"].requests([2019]) == DATASETS["us_boundaries"].requests([])
    assert [request.content for request in DATASET.requests([])] == ["zip"]


def test_counties_become_states_on_the_map(tmp_path: Path) -> None:
    file = boundary_file(tmp_path, ["26001", "26003", "27001"])
    DATASET.check(file)
    found = shapes(Boundaries(counties=features(file)))
    assert set(found["us_state"].outlines) == {"26", "27"}
    assert DATASET.profile(file) == {"regions": ["26001", "26003", "27001"]}
    assert shapely.geometry.shape(features(file)[0]["geometry"]).area == pytest.approx(1)


def test_missing_counties_are_told(tmp_path: Path) -> None:
    known = sorted(counties(2020))
    assert DATASET.parse([boundary_file(tmp_path, [*known, "72001"])], None).notes == []
    notes = DATASET.parse([boundary_file(tmp_path, known[1:])], None).notes
    assert len(notes) == 1 and known[0] in notes[0]


@pytest.mark.parametrize("members", [("shp",), ("dbf", "shx")])
def test_half_a_shapefile_is_refused(tmp_path: Path, members: tuple[str, ...]) -> None:
    with pytest.raises(SourceFormatError, match="no shapefile"):
        DATASET.check(boundary_file(tmp_path, ["26001"], members))


def test_other_bodies_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "page.zip"
    for body in (b"<!doctype html><p>out of service", b"PK\x03\x04 cut short"):
        path.write_bytes(body)
        file = archived(request_of(DATASET, None, "boundaries"), path)
        with pytest.raises(SourceFormatError):
            DATASET.check(file)
        with pytest.raises(SourceFormatError, match="cannot be read"):
            features(file)


def test_codes_that_are_no_counties_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceFormatError, match="GEOID of five digits"):
        features(boundary_file(tmp_path, ["26"]))
