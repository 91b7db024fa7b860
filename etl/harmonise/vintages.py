"""Concordances between classifications: vintages of NAICS, NACE 2.1 to NACE 2, NAICS 2017 with NACE 2.

Links are the publishers' (Census Bureau, Eurostat); weights follow US employment of one fixed year for each pair.
"""

from collections.abc import Iterable, Mapping
from functools import cache

import numpy as np

from etl.errors import UsageError
from etl.harmonise import weights
from etl.harmonise.arrays import Booleans, Floats, sums
from etl.harmonise.concordance import Concordance
from etl.reference import NAICS_VINTAGES, naics_codes
from etl.reference.store import rows
from etl.reference.us_employment import us_employment

WEIGHT_YEAR = 2017
"""Reference year of the weights between NAICS 2017 and NACE; changing it is a revision of method."""

CENSUS_LINKS = "links: Census Bureau concordances"
EUROSTAT_LINKS = "links: Eurostat correspondence table NAICS 2017 to NACE Rev. 2"


@cache
def naics(from_vintage: int, to_vintage: int) -> Concordance:
    """From one NAICS vintage to another, at six digits; vintages further apart through those between.

    1997 and 2002 are joined only where their codes agree; the rest are breaks without a target, since no official
    links are at hand. Clusters never go this way: each vintage has a list of its own. Raises UsageError for an
    unknown vintage.
    """
    for vintage in (from_vintage, to_vintage):
        naics_codes(vintage)
    if from_vintage == to_vintage:
        return Concordance.identity(f"naics{from_vintage}", naics_codes(from_vintage))
    step = 1 if to_vintage > from_vintage else -1
    following = NAICS_VINTAGES[NAICS_VINTAGES.index(from_vintage) + step]
    first = _adjacent(from_vintage, following)
    return first if following == to_vintage else first.compose(naics(following, to_vintage))


def _adjacent(from_vintage: int, to_vintage: int) -> Concordance:
    """Between neighbours. A split code gives little (the small seed) to a target that was there before as itself."""
    schemes = (f"naics{from_vintage}", f"naics{to_vintage}")
    if 1997 in (from_vintage, to_vintage):
        return _where_codes_agree(schemes, naics_codes(from_vintage), naics_codes(to_vintage))
    links = _naics_links(from_vintage, to_vintage)
    amounts, year = _amounts_after(from_vintage, to_vintage)
    if amounts is None:
        return weights.equal(schemes, links, basis=CENSUS_LINKS)
    before = naics_codes(from_vintage)
    return weights.employment(
        schemes,
        links,
        is_small=np.array([source != target and target in before for source, target in links]),
        target_amounts=amounts,
        years=(None, year),
        basis=f"{CENSUS_LINKS}; employment of the targets: County Business Patterns {year}",
    )


def _naics_links(from_vintage: int, to_vintage: int) -> list[tuple[str, str]]:
    """All links between two neighbouring vintages: those that change something, and codes that stay as they are."""
    changed = []
    for row in rows("naics_link"):
        pair = (int(row["from_vintage"]), int(row["to_vintage"]))
        if pair == (from_vintage, to_vintage):
            changed.append((row["from_code"], row["to_code"]))
        elif pair == (to_vintage, from_vintage):
            changed.append((row["to_code"], row["from_code"]))
    if not changed:
        raise UsageError(f"no links between NAICS {from_vintage} and {to_vintage} are built in")
    moved = {code for link in changed for code in link}
    kept = sorted(code for code in naics_codes(from_vintage) & naics_codes(to_vintage) if code not in moved)
    return sorted([*changed, *zip(kept, kept, strict=True)])


def _where_codes_agree(schemes: tuple[str, str], source: Iterable[str], target: frozenset[str]) -> Concordance:
    codes = sorted(source)
    is_kept = np.array([code in target for code in codes])
    return Concordance.from_links(
        schemes,
        [(code, code if kept else "") for code, kept in zip(codes, is_kept, strict=True)],
        weight=np.where(is_kept, 1.0, np.nan),
        method="unique",
        basis="same code in both vintages; the others are a break: no official links are at hand",
    )


@cache
def _amounts_after(from_vintage: int, to_vintage: int) -> tuple[Mapping[str, float] | None, int | None]:
    """Employment by the codes of the target vintage, nearest to the change, and its year."""
    year = {(2002, 2007): 2009, (2007, 2002): 2005, (2012, 2007): 2011, (2012, 2017): 2017, (2022, 2017): 2017}.get(
        (from_vintage, to_vintage)
    )
    if year is not None:
        return us_employment(year), year
    # No file of 2012 to 2016 is at hand: a neighbour's employment is carried over, in equal parts where a code splits.
    if to_vintage == 2012:
        neighbour, year = {2007: (2017, 2017), 2017: (2007, 2011)}[from_vintage]
        links = weights.equal((f"naics{neighbour}", "naics2012"), _naics_links(neighbour, 2012))
        return move(us_employment(year), links), year
    return None, None


