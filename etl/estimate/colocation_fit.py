"""Fits the pattern of `colocation.csv` to US states; run by hand when the states' figures or the links change.

States are the only regions whose six-digit industries are published for a whole country of many regions. Their
figures are carried over to NACE classes by the direct links, each code in proportion to the seeds of its links.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl import cells
from etl.estimate import colocation
from etl.estimate.colocation import Pattern
from etl.estimate.europe_structure import class_links
from etl.estimate.tree import Floats, Integers
from etl.reference.nace import nace_classes


def blocks_of(leaves: Sequence[str], digits: int) -> tuple[Integers, tuple[str, ...]]:
    """Number of the block of each leaf, a block being the leaves with the same first characters; and their names."""
    names = [leaf[:digits] for leaf in leaves]
    distinct = sorted(set(names))
    place = {name: number for number, name in enumerate(distinct)}
    return np.array([place[name] for name in names], np.int64), tuple(distinct)


def state_classes(table: pa.Table) -> Floats:
    """US states × NACE classes, from `region_industry` of one year; withheld cells count nothing."""
    wanted = pc.and_(
        pc.equal(table.column("region_scheme"), "us_state"),
        pc.and_(
            pc.equal(table.column("industry_level"), "national_industry"),
            pc.equal(table.column("industry_scheme"), "naics2017"),
        ),
    )
    table = table.filter(wanted)
    state, states = cells.codes(table.column("region_code"))
    industry, industries = cells.codes(table.column("industry_code"))
    place = {code: number for number, code in enumerate(industries)}
    classes = {code: number for number, code in enumerate(nace_classes("nace2"))}
    links = np.zeros((len(industries), len(classes)))
    for naics, nace, weight in class_links():
        if naics in place:
            links[place[naics], classes[nace]] = weight
    amounts = np.zeros((len(states), len(industries)))
    amounts[state, industry] = np.nan_to_num(table.column("employment").to_numpy())
    result: Floats = amounts @ links
    return result[np.argsort(states)]


def profiles(amounts: Floats) -> Floats:
    """Profiles of regions from their classes (see `colocation.profile`)."""
    block, names = blocks_of(nace_classes("nace2"), 2)
    found, is_there = colocation.known_features(names)
    return colocation.profile(colocation.block_sums(amounts, block)[:, found[is_there]])


def fit_states(years: Sequence[pa.Table]) -> Pattern:
    """The pattern of the states' figures, one table of `region_industry` a year."""
    amounts = [state_classes(table) for table in years]
    block, _ = blocks_of(nace_classes("nace2"), 2)
    coefficients = colocation.fit(amounts, block, [profiles(year) for year in amounts])
    return Pattern(colocation.features(), nace_classes("nace2"), coefficients)


def held_out_states(years: Sequence[Floats], folds: int = 25) -> list[Floats]:
    """Each state spread with a pattern fitted without it (in any year): what bands are calibrated on."""
    block, _ = blocks_of(nace_classes("nace2"), 2)
    known = [profiles(year) for year in years]
    ratios = [np.ones(year.shape) for year in years]
    fold = np.arange(years[0].shape[0]) % folds
    for number in range(folds):
        out = fold == number
        coefficients = colocation.fit([year[~out] for year in years], block, [part[~out] for part in known])
        pattern = Pattern(colocation.features(), nace_classes("nace2"), coefficients)
        for year, part in enumerate(known):
            ratios[year][out] = pattern.ratios(part[out])
    return [
        colocation.spread(
            colocation.block_sums(year, block), colocation.shares(year.sum(axis=0), block), block, ratios[number]
        )
        for number, year in enumerate(years)
    ]
