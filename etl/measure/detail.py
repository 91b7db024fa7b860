"""Both sides of a comparison brought to the same industries, and in the coarse variant to the same detail."""

from collections.abc import Callable, Mapping

import pyarrow as pa

from etl.measure.coarse import coarse
from etl.measure.cut import covered_classes, cut, cut_cells, uncovered_shares
from etl.measure.pairing import ComparedSide, SourceAndYear
from etl.measure.rules import DETAILED_SOURCES

Variants = dict[str, dict[SourceAndYear, pa.Table]]


class Detail:
    """Tables that replace those of full detail, by variant and source-year; made once for the same pair of sides."""

    def __init__(
        self, tables: Mapping[SourceAndYear, pa.Table], cells: Mapping[SourceAndYear, Callable[[], pa.Table]]
    ) -> None:
        """`tables`: `region_cluster` by source-year; `cells`: reads the `region_industry` of a source-year."""
        self._tables = tables
        self._cells = cells
        self._made: dict[tuple[SourceAndYear, ...], Variants] = {}

    def variants(self, american: ComparedSide | None, european: ComparedSide | None) -> Variants:
        """What stands in for the full tables of the two sides.

        `full`: the American one cut to the common industries. `coarse`, where all cells are at hand: those of every
        detailed source degraded as well.
        """
        if american is None or european is None:
            return {"full": {}}
        origins = (*american.origins, *european.origins)
        if any(origin not in self._cells for origin in origins):
            return {"full": {}}
        if origins not in self._made:
            self._made[origins] = self._make(american.origins[0], european.origins)
        return self._made[origins]

    def _make(self, american: SourceAndYear, european: tuple[SourceAndYear, ...]) -> Variants:
        read = {origin: self._cells[origin]() for origin in (american, *european)}
        covered = frozenset.intersection(*(covered_classes(read[origin]) for origin in european))
        uncovered = uncovered_shares(read[american].column("industry_scheme")[0].as_py(), covered)
        full = {american: cut(self._tables[american], read[american], uncovered)}
        degraded = {american: coarse(full[american], cut_cells(read[american], uncovered))}
        for origin in european:
            if origin[0] in DETAILED_SOURCES:
                degraded[origin] = coarse(self._tables[origin], read[origin])
        return {"full": full, "coarse": degraded}