def move(amounts: Mapping[str, float], concordance: Concordance) -> dict[str, float]:
    """Amounts by target code; codes that the concordance does not have, or has no target for, are left out."""
    sources = set(concordance.sources.tolist())
    known = {code: amount for code, amount in amounts.items() if code in sources}
    moved = concordance.apply(list(known), list(known.values()))
    targets = zip(concordance.targets.tolist(), moved.amounts[0].tolist(), strict=True)
    return {code: amount for code, amount in targets if code}


def nace_links() -> tuple[list[tuple[str, str]], Booleans]:
    """The direct links NAICS 2017 to NACE 2 and whether the publisher notes a part only.

    One link leads to a group (111336 to 01.2), the others to classes; 98.10 and 98.20 have none.
    """
    table = rows("naics2017_nace2")
    is_partial = np.array([row["is_partial"] == "1" for row in table])
    return [(row["naics_code"], row["nace_code"]) for row in table], is_partial


@cache
def naics2017_to_nace2() -> Concordance:
    """NAICS 2017 to NACE 2 classes by the direct table: whole links 1, part links 0.15, per NAICS code."""
    links, is_partial = nace_links()
    return weights.employment(
        ("naics2017", "nace2"),
        links,
        is_partial=is_partial,
        source_amounts=us_employment(WEIGHT_YEAR),
        years=(WEIGHT_YEAR, None),
        basis=f"{EUROSTAT_LINKS}; seeds 1 and 0.15 (part noted)",
    )


def nace2_flows() -> Floats:
    """US employment of 2017 that each of `nace_links` carries, in persons."""
    links, is_partial = nace_links()
    return weights.flows(links, weights.seeds(is_partial), us_employment(WEIGHT_YEAR), None)


@cache
def nace2_to_naics2017() -> Concordance:
    """NACE 2 classes to NAICS 2017 by US employment of 2017; where it covers none of a class, by the seeds."""
    links, is_partial = nace_links()
    flow = nace2_flows()
    targets = np.array([link[1] for link in links])
    codes, place = np.unique(targets, return_inverse=True)
    total = sums(place, flow, codes.size)[place]
    seed = weights.seeds(is_partial)
    seed_total = sums(place, seed, codes.size)[place]
    weight = np.where(total > 0, flow / np.where(total > 0, total, 1), seed / seed_total)
    return Concordance(
        "nace2",
        "naics2017",
        from_code=targets,
        to_code=np.array([link[0] for link in links]),
        weight=weight,
        weight_method=np.where(weight == 1, "unique", np.where(total > 0, "employment", "equal")),
        is_partial=is_partial,
        weight_year=WEIGHT_YEAR,
        basis=f"{EUROSTAT_LINKS}; employment: County Business Patterns {WEIGHT_YEAR}, seeds 1 and 0.15 (part noted)",
    )


def us_employment_by_class() -> dict[str, float]:
    """US employment of 2017 by NACE 2 class, in persons: the structure used where no national one is at hand."""
    result: dict[str, float] = {}
    for (_, nace), flow in zip(nace_links()[0], nace2_flows().tolist(), strict=True):
        result[nace] = result.get(nace, 0.0) + flow
    return result


@cache
def nace21_to_nace2() -> Concordance:
    """NACE 2.1 classes to NACE 2 classes by US employment of 2017; 46.89 is new and has no target."""
    table = rows("nace21_nace2")
    links = [(row["nace21_code"], row["nace2_code"]) for row in table if row["nace2_code"]]
    weighted = weights.employment(
        ("nace21", "nace2"),
        links,
        target_amounts=us_employment_by_class(),
        years=(None, WEIGHT_YEAR),
        basis=f"links: Eurostat; employment by NACE 2 class: County Business Patterns {WEIGHT_YEAR}, direct links",
    )
    new = [row["nace21_code"] for row in table if not row["nace2_code"]]
    return Concordance(
        "nace21",
        "nace2",
        from_code=np.concatenate([weighted.from_code, new]),
        to_code=np.concatenate([weighted.to_code, [""] * len(new)]),
        weight=np.concatenate([weighted.weight, np.full(len(new), np.nan)]),
        weight_method=np.concatenate([weighted.weight_method, ["unique"] * len(new)]),
        is_partial=np.concatenate([weighted.is_partial, np.zeros(len(new), bool)]),
        weight_year=weighted.weight_year,
        basis=weighted.basis,
    )
