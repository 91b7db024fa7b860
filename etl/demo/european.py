"""Writes the invented European figures as Eurostat would publish them."""

from collections.abc import Iterator

import numpy as np

from etl import reference
from etl.demo.truth import EuropeanTruth, european_truth

VINTAGE = 2016
ADDRESS = "https://ec.europa.eu/eurostat/api/dissemination/sdmx/2.1/data/SBS_R_NUTS06_R2?compressed=true&format=TSV"


def regions() -> list[str]:
    """The NUTS 2 regions of the members and the United Kingdom, in the version that the invented figures are in."""
    members = {row[:2] for row in reference.nuts_regions(2024)} | {"UK"}
    return sorted(c for c in reference.nuts_regions(VINTAGE) if len(c) == 4 and c[2:] != "ZZ" and c[:2] in members)


def structural_business_statistics(years: tuple[int, ...]) -> dict[str, bytes]:
    """Regional structural business statistics: persons employed and local units, in one TSV."""
    places = regions()
    truths = {year: european_truth(year, places) for year in years}
    lines = ["freq,nace_r2,indic_sb,geo\\TIME_PERIOD\t" + "\t".join(f"{year} " for year in years)]
    lines += sorted(_lines(list(truths.values()), places))
    return {ADDRESS: ("\n".join(lines) + "\n").encode()}


def _lines(truths: list[EuropeanTruth], places: list[str]) -> Iterator[str]:
    divisions = [
        f"{section}{division}" for section, division in zip(truths[0].sections, truths[0].divisions, strict=True)
    ]
    activities = divisions + sorted({section for section in truths[0].sections if section != "S"})
    areas = sorted({code[:length] for code in places for length in (2, 3, 4)})
    of_area = np.array([[place.startswith(area) for place in places] for area in areas], np.int64)
    of_activity = np.array([[code.startswith(activity) for activity in activities] for code in divisions], np.int64)
    local_units = [of_area @ truth.local_units @ of_activity for truth in truths]
    employment = [of_area @ truth.employment @ of_activity for truth in truths]
    for j, activity in enumerate(activities):
        for i, geo in enumerate(areas):
            is_hidden = _is_hidden(activity, geo, int(local_units[0][i, j]))
            for name, sums in (("V16110", employment), ("V11210", local_units)):
                is_confidential = is_hidden and name == "V16110"
                cells = [": c" if is_confidential else f"{year[i, j]} " for year in sums]
                yield f"A,{activity},{name},{geo}\t" + "\t".join(cells)


def _is_hidden(activity: str, geo: str, local_units: int) -> bool:
    """Divisions of regions with few local units are confidential, and some others that would give them away."""
    return len(geo) == 4 and len(activity) == 3 and (local_units < 6 or (int(activity[1:]) * 7 + len(geo)) % 31 == 0)
