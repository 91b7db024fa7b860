"""Industries to clusters, region by region: every leaf goes to its clusters, the rest of a region's total to -1."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import sparse

from etl.errors import SourceFormatError
from etl.harmonise.ambiguity import Ambiguity, ambiguity
from etl.harmonise.arrays import Booleans, Floats, Integers, filled, repeat, sums
from etl.harmonise.cluster_sums import WIDTH, ClusterSums, Statuses
from etl.harmonise.cluster_weights import ClusterWeights, cluster_weights, line_of
from etl.harmonise.ledger import LedgerEntry, LedgerLine
from etl.harmonise.source_year import (
    BOUNDED,
    ESTIMATED,
    EXACT,
    MODELLED,
    NOT_ALLOCATED,
    REPORTED,
    TOTALS,
    WITHHELD,
    SourceYearArrays,
    branch_of,
)

STEP = "industries_to_clusters"
MEASURES = {
    "employment_reported": "reported",
    "employment": "known",
    "establishments": "establishments",
    "payroll": "payroll",
}
"""Measures of the ledger and the sums that hold them."""

CLASS_DIGITS = len("10.11")

ROUNDING = 1e-9
"""Part of a total under which a remainder is the rounding of sums."""


@dataclass(frozen=True, slots=True)
class IndustryPairs:
    """Leaves and the clusters they could belong to: `row`, `column` of the grid, share, lower and upper share."""

    row: Integers
    column: Integers
    weight: Floats
    low: Floats
    high: Floats


def industries_to_clusters(data: SourceYearArrays) -> tuple[ClusterSums, list[LedgerLine]]:
    """The clusters of every region of a source-year, and the ledger.

    Raises SourceFormatError for a leaf that the industry list does not have (a file read by the wrong vintage), and
    ConservationError where anything is lost.
    """
    placed = cluster_weights(data.industry_scheme)
    leaves = data.leaves()
    pairs = _pairs(leaves, placed)
    grid = ClusterSums.empty(data.regions)
    _add_amounts(grid, leaves, pairs)
    _add_statuses(grid, leaves, pairs)
    if data.is_nace:
        _add_ambiguity(grid, ambiguity(data, leaves, pairs.row, pairs.column, pairs.weight, pairs.low, pairs.high))
    else:
        _add_bounds(grid, leaves, pairs)
    rest = _allocate_rest(grid, data, leaves)
    _fill_absent(grid, data, leaves, placed, rest)
    grid.withhold(_silent_regions(data, leaves))
    lines = [line for scheme in grid.schemes for line in _ledger(grid, leaves, rest, grid.rows_of(scheme), scheme)]
    return grid, lines


def _pairs(leaves: SourceYearArrays, placed: ClusterWeights) -> IndustryPairs:
    """Spread leaves over clusters; those of no listed industry (`3344~`, an industry without detail) go to -1."""
    place = {code: row for row, code in enumerate(placed.codes.tolist())}
    used = np.flatnonzero(np.bincount(leaves.industry, minlength=len(leaves.industries)))
    column: list[Integers] = []
    share: tuple[list[Floats], list[Floats], list[Floats]] = ([], [], [])
    count = np.zeros(len(leaves.industries), np.int64)
    unknown = []
    for number in used.tolist():
        code = leaves.industries[number]
        if code in place:
            found = np.flatnonzero(placed.high[place[code]])
            for values, source in zip(share, (placed.weight, placed.low, placed.high), strict=True):
                values.append(source[place[code], found])
            column.append(found + 1)
        elif code.endswith(NOT_ALLOCATED) or code in TOTALS or (not leaves.is_nace and len(code) < 6):
            found = np.zeros(1, np.int64)
            for values in share:
                values.append(np.ones(1))
            column.append(found)
        else:
            unknown.append(code)
            continue
        count[number] = found.size
    if unknown:
        raise SourceFormatError(
            f"{leaves.source} {leaves.year}: {len(unknown)} industries are not in {leaves.industry_scheme} "
            f"({', '.join(sorted(unknown)[:10])}); the cells were read by the wrong vintage"
        )
    row, member = repeat(leaves.industry, count)
    weight, low, high = (np.concatenate(values)[member] for values in share)
    return IndustryPairs(row, np.concatenate(column)[member], weight, low, high)


def _key(leaves: SourceYearArrays, pairs: IndustryPairs) -> Integers:
    result: Integers = leaves.region[pairs.row] * WIDTH + pairs.column
    return result


def _put(grid: ClusterSums, name: str, key: Integers, values: Floats | Booleans) -> None:
    grid.sums[name] += sums(key, values, grid.status.size).reshape(grid.status.shape)


def _add_amounts(grid: ClusterSums, leaves: SourceYearArrays, pairs: IndustryPairs) -> None:
    counts = pairs.weight > 0
    key, row, weight = _key(leaves, pairs)[counts], pairs.row[counts], pairs.weight[counts]
    _put(grid, "members", key, np.ones(key.size))
    _put(grid, "reported", key, filled(leaves.amounts["employment_reported"])[row] * weight)
    for amount, name, missing in (
        ("employment", "known", "missing"),
        ("establishments", "establishments", "establishments_missing"),
        ("payroll", "payroll", "payroll_missing"),
    ):
        values = leaves.amounts[amount]
        _put(grid, name, key, filled(values)[row] * weight)
        if np.isnan(values).any():
            _put(grid, missing, key, np.isnan(values)[row].astype(np.float64))
    centre = leaves.amounts["employment"]
    below = centre - leaves.amounts["employment_band_low"]
    above = leaves.amounts["employment_band_high"] - centre
    has_band = ~np.isnan(below) & ~np.isnan(above)
    if has_band.any():
        _put(grid, "banded", key, has_band[row].astype(np.float64))
        _put(grid, "below", key, filled(below)[row] ** 2 * weight**2)
        _put(grid, "above", key, filled(above)[row] ** 2 * weight**2)
    _put(grid, "half_width", key, _half_width(leaves, below, above)[row] ** 2 * weight**2)


def _half_width(leaves: SourceYearArrays, below: Floats, above: Floats) -> Floats:
    """Doubt about a leaf: half its band, none where it is printed, else half of its bounds."""
    band = (below + above) / 2
    hard = (leaves.amounts["employment_high"] - leaves.amounts["employment_low"]) / 2
    hard = np.where(np.isnan(hard), np.inf, hard)
    return np.where(leaves.status < BOUNDED, 0.0, np.where(np.isnan(band), hard, band))


def _add_bounds(grid: ClusterSums, leaves: SourceYearArrays, pairs: IndustryPairs) -> None:
    """Sums of the members' hard bounds; no upper bound where a member has none."""
    key = _key(leaves, pairs)
    low, high = leaves.amounts["employment_low"], leaves.amounts["employment_high"]
    _put(grid, "low", key, filled(low)[pairs.row] * pairs.low)
    _put(grid, "high", key, np.where(np.isnan(high), np.inf, high)[pairs.row] * pairs.high)


