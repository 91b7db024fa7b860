"""Fits the pattern of `colocation.csv` to US states; run by hand when the states' figures or the links change.

States are the only regions whose six-digit industries are published for a whole country of many regions. Their
figures are carried over to NACE classes by the direct links, each code in proportion to the seeds of its links.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl import columns
from etl.estimate.common.tree import Booleans, Floats, Integers
from etl.estimate.europe import colocation_pattern as colocation
from etl.estimate.europe.colocation_pattern import Pattern
from etl.estimate.europe.structures import class_links
from etl.reference.nace import nace_classes


def blocks_of(leaves: Sequence[str], digits: int) -> tuple[Integers, tuple[str, ...]]:
    """Number of the block of each leaf, a block being the leaves with the same first characters; and their names."""
    names = [leaf[:digits] for leaf in leaves]
    distinct = sorted(set(names))
    place = {name: number for number, name in enumerate(distinct)}
    return np.array([place[name] for name in names], np.int64), tuple(distinct)


def state_classes(table: pa.Table, column: str = "employment") -> Floats:
    """US states × NACE classes, from `region_industry` of one year; withheld cells count nothing."""
    wanted = pc.and_(
        pc.equal(table.column("region_scheme"), "us_state"),
        pc.and_(
            pc.equal(table.column("industry_level"), "national_industry"),
            pc.equal(table.column("industry_scheme"), "naics2017"),
        ),
    )
    table = table.filter(wanted)
    state, states = columns.codes(table.column("region_code"))
    industry, industries = columns.codes(table.column("industry_code"))
    place = {code: number for number, code in enumerate(industries)}
    classes = {code: number for number, code in enumerate(nace_classes("nace2"))}
    links = np.zeros((len(industries), len(classes)))
    for naics, nace, weight in class_links():
        if naics in place:
            links[place[naics], classes[nace]] = weight
    amounts = np.zeros((len(states), len(industries)))
    is_known = pc.is_valid(table.column("employment")).to_numpy()
    values = table.column(column).to_numpy().astype(float)
    amounts[state[is_known], industry[is_known]] = np.nan_to_num(values[is_known])
    result: Floats = amounts @ links
    return result[np.argsort(states)]


@dataclass(frozen=True, slots=True)
class States:
    """One year of the states: regions × classes, their profiles, and the sizes of each class's division."""

    amounts: Floats
    profiles: Floats
    sizes: Floats

    @classmethod
    def of(cls, table: pa.Table) -> "States":
        """From `region_industry`; establishments count where employment is known."""
        block, names = blocks_of(nace_classes("nace2"), 2)
        amounts, counts = (state_classes(table, column) for column in ("employment", "establishments"))
        totals = colocation.block_sums(amounts, block)
        found, is_there = colocation.known_features(names)
        own_sizes = colocation.sizes(totals, colocation.block_sums(counts, block))
        return cls(amounts, colocation.profile(totals[:, found[is_there]]), own_sizes[:, block])

    def only(self, chosen: Booleans) -> "States":
        """Some of the states."""
        return States(self.amounts[chosen], self.profiles[chosen], self.sizes[chosen])


def fit_states(years: Sequence[States]) -> Pattern:
    """The pattern of the states' figures of these years."""
    block, _ = blocks_of(nace_classes("nace2"), 2)
    amounts = [year.amounts for year in years]
    coefficients = colocation.fit(amounts, block, [year.profiles for year in years])
    bends = [year.profiles @ coefficients for year in years]
    of_size = colocation.fit_sizes(amounts, block, bends, [year.sizes for year in years])
    return Pattern(colocation.features(), nace_classes("nace2"), coefficients, of_size)


def held_out_states(years: Sequence[States], *, with_sizes: bool, folds: int = 25) -> list[Floats]:
    """Each state spread with a pattern fitted without it (in any year): what bands are calibrated on."""
    block, _ = blocks_of(nace_classes("nace2"), 2)
    ratios = [np.ones(year.amounts.shape) for year in years]
    fold = np.arange(years[0].amounts.shape[0]) % folds
    for number in range(folds):
        out = fold == number
        pattern = fit_states([year.only(~out) for year in years])
        for place, year in enumerate(years):
            ratios[place][out] = pattern.ratios(year.profiles[out], year.sizes[out] if with_sizes else None)
    return [
        colocation.spread(
            colocation.block_sums(year.amounts, block),
            colocation.shares(year.amounts.sum(axis=0), block),
            block,
            ratios[place],
        )
        for place, year in enumerate(years)
    ]
