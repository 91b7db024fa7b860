"""GISCO's boundaries of the NUTS 2 regions of 2021, for the maps of the page: fetched and archived, drawn elsewhere.

Evidence: the codes and shapes of this file; other properties of the features are not relied on.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from etl.errors import SourceFormatError
from etl.reference.nuts import is_extra_regio, nuts_regions
from etl.sources.base import ArchivedFile, Dataset, Parsed, Request, Side
from etl.sources.bodies import head, refuse_page, unpacked
from etl.sources.comparison import differences

_ADDRESS = "https://gisco-services.ec.europa.eu/distribution/v2/nuts/geojson/NUTS_RG_20M_2021_4326_LEVL_2.geojson"

NUTS_VERSION = 2021


class NutsBoundaries(Dataset):
    """Boundaries in degrees of longitude and latitude at 1 : 20 million; no table."""

    name = "nuts_boundaries"
    side: ClassVar[Side] = "eu"
    title = "Boundaries of NUTS 2 regions, 2021"
    publisher = "Eurostat, GISCO"

    def requests(self, years: Iterable[int]) -> list[Request]:
        """One address, whatever the years."""
        return [Request(self.name, _ADDRESS, "boundaries", "json")]

    def check(self, file: ArchivedFile) -> None:
        """Refuse what is no collection of features."""
        refuse_page(file)
        if b"FeatureCollection" not in head(file, 4096):
            raise SourceFormatError(f"{file.url}: not a GeoJSON collection of features")

    def profile(self, file: ArchivedFile) -> dict[str, float | list[str]]:
        """Regions that have a boundary."""
        return {"regions": sorted(str(feature["properties"]["NUTS_ID"]) for feature in features(file))}

    def parse(self, files: Sequence[ArchivedFile], year: int | None) -> Parsed:
        """No table; regions without a boundary and boundaries without a region are told."""
        notes = []
        for file in files:
            codes = [str(feature["properties"]["NUTS_ID"]) for feature in features(file)]
            expected = [code for code in nuts_regions(NUTS_VERSION) if len(code) == 4 and not is_extra_regio(code)]
            notes += differences(
                "the boundaries of NUTS 2", dict.fromkeys(expected, "a region"), dict.fromkeys(codes, "a region")
            )
        return Parsed({}, notes)


def features(file: ArchivedFile) -> list[dict[str, Any]]:
    """The features of a boundary file, each with `properties.NUTS_ID` and a `geometry`.

    Raises SourceFormatError for a body that is not so.
    """
    try:
        found: list[dict[str, Any]] = json.loads(unpacked(file.path).read())["features"]
        if not all(feature["properties"]["NUTS_ID"] and feature["geometry"] for feature in found):
            raise ValueError("a feature has no NUTS_ID or no geometry")
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise SourceFormatError(
            f"{file.url}: the boundaries cannot be read ({type(error).__name__}: {error})"
        ) from error
    return found