def _add_ambiguity(grid: ClusterSums, found: Ambiguity) -> None:
    for name, values in found.sums.items():
        _put(grid, name, found.key, values)


def _add_statuses(grid: ClusterSums, leaves: SourceYearArrays, pairs: IndustryPairs) -> None:
    """The last status in STATUSES among the members; a share of an industry is modelled, unless it is a share of 0."""
    counts = pairs.weight > 0
    key, row = _key(leaves, pairs)[counts], pairs.row[counts]
    status = leaves.status[row]
    is_share = (pairs.weight[counts] < 1) & (leaves.amounts["employment"][row] != 0)
    is_class = np.array([len(code) == CLASS_DIGITS for code in leaves.industries])[leaves.industry[row]]
    _put(grid, "coarse", key, (status == MODELLED) | (is_share & ~is_class))
    status = np.where(is_share & (status < MODELLED), np.int8(MODELLED), status)
    _raise_to(grid.status, key, status)
    _raise_to(grid.payroll_status, key, leaves.payroll_status[row])


def _raise_to(target: Statuses, key: Integers, status: Statuses) -> None:
    flat = target.reshape(-1)
    for value in np.unique(status).tolist():
        reached = np.bincount(key[status == value], minlength=flat.size) > 0
        flat[reached] = np.maximum(flat[reached], value)


