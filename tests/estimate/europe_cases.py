"""Small European tables for tests: rows of `region_industry` from figures by area and industry."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from etl.reference.nace import nace_levels

Figures = Mapping[tuple[str, str], float | None]

COLUMNS = pa.schema(
    {
        "source": pa.string(),
        "year": pa.int16(),
        "region_scheme": pa.string(),
        "region_code": pa.string(),
        "region_vintage": pa.int16(),
        "industry_scheme": pa.string(),
        "industry_code": pa.string(),
        "industry_level": pa.string(),
        "is_leaf": pa.bool_(),
        "employment": pa.float64(),
        "employment_low": pa.float64(),
        "employment_high": pa.float64(),
        "employment_reported": pa.float64(),
        "employment_status": pa.string(),
        "employment_flag": pa.string(),
        "establishments": pa.float64(),
        "payroll": pa.float64(),
        "payroll_status": pa.string(),
        "currency_code": pa.string(),
    }
)


def table(
    figures: Figures,
    *,
    source: str = "eurostat_sbs",
    year: int = 2015,
    units: Figures | None = None,
    pay: Figures | None = None,
) -> pa.Table:
    """Rows by (area, industry); None is withheld. Divisions and classes are leaves, unless divisions have classes."""
    levels = nace_levels("nace2") | {"TOTAL": "total"}
    with_classes = {(area, code[:2]) for area, code in figures if len(code) == 5}
    rows = []
    for (area, code), value in figures.items():
        paid = None if pay is None else pay.get((area, code))
        rows.append(
            {
                "source": source,
                "year": year,
                "region_scheme": "eu_aggregate" if area.startswith("EU2") else f"nuts{len(area) - 2}",
                "region_code": area,
                "region_vintage": 2013,
                "industry_scheme": "nace2",
                "industry_code": code,
                "industry_level": levels[code],
                "is_leaf": levels[code] in ("division", "class") and (area, code) not in with_classes,
                "employment": value,
                "employment_low": 0.0 if value is None else value,
                "employment_high": value,
                "employment_reported": value,
                "employment_status": "withheld" if value is None else "reported",
                "employment_flag": "",
                "establishments": None if units is None else units.get((area, code)),
                "payroll": paid,
                "payroll_status": None if pay is None else "withheld" if paid is None else "reported",
                "currency_code": "EUR",
            }
        )
    return pa.Table.from_pylist(rows, COLUMNS)


def shuffled(cells: pa.Table, seed: int = 1) -> pa.Table:
    """The same rows in another order."""
    return cells.take(pa.array(np.random.default_rng(seed).permutation(cells.num_rows)))


def by_key(cells: pa.Table) -> dict[tuple[str, str], dict[str, object]]:
    """Rows by (area, industry)."""
    return {(row["region_code"], row["industry_code"]): row for row in cells.to_pylist()}
