"""NAICS codes as publishers write them, and the three lists every one of them must be in."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from etl import reference

TOTAL = "00"
UNCLASSIFIED = "99"

SECTOR_OF = {"32": "31", "33": "31", "45": "44", "49": "48"}
"""Sectors of several numbers go by their first: 31-33, 44-45, 48-49."""

LEVELS = ("total", "sector", "subsector", "industry_group", "industry", "national_industry")

WITHOUT_DETAIL = {
    UNCLASSIFIED: "establishments not classified: a sector row only",
    "95": "auxiliaries of NAICS 1997 (sector 55 since NAICS 2002): a sector row only",
}
"""Sectors that have no rows below them and are therefore leaves; in no cluster."""

_FORMS = re.compile(r"(\d\d)(?:----|-\d\d)?|(\d{3})(?:///)?|(\d{4})(?://)?|(\d{5})/?|(\d{6})|(------)")


def plain(text: str) -> str:
    """Digits of a code: `------` is 00, `31----` and `31-33` are 31, `113///` is 113.

    Raises LookupError for text in no known form.
    """
    match = _FORMS.fullmatch(text)
    if match is None:
        raise LookupError(f"{text!r} is no NAICS code in any known form")
    return TOTAL if match[6] else next(part for part in match.groups() if part)


def level(code: str) -> str:
    """Level of a NAICS code: total, sector, subsector, industry_group, industry or national_industry."""
    return "total" if code == TOTAL else LEVELS[len(code) - 1]


def is_leaf(code: str) -> bool:
    """Whether no code stands below this one: six digits, or a sector without detail."""
    return len(code) == 6 or code in WITHOUT_DETAIL


@cache
def known_codes(vintage: int) -> frozenset[str]:
    """All codes of a vintage at all levels, the total and the sectors without detail included.

    Raises SourceFormatError, through the reference tables, for a vintage they do not have.
    """
    six = reference.naics_codes(vintage)
    above = {code[:digits] for code in six for digits in (3, 4, 5)}
    sectors = {SECTOR_OF.get(code[:2], code[:2]) for code in six}
    others = {TOTAL, UNCLASSIFIED} | ({"95"} if vintage == 1997 else set())
    return frozenset(six | above | sectors | others)


def assumed(what: str, year: int, newest_seen: int, vintage: int) -> str:
    """The assumption that a year which nobody has seen is in the newest vintage of its source; empty for one seen."""
    return f"that {what} of {year} is in NAICS {vintage} is assumed" if year > newest_seen else ""


@dataclass(frozen=True, slots=True)
class CodeLists:
    """What a reader does with a code: keep it (`known`), mend it (`fixes`), or leave its rows out (`ignored`).

    `fixes`: code as found, in digits, to (our code, reason); `ignored`: code to reason. The lists share no code.
    `assumption`: a sentence where nobody has seen a year of this vintage yet; a code it does not have breaks it.
    """

    vintage: int
    known: frozenset[str]
    fixes: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    ignored: Mapping[str, str] = field(default_factory=dict)
    assumption: str = ""

    def __post_init__(self) -> None:
        lists = (self.known, self.fixes.keys(), self.ignored.keys())
        if len(set().union(*lists)) != sum(map(len, lists)):
            raise ValueError("a code stands in two of the lists known, fixes, ignored")

    def resolve(self, text: str) -> str | None:
        """Our code for a code as found; None where its rows are left out. Raises LookupError for any other."""
        code = plain(text)
        if code in self.known:
            return code
        if code in self.fixes:
            return self.fixes[code][0]
        if code in self.ignored:
            return None
        broken = f" ({self.assumption}: this code breaks the assumption)" if self.assumption else ""
        raise LookupError(
            f"code {text!r} is not in NAICS {self.vintage} and nobody declared what to do with it{broken}"
        )