def _allocate_rest(grid: ClusterSums, data: SourceYearArrays, leaves: SourceYearArrays) -> dict[str, Floats]:
    """Give -1 what the total holds beyond the leaves; returns it by measure (what no leaf carries).

    Reported: the printed total less everything printed below it. Best figures: the not-allocated leaves where the
    region has any, else the same difference of the best figures (of the printed ones while a leaf is withheld).
    """
    size = len(data.regions)
    total = data.printed["employment_reported"]

    def below(name: str) -> Floats:
        return sums(leaves.region, filled(leaves.amounts[name]), size)

    rest = {"reported": filled(total - below("employment_reported"))}
    has_own = grid.sums["members"][:, 0] > 0
    withheld = sums(leaves.region, np.isnan(leaves.amounts["employment"]), size) > 0
    best = data.printed["employment"] - below("employment")
    best = np.where(withheld | np.isnan(best), rest["reported"], best)
    rest["known"] = _without_rounding(np.where(has_own, 0.0, best), total)
    for name in ("establishments", "payroll"):
        difference = data.printed[name] - below(name)
        is_unknown = np.isnan(difference) | (grid.sums[f"{name}_missing"].sum(axis=1) > 0)
        rest[name] = _without_rounding(np.where(has_own | is_unknown, 0.0, difference), total)
        grid.sums[f"{name}_missing"][:, 0] += ~has_own & is_unknown
    for name, values in rest.items():
        grid.sums[name][:, 0] += values
    grid.sums["low"][:, 0] += np.maximum(rest["known"], 0.0)
    grid.sums["high"][:, 0] += np.maximum(rest["known"], 0.0)
    status = np.where(rest["known"] != 0, EXACT, REPORTED).astype(np.int8)
    grid.status[:, 0] = np.where(has_own, grid.status[:, 0], status)
    grid.payroll_status[:, 0] = np.where(has_own, grid.payroll_status[:, 0], grid.payroll_status.max(axis=1))
    return rest


def _without_rounding(values: Floats, total: Floats) -> Floats:
    return np.where(np.abs(values) <= ROUNDING * filled(total), 0.0, values)


def _fill_absent(
    grid: ClusterSums, data: SourceYearArrays, leaves: SourceYearArrays, placed: ClusterWeights, rest: dict[str, Floats]
) -> None:
    """Clusters without a member: zero where nothing is left for them, else unknown within what is left.

    What a publisher leaves out is not zero: its amount is in the not-allocated leaves (estimated cells) or in the
    region's remainder. Not-allocated leaves can add to any cluster with an industry below their parent: `room`.
    A NACE source says nothing of clusters none of whose industries it covers: they have no figure and no bound.
    """
    absent = grid.sums["members"] == 0
    absent[:, 0] = False
    has_own = grid.sums["members"][:, 0] > 0
    _add_unallocated(grid, leaves, placed)
    left = _room_of_remainder(data, leaves, rest["known"])
    is_unknown = absent & (left > 0)[:, None] & ~has_own[:, None]
    grid.sums["high"] += np.where(is_unknown, left[:, None], 0.0)
    if data.is_nace:
        used = np.array([code in set(data.industries) for code in placed.codes.tolist()])
        is_uncovered = np.zeros(WIDTH, bool)
        is_uncovered[1:] = ~placed.high[used].any(axis=0)
        is_unknown |= absent & is_uncovered
        grid.sums["high"][absent & is_uncovered] = np.inf
    grid.sums["missing"] += is_unknown
    for name in ("establishments", "payroll"):
        is_given = not np.isnan(leaves.amounts[name]).all()
        grid.sums[f"{name}_missing"] += is_unknown | (absent & (not is_given))
    could_be = MODELLED if data.is_nace else ESTIMATED
    zero = np.where(grid.sums["high"] + grid.sums["room"] > 0, could_be, REPORTED).astype(np.int8)
    grid.status[absent] = np.where(is_unknown, np.int8(WITHHELD), zero)[absent]
    if (leaves.payroll_status >= 0).any():
        grid.payroll_status[absent] = np.where(is_unknown, np.int8(WITHHELD), np.int8(REPORTED))[absent]
    limit = _limit(data)[:, None]
    grid.sums["high"] = np.minimum(grid.sums["high"] + grid.sums["room"], np.maximum(limit, grid.sums["known"]))


def _silent_regions(data: SourceYearArrays, leaves: SourceYearArrays) -> Integers:
    """Regions of which the source-year gives no figure: neither a total nor, printed or estimated, any leaf."""
    given = sums(leaves.region, ~np.isnan(leaves.amounts["employment"]), len(data.regions))
    return np.flatnonzero((given == 0) & np.isnan(data.printed["employment_reported"]))


