"""NACE codes as publishers write them, and what becomes of each: kept, left out as an aggregate, or refused.

Ours are dotted: `C`, `10`, `10.1`, `10.11`. Eurostat writes the section before the digits and no dot (`C1011`) and has
codes for sums of others (`B-N_S95_X_K`: B to N and S95 without K). Lengths tell nothing: every code is looked up.
"""

import re
from collections.abc import Iterator
from functools import cache

from etl.reference.store import read

LEVELS = ("total", "section", "division", "group", "class", "subclass")
TOTAL = "TOTAL"

#: First division of each section, by classification; the letters of NACE 2.1 shift from J on.
_FIRST_DIVISION = {
    "nace2": "A01 B05 C10 D35 E36 F41 G45 H49 I55 J58 K64 L68 M69 N77 O84 P85 Q86 R90 S94 T97 U99",
    "nace21": "A01 B05 C10 D35 E36 F41 G46 H49 I55 J58 K61 L64 M68 N69 O77 P84 Q85 R86 S90 T94 U97 V99",
}

#: Eurostat's sums that cut across NACE: technology and knowledge classes, main industrial groupings, information and
#: communication, tourism. Their members are in the files too.
SPECIAL_AGGREGATES = frozenset(
    {
        "HTC", "HTC_M", "LTC", "LTC_M", "HITS", "HTKIS", "KIA", "KIABI", "KIS", "KWNMS", "KMS", "KWFS", "KFIS",
        "KWOKIS", "KOKIS", "LKIS", "LKWNMS", "LKMS", "LOKIS", "OLKIS", "ICT", "ICTM", "ICTS", "ICT_T", "ICT_M",
        "ICT_S", "MIG_ING", "MIG_CAG", "MIG_COG", "MIG_DCOG", "MIG_NDCOG", "MIG_NRG", "MIG_NRG_X_D_E", "TOUR",
        "TOUR_MAIN", "TOUR_PAR", "TOUR_TRANSP"
    }
)  # fmt: skip


@cache
def levels(scheme: str) -> dict[str, str]:
    """Level of every code of `nace2` or `nace21`, sections to classes, in the order of the classification."""
    classes = sorted(code for code in set(read("nace21_nace2")[f"{scheme}_code"]) if code)
    result: dict[str, str] = {}
    for code in classes:
        division = code[:2]
        for part, level in ((section_of(division, scheme), "section"), (division, "division"), (code[:4], "group")):
            result.setdefault(part, level)
        result[code] = "class"
    return result


@cache
def section_of(division: str, scheme: str) -> str:
    """The section a division belongs to."""
    return max(entry for entry in _sections(scheme) if entry[1] <= division)[0]


def parent(code: str, scheme: str) -> str | None:
    """The code one level up; None for a section."""
    if len(code) > 2:
        return code[:-1].rstrip(".")
    return section_of(code, scheme) if len(code) == 2 else None


def from_eurostat(text: str, scheme: str, total: str | None) -> str | None:
    """Our code for one of Eurostat's; TOTAL for `total`; None for any other sum of codes.

    Raises LookupError for a code that NACE does not have and nobody declared.
    """
    if text == total:
        return TOTAL
    known = _eurostat_codes(scheme)
    if text in known:
        return known[text]
    if text in SPECIAL_AGGREGATES or _is_sum_of_known(text, known):
        return None
    raise LookupError(f"activity {text!r} is not in {scheme} and nobody declared what to do with it")


def class_of(text: str) -> str | None:
    """The NACE 2 class of a national code that starts with its four digits (`4399A`, `10110`); None if it has none."""
    code = f"{text[:2]}.{text[2:4]}"
    return code if levels("nace2").get(code) == "class" else None


def _sections(scheme: str) -> Iterator[tuple[str, str]]:
    return ((entry[0], entry[1:]) for entry in _FIRST_DIVISION[scheme].split())


@cache
def _eurostat_codes(scheme: str) -> dict[str, str]:
    """Eurostat's spelling of every code: `C`, `C10`, `C101`, `C1011`."""
    return {
        code if level == "section" else section_of(code[:2], scheme) + code.replace(".", ""): code
        for code, level in levels(scheme).items()
    }


def _is_sum_of_known(text: str, known: dict[str, str]) -> bool:
    """Whether a code is made of known codes by `-` (to), `_` (and) and `_X_` (without)."""
    parts = [part for part in re.split(r"[-_]", text) if part != "X"]
    return len(parts) > 1 and all(part in known for part in parts)
