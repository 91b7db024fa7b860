"""Places a text on the taxonomy: which clusters it speaks of, how surely, and by which words."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from etl.measure.quantiles import Floats
from etl.organisations.dictionary import CLUSTERS, Terms, Titles, matches, terms, titles
from etl.organisations.words import Word, is_telling, words_of

# Share of the score that terms given by hand make up; the rest are words of titles.
TERMS_COUNT = 0.7
# A term of several words says more than one of a single word.
PHRASE_COUNTS = 1.5
# A term in the fields of work or the description says less than one in the name.
FURTHER_COUNTS = 0.5
# Organisations are made for industries that sell beyond their region: local clusters need twice the evidence.
LOCAL_COUNTS = 0.5
EVIDENCE = 5


@dataclass(frozen=True, slots=True)
class Placed:
    """Scores (k,) from 0 to 1 by cluster, and what each word or term adds (k,)."""

    scores: Floats
    parts: dict[str, Floats]

    def best(self, count: int) -> list[tuple[int, float, str]]:
        """The best clusters with a score above 0: code, score, evidence."""
        order = np.argsort(-self.scores, kind="stable")[:count]
        return [
            (int(CLUSTERS[at]), float(self.scores[at]), self.evidence(int(at))) for at in order if self.scores[at] > 0
        ]

    def evidence(self, column: int) -> str:
        """The words that add most to a cluster's score, largest first."""
        adds = sorted(self.parts.items(), key=lambda part: (-part[1][column], part[0]))
        return ", ".join(word for word, weights in adds[:EVIDENCE] if weights[column] > 0)


def place_text(texts: Sequence[str], with_nace: bool = True) -> Placed:
    """Place an organisation by its texts, the name first (then fields of work, description).

    The score is the cosine of tf-idf vectors, of the words in the titles of a cluster's industries and of terms given
    by hand, weighed together. Words that neither knows say nothing.
    """
    words = [words_of(text) for text in texts]
    by_terms = _by_terms(words, terms())
    by_titles = _by_titles([word for some in words for word in some], titles(with_nace))
    factor = np.where(CLUSTERS > 100, LOCAL_COUNTS, 1.0)
    parts: dict[str, Floats] = {}
    for share, found in ((TERMS_COUNT, by_terms), (1 - TERMS_COUNT, by_titles)):
        for word, weights in found.items():
            parts[word] = parts.get(word, np.zeros(len(CLUSTERS))) + share * weights * factor
    total = np.sum(list(parts.values()), axis=0) if parts else np.zeros(len(CLUSTERS))
    return Placed(np.minimum(total, 1.0), parts)


def _by_terms(texts: list[list[Word]], known: Terms) -> dict[str, Floats]:
    """What each term adds to the cosine with each cluster; a term counts once. A weak term alone stays weak."""
    weights: dict[str, Floats] = {}
    for at, words in enumerate(texts):
        for term, vector in matches(words, known):
            counts = (PHRASE_COUNTS if " " in term else 1.0) * (FURTHER_COUNTS if at else 1.0)
            weights.setdefault(term, counts * vector)
    length = float(np.linalg.norm(np.sum(list(weights.values()), axis=0))) if weights else 0.0
    return {term: vector / max(length, 1.0) for term, vector in weights.items()}


def _by_titles(words: list[Word], known: Titles) -> dict[str, Floats]:
    """What each word adds to the cosine with the titles of each cluster."""
    counts: dict[str, int] = {}
    for word in words:
        if is_telling(word.stem) and word.stem in known.position:
            counts[word.stem] = counts.get(word.stem, 0) + 1
    weight = {word: np.log1p(count) * known.idf[known.position[word]] for word, count in counts.items()}
    length = float(np.linalg.norm(list(weight.values()))) if weight else 1.0
    return {word: value / length * known.weights[known.position[word]] for word, value in weight.items()}