def _limit(data: SourceYearArrays) -> Floats:
    """Upper bound of each region's total, from its total row; inf where it has none."""
    rows = np.concatenate([data.rows_of(code) for code in TOTALS])
    result = np.full(len(data.regions), np.inf)
    result[data.region[rows]] = filled(data.amounts["employment_high"][rows], np.inf)
    return result


def _add_unallocated(grid: ClusterSums, leaves: SourceYearArrays, placed: ClusterWeights) -> None:
    """What the not-allocated leaves of a region could add to each cluster: at most all of it (`room`); as doubt an
    equal part for each cluster that has an industry below their parent."""
    below = _clusters_below(placed.scheme)
    parents = [code for code in leaves.industries if code.endswith(NOT_ALLOCATED)]
    if not parents:
        return
    number = {code: position for position, code in enumerate(parents)}
    parent = np.array([number.get(code, -1) for code in leaves.industries])[leaves.industry]
    rows = np.flatnonzero(parent >= 0)
    shape, place = (len(leaves.regions), len(parents)), (leaves.region[rows], parent[rows])
    possible = np.stack([below.get(code.removesuffix(NOT_ALLOCATED), np.zeros(WIDTH - 1)) for code in parents])
    part = possible / np.maximum(possible.sum(axis=1, keepdims=True), 1)
    high = filled(leaves.amounts["employment_high"][rows], np.inf)
    best = filled(leaves.amounts["employment"][rows])
    for name, values, factor in (("room", high, possible), ("half_width", best**2, part**2)):
        held = sparse.csr_array((values, place), shape=shape)
        grid.sums[name][:, 1:] += held @ factor


@cache
def _clusters_below(scheme: str) -> dict[str, Floats]:
    """For each code of a scheme at any level, the total included, 1 for each cluster with an industry below it."""
    placed = cluster_weights(scheme)
    result: dict[str, Floats] = {}
    for code, high in zip(placed.codes.tolist(), placed.high, strict=True):
        if scheme.startswith("nace"):
            above = {*line_of(code, scheme), TOTALS[1]}
        else:
            above = {code[:digits] for digits in (3, 4, 5, 6)} | {branch_of(code, scheme) or "", TOTALS[0]}
        for one in above:
            result[one] = np.maximum(result.get(one, np.zeros(high.size)), high)
    return result


def _room_of_remainder(data: SourceYearArrays, leaves: SourceYearArrays, rest: Floats) -> Floats:
    """Employment that industries absent from the file can hold in each region; 0 where none is left for them.

    What no leaf holds, where every leaf has a figure; else the printed total less the lower bounds of the leaves. None
    where the establishments of the leaves already make up the printed number.
    """
    size = len(data.regions)
    withheld = sums(leaves.region, np.isnan(leaves.amounts["employment"]), size) > 0
    total = data.printed["employment_reported"]
    low = sums(leaves.region, filled(leaves.amounts["employment_low"]), size)
    left = np.maximum(np.where(withheld, np.where(np.isnan(total), np.inf, total - low), rest), 0.0)
    units = data.printed["establishments"]
    counted = sums(leaves.region, filled(leaves.amounts["establishments"]), size)
    is_full: Booleans = ~np.isnan(units) & (units <= counted)
    return np.where(is_full | (left <= ROUNDING * filled(total)), 0.0, left)


def _ledger(
    grid: ClusterSums, leaves: SourceYearArrays, rest: dict[str, Floats], rows: Integers, scheme: str
) -> list[LedgerLine]:
    is_here = np.zeros(len(grid.regions), bool)
    is_here[rows] = True
    here = is_here[leaves.region]
    lines = []
    for measure, name in MEASURES.items():
        amounts = filled(leaves.amounts[measure][here])
        cells = grid.sums[name][rows]
        entry = LedgerEntry(
            float(amounts.sum() + rest[name][rows].sum()), float(cells[:, 1:].sum()), float(cells[:, 0].sum())
        )
        entry.check(float(np.abs(amounts).sum() + np.abs(rest[name][rows]).sum()), f"{STEP}, {scheme}, {measure}")
        lines.append(LedgerLine(STEP, scheme, measure, entry))
    return lines
