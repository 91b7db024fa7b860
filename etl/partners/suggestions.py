"""What somebody may have meant who named a region that is not compared: by code, by name, or by what it lies in."""

import difflib
import re
from collections.abc import Sequence

from etl.reference import county_area
from etl.reference.counties import ECONOMIC_AREA_VINTAGE
from etl.reference.store import rows

#: How many are offered, and how alike a name must be (1: the same).
OFFERED = 3
ALIKE_AT_LEAST = 0.7

#: Scheme, code, name.
Known = tuple[str, str, str]


def suggestions(text: str, known: Sequence[Known]) -> list[str]:
    """The regions among the known that a text may stand for, best first, as `us_state:26 (Michigan)`; at most three.

    `text`: SCHEME:CODE, a code or a name. A county is answered by its state and economic area, a smaller or larger
    NUTS region by the one it lies in or those that lie in it, letters of a state by the state, everything else by names
    that hold it or resemble it, at last by the codes of its scheme that resemble it.
    """
    scheme, _, code = text.rpartition(":")
    keys = {(own_scheme, own_code): name for own_scheme, own_code, name in known}
    wanted = code.upper() if scheme.startswith("nuts") else _state_codes().get(code.upper(), code.upper())
    found = [key for key in _around(scheme, wanted) if key in keys]
    found += [key for key in keys if key[1] == wanted]
    if not found and scheme.startswith("nuts") and len(code) >= 2:
        found = [key for key in keys if key[0].startswith("nuts") and key[1].startswith(wanted[:3])]
    found = found or _named(code, known)
    if not found:
        codes = [key[1] for key in keys if key[0] == scheme]
        found = [(scheme, one) for one in difflib.get_close_matches(wanted, codes, OFFERED, 0.0)]
    return [f"{key[0]}:{key[1]} ({keys[key]})" for key in list(dict.fromkeys(found))[:OFFERED]]


def did_you_mean(offered: Sequence[str]) -> str:
    """A sentence's end that offers regions; empty without any."""
    return f"; did you mean {' or '.join(offered)}?" if offered else ""


def _state_codes() -> dict[str, str]:
    return {row["state_abbreviation"]: row["state_code"] for row in rows("us_state")}


def _around(scheme: str, code: str) -> list[tuple[str, str]]:
    """The regions of the compared schemes that a county or a NUTS region lies in."""
    if scheme == "us_county":
        area = county_area("us_economic_area", ECONOMIC_AREA_VINTAGE).get(code, "")
        return [("us_state", code[:2]), ("us_economic_area", area)]
    if scheme.startswith("nuts"):
        return [(f"nuts{level}", code[: level + 2]) for level in (2, 1)]
    return []


def _named(text: str, known: Sequence[Known]) -> list[tuple[str, str]]:
    """By name: those that begin with the text, then those that hold it, then those of which a word resembles it."""
    wanted = text.casefold()
    if len(wanted) < 3:
        return []
    names = {(scheme, code): name.casefold() for scheme, code, name in known}
    begin = [key for key, name in names.items() if name.startswith(wanted)]
    hold = [key for key, name in names.items() if wanted in name]
    words = {key: {name, *re.findall(r"\w+", name)} for key, name in names.items()}
    alike = difflib.get_close_matches(wanted, sorted(set().union(*words.values())), OFFERED, ALIKE_AT_LEAST)
    return [*begin, *hold, *[key for word in alike for key, own in words.items() if word in own]]
