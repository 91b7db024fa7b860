"""Why a cell changed, told from what the two sides were made from.

A cell whose row is on one side only is *new* or *gone*; where its source-year is under another classification or
another vintage of regions on the other side, it is *reclassified* or *region_changed*. A cell on both sides is
*source_revised* where a file of its source and year changed, else *reclassified* where the industries of its cluster
changed, else *region_changed* where the links of its region changed, else *method_revised* where the code changed.
What is left follows from other files (a nation, a neighbouring year): *source_revised*.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from etl.columns import codes
from etl.diff.report import KINDS
from etl.diff.sides import DamagedSideError, DiffSide
from etl.publish.parquet import part_path

Kinds = NDArray[np.int8]
_CODE = {kind: np.int8(number) for number, kind in enumerate(KINDS)}
_REGION = ("region_scheme", "region_code")


class Causes:
    """What differs between the inputs of two sides."""

    def __init__(self, old: DiffSide, new: DiffSide, source_of: Mapping[str, str | None]) -> None:
        """`source_of`: the source whose facts a dataset feeds."""
        self._old, self._new = old, new
        self._source_of = source_of

    @cached_property
    def revised(self) -> set[tuple[str | None, int | None]]:
        """(source, year) whose files changed; year None stands for all years of the source."""
        sides = [{(f.dataset, f.url): f for f in side.source_files} for side in (self._old, self._new)]
        changed: set[tuple[str | None, int | None]] = set()
        for key in sides[0].keys() | sides[1].keys():
            files = [side.get(key) for side in sides]
            if files[0] is None or files[1] is None or files[0].sha256 != files[1].sha256:
                source = self._source_of.get(key[0], key[0])
                changed |= {(source, file.year) for file in files if file is not None}
        return changed

    @property
    def is_method_changed(self) -> bool:
        """Whether the code differs."""
        return self._old.code_id != self._new.code_id

    @cached_property
    def reclassified(self) -> NDArray[np.int64]:
        """Clusters whose industries changed."""
        names = ("industry_scheme", "industry_code", "cluster_code", "weight")
        changed = self._changed_rows("industry_cluster", names)
        return np.unique(np.array([row[2] for row in changed], np.int64))

    @cached_property
    def moved_regions(self) -> set[tuple[object, ...]]:
        """(scheme, code) of regions whose links to another vintage changed; schemes as `_scheme` has them."""
        names = ("from_scheme", "from_code", "to_scheme", "to_code", "weight")
        ends = [end for row in self._changed_rows("concordance", names) for end in (row[0:2], row[2:4])]
        return {(_scheme(end[0]), end[1]) for end in ends if str(end[0]).startswith(("nuts", "us_"))}

    def of_changed(self, rows: pa.Table) -> Kinds:
        """Kinds of rows that are on both sides."""
        rest = "method_revised" if self.is_method_changed else "source_revised"
        kinds = np.full(rows.num_rows, _CODE[rest], np.int8)
        if self.moved_regions and set(_REGION) <= set(rows.column_names):
            is_moved = _where(rows, _REGION, lambda region: (_scheme(region[0]), region[1]) in self.moved_regions)
            kinds[is_moved] = _CODE["region_changed"]
        if len(self.reclassified) and "cluster_code" in rows.column_names:
            hit = np.isin(rows["cluster_code"].to_numpy(), self.reclassified)
            kinds[hit] = _CODE["reclassified"]
        origin = next((name for name in ("source", "portal") if name in rows.column_names), None)
        if origin and "year" in rows.column_names:
            kinds[_where(rows, (origin, "year"), self._is_revised)] = _CODE["source_revised"]
        return kinds

    def of_single(self, rows: pa.Table, others: pa.Table, kind: str) -> Kinds:
        """Kinds of rows that are on one side only; `others`: all rows of the other side's file."""
        kinds = np.full(rows.num_rows, _CODE[kind], np.int8)
        if not others.num_rows or not {"source", "year"} <= set(rows.column_names):
            return kinds
        if "region_vintage" in rows.column_names:
            listed = _combinations(others, ("source", "year", "region_scheme"))
            vintages = _combinations(others, ("source", "year", "region_scheme", "region_vintage"))
            known = _where(rows, ("source", "year", "region_scheme"), lambda key: key in listed)
            there = _where(rows, ("source", "year", "region_scheme", "region_vintage"), lambda key: key in vintages)
            kinds[known & ~there] = _CODE["region_changed"]
        if "industry_scheme" in rows.column_names:
            schemes = _combinations(others, ("source", "year", "industry_scheme"))
            sources = _combinations(others, ("source", "year"))
            known = _where(rows, ("source", "year"), lambda key: key in sources)
            there = _where(rows, ("source", "year", "industry_scheme"), lambda key: key in schemes)
            kinds[known & ~there] = _CODE["reclassified"]
        return kinds

    def _is_revised(self, key: tuple[object, ...]) -> bool:
        source, year = key
        return (source, year) in self.revised or (source, None) in self.revised

    def _changed_rows(self, table: str, names: Sequence[str]) -> set[tuple[object, ...]]:
        path = part_path(table)
        files = [side.files.get(path) for side in (self._old, self._new)]
        if files[0] is None or files[1] is None or files[0].sha256 == files[1].sha256:
            return set()
        try:
            rows = [
                set(zip(*(side.read(path)[name].to_pylist() for name in names), strict=True))
                for side in (self._old, self._new)
            ]
        except DamagedSideError:
            return set()  # The table itself is told as skipped.
        return rows[0] ^ rows[1]


def _scheme(scheme: object) -> str:
    """Return a region scheme without vintage and level: `nuts2013` and `nuts2` are nuts, `us_county2020` us_county."""
    return str(scheme).rstrip("0123456789")


def _where(rows: pa.Table, names: Sequence[str], test: Callable[[tuple[object, ...]], bool]) -> NDArray[np.bool_]:
    """Test each combination of values once and spread the answers over the rows."""
    group, values = _groups(rows, names)
    answers = np.array([test(value) for value in values], np.bool_)
    return answers[group] if len(answers) else np.zeros(rows.num_rows, np.bool_)


def _combinations(rows: pa.Table, names: Sequence[str]) -> set[tuple[object, ...]]:
    return set(_groups(rows, names)[1])


def _groups(rows: pa.Table, names: Sequence[str]) -> tuple[NDArray[np.int64], list[tuple[object, ...]]]:
    """Return for each row the number of its combination of values, and the combinations."""
    group = np.zeros(rows.num_rows, np.int64)
    for name in names:
        column = rows[name]
        if pa.types.is_integer(column.type):
            positions = np.unique(column.to_numpy(), return_inverse=True)[1]
        else:
            positions = codes(pc.fill_null(column, ""))[0]
        group = np.unique(group * (int(positions.max(initial=0)) + 1) + positions, return_inverse=True)[1]
    first = np.unique(group, return_index=True)[1]
    chosen = rows.select(list(names)).take(pa.array(first, pa.int64())).to_pylist()
    return group, [tuple(row[name] for name in names) for row in chosen]
