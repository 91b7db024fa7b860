"""From links to weights: the methods, and the raking that makes both sides' totals meet.

`equal`: each target of a source code the same. `employment`: links start from a seed, 1 where the whole source code
belongs to the target and 0.15 where the publisher notes a part only (parts are nearly always small), and then follow
the employment of whichever side is known.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from etl.errors import UsageError
from etl.harmonise.arrays import Booleans, Floats, Integers, Strings, sums
from etl.harmonise.concordance import Concordance

PARTIAL_SEED = 0.15
RAKING_YEARS = 1
"""Totals of the two sides may be raked together if their years are at most this far apart."""

Links = Sequence[tuple[str, str]]


def seeds(is_small: Booleans) -> Floats:
    """The prior size of each link: 0.15 for a part, 1 for a whole."""
    return np.where(is_small, PARTIAL_SEED, 1.0)


def equal(schemes: tuple[str, str], links: Links, *, basis: str = "") -> Concordance:
    """Each source code in equal parts to its targets."""
    source = _positions([link[0] for link in links])
    weight = 1 / sums(source, np.ones(source.size), int(source.max(initial=-1)) + 1)[source]
    return Concordance.from_links(schemes, links, weight=weight, method="equal", basis=basis)


def employment(
    schemes: tuple[str, str],
    links: Links,
    *,
    is_partial: Booleans | None = None,
    is_small: Booleans | None = None,
    source_amounts: Mapping[str, float] | None = None,
    target_amounts: Mapping[str, float] | None = None,
    years: tuple[int | None, int | None] = (None, None),
    basis: str = "",
) -> Concordance:
    """Weights by employment of the source codes, of the targets, or of both (then raked; see `flows`).

    `is_partial`: the publisher notes a part; `is_small`: links of the small seed, if not those. `years`: reference
    years of the two sides' amounts. A source code without any amount falls back to its seeds, marked `equal` where
    they are equal. Raises UsageError for both sides more than a year apart.
    """
    partial = np.zeros(len(links), bool) if is_partial is None else is_partial
    small = partial if is_small is None else is_small
    source = _positions([link[0] for link in links])
    flow = flows(links, seeds(small), source_amounts, target_amounts, years)
    size = int(source.max(initial=-1)) + 1
    seed = seeds(small)
    total = sums(source, flow, size)[source]
    seed_total = sums(source, seed, size)[source]
    weight = np.where(total > 0, np.divide(flow, total, out=np.zeros_like(flow), where=total > 0), seed / seed_total)
    is_mixed = (sums(source, small, size) > 0) & (sums(source, ~small, size) > 0)
    is_by_employment = (total > 0) & (target_amounts is not None) | is_mixed[source]
    method: Strings = np.where(is_by_employment, "employment", "equal")
    return Concordance(
        *schemes,
        from_code=np.array([link[0] for link in links], dtype=np.str_),
        to_code=np.array([link[1] for link in links], dtype=np.str_),
        weight=weight,
        weight_method=np.where(weight == 1, "unique", method),
        is_partial=partial,
        weight_year=years[1] if target_amounts is not None else years[0],
        basis=basis,
    )


def flows(
    links: Links,
    seed: Floats,
    source_amounts: Mapping[str, float] | None,
    target_amounts: Mapping[str, float] | None,
    years: tuple[int | None, int | None] = (None, None),
) -> Floats:
    """The amount that each link carries, in the unit of the amounts.

    One side known: its amounts divided over its links by the seeds. Both known: raked so that, within each connected
    component, links add up to the source amounts and to the target amounts scaled to the same sum. None: zeros.
    """
    source, target = _positions([link[0] for link in links]), _positions([link[1] for link in links])
    if source_amounts is not None and target_amounts is not None:
        first, second = years
        if first is None or second is None or abs(first - second) > RAKING_YEARS:
            raise UsageError(f"amounts of {first} and {second} are too far apart to be raked together")
        rows = _amounts(source_amounts, [link[0] for link in links], source)
        columns = _amounts(target_amounts, [link[1] for link in links], target)
        return rake(source, target, _divide(seed, source, rows), rows, columns)
    if source_amounts is not None:
        return _divide(seed, source, _amounts(source_amounts, [link[0] for link in links], source))
    if target_amounts is not None:
        return _divide(seed, target, _amounts(target_amounts, [link[1] for link in links], target))
    return np.zeros(len(links))


def rake(row: Integers, column: Integers, start: Floats, rows: Floats, columns: Floats, sweeps: int = 200) -> Floats:
    """Scale cells by turns until they meet the row sums and the column sums (iterative proportional fitting).

    `row`, `column`: group numbers of each cell; column sums are first scaled to the row sums of their connected
    component. Ends on rows, so row sums are exact wherever a cell of the row is not zero.
    """
    component = _components(row, column)
    size = int(component.max(initial=-1)) + 1
    of_row, of_column = np.zeros(rows.size, np.int64), np.zeros(columns.size, np.int64)
    of_row[row], of_column[column] = component, component
    have, want = sums(of_column, columns, size), sums(of_row, rows, size)
    wanted = columns * np.divide(want, have, out=np.zeros(size), where=have > 0)[of_column]
    cells = start
    for _ in range(sweeps):
        cells = cells * _ratio(wanted, sums(column, cells, columns.size))[column]
        cells = cells * _ratio(rows, sums(row, cells, rows.size))[row]
        if np.allclose(sums(column, cells, columns.size), wanted, rtol=1e-12, atol=1e-9):
            break
    return cells


def _ratio(wanted: Floats, found: Floats) -> Floats:
    return np.divide(wanted, found, out=np.zeros_like(wanted), where=found > 0)


def _divide(seed: Floats, group: Integers, amounts: Floats) -> Floats:
    return seed / sums(group, seed, amounts.size)[group] * amounts[group]


def _amounts(amounts: Mapping[str, float], codes: Sequence[str], position: Integers) -> Floats:
    result = np.zeros(int(position.max(initial=-1)) + 1)
    result[position] = [amounts.get(code, 0.0) for code in codes]
    return result


def _positions(codes: Sequence[str]) -> Integers:
    return np.unique(np.array(codes, dtype=np.str_), return_inverse=True)[1].astype(np.int64)


def _components(row: Integers, column: Integers) -> Integers:
    """Connected component of each cell of a sparse table: labels spread along rows and columns until they settle."""
    label = np.arange(row.size)
    while True:
        before = label
        for group in (row, column):
            lowest = np.full(int(group.max(initial=-1)) + 1, row.size)
            np.minimum.at(lowest, group, label)
            label = lowest[group]
        if (label == before).all():
            return np.unique(label, return_inverse=True)[1].astype(np.int64)
