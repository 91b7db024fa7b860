"""Made-up rows of `region_cluster_common` for the tests of partners."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from etl.contracts import contract

STATES = [f"{number:02d}" for number in (1, 4, 5, 6, 8, 9, 10, 12, 13, 15, 16, 17, 18, 19, 20)]
NUTS = [f"DE{letter}" for letter in "123456789ABCDEFG"] + [f"FR{letter}" for letter in "BCDEFGHIJK"]


def common(
    employment: Mapping[tuple[str, str], Sequence[float]],
    *,
    level: str = "L",
    year: int = 2019,
    reference: np.ndarray | None = None,
    unknown: Mapping[tuple[str, str], Sequence[int]] | None = None,
    grade_d: Mapping[tuple[str, str], Sequence[int]] | None = None,
    spread: float = 0.0,
) -> pa.Table:
    """Rows of regions (scheme, code) with employment in the 51 traded clusters; strong where the quotient is over 1.2.

    `reference`: employment of the reference area, by default the sum of the regions. `unknown`: cluster codes of
    regions without a quotient; `grade_d`: those of grade D. `spread`: half the band as a share of employment.
    """
    jobs = np.array(list(employment.values()), float)
    base = jobs.sum(axis=0) if reference is None else reference
    share = base / base.sum()
    rows = []
    for (scheme, code), amounts in employment.items():
        quotients = np.array(amounts) / sum(amounts) / share
        for cluster, (amount, quotient) in enumerate(zip(amounts, quotients, strict=True), 1):
            is_unknown = cluster in (unknown or {}).get((scheme, code), ())
            grade = "D" if cluster in (grade_d or {}).get((scheme, code), ()) else "B" if spread else "A"
            rows.append(
                {
                    "level": level,
                    "variant": "full",
                    "year": year,
                    "region_scheme": scheme,
                    "region_code": code,
                    "region_vintage": 2020 if scheme.startswith("us") else 2021,
                    "cluster_code": cluster,
                    "source": "census_cbp" if scheme.startswith("us") else "eurostat_sbs",
                    "source_year": year,
                    "employment": amount,
                    "employment_low": amount * (1 - 2 * spread),
                    "employment_high": amount * (1 + 2 * spread),
                    "employment_band_low": amount * (1 - spread) if spread else None,
                    "employment_band_high": amount * (1 + spread) if spread else None,
                    "location_quotient": None if is_unknown else float(quotient),
                    "is_strong": None if is_unknown or grade == "D" else bool(quotient > 1.2),
                    "is_complete": True,
                    "grade": grade,
                    "reason": "less than 80% of the cluster is covered on both sides" if is_unknown else None,
                }
            )
    table = contract("region_cluster_common")
    return table.conform(pa.Table.from_pylist(rows, table.arrow_schema))


def portfolios(
    seed: int = 0, states: Sequence[str] = STATES, regions: Sequence[str] = NUTS
) -> dict[tuple[str, str], list[float]]:
    """Employment of random regions of both sides."""
    random = np.random.default_rng(seed)
    keys = [("us_state", code) for code in states] + [("nuts1", code) for code in regions]
    return {key: np.round(random.lognormal(7, 1.3, 51)).tolist() for key in keys}
