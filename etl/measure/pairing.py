"""Which source-years stand on each side of a comparison."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from etl.measure.grid import TRADED, Grid
from etl.measure.panel import Area, Panel, american_panel, countries_of, country_area, european_panel, stack
from etl.measure.rules import Rules

SourceYear = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison: its regions, their reference year, the source-years and areas they come from."""

    panel: Panel
    year: int
    origins: tuple[SourceYear, ...]
    areas: tuple[Area, ...]


def nearest(years: Iterable[int], year: int, window: int) -> int | None:
    """The year nearest to `year` and at most `window` away, the earlier of two; None where there is none."""
    return min((y for y in years if abs(y - year) <= window), key=lambda y: (abs(y - year), y), default=None)


def choose_sides(
    grids: Mapping[SourceYear, Grid], level: str, year: int, rules: Rules
) -> tuple[Side | None, Side | None]:
    """The American and the European side of a year's comparison at a level, each by its year nearest to `year`.

    One source speaks for the whole of the USA and one for each European country: the first of the precedence list
    that has it in that year. None where a side has no such regions within the window.
    """
    american: dict[int, str] = {}
    european: dict[int, dict[str, list[str]]] = {}
    for source in rules.precedence:
        for (name, y), grid in sorted(grids.items()):
            if name != source:
                continue
            if american_panel(source, grid, level) is not None:
                american.setdefault(y, source)
            taken = {country for countries in european.get(y, {}).values() for country in countries}
            if countries := sorted(countries_of(grid, level) - taken):
                european.setdefault(y, {})[source] = countries
    american_year = nearest(american, year, rules.common_year_window)
    european_year = nearest(european, year, rules.common_year_window)
    return (
        None if american_year is None else _american(grids, level, american_year, american[american_year]),
        None if european_year is None else _european(grids, level, european_year, european[european_year]),
    )


def _american(grids: Mapping[SourceYear, Grid], level: str, year: int, source: str) -> Side | None:
    grid = grids[source, year]
    panel = american_panel(source, grid, level)
    if panel is None:
        return None
    at = grid.position("us_nation", "US")
    nation = np.full(panel.employment.shape[1], np.nan) if at is None else grid.amounts("employment")[at, TRADED]
    return Side(panel, year, ((source, year),), (Area("US", "US", nation),))


def _european(grids: Mapping[SourceYear, Grid], level: str, year: int, sources: Mapping[str, list[str]]) -> Side | None:
    panels, areas = [], []
    for source, countries in sources.items():
        grid = grids[source, year]
        panels.append(european_panel(source, grid, level, countries))
        areas += [country_area(grid, country) for country in countries]
    origins = tuple((source, year) for source in sources)
    return Side(stack(panels), year, origins, tuple(sorted(areas, key=lambda area: area.code)))
