"""Compares two sides file by file; files with equal hashes are not read."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from etl.columns import concat
from etl.contracts import Contract, contract, contracts
from etl.diff.kinds import Causes, Kinds
from etl.diff.report import KINDS, Change, Diff, TableDiff
from etl.diff.sides import DamagedSideError, DiffSide

#: Relative difference below which two doubles count as equal.
TOLERANCE = 1e-9
#: Cells kept of each table, column and kind: the largest. All are counted.
CELLS_KEPT = 1_000
#: Changes shown at the top of a diff.
TOP = 20
#: Tables that tell of the comparison or of the run, and are not compared themselves.
NOT_COMPARED = frozenset({"revision"})

Floats = NDArray[np.float64]
_PERSONS = "persons"


@dataclass(frozen=True, slots=True)
class TableComparison:
    """The diff, and the cells behind it as rows of table revision: of each table, column and kind the largest."""

    diff: Diff
    revision: pa.Table


@dataclass(slots=True)
class _Found:
    """Cells of one table that changed: counts of all, and the largest."""

    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    cells: list[pa.Table] = field(default_factory=list)


def compare(old: DiffSide, new: DiffSide, source_of: Mapping[str, str | None] | None = None) -> TableComparison:
    """Compare all tables of two sides.

    `source_of`: the source that each dataset feeds, by which a revision is laid to a source. A table of a published
    version one of whose files is missing or damaged is skipped, with the reason. Raises IntegrityError naming a
    damaged file of a draft.
    """
    causes = Causes(old, new, source_of or {})
    tables, cells = [], []
    for name in sorted((old.tables.keys() | new.tables.keys()) - NOT_COMPARED):
        table, found = _compare_table(name, old, new, causes)
        tables.append(table)
        cells += [_largest(part, CELLS_KEPT) for part in _by_column_and_kind(found.cells)]
    every = pa.concat_tables(cells) if cells else _CELLS.empty_table()
    is_identical = all(table.status == "identical" for table in tables)
    diff = Diff(old=old.version, new=new.version, is_identical=is_identical, tables=tuple(tables), top=_top(every))
    return TableComparison(diff, _revision(every))


_CELLS = pa.schema(
    [
        ("table_name", pa.string()),
        ("row_key", pa.string()),
        ("column", pa.string()),
        ("old", pa.float64()),
        ("new", pa.float64()),
        ("relative_size", pa.float64()),
        ("weight", pa.float64()),
        ("kind", pa.string()),
    ]
)


def _compare_table(name: str, old: DiffSide, new: DiffSide, causes: Causes) -> tuple[TableDiff, _Found]:
    files = [{p: e.sha256 for p, e in side.files.items() if p.startswith(f"{name}/")} for side in (old, new)]
    rows = [side.tables[name].rows if name in side.tables else 0 for side in (old, new)]
    unchanged = [path for path, digest in files[0].items() if files[1].get(path) == digest]
    different = sorted(path for path in files[0].keys() | files[1].keys() if path not in unchanged)
    told = TableDiff(table=name, status="identical", rows_old=rows[0], rows_new=rows[1], files_unchanged=len(unchanged))
    if name not in old.tables or name not in new.tables:
        return told.model_copy(update={"status": "new" if name in new.tables else "gone"}), _Found()
    if not different:
        return told, _Found()
    reason = _why_not(name, old, new)
    if reason:
        return told.model_copy(update={"status": "skipped", "reason": reason}), _Found()
    try:
        return _compare_files(told, different, old, new, causes)
    except DamagedSideError as error:
        return told.model_copy(update={"status": "skipped", "reason": str(error)}), _Found()


def _compare_files(
    told: TableDiff, different: Sequence[str], old: DiffSide, new: DiffSide, causes: Causes
) -> tuple[TableDiff, _Found]:
    rule, found = contract(told.table), _Found()
    columns: list[set[str]] = [set(), set()]
    for path in different:
        sides = [
            side.read(path) if path in side.files else rule.empty().replace_schema_metadata(None) for side in (old, new)
        ]
        if path in old.files and path in new.files:
            columns = [columns[at] | set(sides[at].column_names) for at in (0, 1)]
        _compare_rows(rule, sides[0], sides[1], causes, found)
        del sides  # a full year is large: it goes before the next one is read
    told = told.model_copy(
        update={
            "status": "changed",
            "files_compared": len(different),
            "cells": _sums(found.counts.values()),
            "columns": dict(sorted(found.counts.items())),
            "columns_added": tuple(sorted(columns[1] - columns[0])),
            "columns_removed": tuple(sorted(columns[0] - columns[1])),
        }
    )
    return told, found


def _why_not(name: str, old: DiffSide, new: DiffSide) -> str | None:
    versions = [side.tables[name].contract_version for side in (old, new)]
    if name not in contracts():
        return "this installation does not know the table"
    if versions[0].split(".")[0] != versions[1].split(".")[0]:
        return f"its contract changed from {versions[0]} to {versions[1]}, which is another form of table"
    return None


def _compare_rows(rule: Contract, old: pa.Table, new: pa.Table, causes: Causes, found: _Found) -> None:
    old_at, new_at, gone_at, new_only_at = _aligned(rule, old, new)
    for rows, others, at, kind in ((old, new, gone_at, "gone"), (new, old, new_only_at, "new")):
        if len(at):
            chosen = rows.take(pa.array(at))
            _add_rows(rule, chosen, causes.of_single(chosen, others, kind), kind, found)
    if not len(old_at):
        return
    before = old if len(old_at) == old.num_rows else old.take(pa.array(old_at))
    after = new if len(new_at) == new.num_rows else new.take(pa.array(new_at))
    changed = {
        c.name: at for c in rule.columns if c.name not in rule.key and len(at := _differing(c.name, before, after))
    }
    if not changed:
        return
    touched = np.unique(np.concatenate(list(changed.values())))
    rows = after.take(pa.array(touched))
    kinds, width = causes.of_changed(rows), _width(before.take(pa.array(touched)))
    for name, at in changed.items():
        place = np.searchsorted(touched, at)
        cells = _Cells(rule, name, rows, place, *(_numbers(side[name].take(pa.array(at))) for side in (before, after)))
        _keep(cells, kinds[place], width[place], found)


@dataclass(frozen=True, slots=True)
class _Cells:
    """Cells of one column that changed: the rows they stand in, at which places, and their figures."""

    rule: Contract
    column: str
    rows: pa.Table
    place: NDArray[np.int64]
    old: Floats
    new: Floats

    @property
    def has_bounds(self) -> bool:
        """Whether the bounds of employment measure the column."""
        return next(column.unit for column in self.rule.columns if column.name == self.column) == _PERSONS


def _keep(cells: _Cells, kinds: Kinds, width: Floats, found: _Found) -> None:
    """Count the cells of a column and keep the largest of each kind.

    Their size is the change over the width of the bounds, and for cells without bounds the change itself.
    """
    gap = np.abs(np.nan_to_num(cells.new) - np.nan_to_num(cells.old))
    is_single = np.isnan(cells.old) | np.isnan(cells.new)
    size = np.where(is_single, np.nan, gap / width) if cells.has_bounds else np.full(len(gap), np.nan)
    order = np.lexsort((-gap, -np.nan_to_num(size, nan=-1.0)))
    counts = found.counts.setdefault(cells.column, {})
    for code in np.unique(kinds):
        kind = KINDS[code]
        counts[kind] = counts.get(kind, 0) + int(np.count_nonzero(kinds == code))
        chosen = order[kinds[order] == code][:CELLS_KEPT]
        columns = {
            "table_name": pa.array([cells.rule.name] * len(chosen), pa.string()),
            "row_key": _row_keys(cells.rule, cells.rows.take(pa.array(cells.place[chosen]))),
            "column": pa.array([cells.column] * len(chosen), pa.string()),
            "old": pa.array(cells.old[chosen], pa.float64(), from_pandas=True),
            "new": pa.array(cells.new[chosen], pa.float64(), from_pandas=True),
            "relative_size": pa.array(size[chosen], pa.float64(), from_pandas=True),
            "weight": pa.array(gap[chosen]),
            "kind": pa.array([kind] * len(chosen), pa.string()),
        }
        found.cells.append(pa.table(columns, _CELLS))


def _aligned(rule: Contract, old: pa.Table, new: pa.Table) -> tuple[NDArray[np.int64], ...]:
    """Positions of rows on both sides (old, new), on the old side only and on the new side only, in key order."""
    none = np.zeros(0, np.int64)
    if old.num_rows == new.num_rows and all(old[name].equals(new[name]) for name in rule.key):
        every = np.arange(old.num_rows)
        return every, every, none, none
    if not old.num_rows or not new.num_rows:
        return none, none, np.arange(old.num_rows), np.arange(new.num_rows)
    connection = duckdb.connect()
    for name, rows in (("old_rows", old), ("new_rows", new)):
        positions = pa.array(np.arange(rows.num_rows))
        connection.register(name, rows.select(list(rule.key)).append_column(f"{name}_at", positions))
    pairs = connection.sql(
        f"SELECT old_rows_at, new_rows_at FROM old_rows FULL JOIN new_rows USING ({', '.join(rule.key)})"
    ).fetchnumpy()
    connection.close()
    at = [np.ma.filled(np.ma.asarray(pairs[name]), -1).astype(np.int64) for name in ("old_rows_at", "new_rows_at")]
    both = (at[0] >= 0) & (at[1] >= 0)
    order = np.argsort(at[1][both], kind="stable")
    gone, new_only = np.sort(at[0][at[1] < 0]), np.sort(at[1][at[0] < 0])
    return at[0][both][order], at[1][both][order], gone, new_only


def _differing(name: str, before: pa.Table, after: pa.Table) -> NDArray[np.int64]:
    """Positions of the rows in which a column differs; a column on one side only is a matter of the contract."""
    if name not in before.column_names or name not in after.column_names:
        return np.zeros(0, np.int64)
    old, new = before[name], after[name]
    if old.equals(new):
        return np.zeros(0, np.int64)
    if pa.types.is_floating(old.type):
        left, right = _numbers(old), _numbers(new)
        with np.errstate(invalid="ignore"):
            same = np.abs(left - right) <= TOLERANCE * np.maximum(np.abs(left), np.abs(right))
        different = ~(same | (np.isnan(left) & np.isnan(right)))
    else:
        equal = pc.fill_null(pc.equal(old, new), False).to_numpy(zero_copy_only=False)
        both_null = pc.and_(pc.is_null(old), pc.is_null(new)).to_numpy(zero_copy_only=False)
        different = ~(equal | both_null)
    return np.flatnonzero(different)


def _add_rows(rule: Contract, rows: pa.Table, kinds: Kinds, kind: str, found: _Found) -> None:
    """Add rows that are on one side only, each by its first measure."""
    measures = [column.name for column in rule.columns if column.name not in rule.key and column.type != "string"]
    name = next((measure for measure in measures if measure in rows.column_names), None)
    there = _numbers(rows[name]) if name else np.full(rows.num_rows, np.nan)
    absent = np.full(rows.num_rows, np.nan)
    figures = (absent, there) if kind == "new" else (there, absent)
    cells = _Cells(rule, name or rule.key[-1], rows, np.arange(rows.num_rows), *figures)
    _keep(cells, kinds, np.ones(rows.num_rows), found)


def _width(rows: pa.Table) -> Floats:
    """Width of the bounds of employment before the change, at least one person; NaN where nothing bounds it."""
    if "employment_low" not in rows.column_names or "employment_high" not in rows.column_names:
        return np.full(rows.num_rows, np.nan)
    return np.maximum(_numbers(rows["employment_high"]) - _numbers(rows["employment_low"]), 1.0)


def _row_keys(rule: Contract, rows: pa.Table) -> pa.Array:
    texts = [pc.cast(rows[name], pa.string()).combine_chunks() for name in rule.key]
    return pc.binary_join_element_wise(*texts, "|") if rows.num_rows else pa.array([], pa.string())


def _numbers(column: pa.ChunkedArray) -> Floats:
    """Numbers, flags as 0 and 1, texts as nothing."""
    if pa.types.is_string(column.type):
        return np.full(len(column), np.nan)
    values: Floats = pc.cast(column, pa.float64()).to_numpy()
    return values


def _largest(cells: pa.Table, count: int) -> pa.Table:
    """Keep the largest cells: first those measured by their bounds; ties in order of their keys."""
    order = [
        ("relative_size", "descending"),
        ("weight", "descending"),
        ("row_key", "ascending"),
        ("column", "ascending"),
    ]
    return cells.take(pc.sort_indices(cells, order)[:count])


def _top(cells: pa.Table) -> tuple[Change, ...]:
    """Return the largest changes, one a row: employment stands for its bounds."""
    top: dict[tuple[str, str], Change] = {}
    for cell in _largest(cells, TOP * 20).drop("weight").to_pylist():
        table = cell.pop("table_name")
        top.setdefault((table, cell["row_key"]), Change(table=table, **cell))
    return tuple(top.values())[:TOP]


def _by_column_and_kind(parts: Iterable[pa.Table]) -> list[pa.Table]:
    grouped: dict[tuple[str, str], list[pa.Table]] = {}
    for part in parts:
        if part.num_rows:
            grouped.setdefault((part["column"][0].as_py(), part["kind"][0].as_py()), []).append(part)
    return [pa.concat_tables(same) for _, same in sorted(grouped.items())]


def _sums(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for one in counts:
        for kind, number in one.items():
            total[kind] = total.get(kind, 0) + number
    return dict(sorted(total.items()))


def _revision(cells: pa.Table) -> pa.Table:
    """Return the cells as rows of table revision; texts, which it cannot hold, are left to the counts."""
    told = cells.filter(pc.or_(pc.is_valid(cells["old"]), pc.is_valid(cells["new"])))
    names: Sequence[str] = ["column_name" if name == "column" else name for name in told.column_names]
    return contract("revision").conform(concat([told.rename_columns(names).drop(["weight"])]))
