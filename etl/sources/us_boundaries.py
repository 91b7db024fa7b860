"""Cartographic boundaries of US counties in 2020, for the maps of the page: fetched and archived, drawn elsewhere.

States and economic areas are made up of counties, so that one small file draws them all. Address and contents
(`cb_2020_us_county_20m`: a zipped shapefile at 1 : 20 million, degrees in NAD 83, attribute GEOID) as the Census Bureau
documents its cartographic boundary files.
"""

import zipfile
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from etl.errors import SourceFormatError
from etl.reference.counties import CURRENT_COUNTY_LIST, counties
from etl.sources.base import ArchivedFile, Dataset, Parsed, Request, Side
from etl.sources.bodies import refuse_page
from etl.sources.comparison import differences

_ADDRESS = "https://www2.census.gov/geo/tiger/GENZ2020/shp/cb_2020_us_county_20m.zip"

PUERTO_RICO = "72"


class UsBoundaries(Dataset):
    """Boundaries in degrees of longitude and latitude at 1 : 20 million; no table."""

    name = "us_boundaries"
    side: ClassVar[Side] = "us"
    title = "Boundaries of US counties, 2020"
    publisher = "US Census Bureau"

    def requests(self, years: Iterable[int]) -> list[Request]:
        """One address, whatever the years."""
        return [Request(self.name, _ADDRESS, "boundaries", "zip")]

    def check(self, file: ArchivedFile) -> None:
        """Refuse what is no archive with a shapefile in it."""
        refuse_page(file)
        if not zipfile.is_zipfile(file.path):
            raise SourceFormatError(f"{file.url}: the answer is no zip archive")
        with zipfile.ZipFile(file.path) as archive:
            endings = {name.rsplit(".", 1)[-1].lower() for name in archive.namelist()}
        if not {"shp", "dbf"} <= endings:
            raise SourceFormatError(f"{file.url}: no shapefile in the archive; it holds {', '.join(sorted(endings))}")

    def profile(self, file: ArchivedFile) -> dict[str, float | list[str]]:
        """Counties that have a boundary."""
        return {"regions": sorted(str(feature["properties"]["GEOID"]) for feature in features(file))}

    def parse(self, files: Sequence[ArchivedFile], year: int | None) -> Parsed:
        """No table; counties without a boundary and boundaries without a county are told."""
        notes = []
        for file in files:
            codes = [str(feature["properties"]["GEOID"]) for feature in features(file)]
            states_only = [code for code in codes if not code.startswith(PUERTO_RICO)]
            notes += differences(
                "the boundaries of counties",
                dict.fromkeys(counties(CURRENT_COUNTY_LIST), "a county"),
                dict.fromkeys(states_only, "a county"),
            )
        return Parsed({}, notes)


def features(file: ArchivedFile) -> list[dict[str, Any]]:
    """The counties of a boundary file, each with `properties.GEOID` and a `geometry`, as GeoJSON has them.

    Raises SourceFormatError for a body that is not so.
    """
    import shapefile

    try:
        with zipfile.ZipFile(file.path) as archive:
            members = {name.rsplit(".", 1)[-1].lower(): name for name in archive.namelist()}
            with (
                archive.open(members["shp"]) as shp,
                archive.open(members["dbf"]) as dbf,
                shapefile.Reader(shp=shp, dbf=dbf) as reader,
            ):
                records = [record.__geo_interface__ for record in reader.iterShapeRecords()]
        if not records or not all(len(record["properties"]["GEOID"]) == 5 for record in records):
            raise ValueError("a county has no GEOID of five digits")
    except (shapefile.ShapefileException, zipfile.BadZipFile, ValueError, KeyError, TypeError, OSError) as error:
        raise SourceFormatError(
            f"{file.url}: the boundaries cannot be read ({type(error).__name__}: {error})"
        ) from error
    return records
