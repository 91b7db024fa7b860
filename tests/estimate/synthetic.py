"""A made-up economy in the shape of County Business Patterns, of which everything is known.

Establishments are drawn one by one: industries of very different size and regional pattern, counties of very different
size, sizes of establishments lognormal round a mean of their industry and place, some without employees on the day. The
table is then withheld as the Census Bureau did to 2016 (range letters) or as it does from 2017 (small cells dropped).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from etl import reference
from etl.sources.census_disclosure import RANGES
from etl.sources.naics_codes import LEVELS, SECTOR_OF, level

CLASS_STARTS = np.array([0, 5, 10, 20, 50, 100, 250, 500, 1000, 1500, 2500, 5000])
CLASSES = (
    *("1_4", "5_9", "10_19", "20_49", "50_99", "100_249", "250_499", "500_999"),
    *("1000_1499", "1500_2499", "2500_4999", "5000"),
)
STATES = 51


@dataclass(frozen=True, slots=True)
class Synthetic:
    """`cells`: rows as the reader of the source gives them; `truth`: employment of each row."""

    cells: pa.Table
    truth: npt.NDArray[np.float64]


def economy(
    establishments: int = 7_000_000,
    counties: int = 3143,
    industries: int = 978,
    *,
    seed: int = 1,
    dropped: bool = False,
    size_classes: bool = True,
    year: int = 2012,
    naics_vintage: int = 2012,
    county_codes: list[str] | None = None,
) -> Synthetic:
    """Draw an economy and withhold it; `dropped`: leave out cells of fewer than three establishments, flag no others.

    `county_codes`: real counties in place of made-up ones, as many as `counties`. The defaults give 1.76 million cells,
    59 % of them withheld.
    """
    rng = np.random.default_rng(seed)
    leaf, size = _draw(rng, establishments, counties, industries)
    codes = sorted(rng.choice(sorted(reference.naics_codes(naics_vintage)), industries, replace=False))
    county_codes = county_codes or _counties(counties)
    table = _aggregate(leaf, size, codes, county_codes)
    is_small = table["establishments"] < 3
    withheld = is_small | (table["largest"] >= 0.8 * table["truth"]) | (rng.random(is_small.size) < 0.09)
    withheld &= table["industry"] != "00"
    if dropped:
        keep = ~is_small | (table["industry"] == "00")
        table = {name: values[keep] for name, values in table.items()}
        withheld = np.zeros(int(keep.sum()), bool)
    return Synthetic(_rows(table, withheld, size_classes, year), table["truth"])


def _draw(
    rng: np.random.Generator, establishments: int, counties: int, industries: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """County and industry (as one number) and employees of each establishment."""
    county_weight = rng.lognormal(0, 1.5, counties)
    industry_weight = rng.lognormal(0, 1.9, industries)
    per_industry = rng.multinomial(establishments, industry_weight / industry_weight.sum())
    leaf_counts = np.empty((industries, counties), np.int64)
    for number, count in enumerate(per_industry):
        place = county_weight ** rng.uniform(0.9, 1.25) * rng.gamma(rng.uniform(0.1, 2), size=counties)
        leaf_counts[number] = rng.multinomial(count, place / place.sum())
    leaf = np.repeat(np.arange(leaf_counts.size), leaf_counts.ravel())
    mean = rng.lognormal(2.4, 0.7, industries)[:, None] * rng.lognormal(0, 0.25, (industries, counties))
    spread = rng.uniform(0.8, 1.2, industries)[leaf // counties]
    size = np.exp(rng.normal(0, 1, leaf.size) * spread - spread**2 / 2) * mean.ravel()[leaf]
    return leaf % counties * industries + leaf // counties, np.minimum(size, 40_000).astype(np.int64)


def _counties(counties: int) -> list[str]:
    """Codes of so many counties, spread over the states by their usual numbers of two digits."""
    states = min(STATES, max(2, counties // 8))
    per_state = np.bincount(np.arange(counties) * states // counties, minlength=states)
    return [f"{state + 1:02d}{2 * county + 1:03d}" for state, count in enumerate(per_state) for county in range(count)]


def _aggregate(
    leaf: npt.NDArray[np.int64], size: npt.NDArray[np.int64], codes: list[str], counties: list[str]
) -> dict[str, npt.NDArray]:
    """Sum establishments to all levels of regions and industries."""
    order = np.lexsort((size, leaf))
    leaf, size = leaf[order], size[order]
    cells, first = np.unique(leaf, return_index=True)
    size_class = np.searchsorted(CLASS_STARTS, size, side="right") - 1
    position = np.repeat(np.arange(cells.size), np.diff(np.append(first, leaf.size)))
    measures = {
        "truth": np.bincount(position, size).astype(np.float64),
        "establishments": np.bincount(position).astype(np.float64),
        **{
            f"establishments_{name}": np.bincount(position, size_class == number, minlength=cells.size)
            for number, name in enumerate(CLASSES)
        },
    }
    largest = size[np.append(first[1:], leaf.size) - 1]
    region = np.array(counties)[cells // len(codes)]
    parts = []
    for region_code in (region, np.array([code[:2] for code in region]), np.full(region.size, "US")):
        for digits in (6, 5, 4, 3, 2, 0):
            shorter = [code[:digits] for code in codes]
            above = np.array([SECTOR_OF.get(code, code) or "00" for code in shorter])[cells % len(codes)]
            parts.append(_group(region_code, above, measures, largest))
    table = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    order = np.lexsort((table["industry"], table["region"]))
    return {name: values[order] for name, values in table.items()}


def _group(
    region: npt.NDArray, industry: npt.NDArray, measures: dict[str, npt.NDArray], largest: npt.NDArray
) -> dict[str, npt.NDArray]:
    regions, region_of = np.unique(region, return_inverse=True)
    industries, industry_of = np.unique(industry, return_inverse=True)
    keys, group = np.unique(region_of * industries.size + industry_of, return_inverse=True)
    most = np.zeros(keys.size)
    np.maximum.at(most, group, largest)
    sums = {name: np.bincount(group, values) for name, values in measures.items()}
    return {
        "region": regions[keys // industries.size],
        "industry": industries[keys % industries.size],
        "largest": most,
        **sums,
    }


def _rows(table: dict[str, npt.NDArray], withheld: npt.NDArray[np.bool_], size_classes: bool, year: int) -> pa.Table:
    truth, region, industry = table["truth"], table["region"], table["industry"]
    schemes = {1: "us_nation", 2: "us_state", 5: "us_county"}
    digits = np.char.str_len(region)
    scheme = np.where(region == "US", "us_nation", np.array([schemes.get(n, "") for n in range(6)])[digits])
    low, high = range_of(truth)
    reported = pa.array(np.where(withheld, np.nan, truth), from_pandas=True)
    levels = {code: level(code) for code in np.unique(industry)}
    payroll = (
        truth * np.array([30_000 + 500 * int(code[:2]) for code in levels])[np.unique(industry, return_inverse=True)[1]]
    )
    columns = {
        "source": pa.array(np.full(truth.size, "census_cbp")),
        "year": pa.array(np.full(truth.size, year, np.int16)),
        "region_scheme": pa.array(scheme),
        "region_code": pa.array(region),
        "region_vintage": pa.array(np.full(truth.size, 2010, np.int16)),
        "industry_scheme": pa.array(np.full(truth.size, "naics2012")),
        "industry_code": pa.array(industry),
        "industry_level": pa.array([levels[code] for code in industry]).dictionary_encode(),
        "is_leaf": pa.array(digits_of(industry) == len(LEVELS)),
        "employment": reported,
        "employment_low": pa.array(np.where(withheld, low, truth)),
        "employment_high": pa.array(np.where(withheld, high, truth), from_pandas=True),
        "employment_reported": reported,
        "employment_status": pa.array(np.where(withheld, "withheld", "reported")),
        "employment_flag": pa.array(np.full(truth.size, "")),
        "establishments": pa.array(table["establishments"]),
        "payroll": pa.array(np.where(withheld, np.nan, payroll), from_pandas=True),
        "payroll_status": pa.array(np.where(withheld, "withheld", "reported")),
        "currency_code": pa.array(np.full(truth.size, "USD")),
    }
    if size_classes:
        counts = {f"establishments_{name}": table[f"establishments_{name}"].astype(np.int32) for name in CLASSES}
        counts["establishments_1000"] = sum(counts[f"establishments_{name}"] for name in CLASSES[8:])
        columns |= {name: pa.array(values) for name, values in counts.items()}
    return pa.table({name: _encoded(column) for name, column in columns.items()})


def _encoded(column: pa.Array) -> pa.Array:
    """Codes as the readers give them: numbers of a list."""
    return column.dictionary_encode() if pa.types.is_string(column.type) else column


def digits_of(codes: npt.NDArray) -> npt.NDArray[np.int64]:
    """Number of digits of each code."""
    return np.char.str_len(codes)


def range_of(truth: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The letter's range round each figure."""
    ranges = np.array(list(RANGES.values()), np.float64)
    letter = np.searchsorted(ranges[:, 0], truth, side="right") - 1
    return ranges[letter, 0], ranges[letter, 1]
