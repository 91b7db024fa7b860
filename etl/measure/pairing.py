"""Which source-years stand on each side of a comparison."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from etl.measure.grid import TRADED, Grid
from etl.measure.panel import (
    Panel,
    ReferenceArea,
    american_panel,
    american_regions,
    countries_of,
    country_area,
    european_panel,
    stack,
)
from etl.measure.rules import Rules

SourceAndYear = tuple[str, int]


@dataclass(frozen=True, slots=True)
class ComparedSide:
    """One side of a comparison: its regions, their reference year, the source-years and areas they come from."""

    panel: Panel
    year: int
    origins: tuple[SourceAndYear, ...]
    areas: tuple[ReferenceArea, ...]


def nearest(years: Iterable[int], year: int, window: int) -> int | None:
    """The year nearest to `year` and at most `window` away, the earlier of two; None where there is none."""
    return min((y for y in years if abs(y - year) <= window), key=lambda y: (abs(y - year), y), default=None)


def choose_sides(
    grids: Mapping[SourceAndYear, Grid], level: str, year: int, rules: Rules
) -> tuple[ComparedSide | None, ComparedSide | None]:
    """The American and the European side of a year's comparison at a level, each by its year nearest to `year`.

    One source speaks for the whole of the USA and one for each European region: the first of the precedence list that
    has it in that year. None where a side has no such regions within the window.
    """
    american: dict[int, str] = {}
    european: set[int] = set()
    for source in rules.precedence:
        for (name, y), grid in sorted(grids.items()):
            if name == source and len(american_regions(grid, level)):
                american.setdefault(y, source)
            if name == source and countries_of(grid, level):
                european.add(y)
    american_year = nearest(american, year, rules.common_year_window)
    european_year = nearest(european, year, rules.common_year_window)
    return (
        None if american_year is None else _american(grids, level, american_year, american[american_year]),
        None if european_year is None else _european(grids, level, european_year, rules.precedence),
    )


def _american(grids: Mapping[SourceAndYear, Grid], level: str, year: int, source: str) -> ComparedSide:
    grid = grids[source, year]
    panel = american_panel(source, grid, level)
    at = grid.position("us_nation", "US")
    nation = np.full(panel.employment.shape[1], np.nan) if at is None else grid.amounts("employment")[at, TRADED]
    return ComparedSide(panel, year, ((source, year),), (ReferenceArea("US", "US", nation),))


def _european(grids: Mapping[SourceAndYear, Grid], level: str, year: int, precedence: Sequence[str]) -> ComparedSide:
    panels: list[Panel] = []
    taken: set[str] = set()
    for source in precedence:
        grid = grids.get((source, year))
        if grid is not None and (countries := countries_of(grid, level)):
            panel = european_panel(source, grid, level, countries).without(taken)
            panels.append(panel)
            taken |= set(panel.region)
    panel = stack(panels)
    origins = tuple((source, year) for source in dict.fromkeys(panel.source))
    by_source = {source: grids[source, year] for source, _ in origins}
    countries = {region[:2] for region in panel.region}
    return ComparedSide(
        panel, year, origins, tuple(country_area(panel, by_source, country) for country in sorted(countries))
    )
