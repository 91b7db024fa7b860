"""The regions of one comparable level, both sides of the Atlantic, stacked for the common rule."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from etl.measure.grades import grade_of
from etl.measure.grid import TRADED, Flags, Grid, Positions, is_remainder
from etl.measure.quantiles import Floats
from etl.measure.rules import DISTRICT_OF_COLUMBIA, LEVELS
from etl.reference import nuts_regions

_Value = TypeVar("_Value", bound=np.generic)

NUTS_VINTAGE = 2021
AMOUNTS = ("employment", "employment_low", "employment_high", "employment_band_low", "employment_band_high")


@dataclass(frozen=True, slots=True)
class Panel:
    """Regions (n,) of one side at one level with the figures of the traded clusters (n, 51), NaN where unknown."""

    source: NDArray[np.object_]
    scheme: NDArray[np.object_]
    region: NDArray[np.object_]
    vintage: NDArray[np.int16]
    is_complete: Flags
    amounts: Mapping[str, Floats]
    establishments: Floats
    own_share: Floats
    grade: NDArray[np.object_]

    @property
    def employment(self) -> Floats:
        """Employment (n, 51)."""
        return self.amounts["employment"]

    @property
    def is_blank(self) -> Flags:
        """Regions (n,) of which nothing is known."""
        blank: Flags = ~self.is_complete & np.isnan(self.employment).all(axis=1)
        return blank

    def without(self, regions: Collection[str]) -> "Panel":
        """The panel less the regions with these codes."""
        kept = np.array([region not in regions for region in self.region], np.bool_)
        return Panel(
            source=self.source[kept],
            scheme=self.scheme[kept],
            region=self.region[kept],
            vintage=self.vintage[kept],
            is_complete=self.is_complete[kept],
            amounts={name: values[kept] for name, values in self.amounts.items()},
            establishments=self.establishments[kept],
            own_share=self.own_share[kept],
            grade=self.grade[kept],
        )

    @property
    def keys(self) -> list[str]:
        """Scheme and code of each region in one text."""
        return [f"{scheme}:{region}" for scheme, region in zip(self.scheme, self.region, strict=True)]


@dataclass(frozen=True, slots=True)
class ReferenceArea:
    """A country of the reference area: its code, its name as far as it is there, and its employment (51,)."""

    code: str
    name: str
    employment: Floats


def stack(panels: Sequence[Panel]) -> Panel:
    """The regions of several panels, in order."""

    def joined(get: Callable[[Panel], NDArray[_Value]]) -> NDArray[_Value]:
        return np.concatenate([get(panel) for panel in panels])

    def amounts(name: str) -> Floats:
        return joined(lambda p: p.amounts[name])

    return Panel(
        source=joined(lambda p: p.source),
        scheme=joined(lambda p: p.scheme),
        region=joined(lambda p: p.region),
        vintage=joined(lambda p: p.vintage),
        is_complete=joined(lambda p: p.is_complete),
        amounts={name: amounts(name) for name in AMOUNTS},
        establishments=joined(lambda p: p.establishments),
        own_share=joined(lambda p: p.own_share),
        grade=joined(lambda p: p.grade),
    )


def american_regions(grid: Grid, level: str) -> Positions:
    """Positions of the states, without the District of Columbia, or of the economic areas of a source-year."""
    rows = grid.rows_of(LEVELS[level][0])
    places = ~grid.is_remainder[rows]
    if level == "L":
        places &= grid.regions[rows] != DISTRICT_OF_COLUMBIA
    return rows[places]


def american_panel(source: str, grid: Grid, level: str) -> Panel:
    """The `american_regions` of a source-year."""
    return _panel(source, grid, american_regions(grid, level))


def countries_of(grid: Grid, level: str) -> set[str]:
    """European countries a source-year has at a level, or can have from the level below."""
    schemes = {"nuts1", "nuts2"} if level == "L" else {"nuts2"}
    rows = np.flatnonzero(np.isin(grid.schemes, list(schemes)) & ~grid.is_remainder)
    return {region[:2] for region in grid.regions[rows]}


def european_panel(source: str, grid: Grid, level: str, countries: Iterable[str]) -> Panel:
    """The NUTS regions of countries that are there (`countries_of`); NUTS 1 is summed from NUTS 2 where need be."""
    wanted = set(countries)
    own = _places(grid, LEVELS[level][1], wanted)
    parts = [_panel(source, grid, own)] if len(own) else []
    if level == "L":
        lacking = wanted - {region[:2] for region in grid.regions[own]}
        below = _places(grid, "nuts2", lacking)
        if len(below):
            parts.append(_roll_up(_panel(source, grid, below)))
    return stack(parts)


def country_area(panel: Panel, grids: Mapping[str, Grid], country: str) -> ReferenceArea:
    """A country's traded employment, named by the regions it lacks.

    Its national row where one source has it and speaks for all of its regions, else the sum of its regions.
    """
    own = np.flatnonzero([region[:2] == country for region in panel.region])
    sources = set(panel.source[own])
    grid = grids[sources.pop()] if len(sources) == 1 else None
    at = None if grid is None else grid.position("nuts0", country)
    if grid is not None and at is not None:
        return ReferenceArea(country, country, grid.amounts("employment")[at, TRADED])
    level = int(str(panel.scheme[own[0]]).removeprefix("nuts"))
    lacking = sorted(nuts_codes(level, {country}) - set(panel.region[own[panel.is_complete[own]]]))
    name = f"{country} without {', '.join(lacking)}" if lacking else country
    return ReferenceArea(country, name, panel.employment[own].sum(axis=0))


def nuts_codes(level: int, countries: Iterable[str]) -> set[str]:
    """The regions that the common NUTS version lists for some countries, without extra-regio territory."""
    wanted = set(countries)
    return {
        code
        for code in nuts_regions(NUTS_VINTAGE)
        if len(code) == level + 2 and code[:2] in wanted and not is_remainder(f"nuts{level}", code)
    }


def _places(grid: Grid, scheme: str, countries: set[str]) -> Positions:
    is_place = ~grid.is_remainder
    return np.array([i for i in grid.rows_of(scheme) if is_place[i] and grid.regions[i][:2] in countries], np.int64)


def _panel(source: str, grid: Grid, rows: Positions) -> Panel:
    grade = np.full(grid.shape, None, object)
    for letter in "ABCD":
        grade[grid.where("grade", letter)] = letter
    return Panel(
        source=np.full(len(rows), source, object),
        scheme=grid.schemes[rows],
        region=grid.regions[rows],
        vintage=grid.vintages[rows],
        is_complete=~grid.is_incomplete[rows],
        amounts={name: grid.amounts(name)[rows][:, TRADED] for name in AMOUNTS},
        establishments=_as_source_has_them(grid, rows),
        own_share=grid.amounts("own_share")[rows][:, TRADED],
        grade=grade[rows][:, TRADED],
    )


def _as_source_has_them(grid: Grid, rows: Positions) -> Floats:
    """Establishments (n, 51); NaN throughout where the source has no such figure, rather than 0 for absent rows."""
    values = grid.amounts("establishments")[rows][:, TRADED]
    return np.full_like(values, np.nan) if np.isnan(grid.column("establishments")).all() else values


def _roll_up(panel: Panel) -> Panel:
    """NUTS 1 from NUTS 2: amounts and hard bounds add up, bands as those of independent errors; graded anew.

    A region lacks parts where one of its NUTS 2 regions is not there, or lacks parts itself.
    """
    parents, group = np.unique([region[:3] for region in panel.region], return_inverse=True)

    def total(values: Floats) -> Floats:
        result = np.zeros((len(parents), values.shape[1]))
        np.add.at(result, group, values)
        return result

    centre, low, high, band_low, band_high = (panel.amounts[name] for name in AMOUNTS)
    employment, lowest, highest = total(centre), total(low), total(high)
    below, above = np.sqrt(total((centre - band_low) ** 2)), np.sqrt(total((band_high - centre) ** 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        own_share = total(panel.own_share * centre) / employment
    grade = grade_of(employment, lowest, highest, own_share)
    grade[(total((panel.grade != "A").astype(np.float64)) == 0) & ~np.isnan(employment)] = "A"
    present = {parent: set(panel.region[group == i]) for i, parent in enumerate(parents)}
    whole = np.array([nuts_codes_below(parent) <= present[parent] for parent in parents], np.bool_)
    incomplete_parts = total((~panel.is_complete)[:, None].astype(np.float64))[:, 0] > 0
    return Panel(
        source=np.full(len(parents), panel.source[0], object),
        scheme=np.full(len(parents), "nuts1", object),
        region=parents.astype(object),
        vintage=np.full(len(parents), panel.vintage[0], np.int16),
        is_complete=whole & ~incomplete_parts,
        amounts={
            "employment": employment,
            "employment_low": lowest,
            "employment_high": highest,
            "employment_band_low": np.fmax(employment - below, lowest),
            "employment_band_high": np.fmin(employment + above, highest),
        },
        establishments=total(panel.establishments),
        own_share=own_share,
        grade=grade,
    )


def nuts_codes_below(parent: str) -> set[str]:
    """The NUTS 2 regions of a NUTS 1 region."""
    return {code for code in nuts_codes(2, {parent[:2]}) if code.startswith(parent)}
