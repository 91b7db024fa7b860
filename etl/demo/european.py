"""Writes the invented European figures as Eurostat would publish them."""

from collections.abc import Iterator

import numpy as np

from etl import reference
from etl.demo.truth import EuropeanTruth, european_truth

VINTAGE = 2016
ADDRESS = "https://ec.europa.eu/eurostat/api/dissemination/sdmx/2.1/data/SBS_R_NUTS06_R2?compressed=true&format=TSV"


def structural_business_statistics(years: tuple[int, ...]) -> dict[str, bytes]:
    """Regional structural business statistics: persons employed, local units and wages, in one TSV."""
    members = {row[:2] for row in reference.nuts_regions(2024)} | {"UK"}
    regions = sorted(c for c in reference.nuts_regions(VINTAGE) if len(c) == 4 and c[2:] != "ZZ" and c[:2] in members)
    truths = {year: european_truth(year, regions) for year in years}
    lines = ["freq,nace_r2,indic_sb,geo\\TIME_PERIOD\t" + "\t".join(f"{year} " for year in years)]
    lines += sorted(_lines(truths, regions))
    return {ADDRESS: ("\n".join(lines) + "\n").encode()}


def _lines(truths: dict[int, EuropeanTruth], regions: list[str]) -> Iterator[str]:
    first = next(iter(truths.values()))
    activities = [(f"{s}{d}" if s != "S" else f"S{d}", [i]) for i, (s, d) in _pairs(first)]
    sections = sorted(set(first.sections) - {"S"})
    activities += [(s, [i for i, (section, _) in _pairs(first) if section == s]) for s in sections]
    areas = [(geo, [i for i, region in enumerate(regions) if region.startswith(geo)]) for geo in _areas(regions)]
    for activity, columns in activities:
        for geo, rows in areas:
            hidden = _is_hidden(activity, geo, first.local_units[np.ix_(rows, columns)].sum())
            for indicator, name in (("employment", "V16110"), ("local_units", "V11210")):
                sums = [int(getattr(t, indicator)[np.ix_(rows, columns)].sum()) for t in truths.values()]
                confidential = hidden and name == "V16110"
                cells = [": c" if confidential else f"{value} " for value in sums]
                yield f"A,{activity},{name},{geo}\t" + "\t".join(cells)


def _pairs(truth: EuropeanTruth) -> list[tuple[int, tuple[str, str]]]:
    return list(enumerate(zip(truth.sections, truth.divisions, strict=True)))


def _areas(regions: list[str]) -> list[str]:
    return sorted({code[:length] for code in regions for length in (2, 3, 4)})


def _is_hidden(activity: str, geo: str, local_units: int) -> bool:
    """Divisions of regions with few local units are confidential, and some others that would give them away."""
    return len(geo) == 4 and len(activity) == 3 and (local_units < 6 or (int(activity[1:]) * 7 + len(geo)) % 31 == 0)
