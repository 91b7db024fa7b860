"""What tells how a division is made up of classes: the structures at hand, and which one is used for which area.

In this order, division by division:

1. classes by region of the same country (`uk_bres`): of the same year alone, else of all years at hand, each weighted
   by one over its distance in years; a region without a row of its own takes that of the area around it
2. classes of the country (`eurostat_sbs_national`), of the nearest year
3. classes of other European countries, added up, of the nearest year of each
4. classes of the US by national employment, carried over through the direct links of NAICS 2017 and NACE
5. every class the same
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl.estimate.common.tree import Floats, Integers
from etl.estimate.europe import colocation_pattern as colocation
from etl.estimate.europe.grid import AreaGrid, read_grid
from etl.estimate.europe.imputation import impute
from etl.reference.nace import nace_classes
from etl.reference.store import rows
from etl.reference.us_employment import us_employment
from etl.uncertainty import composition

US_SOURCE, US_YEAR = "us_employment", 2017
EQUAL_SOURCE = "equal"

#: What a link counts that the publisher notes as a part of the industry: parts are nearly always small.
PARTIAL = 0.15


@dataclass(frozen=True, slots=True)
class Structure:
    """Persons by area (rows, `codes`) and class (columns, those of `nace_classes`) of one source-year."""

    source: str
    year: int
    codes: tuple[str, ...]
    vintages: tuple[int, ...]
    amounts: Floats

    def of_country(self, country: str, *, regional: bool) -> Integers:
        """Rows of a country itself, or of its regions at the finest level it has."""
        inside = [n for n, code in enumerate(self.codes) if code[:2] == country and (len(code) > 2) == regional]
        finest = max((len(self.codes[n]) for n in inside), default=0)
        return np.array([n for n in inside if len(self.codes[n]) == finest], np.int64)

    def nation(self, country: str) -> Floats | None:
        """Amounts of a country: its own row, else the sum of its regions; None if it has neither."""
        for regional in (False, True):
            found = self.of_country(country, regional=regional)
            if found.size:
                total: Floats = self.amounts[found].sum(axis=0)
                return total
        return None

    @property
    def countries(self) -> list[str]:
        """The countries it has rows of."""
        return sorted({code[:2] for code in self.codes})


class Origin(NamedTuple):
    """Where proportions come from: source, year, and what they are (one of the KINDS of `composition`)."""

    source: str
    year: int | None
    kind: str

    @property
    def is_own(self) -> bool:
        """Whether they are the country's own."""
        return self.kind in (composition.OWN_REGION, composition.OWN_COUNTRY)

    @property
    def words(self) -> str:
        """Source and year for people, and whose classes they are where they are another country's."""
        name = self.source if self.year is None else f"{self.source} {self.year}"
        return f"{name} (another country's)" if self.kind == composition.OTHER_COUNTRY else name


@dataclass(frozen=True, slots=True)
class ClassShares:
    """Amounts by class and where they come from: `origin`, by class, indexes `origins`."""

    amounts: Floats
    origin: Integers
    origins: tuple[Origin, ...]


def read_structures(tables: Iterable[pa.Table], scheme: str) -> list[Structure]:
    """The classes in tables of `region_industry`, one source-year each, withheld ones completed; by source and year.

    Modelled rows are no evidence and are left out, as are tables of another classification or without classes.
    """
    found = [structure for table in tables if (structure := _read_structure(table, scheme)) is not None]
    return sorted(found, key=lambda structure: (structure.source, structure.year))


def _read_structure(table: pa.Table, scheme: str) -> Structure | None:
    of_scheme = pc.and_(
        pc.equal(table.column("industry_scheme"), scheme), pc.not_equal(table.column("employment_status"), "modelled")
    )
    table = table.filter(of_scheme)
    is_class = pc.equal(table.column("industry_level"), "class")
    if not pc.any(is_class).as_py():
        return None
    source, year = table.column("source")[0].as_py(), table.column("year")[0].as_py()
    with_classes = pa.array(sorted(set(table.filter(is_class).column("region_code").to_pylist())))
    table = table.filter(pc.is_in(table.column("region_code"), with_classes))
    grid = read_grid(table)
    values = np.nan_to_num(_filled(grid))
    classes = nace_classes(scheme)
    place = {code: number for number, code in enumerate(grid.industries)}
    columns = np.array([place.get(code, -1) for code in classes], np.int64)
    amounts = np.where(columns >= 0, values[:, columns], 0.0)
    return Structure(
        source,
        int(year),
        tuple(area.code for area in grid.areas),
        tuple(area.vintage for area in grid.areas),
        amounts,
    )


def _filled(grid: AreaGrid) -> Floats:
    """All cells, withheld ones estimated, without the remainders that completing added."""
    if (grid.is_known | ~grid.present).all():
        return grid.figure
    height, width = grid.row.shape
    value: Floats = impute(grid).value[:height, :width]
    return value


def weighted(structures: Sequence[Structure], year: int) -> list[tuple[Structure, float]]:
    """Those of the year itself alone; else all of them, each with one over its distance in years."""
    same = [structure for structure in structures if structure.year == year]
    return [(s, 1.0) for s in same] or [(s, 1.0 / abs(s.year - year)) for s in structures]


