"""American estimates on many little economies drawn at random: their truth is known, and little ones are the oddest."""

import numpy as np
import pandas as pd
import pytest

from etl.estimate.us.holdout import letter_range
from tests.estimate.test_us_rules import cell, estimated

INDUSTRIES = {"11": ("113110", "113210", "115112"), "21": ("211120", "212111"), "22": ("221111",)}
ONCE_WRONG = (247, 355, 617)
"""What a state has of an industry that none of its counties shows once had no place in the counties."""

Cells = dict[tuple[str, str], int]


def economy(seed: int) -> tuple[Cells, list[dict[str, object]]]:
    """Employment of every cell, and what is published: odd seeds drop small cells, even ones have
    letters."""
    rng = np.random.default_rng(seed)
    persons: Cells = {}
    places: Cells = {}
    for state in ("01", "02", "04")[: rng.integers(1, 4)]:
        for county in range(1, rng.integers(2, 5)):
            for sector, codes in INDUSTRIES.items():
                for code in codes:
                    number = int(rng.choice([0, 0, 1, 1, 2, 3, 8]))
                    if not number:
                        continue
                    employment = int(rng.lognormal(2, 1.3) * number)
                    for region in (f"{state}{county:03d}", state, "US"):
                        for above in ("00", sector, code[:3], code[:4], code):
                            key = region, above
                            persons[key] = persons.get(key, 0) + employment
                            places[key] = places.get(key, 0) + number
    rows = []
    for (region, code), employment in persons.items():
        number = places[region, code]
        if seed % 2 and number < 3:
            continue
        is_withheld = rng.random() < (0.9 if number < 3 else 0.3)
        low, high = (float(end[0]) for end in letter_range(np.array([float(employment)])))
        if seed % 2:
            low, high = 0.0, np.inf
        withheld = cell(region, code, number, None, low=low, high=high if high < 1e8 else None)
        row = withheld if is_withheld else cell(region, code, number, employment)
        rows.append(row | ({"year": 2019, "industry_scheme": "naics2017"} if seed % 2 else {}))
    return persons, rows


@pytest.mark.parametrize("seed", [*range(24), *ONCE_WRONG])
def test_the_truth_is_inside_the_bounds_and_nothing_contradicts_itself(seed: int) -> None:
    persons, rows = economy(seed)
    if not rows:
        pytest.skip("nothing is published of this economy")
    result = estimated(*rows)
    assert result.contradictions.num_rows == 0
    cells = result.cells.to_pandas()
    assert cells.employment.notna().all() and (cells.employment >= 0).all()
    high = cells.employment_high.fillna(np.inf)
    truth = pd.Series(
        [persons.get(key) for key in zip(cells.region_code, cells.industry_code, strict=True)], dtype=float
    )
    known = truth.notna()
    assert (cells.employment_low[known] <= truth[known] + 1e-6).all() and (truth[known] <= high[known] + 1e-6).all()
    for region, own in cells.groupby("region_code", observed=True):
        total = own.employment[own.industry_code == "00"]
        assert total.empty or own.employment[own.is_leaf].sum() == pytest.approx(total.iloc[0], rel=1e-6), region
