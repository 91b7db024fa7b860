"""Places an organisation by the industry codes it gives: NAICS of any vintage and level, NACE 2 and 2.1."""

import re
from functools import cache

import numpy as np

from etl.harmonise.cluster_weights import CODES, cluster_weights
from etl.measure.quantiles import Floats
from etl.organisations.dictionary import CLUSTERS
from etl.reference.nace import nace_levels
from etl.reference.us_employment import us_employment

# Countries whose industries are coded by NAICS where a code is digits alone and short.
NAICS_COUNTRIES = ("US", "CA", "MX")
NAICS_SCHEMES = ("naics2017", "naics2022", "naics2012", "naics2007", "naics2002")
NACE_SCHEMES = ("nace2", "nace21")
EMPLOYMENT_YEAR = 2017


def code_weights(code: str, country: str) -> tuple[str, Floats] | None:
    """The code as its scheme writes it and its weights over the clusters (k,); None for one that no list has.

    `code`: `29.10`, `C29.1`, `2910`, `336411`, `3364`, `31-33`, or with its scheme before it (`nace2:29.10`). Digits
    alone are NAICS where they are five or more or the country uses NAICS, else NACE.
    """
    text = re.sub(r"\s", "", code).upper()
    named = re.fullmatch(r"(NACE|NAICS)[A-Z_.]*(\d*):?(.*)", text) if ":" in text else None
    asked, text = (named[1].lower(), named[3]) if named else (None, text)
    is_nace = bool(re.fullmatch(r"[A-Z](\d.*)?|\d\d\.\d{1,2}", text))
    if re.fullmatch(r"\d{2,4}", text):
        is_nace = country not in NAICS_COUNTRIES
    if asked == "nace" or (asked is None and is_nace):
        return _nace(text)
    return _naics(text)


def place_codes(codes: list[str], country: str) -> dict[int, tuple[float, str]]:
    """Cluster to score and evidence: the mean over the codes of their weights. Codes that no list has count nothing."""
    known = [found for code in codes if (found := code_weights(code, country)) is not None]
    if not known:
        return {}
    scores = np.mean([weights for _, weights in known], axis=0)
    return {
        int(CLUSTERS[at]): (float(scores[at]), ", ".join(name for name, weights in known if weights[at] > 0))
        for at in np.flatnonzero(scores)
    }


def _nace(text: str) -> tuple[str, Floats] | None:
    digits = re.sub(r"[^0-9]", "", text)
    code = digits[:2] + ("." + digits[2:4] if len(digits) > 2 else "") if digits else text
    for scheme in NACE_SCHEMES:
        if code in nace_levels(scheme):
            return f"{scheme}:{code}", _row(scheme, code)
    return None


def _naics(text: str) -> tuple[str, Floats] | None:
    """Weights of a code: those of the six-digit industries below it, by US employment where that is known."""
    first, _, last = text.partition("-")
    starts = (
        [str(number) for number in range(int(first), int(last) + 1)] if last.isdigit() and first.isdigit() else [text]
    )
    for scheme in NAICS_SCHEMES:
        members = [code for code in _rows(scheme) if code.startswith(tuple(starts)) and len(code) == 6]
        if members and text:
            known = us_employment(EMPLOYMENT_YEAR)
            weights = np.array([known.get(code, 0.0) for code in members])
            weights = weights if weights.sum() > 0 else np.ones(len(members))
            rows = np.array([_row(scheme, code) for code in members])
            return f"{scheme}:{text}", weights @ rows / weights.sum()
    return None


@cache
def _rows(scheme: str) -> dict[str, int]:
    return {code: row for row, code in enumerate(cluster_weights(scheme).codes.tolist())}


def _row(scheme: str, code: str) -> Floats:
    columns = [CODES.index(int(cluster)) for cluster in CLUSTERS]
    weights: Floats = cluster_weights(scheme).weight[_rows(scheme)[code]][columns]
    return weights