def nearest(structures: Sequence[Structure], year: int) -> Structure | None:
    """The structure of the nearest year; between equals the earlier."""
    return min(structures, key=lambda structure: (abs(structure.year - year), structure.year), default=None)


def national_mix(structures: Sequence[Structure], country: str, year: int, scheme: str, block: Integers) -> ClassShares:
    """How the classes of a country are made up within each block, by the order of the module from its second step.

    `block`: number of the block (division) of each class.
    """
    origins: list[Origin] = []
    amounts = np.zeros(block.size)
    origin = np.full(block.size, -1, np.int64)
    for of_candidate, candidate in _candidates(structures, country, year, scheme):
        has_amount = np.bincount(block, candidate)[block] > 0
        use = has_amount & (origin < 0)
        origins.append(of_candidate)
        amounts[use] = candidate[use]
        origin[use] = len(origins) - 1
    return ClassShares(amounts, origin, tuple(origins))


def _candidates(
    structures: Sequence[Structure], country: str, year: int, scheme: str
) -> Iterable[tuple[Origin, Floats]]:
    own = _nation(structures, country, year)
    if own is not None:
        yield Origin(own[0].source, own[0].year, composition.OWN_COUNTRY), own[1]
    others = [_nation(structures, other, year) for other in sorted({c for s in structures for c in s.countries})]
    found = [one for one in others if one is not None and one is not own and country not in one[0].countries]
    if found:
        largest = max(found, key=lambda one: (one[1].sum(), one[0].source))[0]
        yield Origin(largest.source, largest.year, composition.OTHER_COUNTRY), np.sum([one[1] for one in found], axis=0)
    yield Origin(US_SOURCE, US_YEAR, composition.OTHER_COUNTRY), us_classes(scheme)
    yield Origin(EQUAL_SOURCE, None, composition.EQUAL_PARTS), np.ones(len(nace_classes(scheme)))


def _nation(structures: Sequence[Structure], country: str, year: int) -> tuple[Structure, Floats] | None:
    """The classes of a country of the nearest year: from a national source if there is one, else from its regions."""
    national = [s for s in structures if s.of_country(country, regional=False).size]
    best = nearest(national or [s for s in structures if s.of_country(country, regional=True).size], year)
    amounts = None if best is None else best.nation(country)
    return None if best is None or amounts is None else (best, amounts)


@cache
def class_links() -> tuple[tuple[str, str, float], ...]:
    """NAICS 2017 code, NACE 2 class and the part of the code that goes there; noted parts count PARTIAL."""
    known = set(nace_classes("nace2"))
    links = [row for row in rows("naics2017_nace2") if row["nace_code"] in known]
    seed = [PARTIAL if row["is_partial"] == "1" else 1.0 for row in links]
    total: dict[str, float] = {}
    for row, size in zip(links, seed, strict=True):
        total[row["naics_code"]] = total.get(row["naics_code"], 0.0) + size
    return tuple(
        (row["naics_code"], row["nace_code"], size / total[row["naics_code"]])
        for row, size in zip(links, seed, strict=True)
    )


@cache
def us_classes(scheme: str) -> Floats:
    """US employment of 2017 by class of `nace2`, or of `nace21` through its predecessors in equal parts."""
    employment = us_employment(US_YEAR)
    amounts = dict.fromkeys(nace_classes("nace2"), 0.0)
    for naics, nace, weight in class_links():
        amounts[nace] += employment.get(naics, 0.0) * weight
    if scheme == "nace2":
        return np.array(list(amounts.values()))
    links = [(row["nace2_code"], row["nace21_code"]) for row in rows("nace21_nace2") if row["nace2_code"]]
    successors: dict[str, int] = {}
    for old, _ in links:
        successors[old] = successors.get(old, 0) + 1
    later = dict.fromkeys(nace_classes("nace21"), 0.0)
    for old, new in links:
        later[new] += amounts[old] / successors[old]
    return np.array(list(later.values()))


def regional_shares(
    structures: Sequence[Structure], codes: Sequence[str], country: str, year: int, block: Integers
) -> tuple[Floats, Origin | None]:
    """Shares of classes within each block from the country's own regions: regions × classes, 0 where there is none.

    Also their origin, with the nearest year; None where the country has no classes by region.
    """
    own = [structure for structure in structures if structure.of_country(country, regional=True).size]
    result = np.zeros((len(codes), block.size))
    total = np.zeros((len(codes), block.size))
    for structure, weight in weighted(own, year):
        amounts = np.array([_region(structure, code) for code in codes])
        sums = colocation.block_sums(amounts, block)[:, block]
        result += weight * colocation.ratio(amounts, sums)
        total += weight * (sums > 0)
    best = nearest(own, year)
    origin = None
    if best is not None:
        origin = Origin(best.source, best.year, composition.OWN_REGION)
    return colocation.ratio(result, total), origin


def _region(structure: Structure, code: str) -> Floats:
    """A region's amounts: its own row; else the sum of rows in the area one level up; else nothing.

    The country is no stand-in: its make-up is bent to the region instead.
    """
    if code in structure.codes:
        own: Floats = structure.amounts[structure.codes.index(code)]
        return own
    around = [number for number, other in enumerate(structure.codes) if len(code) > 3 and other[:3] == code[:3]]
    total: Floats = structure.amounts[around].sum(axis=0)
    return total
