"""A `region_cluster` of full size with invented figures: every county of every year, all measures filled.

Figures are spread as real ones are: in the county files of 2019 three of ten clusters of a county have establishments,
in those before 2017 five to six; here it is more than half.
"""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from etl.contracts import contract

CLUSTERS = np.array([0, *range(1, 52), *range(101, 117)])
YEARS = range(1998, 2024)
COUNTIES = 3200
Matrix = NDArray[np.float64]


def county_codes(count: int = COUNTIES) -> list[str]:
    """Codes in the form of counties, in order."""
    return [f"{number // 64 + 1:02d}{number % 64 * 2 + 1:03d}" for number in range(count)]


def region_cluster(year: int, counties: int = COUNTIES) -> pa.Table:
    """One county year."""
    rng, lasting = np.random.default_rng(year), np.random.default_rng(1)
    shape = (counties, len(CLUSTERS))
    size = lasting.lognormal(8.0, 1.5, (counties, 1))
    part = lasting.lognormal(0, 1.6, (1, len(CLUSTERS)))
    true = np.floor(size * part / part.sum() * lasting.lognormal(0, 1.5, shape) * rng.lognormal(0, 0.1, shape))
    true[true < 5] = 0
    hidden = (rng.random(shape) < 0.35) & (true > 0)
    employment = np.where(hidden, true * rng.lognormal(0, 0.2, shape), true)
    columns = {"employment": employment, **_bounds(true, employment, hidden), **_quotients(employment)}
    columns |= _growth(true, employment, part, rng) | _amounts(true, hidden, rng)
    quotient, is_there = columns["location_quotient"], employment > 0
    columns["symmetric_quotient"] = (quotient - 1) / (quotient + 1)
    columns["shrunken_log_quotient"] = (
        np.log2(np.where(quotient > 0, quotient, np.nan)) * employment / (employment + 500)
    )
    for name in ("employment", "establishments", "average_wage", "location_quotient"):
        ranks = np.argsort(np.argsort(-np.nan_to_num(columns[name], nan=-1), axis=0, kind="stable"), axis=0) + 1.0
        columns[f"{name}_rank"] = np.where(is_there, ranks, np.nan)
        columns[f"{name}_percentile"] = np.where(is_there, np.floor(ranks * 100 / (counties + 1)), np.nan)
    return contract("region_cluster").conform(_table(year, counties, columns, hidden))


def _bounds(true: Matrix, employment: Matrix, hidden: NDArray[np.bool_]) -> dict[str, Matrix]:
    return {
        "employment_low": np.where(hidden, np.floor(true / 2), true),
        "employment_high": np.where(hidden, true * 2, true),
        "employment_band_low": np.where(hidden, employment * 0.8, true),
        "employment_band_high": np.where(hidden, employment * 1.25, true),
        "employment_reported": np.where(hidden, np.floor(true * 0.3), true),
    }


def _quotients(employment: Matrix) -> dict[str, Matrix]:
    nation = employment.sum(axis=0)
    share, quotient = np.full(employment.shape, np.nan), np.full(employment.shape, np.nan)
    for part in ((CLUSTERS >= 1) & (CLUSTERS <= 51), CLUSTERS > 100):
        whole = employment[:, part].sum(axis=1, keepdims=True)
        share[:, part] = employment[:, part] / np.where(whole > 0, whole, np.nan)
        quotient[:, part] = share[:, part] / (nation[part] / nation[part].sum())
    return {"region_share": share, "location_quotient": quotient, "cluster_share": employment / nation}


def _growth(true: Matrix, employment: Matrix, part: Matrix, rng: np.random.Generator) -> dict[str, Matrix]:
    before = np.floor(true * rng.lognormal(0, 0.08, true.shape))
    expected = before * part / part.sum() * 0.1
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.where(before > 0, employment / before - 1, np.nan)
    return {
        "job_creation": employment - before,
        "expected_job_creation": expected + before * 0.01,
        "employment_growth_rate": rate,
        "shift_reference": before * 0.01,
        "shift_mix": expected,
        "shift_regional": employment - before - expected - before * 0.01,
    }


def _amounts(true: Matrix, hidden: NDArray[np.bool_], rng: np.random.Generator) -> dict[str, Matrix]:
    payroll = np.where(hidden, np.nan, np.round(true * 40 * rng.lognormal(0, 0.3, true.shape)) * 1000)
    with np.errstate(divide="ignore", invalid="ignore"):
        wage = np.where(true > 0, payroll / true, np.nan)
    return {"payroll": payroll, "average_wage": wage, "establishments": np.ceil(true / 12)}


def _table(year: int, counties: int, columns: dict[str, Matrix], hidden: NDArray[np.bool_]) -> pa.Table:
    count = hidden.size
    schema = contract("region_cluster").arrow_schema
    quotient = columns["location_quotient"].ravel()
    flat = {name: pa.array(values.ravel(), from_pandas=True) for name, values in columns.items()}
    texts = {
        "source": np.full(count, "census_cbp"),
        "region_scheme": np.full(count, "us_county"),
        "region_code": np.repeat(county_codes(counties), len(CLUSTERS)),
        "employment_status": np.where(hidden.ravel(), "estimated", "noised"),
        "payroll_status": np.where(hidden.ravel(), "withheld", "noised"),
        "currency_code": np.full(count, "USD"),
        "grade": np.where(hidden.ravel(), np.where(quotient > 1, "B", "C"), "A"),
    }
    numbers = {"year": year, "region_vintage": 2020, "previous_year": year - 1}
    flags = {"is_qualifying": 0.3, "is_significant": 0.7, "is_strong": 1.3, "is_strong_top_decile": 2.5}
    flat |= {name: pa.array(values) for name, values in texts.items()}
    flat |= {name: pa.array(np.full(count, value)) for name, value in numbers.items()}
    flat |= {name: pa.array(quotient > limit) for name, limit in flags.items()}
    flat["cluster_code"] = pa.array(np.tile(CLUSTERS, counties))
    return pa.table({name: values.cast(schema.field(name).type) for name, values in flat.items()})
