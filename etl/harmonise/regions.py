"""Regions to regions: every scheme in one vintage, and the areas that counties make up.

Counties to the list of 2020, and from these economic areas (2004) and core based areas (2020); NUTS to 2021; nation,
states and aggregates stay. County 999 (statewide) and extra-regio territory keep their place and are in no area. A
target that lacks a contributor is withheld, with bounds.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from etl.errors import SourceFormatError
from etl.harmonise.arrays import Floats, Integers, Strings
from etl.harmonise.cluster_sums import LINEAR, SQUARES, WIDTH, ClusterSums, stack
from etl.harmonise.concordance import Concordance
from etl.harmonise.industries import MEASURES
from etl.harmonise.ledger import LedgerEntry, LedgerLine
from etl.harmonise.region_links import counties_to_areas, counties_to_current, nuts_to_current
from etl.harmonise.source_year import ESTIMATED, RegionKey
from etl.reference.counties import (
    CURRENT_CBSA,
    CURRENT_COUNTY_LIST,
    ECONOMIC_AREA_VINTAGE,
    STATEWIDE,
    counties,
)
from etl.reference.nuts import CURRENT_NUTS, is_extra_regio

STEP = "regions_to_regions"

AREAS = {"us_economic_area": ECONOMIC_AREA_VINTAGE, "us_cbsa": CURRENT_CBSA}


@dataclass(frozen=True, slots=True)
class Moves:
    """Rows of a grid and where they go: `source[j]` to `targets[target[j]]` with `weight[j]`.

    `aside`: share of each row that has no target; `lacking`: targets to which a contributor is missing;
    `unsupported`: (row, target) of shifts without weights.
    """

    targets: list[RegionKey]
    source: Integers
    target: Integers
    weight: Floats
    aside: Floats
    lacking: frozenset[str]
    unsupported: list[tuple[int, str]]


def regions_to_regions(grid: ClusterSums) -> tuple[ClusterSums, list[LedgerLine], list[str]]:
    """Bring every region scheme into its one vintage and add areas; the ledger; sentences about what was left out.

    Raises SourceFormatError for a region that its own list does not have, ConservationError where anything is lost.
    """
    done: list[ClusterSums] = []
    lines: list[LedgerLine] = []
    notes: list[str] = []
    has_counties = "us_county" in grid.schemes
    for scheme in grid.schemes:
        part = grid.take(grid.rows_of(scheme))
        if scheme == "us_cbsa" and has_counties:
            notes.append(f"{len(part.regions)} published core based areas give way to those added up from counties")
            continue
        if scheme == "us_cbsa":
            part, left = _current_cbsa(part)
            notes += left
        moves = _moves(scheme, part)
        moved = _apply(part, moves)
        if scheme == "nuts1" and "nuts2" in grid.schemes:
            _split_by_level2(moved, part, moves, grid.take(grid.rows_of("nuts2")))
        lines += _ledger(scheme, part, moved, moves.aside)
        done.append(moved)
        lacking = sorted(moves.lacking)
        if lacking:
            notes.append(f"{scheme}: withheld for want of a contributor: {', '.join(lacking[:20])}")
        if scheme == "us_county":
            states = grid.take(grid.rows_of("us_state")) if "us_state" in grid.schemes else None
            for area_scheme in AREAS:
                areas, line, note = _areas(area_scheme, moved, states)
                done.append(areas)
                lines += line
                notes += note
    return stack(done), lines, notes


def _current_cbsa(part: ClusterSums) -> tuple[ClusterSums, list[str]]:
    """Published core based areas of the delineation of 2020; others cannot be converted without counties."""
    is_current = np.array([region.vintage == CURRENT_CBSA for region in part.regions], bool)
    dropped = int((~is_current).sum())
    notes = [f"{dropped} core based areas of another delineation than 2020 are left out"] if dropped else []
    return part.take(np.flatnonzero(is_current)), notes


def _moves(scheme: str, part: ClusterSums) -> Moves:
    if scheme == "us_county":
        return _link(part, counties_to_current, scheme, CURRENT_COUNTY_LIST, lambda code: code.endswith(STATEWIDE))
    if scheme.startswith("nuts"):
        return _link(part, nuts_to_current, scheme, CURRENT_NUTS, is_extra_regio)
    every = np.arange(len(part.regions))
    return Moves(part.regions, every, every, np.ones(every.size), np.zeros(every.size), frozenset(), [])


def _link(
    part: ClusterSums,
    concordance_of: Callable[[int], Concordance],
    scheme: str,
    vintage: int,
    stays: Callable[[str], bool],
) -> Moves:
    """Links of the regions, each from its own vintage; codes that `stays` names keep their place."""
    count = len(part.regions)
    codes = np.array([region.code for region in part.regions], dtype=np.str_)
    vintages = np.array([region.vintage for region in part.regions])
    aside, is_left = np.zeros(count), np.zeros(count, bool)
    found: list[tuple[Integers, Strings, Floats]] = []
    unsupported: list[tuple[int, str]] = []
    present: dict[int, set[str]] = {}
    for year in np.unique(vintages).tolist():
        rows = np.flatnonzero(vintages == year)
        present[year] = set(codes[rows].tolist())
        concordance = concordance_of(year)
        place, _ = concordance.positions(codes[rows].tolist())
        moved = concordance.spread(place)
        found.append((rows[moved.row], concordance.to_code[moved.link], moved.weight))
        aside[rows] = np.where(place >= 0, concordance.unmapped_share[place], 0.0)
        is_left[rows] = place < 0
        breaks = np.flatnonzero(np.isnan(concordance.weight) & (concordance.to_code != ""))
        row_of = dict(zip(codes[rows].tolist(), rows.tolist(), strict=True))
        unsupported += [
            (row_of[source], target)
            for source, target in zip(
                concordance.from_code[breaks].tolist(), concordance.to_code[breaks].tolist(), strict=True
            )
            if source in row_of
        ]
    for row in np.flatnonzero(is_left).tolist():
        if not stays(part.regions[row].code):
            raise SourceFormatError(f"{scheme}:{part.regions[row].code} is not in the list of {vintages[row]}")
    left = np.flatnonzero(is_left)
    found.append((left, codes[left], np.ones(left.size)))
    source, target, weight = (np.concatenate(parts) for parts in zip(*found, strict=True))
    names, place = np.unique(target, return_inverse=True)
    short = {target for row, target in unsupported if aside[row] > 0}
    return Moves(
        [RegionKey(scheme, code, vintage) for code in names.tolist()],
        source,
        place,
        weight,
        aside,
        _lacking(concordance_of, present, names.tolist(), short),
        unsupported,
    )


def _lacking(
    concordance_of: Callable[[int], Concordance], present: dict[int, set[str]], codes: list[str], unsupported: set[str]
) -> frozenset[str]:
    """Targets to which some contributor is not there, in every vintage they are reached from."""
    complete: set[str] = set()
    for vintage, found in present.items():
        concordance = concordance_of(vintage)
        is_there = np.isin(concordance.from_code, list(found))
        reached = set(concordance.to_code[is_there & ~np.isnan(concordance.weight)].tolist())
        complete |= reached - set(concordance.to_code[~is_there & ~np.isnan(concordance.weight)].tolist())
        complete |= found - set(concordance.from_code.tolist())
    return (frozenset(codes) - complete) | (frozenset(codes) & unsupported)


def _apply(part: ClusterSums, moves: Moves) -> ClusterSums:
    moved = part.added_up(moves.targets, moves.source, moves.target, moves.weight)
    rows = np.array([number for number, region in enumerate(moves.targets) if region.code in moves.lacking], np.int64)
    bounds = np.full((rows.size, WIDTH), np.inf)
    known = {region.code: number for number, region in enumerate(moves.targets)}
    if moves.unsupported and rows.size:
        # What came with a known shift of unknown size bounds the target; a contributor that is not there does not.
        extra = np.zeros((len(moves.targets), WIDTH))
        for row, target in moves.unsupported:
            if target in known:
                extra[known[target]] += part.sums["high"][row]
        bounds = np.where(extra[rows] > 0, moved.sums["high"][rows] + extra[rows], np.inf)
    moved.withhold(rows, bounds)
    return moved


def _split_by_level2(moved: ClusterSums, part: ClusterSums, moves: Moves, level2: ClusterSums) -> None:
    """Divide the NUTS 1 regions that split by their own NUTS 2 regions instead of by people.

    Each amount of a region and cluster goes to the targets as its regions below do in their new places; where these
    have none, by people. So new regions are the sums of regions below them wherever those add up to the old ones.
    Bounds are the sums of the bounds below.
    """
    split = np.flatnonzero(moves.weight < 1)
    below = _moves("nuts2", level2)
    split_codes = {part.regions[row].code for row in moves.source[split].tolist()}
    moved.sums["weighted"][moves.target[split]] = 0
    inside = [j for j, row in enumerate(below.source.tolist()) if level2.regions[row].code[:3] in split_codes]
    for name in (*LINEAR, *SQUARES):
        pieces: dict[tuple[str, str], Floats] = {}
        for j in inside:
            pair = (level2.regions[below.source[j]].code[:3], below.targets[below.target[j]].code[:3])
            amounts = level2.sums[name][below.source[j]] * below.weight[j]
            pieces[pair] = pieces.get(pair, np.zeros(WIDTH)) + amounts
        for j in split.tolist():
            old, target = part.regions[moves.source[j]].code, int(moves.target[j])
            piece = pieces.get((old, moves.targets[target].code), np.zeros(WIDTH))
            whole = sum((found for (code, _), found in pieces.items() if code == old), np.zeros(WIDTH))
            amounts = part.sums[name][moves.source[j]]
            by_people = amounts * moves.weight[j]
            if name in ("low", "high"):
                after = np.minimum(piece, amounts)
            elif name in SQUARES:
                after = by_people
            else:
                share = np.divide(
                    piece, whole, out=np.full(WIDTH, moves.weight[j]), where=np.isfinite(whole) & (whole != 0)
                )
                after = np.where(np.isfinite(amounts), amounts * share, by_people)
            is_finite = np.isfinite(by_people)
            change = np.where(is_finite, after, 0.0) - np.where(is_finite, by_people, 0.0)
            moved.sums[name][target] += change
            if name == "known":
                _mark_split(moved, target, after, piece, part.sums["missing"][moves.source[j]])


def _mark_split(moved: ClusterSums, target: int, amounts: Floats, below: Floats, missing: Floats) -> None:
    """What the regions below do not explain came through a shift of boundaries, and is an estimate."""
    apart = np.abs(amounts - below)
    is_exact = apart <= 1e-6 * np.abs(amounts) + 1e-6
    moved.sums["weighted"][target] += np.where(is_exact, 0.0, apart)
    raised = ~is_exact & (missing == 0)
    moved.status[target] = np.where(raised, np.maximum(moved.status[target], ESTIMATED), moved.status[target])


def _areas(
    scheme: str, counties_now: ClusterSums, states: ClusterSums | None
) -> tuple[ClusterSums, list[LedgerLine], list[str]]:
    """The areas of one scheme, added up from counties of 2020.

    An area is complete if all its counties are there, or if the counties of their states make up the states' totals.
    """
    links = counties_to_areas(scheme)
    area_of = dict(zip(links.from_code.tolist(), links.to_code.tolist(), strict=True))
    rows = [(row, area_of[region.code]) for row, region in enumerate(counties_now.regions) if region.code in area_of]
    codes = sorted({area for _, area in rows})
    place = {code: number for number, code in enumerate(codes)}
    source = np.array([row for row, _ in rows], np.int64)
    target = np.array([place[area] for _, area in rows], np.int64)
    targets = [RegionKey(scheme, code, AREAS[scheme]) for code in codes]
    areas = counties_now.added_up(targets, source, target, np.ones(source.size))
    there = {region.code for region in counties_now.regions}
    closed = _closed_states(counties_now, states)
    lacking = {
        area_of[county]
        for county in counties(CURRENT_COUNTY_LIST)
        if county in area_of and county not in there and county[:2] not in closed
    }
    number = np.array([place[area] for area in sorted(lacking & place.keys())], np.int64)
    areas.withhold(number)
    aside = np.array([region.code not in area_of for region in counties_now.regions], np.float64)
    notes = [f"{scheme}: {number.size} of {len(codes)} areas lack counties and are withheld"] if number.size else []
    return areas, _ledger(scheme, counties_now, areas, aside), notes


def _closed_states(counties_now: ClusterSums, states: ClusterSums | None) -> set[str]:
    """States whose counties, the statewide remainder included, make up the state's printed total."""
    if states is None:
        return set()
    total, found = (_total_by_state(grid) for grid in (states, counties_now))
    return {code for code, amount in total.items() if abs(amount - found.get(code, 0.0)) < 0.5}


def _total_by_state(grid: ClusterSums) -> dict[str, float]:
    result: dict[str, float] = {}
    for region, amount in zip(grid.regions, grid.sums["reported"].sum(axis=1).tolist(), strict=True):
        result[region.code[:2]] = result.get(region.code[:2], 0.0) + amount
    return result


def _ledger(scheme: str, before: ClusterSums, after: ClusterSums, aside: Floats) -> list[LedgerLine]:
    lines = []
    for measure, name in MEASURES.items():
        amounts = before.sums[name]
        entry = LedgerEntry(
            float(amounts.sum()), float(after.sums[name].sum()), float((amounts * aside[:, None]).sum())
        )
        entry.check(float(np.abs(amounts).sum()), f"{STEP}, {scheme}, {measure}")
        lines.append(LedgerLine(STEP, scheme, measure, entry))
    return lines
