"""A county year goes through in a second: 600,000 leaves among 1.8 million cells."""

import numpy as np
import pyarrow as pa
from yardstick import yardsticks

from etl.columns import constant
from etl.harmonise import harmonise
from etl.reference import counties, naics_cluster

LEAVES = 594_535


def county_year() -> pa.Table:
    """Invented counties: leaves at random, and for each county and industry the levels above."""
    rng = np.random.default_rng(1)
    codes = np.array(sorted(counties(2020)))
    six = np.array(sorted(code for code, cluster in naics_cluster(2017).items() if cluster))
    chosen = np.sort(rng.choice(codes.size * six.size, LEAVES, replace=False))
    county, industry = np.divmod(chosen, six.size)
    amount = rng.integers(1, 500, LEAVES).astype(np.float64)
    names, levels = six.tolist(), ["national_industry"]
    parts = [(county, industry, amount, np.zeros(LEAVES, np.int32))]
    joint = {"32": "31", "33": "31", "45": "44", "49": "48"}
    for level, name in (
        (lambda code: code[:5], "industry"),
        (lambda code: code[:4], "industry_group"),
        (lambda code: code[:3], "subsector"),
        (lambda code: joint.get(code[:2], code[:2]), "sector"),
        (lambda code: "00", "total"),
    ):
        above, position = np.unique([level(code) for code in six.tolist()], return_inverse=True)
        key, row = np.unique(county * above.size + position[industry], return_inverse=True)
        number = np.full(key.size, len(levels), np.int32)
        parts.append((key // above.size, len(names) + key % above.size, np.bincount(row, amount), number))
        names += above.tolist()
        levels.append(name)
    place, industries, figure, level_of = (np.concatenate(column) for column in zip(*parts, strict=True))
    size = place.size
    is_withheld = (rng.random(size) < 0.59) & (np.arange(size) < LEAVES)

    def coded(position: np.ndarray, values: list[str]) -> pa.Array:
        return pa.DictionaryArray.from_arrays(pa.array(position.astype(np.int32)), pa.array(values))

    def gaps(values: np.ndarray) -> pa.Array:
        return pa.array(values, mask=~is_withheld)

    status = coded(is_withheld, ["noised", "estimated"])
    return pa.table(
        {
            "source": constant("census_cbp", size),
            "year": pa.array(np.full(size, 2016, np.int16)),
            "region_scheme": constant("us_county", size),
            "region_code": coded(place, codes.tolist()),
            "region_vintage": pa.array(np.full(size, 2020, np.int16)),
            "industry_scheme": constant("naics2017", size),
            "industry_code": coded(industries, names),
            "industry_level": coded(level_of, levels),
            "is_leaf": np.arange(size) < LEAVES,
            "employment": figure,
            "employment_low": figure * 0.9,
            "employment_high": figure * 1.1,
            "employment_band_low": gaps(figure * 0.95),
            "employment_band_high": gaps(figure * 1.05),
            "employment_reported": pa.array(figure, mask=is_withheld),
            "employment_status": status,
            "establishments": np.ones(size),
            "payroll": figure * 30_000,
            "payroll_status": status,
            "currency_code": constant("USD", size),
        }
    )


def test_a_county_year_takes_no_more_than_six_yardsticks() -> None:
    """Six yardsticks are about a second where a yardstick takes 0.17 s."""
    cells = county_year()
    assert cells.num_rows > 1_700_000
    result = harmonise(cells, 2016)  # reads the reference tables
    assert result.region_cluster.num_rows > 200_000
    assert yardsticks(lambda: harmonise(cells, 2016)) < 6
