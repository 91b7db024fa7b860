"""Finds partners across the Atlantic: for each region the best of the other side, with band and explanation."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from etl.contracts import contract
from etl.measure.grid import Positions
from etl.measure.quantiles import Floats
from etl.partners.profiles import TRADED_CODES, Profiles, weighted
from etl.partners.relatedness import co_location
from etl.partners.scores import KINDS, Features, Relations, every, paired, score

PARTNERS = 20
EXPLAINING = 5
DRAWS = 200
# Draws and pairs taken at once: they bound the memory and change no result.
DRAWS_AT_ONCE = 10
PAIRS_AT_ONCE = 500
# Published scores are rounded: no more is known, and the last bits depend on the machine.
DECIMALS = 6


@dataclass(frozen=True, slots=True)
class RegionPairs:
    """Regions (p,) and their partners, as positions in the profiles, with the partner's rank and the score."""

    region: Positions
    partner: Positions
    rank: Positions
    score: Floats


def partner_rows(profiles: Profiles, level: str, year: int) -> pa.Table:
    """`region_partner` of one level and year: at most 20 partners of each kind, those with a score above 0.

    Without regions of both sides of which enough is known there are no rows.
    """
    result = contract("region_partner")
    american, european = (
        np.flatnonzero((profiles.is_american == side) & profiles.is_compared) for side in (True, False)
    )
    if not american.size or not european.size:
        return result.empty()
    relations = Relations.of(co_location(profiles.quotient, profiles.is_known))
    features = Features.of(profiles.strengths, profiles.reference, profiles.is_strong, relations)
    chosen = {}
    for kind in KINDS:
        scores = score(kind, features, american, european, every)
        chosen[kind] = best_of_both(np.round(scores, DECIMALS), american, european)
    bands = _bands(profiles, relations, chosen)
    parts = []
    for kind, pairs in chosen.items():
        low, high = bands[kind]
        columns = _columns(profiles, pairs) | {
            "score_low": low,
            "score_high": high,
            "explaining_clusters": pa.array(explain(profiles, relations, pairs, kind), pa.string()),
        }
        constants = {"level": level, "year": pa.scalar(year, pa.int16()), "kind": kind}
        columns |= {name: pa.repeat(value, len(pairs.rank)) for name, value in constants.items()}
        parts.append(pa.table(columns))
    return result.conform(pa.concat_tables(parts))


def best_of_both(scores: Floats, american: Positions, european: Positions) -> RegionPairs:
    """The best partners with a score above 0 of each region of both sides; the first by code where they are equal.

    `scores`: (n, m), those of the American regions against the European ones.
    """
    parts = []
    for values, mine, theirs in ((scores, american, european), (scores.T, european, american)):
        order = np.argsort(-values, axis=1, kind="stable")[:, :PARTNERS]
        best = np.take_along_axis(values, order, axis=1)
        at, place = np.nonzero(best > 0)
        parts.append((mine[at], theirs[order[at, place]], place + 1, best[at, place]))
    return RegionPairs(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def _bands(
    profiles: Profiles, relations: Relations, chosen: Mapping[str, RegionPairs]
) -> dict[str, tuple[Floats, Floats]]:
    """10th and 90th percentile of each pair's score over the draws; flags and relations of clusters stay as they are.

    A draw of which nothing can be said counts as 0: nothing in it is alike or complementary.
    """
    count = len(profiles.region)
    unique = {}
    for kind, pairs in chosen.items():
        ends = np.sort([pairs.region, pairs.partner], axis=0)
        unique[kind] = np.unique(ends[0] * count + ends[1], return_inverse=True)
    drawn: dict[str, list[Floats]] = {kind: [] for kind in chosen}
    for start in range(0, DRAWS, DRAWS_AT_ONCE):
        strengths = profiles.drawn_strengths(start, min(DRAWS_AT_ONCE, DRAWS - start))
        features = Features.of(strengths, profiles.reference, profiles.is_strong, relations)
        for kind, (ends, _) in unique.items():
            scores = score(kind, features, ends // count, ends % count, paired)
            drawn[kind].append(np.nan_to_num(scores))
    bands = {}
    for kind, (_, place) in unique.items():
        low, high = np.quantile(np.concatenate(drawn[kind]), [0.1, 0.9], axis=0)
        bands[kind] = np.round(low[place], DECIMALS), np.round(high[place], DECIMALS)
    return bands


def explain(profiles: Profiles, relations: Relations, pairs: RegionPairs, kind: str) -> list[str]:
    """The clusters of each pair that add most to its score, largest first: `4,32`, for a complement links `4>32`."""
    strengths = profiles.strengths
    if kind == "complement":
        strengths = np.where(profiles.is_strong, np.maximum(strengths, 0.0), 0.0)
        labels = [f"{own}>{other}" for own in TRADED_CODES for other in TRADED_CODES]
    else:
        strengths = weighted(strengths, profiles.reference)
        labels = [str(code) for code in TRADED_CODES]
    texts = []
    for start in range(0, len(pairs.rank), PAIRS_AT_ONCE):
        mine, theirs = (strengths[at[start : start + PAIRS_AT_ONCE]] for at in (pairs.region, pairs.partner))
        if kind == "twin":
            parts = mine * theirs
        elif kind == "twin_related":
            parts = (mine * (theirs @ relations.inner) + theirs * (mine @ relations.inner)) / 2
        else:
            parts = (mine[:, :, None] * relations.links * theirs[:, None, :]).reshape(len(mine), -1)
        parts = np.round(parts, 2 * DECIMALS)
        top = np.argsort(-parts, axis=1, kind="stable")[:, :EXPLAINING]
        adds = np.take_along_axis(parts, top, axis=1) > 0
        texts += [",".join(labels[c] for c in row[ok]) for row, ok in zip(top, adds, strict=True)]
    return texts


def _columns(profiles: Profiles, pairs: RegionPairs) -> dict[str, Any]:
    """Keys, rank, score and relative size of pairs."""

    def keys(prefix: str, at: Positions) -> dict[str, pa.Array]:
        return {
            f"{prefix}_scheme": pa.array(profiles.scheme[at], pa.string()),
            f"{prefix}_code": pa.array(profiles.region[at], pa.string()),
            f"{prefix}_vintage": pa.array(profiles.vintage[at], pa.int16()),
        }

    return {
        **keys("region", pairs.region),
        **keys("partner", pairs.partner),
        "partner_rank": pa.array(pairs.rank, pa.int16()),
        "score": pairs.score,
        "size_ratio": profiles.size[pairs.partner] / profiles.size[pairs.region],
    }
