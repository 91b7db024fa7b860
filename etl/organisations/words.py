"""From text to words that can be compared: accents folded, joined names taken apart, plurals cut, places left out."""

import re
import unicodedata
from functools import cache
from pathlib import Path
from typing import NamedTuple

from etl.reference import area_names, counties, nuts_regions, states
from etl.reference.counties import CURRENT_COUNTY_LIST
from etl.reference.nuts import CURRENT_NUTS

# Words that organisations of every field bear, words of direction and size, and little words of several languages.
STOP_WORDS = Path(__file__).parent / "tables" / "stop_word.csv"
# Names of places that hold an industry's word and are no state's, county's, metropolitan area's or NUTS region's.
PLACES = Path(__file__).parent / "tables" / "place.csv"

_BREAKS = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORD = re.compile(r"[A-Za-z0-9]+")
# Letters that have no accent to lose; Greek and Bulgarian as they are written in Latin letters.
_WRITTEN = {
    **{"ß": "ss", "ø": "o", "ł": "l", "đ": "d", "æ": "ae", "ı": "i", "’": "'"},
    **dict(zip("αβγδεζηικλμνξοπρσςτυφω", "avgdeziiklmnxoprsstyfo", strict=True)),
    **{"θ": "th", "χ": "ch", "ψ": "ps"},
    **dict(zip("абвгдезиклмнопрстуфхъь", "abvgdeziklmnoprstufhay", strict=True)),
    **{"ж": "zh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "sht", "ю": "yu", "я": "ya"},
}
_CAPITALS = {letter.upper(): text.capitalize() for letter, text in _WRITTEN.items() if len(letter.upper()) == 1}
_LETTERS = str.maketrans(_WRITTEN | _CAPITALS)
_COUNTY_ENDING = re.compile(r" (County|Parish|Borough|Census Area|Municipality|City and Borough)$")
_OTHER_IN_PLURAL = frozenset({"securities"})


class Word(NamedTuple):
    """A word as it is compared, and whether it stood in capitals in a text that is not all capitals."""

    stem: str
    is_capitals: bool = False


def words_of(text: str) -> list[Word]:
    """The words of a text in order, in the form in which they are compared, names of places of several words left out.

    `LifeScience` is two words; `R&D` is `r and d`; an apostrophe's `s` is dropped.
    """
    plain = re.sub(r"'s?\b", " ", _BREAKS.sub(" ", _folded(text))).replace("&", " and ")
    mixed = not plain.isupper()
    words = [Word(stem(word.lower()), mixed and word.isupper() and len(word) > 1) for word in _WORD.findall(plain)]
    return _without_places(words)


def stem(word: str) -> str:
    """A word without the ending of its plural, where that does not change what it means."""
    if word in _OTHER_IN_PLURAL:
        return word
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("sses", "shes", "ches", "xes", "zes")):
        return word[:-2]
    if len(word) > 5 and word.endswith("men"):
        return word[:-3] + "man"
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is", "as")):
        return word[:-1]
    return word


def _folded(text: str) -> str:
    """Letters of Latin script without their accents."""
    folded = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in folded if not unicodedata.combining(letter)).translate(_LETTERS)


def is_telling(word: str) -> bool:
    """Whether a word may tell one field of work from another."""
    return word not in _STOP_STEMS and len(word) > 1 and not word.isdigit()


_STOP_STEMS = frozenset(stem(word) for word in STOP_WORDS.read_text("utf-8").split()[1:])


def _without_places(words: list[Word]) -> list[Word]:
    """Leave out names of places that have several words; single ones are no industry's words, or mean both."""
    kept, at = [], 0
    while at < len(words):
        ends = _places().get(words[at].stem, ())
        length = next((n for n in ends if _is_place(words[at : at + n])), 0)
        if not length and at + 1 < len(words) and words[at + 1].stem == "county":
            length = 2
        if not length:
            kept.append(words[at])
        at += max(length, 1)
    return kept


def _is_place(words: list[Word]) -> bool:
    return tuple(word.stem for word in words) in _place_names()


@cache
def _place_names() -> frozenset[tuple[str, ...]]:
    """Names of several words of states, counties, economic and metropolitan areas' cities, NUTS regions, and others."""
    names = [*states().values(), *nuts_regions(CURRENT_NUTS).values(), *PLACES.read_text("utf-8").splitlines()[1:]]
    names += [_COUNTY_ENDING.sub("", name) for name in counties(CURRENT_COUNTY_LIST).values()]
    for scheme, vintage in (("us_economic_area", 2004), ("us_cbsa", 2020)):
        names += [city for name in area_names(scheme, vintage).values() for city in name.split(",")[0].split("-")]
    found = set()
    for name in names:
        parts = tuple(stem(word.lower()) for word in _WORD.findall(_folded(name)))
        if len(parts) > 1:
            found.add(parts)
    return frozenset(found)


@cache
def _places() -> dict[str, tuple[int, ...]]:
    """By first word, the lengths of the names that start with it, the longest first."""
    lengths: dict[str, set[int]] = {}
    for name in _place_names():
        lengths.setdefault(name[0], set()).add(len(name))
    return {first: tuple(sorted(found, reverse=True)) for first, found in lengths.items()}
