"""Refuses files whose parts do not make up their own totals: a body cut at a line end reads like any other.

Establishments are never withheld. In every file read so far of nation and states the sectors' establishments add up to
the total exactly (averages of QCEW: to their rounding), and below them little is missing. Counties and metropolitan
areas lack cells of fewer than three establishments since 2017: less is asked of each, more of all together.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from etl.errors import ImplausibleError
from etl.sources.naics_codes import SECTOR_OF, TOTAL, WITHOUT_DETAIL, is_leaf, known_codes, level

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.integer]

ROWS_FROM = 100
"""A file with fewer rows is an extract, of which nothing is asked; the shortest real one has more than a thousand."""

ESTABLISHMENTS_FROM = 100
"""A region with fewer is not judged by itself: single cells count for too much."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Least shares of establishments: of a region's in its `sectors` and in its `leaves`, of all regions' `together` in
    sectors, of a sector's in its leaves (`within`). `rounding`: how far a sector's figure may be from the true one.
    """

    sectors: float
    leaves: float
    together: float
    within: float
    rounding: float = 0.0


EXACT = {"us_nation": Limits(0.9999, 0.99, 0.9999, 0.99), "us_state": Limits(0.999, 0.9, 0.999, 0.6)}
SMALL_AREAS = Limits(0.7, 0.0, 0.95, 0.1)

ABOVE_ALL = 1.05
"""Printed sectors may exceed the region's printed total by noise and rounding, not by more."""


class RequiredParts:
    """Adds up a file's total, sectors and lowest codes by region, block by block."""

    def __init__(self, regions: list[str], industries: list[str]) -> None:
        self._regions = regions
        self._industries = industries
        self._establishments = np.zeros((3, 0))
        self._employment = np.zeros((2, 0))
        self._by_sector: dict[str, Floats] = {}
        self.rows = 0

    def take(self, region: Numbers, industry: Numbers, establishments: Floats, employment: Floats) -> None:
        """Add a block's rows; what is not printed is NaN and counts nothing."""
        codes = self._industries
        self.rows += len(region)
        levels = (
            np.array([code == TOTAL for code in codes], np.bool_),
            np.array([level(code) == "sector" for code in codes], np.bool_),
            np.array([is_leaf(code) for code in codes], np.bool_),
        )
        self._establishments = self._sums(self._establishments, levels, region, industry, establishments)
        self._employment = self._sums(self._employment, levels[:2], region, industry, employment)
        of_industries = np.bincount(industry, np.nan_to_num(establishments), len(codes))
        for code, count, is_sector, is_lowest in zip(codes, of_industries, *levels[1:], strict=True):
            if code != TOTAL:
                sector = SECTOR_OF.get(code[:2], code[:2])
                sums = self._by_sector.setdefault(sector, np.zeros(2))
                sums += np.array([is_sector, is_lowest]) * count

    def _sums(
        self,
        sums: Floats,
        levels: tuple[npt.NDArray[np.bool_], ...],
        region: Numbers,
        industry: Numbers,
        values: Floats,
    ) -> Floats:
        count = len(self._regions)
        figures = np.nan_to_num(values)
        added = [np.bincount(region[mask[industry]], figures[mask[industry]], count) for mask in levels]
        return np.pad(sums, ((0, 0), (0, count - sums.shape[1]))) + np.stack(added)

    def require_whole(self, where: str, limits: Limits) -> None:
        """Raise ImplausibleError where parts are missing or exceed their total; `where` names the file."""
        if self.rows < ROWS_FROM:
            return
        total, sectors, leaves = self._establishments
        slack = limits.rounding * sum(level(code) == "sector" for code in self._industries)
        is_judged = np.maximum(total, sectors) >= ESTABLISHMENTS_FROM
        self._refuse(where, is_judged & (sectors < limits.sectors * total - slack), sectors, total, "sectors")
        self._refuse(where, is_judged & (sectors > ABOVE_ALL * total + slack), sectors, total, "sectors")
        self._refuse(where, is_judged & (leaves < limits.leaves * total - slack), leaves, total, "lowest codes")
        jobs, jobs_of_sectors = self._employment
        is_printed = is_judged & (jobs > 0)
        self._refuse(where, is_printed & (jobs_of_sectors > ABOVE_ALL * jobs), jobs_of_sectors, jobs, "sectors", "jobs")
        if not jobs.any() and total.sum() >= ESTABLISHMENTS_FROM * ROWS_FROM:
            raise ImplausibleError(f"{where}: {total.sum():,.0f} establishments have no employment at all")
        for sector, (whole, lowest) in self._by_sector.items():
            if whole >= ESTABLISHMENTS_FROM and lowest < limits.within * whole - slack:
                raise ImplausibleError(
                    f"{where}: sector {sector} has {whole:,.0f} establishments and {lowest:,.0f} in its lowest codes; "
                    "is the body cut off?"
                )
        if total.sum() >= ESTABLISHMENTS_FROM and sectors.sum() < limits.together * total.sum() - slack:
            share = sectors.sum() / total.sum()
            raise ImplausibleError(f"{where}: all sectors hold {share:.1%} of the establishments; is the body cut off?")

    def _refuse(
        self,
        where: str,
        is_wrong: npt.NDArray[np.bool_],
        parts: Floats,
        whole: Floats,
        name: str,
        of: str = "establishments",
    ) -> None:
        if is_wrong.any():
            number = int(np.argmax(is_wrong))
            raise ImplausibleError(
                f"{where}: region {self._regions[number]} has {whole[number]:,.0f} {of} in all and "
                f"{parts[number]:,.0f} in its {name}; is the body cut off?"
            )


def sectors_of(vintage: int) -> set[str]:
    """The sectors that every state has, so every file of nation, states or a state's counties."""
    return {code for code in known_codes(vintage) if level(code) == "sector"} - WITHOUT_DETAIL.keys() - {"92"}


def require_all(where: str, what: str, expected: set[str], found: set[str], rows: int) -> None:
    """Raise ImplausibleError where something is missing that every such file of more than a few rows has."""
    if rows < ROWS_FROM:
        return
    if missing := sorted(expected - found):
        shown = ", ".join(missing[:5]) + (" …" if len(missing) > 5 else "")
        raise ImplausibleError(f"{where}: {len(missing)} of {len(expected)} {what} are missing: {shown}")
