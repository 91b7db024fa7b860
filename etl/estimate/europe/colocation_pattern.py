"""What a region's industries say about the make-up of each of them: a pattern fitted where detail is published.

A division (a block) is spread over its classes (leaves) in proportion to

    national amount of the leaf × ratio,      ratio = 1 + profile @ coefficients + size × coefficient of size,

where the profile of a region says how far the weight of each division in it differs from the nation, and the size how
far the average establishment of the block does. Coefficients are fitted by ridge regression on regions whose leaves are
known: a region strong in motor vehicles has more of the classes of metalworking that feed them, and one with large
establishments in a division more of the classes that have large ones. The spread is then raked so that blocks keep the
region's figure and leaves the nation's.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from etl.estimate.common.tree import Booleans, Floats, Integers
from etl.reference.nace import nace_levels, nace_section

#: Shrinkage of the coefficients, per year of regions they are fitted to.
SHRINKAGE = 10.0
#: Persons added to amounts before they are compared with what the nation's make-up gives: small cells say little.
SOFTENING = 100.0
#: Square root of the expected amount at which a region counts half.
HALF_WEIGHT = 30.0
#: Ratios are held within these, and those that are learned from above by LARGEST.
RATIO_LOW, RATIO_HIGH, LARGEST = 0.15, 7.0, 20.0
#: Shrinkage of the coefficients of size, per year; establishments of the nation's size added before sizes are compared;
#: and what the logarithm of a size is held within.
SIZE_SHRINKAGE, SIZE_SOFTENING, SIZE_LIMIT = 1.0, 2.0, 2.0
SWEEPS = 30

_TABLE = Path(__file__).with_name("colocation.csv")
_UNIT = 1000.0


@dataclass(frozen=True, slots=True)
class Pattern:
    """Coefficients by feature (rows, `features`) and leaf (columns, `leaves`); `of_size`: that of size by leaf."""

    features: tuple[str, ...]
    leaves: tuple[str, ...]
    coefficients: Floats
    of_size: Floats

    def ratios(self, profile: Floats, size: Floats | None = None) -> Floats:
        """Ratio of each region's (row's) leaf to what the nation's make-up gives.

        `size`: regions × leaves, that of the leaf's block (see `sizes`); without it establishments say nothing.
        """
        bend = profile @ self.coefficients + (0.0 if size is None else size * self.of_size)
        return np.clip(1.0 + bend, RATIO_LOW, RATIO_HIGH)

    def for_leaves(self, leaves: tuple[str, ...]) -> "Pattern":
        """The pattern for other leaves, in their order; a leaf it does not know has ratio 1."""
        place = {leaf: number for number, leaf in enumerate(self.leaves)}
        found = np.array([place.get(leaf, -1) for leaf in leaves], np.int64)
        known = found >= 0
        coefficients = np.where(known, self.coefficients[:, found], 0.0)
        return Pattern(self.features, leaves, coefficients, np.where(known, self.of_size[found], 0.0))


def profile(amounts: Floats, nation: Floats | None = None) -> Floats:
    """How the weights of features in each region (row) differ from the nation's: 10 × difference of square roots.

    `amounts`: regions × features; `nation`: its amounts by feature, the sum of the regions if not given. Square roots,
    because small shares vary in proportion to them. A region without any amount gets the nation's profile, 0.
    """
    total = amounts.sum(axis=1, keepdims=True)
    reference = amounts.sum(axis=0) if nation is None else nation
    weight = reference / max(float(reference.sum()), 1e-9)
    share = np.divide(amounts, total, out=np.tile(weight, (amounts.shape[0], 1)), where=total > 0)
    result: Floats = 10.0 * (np.sqrt(share) - np.sqrt(weight))
    return result


def sizes(amounts: Floats, establishments: Floats) -> Floats:
    """Logarithm of the average size of establishments beside the nation's, regions × blocks; 0 where unknown (NaN).

    The nation's is that of the regions of which it is known.
    """
    known = np.isfinite(establishments) & np.isfinite(amounts)
    persons, units = np.where(known, amounts, 0.0), np.where(known, establishments, 0.0)
    nation = ratio(persons.sum(axis=0), units.sum(axis=0))
    expected = nation * (units + SIZE_SOFTENING)
    own = persons + nation * SIZE_SOFTENING
    size = np.log(np.divide(own, expected, out=np.ones_like(own), where=known & (expected > 0)))
    return np.clip(size, -SIZE_LIMIT, SIZE_LIMIT)


def fit(years: list[Floats], block: Integers, profiles: list[Floats], shrinkage: float = SHRINKAGE) -> Floats:
    """Coefficients, features × leaves, from regions × leaves of one or more years and the profiles of the regions.

    `block`: number of the block of each leaf. The dependent variable is the region's leaf over what the nation's
    make-up of its block gives, less one. Leaves alone in their block have nothing to learn: 0.
    """
    features = np.vstack(profiles)
    target, weight = _excess(years, block)
    penalty = shrinkage * len(years) * np.eye(features.shape[1])
    result = np.zeros((features.shape[1], block.size))
    members = np.bincount(block)
    for leaf in np.flatnonzero((members[block] > 1) & (weight.sum(axis=0) > 0)).tolist():
        weighted = features * weight[:, leaf, None]
        result[:, leaf] = np.linalg.solve(features.T @ weighted + penalty, weighted.T @ target[:, leaf])
    return result


def fit_sizes(years: list[Floats], block: Integers, bends: list[Floats], leaf_sizes: list[Floats]) -> Floats:
    """Coefficients of size by leaf: what the sizes of blocks, regions × leaves, say beyond the profile's `bends`.

    They are fitted to what profiles leave unexplained, so that a region whose establishments are unknown is spread by
    its profile as if sizes had never been looked at.
    """
    target, weight = _excess(years, block)
    rest, size = target - np.vstack(bends), np.vstack(leaf_sizes)
    penalty = SIZE_SHRINKAGE * len(years)
    slope: Floats = (weight * size * rest).sum(axis=0) / ((weight * size * size).sum(axis=0) + penalty)
    return np.where(np.bincount(block)[block] > 1, slope, 0.0)


def _excess(years: list[Floats], block: Integers) -> tuple[Floats, Floats]:
    """Each region's leaf over what the nation's make-up of its block gives, less one; and its weight."""
    expected = np.vstack([national_spread(year, block) for year in years])
    target = np.minimum((np.vstack(years) + SOFTENING) / (expected + SOFTENING), LARGEST) - 1.0
    root = np.sqrt(expected)
    return target, root / (root + HALF_WEIGHT)


def national_spread(amounts: Floats, block: Integers) -> Floats:
    """Regions × leaves with every block of a region made up as the sum of all regions is."""
    return block_sums(amounts, block)[:, block] * shares(amounts.sum(axis=0), block)


def spread(totals: Floats, leaf_shares: Floats, block: Integers, ratios: Floats) -> Floats:
    """Regions × leaves: the national make-up bent by ratios, raked to the blocks of each region and to the nation.

    `totals`: regions × blocks; `leaf_shares`: share of each leaf in its block, summing to 1; the leaves of all regions
    together meet `leaf_shares` times the sum of the blocks. Blocks are met exactly.
    """
    nation = totals.sum(axis=0)[block] * leaf_shares
    plain = totals[:, block] * leaf_shares
    result = plain * ratios
    for _ in range(SWEEPS):
        result *= ratio(nation, result.sum(axis=0))
        result *= ratio(totals, block_sums(result, block, totals.shape[1]))[:, block]
    # A block whose leaves were all scaled away keeps the nation's make-up.
    lost = (block_sums(result, block, totals.shape[1]) <= 0)[:, block]
    return np.where(lost, plain, result)


def block_sums(amounts: Floats, block: Integers, blocks: int | None = None) -> Floats:
    """Sums of regions × leaves by block."""
    count = int(block.max(initial=-1)) + 1 if blocks is None else blocks
    place = np.arange(amounts.shape[0])[:, None] * count + block[None, :]
    flat = np.bincount(place.ravel(), amounts.ravel(), minlength=amounts.shape[0] * count)
    return flat.astype(np.float64).reshape(amounts.shape[0], count)


def shares(amounts: Floats, block: Integers, blocks: int | None = None) -> Floats:
    """Share of each leaf in its block; 0 throughout a block without any amount."""
    total = np.bincount(block, amounts, minlength=blocks or 0).astype(np.float64)
    return ratio(amounts, total[block])


def ratio(amount: Floats, base: Floats) -> Floats:
    """Quotient, 0 where the base is not positive."""
    result: Floats = np.divide(amount, base, out=np.zeros_like(amount), where=base > 0)
    return result


@cache
def features() -> tuple[str, ...]:
    """The 68 divisions of profiles: those that European regional statistics cover in every year."""
    divisions = [code for code, level in nace_levels("nace2").items() if level == "division"]
    return tuple(sorted(code for code in divisions if nace_section(code, "nace2") in "BCDEFGHIJLMN" or code == "95"))


@cache
def us_pattern() -> Pattern:
    """The pattern fitted to US states, 2019 to 2021, carried over to NACE classes; no European figure went into it."""
    header, *lines = _TABLE.read_text(encoding="utf-8").splitlines()
    names = tuple(header.split(",")[2:])
    rows = [line.split(",") for line in lines]
    values = np.array([[float(cell or 0) for cell in row[1:]] for row in rows]) / _UNIT
    return Pattern(names, tuple(row[0] for row in rows), values[:, 1:].T.copy(), values[:, 0].copy())


def write(pattern: Pattern, path: Path = _TABLE) -> None:
    """Write a pattern as text: one line a leaf, coefficients in thousandths, empty where 0."""
    lines = [",".join(["nace_code", "size", *pattern.features])]
    for number, leaf in enumerate(pattern.leaves):
        own = np.append(pattern.of_size[number], pattern.coefficients[:, number])
        cells = np.round(own * _UNIT).astype(int).tolist()
        if any(cells):
            lines.append(",".join([leaf, *(str(cell) if cell else "" for cell in cells)]))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def known_features(industries: tuple[str, ...]) -> tuple[Integers, Booleans]:
    """Position of each feature among industries, and whether it is there."""
    place = {code: number for number, code in enumerate(industries)}
    found = np.array([place.get(code, -1) for code in features()], np.int64)
    return found, found >= 0
