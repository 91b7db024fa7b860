"""The invented world behind the demo: establishments by county and industry, persons employed by region and division.

Nothing here is a statistic. Codes are real, figures are drawn from a seeded generator, the same on every machine.
"""

from dataclasses import dataclass

import numpy as np

from etl import reference
from etl.reference.us_employment import us_employment

SEED = 20151116
SIZE_CLASSES = ("1_4", "5_9", "10_19", "20_49", "50_99", "100_249", "250_499", "500_999", "1000")
CLASS_LOW = np.array([1, 5, 10, 20, 50, 100, 250, 500, 1000])
CLASS_HIGH = np.array([4, 9, 19, 49, 99, 249, 499, 999, 1499])
CLASS_SHARE = np.array([0.48, 0.19, 0.13, 0.11, 0.045, 0.028, 0.01, 0.005, 0.002])
COUNTIES_A_STATE = 2
SMALL_STATE = 5
INDUSTRIES_A_CLUSTER = 3
COVERED_SHARE = 0.82
LAST_TRADED = 51

# Persons employed per thousand of the covered economy, by NACE division: rough proportions, rounded by hand.
DIVISION_WEIGHTS = {
    "B": {"05": 1, "06": 1, "07": 1, "08": 2, "09": 1},
    "C": {
        "10": 31, "11": 4, "12": 1, "13": 5, "14": 8, "15": 3, "16": 8, "17": 5, "18": 6, "19": 1, "20": 9, "21": 5,
        "22": 13, "23": 10, "24": 8, "25": 29, "26": 9, "27": 12, "28": 24, "29": 20, "30": 7, "31": 8, "32": 7,
        "33": 10,
    },
    "D": {"35": 10},
    "E": {"36": 3, "37": 2, "38": 8, "39": 1},
    "F": {"41": 28, "42": 13, "43": 60},
    "G": {"45": 31, "46": 82, "47": 150},
    "H": {"49": 48, "50": 2, "51": 3, "52": 24, "53": 13},
    "I": {"55": 20, "56": 70},
    "J": {"58": 8, "59": 4, "60": 2, "61": 9, "62": 26, "63": 5},
    "L": {"68": 22},
    "M": {"69": 28, "70": 19, "71": 24, "72": 5, "73": 11, "74": 9, "75": 2},
    "N": {"77": 5, "78": 33, "79": 5, "80": 12, "81": 36, "82": 17},
}  # fmt: skip
REPAIR = {"95": 3}


@dataclass(frozen=True, slots=True)
class AmericanTruth:
    """Invented establishments of one year: `classes[county, industry, size class]`, with their jobs and pay."""

    counties: list[str]
    industries: list[str]
    classes: np.ndarray
    employment: np.ndarray
    payroll: np.ndarray


@dataclass(frozen=True, slots=True)
class EuropeanTruth:
    """Invented persons employed and local units of one year: `employment[region, division]`, regions at NUTS 2."""

    regions: list[str]
    divisions: list[str]
    sections: list[str]
    employment: np.ndarray
    local_units: np.ndarray


def american_industries() -> list[str]:
    """The largest industries of every cluster, of codes that mean the same in NAICS 2012 and NAICS 2017.

    Three of each, and of traded clusters as many as hold the share of real employment that the common rule asks for.
    """
    older, newer = reference.naics_cluster(2012), reference.naics_cluster(2017)
    jobs = us_employment(2017)
    by_cluster: dict[int, list[str]] = {}
    for code in sorted(newer, key=lambda code: (-jobs.get(code, 0.0), code)):
        if newer[code] > 0:
            by_cluster.setdefault(newer[code], []).append(code)
    chosen: list[str] = []
    for cluster, codes in by_cluster.items():
        lasting = [code for code in codes if older.get(code) == cluster]
        held = np.cumsum([jobs.get(code, 0.0) for code in lasting]) / sum(jobs.get(code, 0.0) for code in codes)
        needed = 1 + int(np.searchsorted(held, COVERED_SHARE)) if cluster <= LAST_TRADED else INDUSTRIES_A_CLUSTER
        chosen += lasting[: max(needed, INDUSTRIES_A_CLUSTER)]
    return sorted(chosen)


def american_counties() -> list[str]:
    """Every county of the small states and two of each other state, with the statewide 999."""
    by_state: dict[str, list[str]] = {}
    for code in sorted(reference.counties(2020)):
        by_state.setdefault(code[:2], []).append(code)
    chosen: list[str] = []
    for state, codes in by_state.items():
        chosen += codes if len(codes) <= SMALL_STATE else codes[:COUNTIES_A_STATE]
        chosen.append(f"{state}999")
    return sorted(chosen)


def american_truth(year: int) -> AmericanTruth:
    """Draw one year: the same places keep their strengths, amounts grow by a little."""
    counties, industries = american_counties(), american_industries()
    places = np.random.default_rng(SEED)
    size = places.lognormal(0.0, 0.8, len(counties)) * np.where([c.endswith("999") for c in counties], 0.02, 1.0)
    industry_size = places.lognormal(0.0, 0.9, len(industries))
    strength = places.lognormal(0.0, 1.0, (len(counties), len(industries)))
    big_plants = places.random((len(counties), len(industries))) * 0.6
    drawn = np.random.default_rng(SEED + year)
    growth = 1.0 + 0.012 * (year - 2010)
    expected = 5.5 * growth * size[:, None] * industry_size[None, :] * strength
    establishments = drawn.poisson(expected)
    shares = CLASS_SHARE * (1.0 + big_plants[:, :, None] * np.arange(9)) / 1.0
    shares /= shares.sum(axis=2, keepdims=True)
    classes = drawn.multinomial(establishments, shares)
    inside = drawn.random(classes.shape)
    mean_size = CLASS_LOW + (CLASS_HIGH - CLASS_LOW) * (0.25 + 0.4 * inside)
    employment = np.rint((classes * mean_size).sum(axis=2)).astype(np.int64)
    wage = places.lognormal(3.7, 0.35, len(industries))[None, :] * drawn.uniform(0.9, 1.1, employment.shape)
    payroll = np.rint(employment * wage * (1.0 + 0.02 * (year - 2010))).astype(np.int64)
    return AmericanTruth(counties, industries, classes, employment, payroll)


def european_truth(year: int, regions: list[str]) -> EuropeanTruth:
    """Draw one year for these NUTS 2 regions."""
    pairs = [(division, section) for section, row in DIVISION_WEIGHTS.items() for division in row]
    pairs += [(division, "S") for division in REPAIR]
    weights = np.array([w for row in [*DIVISION_WEIGHTS.values(), REPAIR] for w in row.values()], float)
    places = np.random.default_rng(SEED + 1)
    size = places.lognormal(13.0, 0.6, len(regions))
    strength = places.lognormal(0.0, 0.5, (len(regions), len(pairs)))
    drawn = np.random.default_rng(SEED + 1 + year)
    growth = 1.0 + 0.008 * (year - 2010)
    expected = growth * size[:, None] * (weights / weights.sum())[None, :] * strength
    employment = np.rint(expected * drawn.uniform(0.97, 1.03, expected.shape)).astype(np.int64)
    average = places.lognormal(2.0, 0.7, len(pairs))
    local_units = np.maximum(np.rint(employment / average[None, :]), (employment > 0).astype(float)).astype(np.int64)
    return EuropeanTruth(regions, [d for d, _ in pairs], [s for _, s in pairs], employment, local_units)
