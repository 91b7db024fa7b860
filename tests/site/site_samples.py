"""A small snapshot's tables for the page, made by chance, with corner cases in known places."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl import reference
from etl.contracts import contract
from etl.measure.rules import LEVELS
from etl.reference import area_names, nuts_regions, states
from etl.site.page_grid import CLUSTERS, TRADED
from etl.site.tables import Tables

YEARS = (2016, 2019)
VINTAGES = {"us_state": 2020, "us_economic_area": 2004, "nuts1": 2021, "nuts2": 2021}

#: Withheld: no figure, never 0. Zero: a figure. Both in the year 2019.
WITHHELD = ("us_state:26", 4)
ZERO = ("us_state:27", 4)
#: A name that would run as markup or as a formula if it were not taken as text.
HOSTILE = '=<img src=x onerror="document.title=1">'


def codes(scheme: str, most: int = 10_000) -> list[str]:
    """The codes of a scheme, the first of each in the built-in lists; those that the tests name are always there."""
    if scheme == "us_state":
        found = sorted(states())
    elif scheme == "us_economic_area":
        found = sorted(area_names(scheme, 2004))
    else:
        length = int(scheme[-1]) + 2
        found = sorted(code for code in nuts_regions(2021) if len(code) == length and not code.endswith("Z"))
        found = [code for code in found if not reference.is_extra_regio(code)]
    always = {"26", "27", "57045", "57047", "DE1", "DE11", "FRY1"}
    return sorted({*found[:most], *(always & set(found))})


def sample(
    years: Sequence[int] = YEARS, most: int = 25, seed: int = 0, partners: int = 3, organisations: int = 0
) -> dict[str, pa.Table]:
    """Tables by name, as contracts have them.

    `most`: regions of a scheme; at least 40 make a map worth a test. `partners`: of each kind that a region has in the
    latest year. `organisations`: how many beside those that the tests name.
    """
    rng = np.random.default_rng(seed)
    whole = contract("region_cluster").conform
    native = pa.concat_tables([whole(_native(rng, year, scheme, most)) for year in years for scheme in VINTAGES])
    regions = [(scheme, code) for scheme in VINTAGES for code in codes(scheme, most)]
    return {
        "cluster": reference.clusters(),
        "subcluster": reference.subclusters(),
        "source": contract("source").conform(_sources()),
        "region": reference.regions(
            pa.table(
                {
                    "region_scheme": [scheme for scheme, _ in regions] + ["us_state"],
                    "region_code": [code for _, code in regions] + ["99"],
                    "region_vintage": [VINTAGES[scheme] for scheme, _ in regions] + [2020],
                }
            )
        ),
        "region_cluster": whole(native),
        "region_cluster_common": contract("region_cluster_common").conform(
            pa.concat_tables([_common(rng, native, year, variant) for year in years for variant in ("full", "coarse")])
        ),
        "region_total": contract("region_total").conform(_totals(native)),
        "region_partner": contract("region_partner").conform(_partners(max(years), most, partners)),
        "cluster_organisation": contract("cluster_organisation").conform(_organisations(organisations)),
        "cluster_relatedness": contract("cluster_relatedness").conform(_relatedness(max(years))),
    }


def tables_of(tables: Mapping[str, pa.Table]) -> Tables:
    """Serve tables from memory as a published version would."""
    years = {
        name: tuple(sorted(pc.unique(table["year"]).to_pylist())) if contract(name).partition else ()
        for name, table in tables.items()
    }

    def read(name: str, year: int | None, columns: Sequence[str]) -> pa.Table:
        table = tables[name]
        return (table if year is None else table.filter(pc.equal(table["year"], year))).select(list(columns))

    return Tables(years, read)


def _native(rng: np.random.Generator, year: int, scheme: str, most: int) -> pa.Table:
    regions = codes(scheme, most)
    keys = [(code, cluster) for code in regions for cluster in CLUSTERS]
    size = len(keys)
    is_us = scheme.startswith("us")
    employment = np.round(rng.lognormal(6, 2, size))
    status = rng.choice(["noised", "reported", "estimated"] if is_us else ["modelled", "rounded"], size)
    grade = np.where(np.isin(status, ["estimated", "modelled"]), rng.choice(list("BCD"), size), "A")
    band = np.where(grade == "A", np.nan, employment * 0.2)
    withheld = np.array([(f"{scheme}:{code}", cluster) == WITHHELD and year == 2019 for code, cluster in keys])
    zero = np.array([(f"{scheme}:{code}", cluster) == ZERO and year == 2019 for code, cluster in keys])
    employment[zero] = 0
    known = np.where(withheld, np.nan, employment)
    quotient = np.where(withheld, np.nan, np.where(zero, 0, rng.lognormal(0, 0.8, size)))
    flags = [None if is_us is False else bool(value) for value in rng.random(size) < 0.2]
    stars = [bool(value) if not is_us else None for value in rng.random(size) < 0.3]
    return pa.table(
        {
            "source": pa.array(["census_cbp" if is_us else "eurostat_sbs"] * size),
            "year": pa.array([year] * size, pa.int16()),
            "region_scheme": [scheme] * size,
            "region_code": [code for code, _ in keys],
            "region_vintage": pa.array([VINTAGES[scheme]] * size, pa.int16()),
            "cluster_code": pa.array([cluster for _, cluster in keys], pa.int16()),
            "employment": _nulls(known),
            "employment_low": _nulls(np.where(withheld, 0, employment - np.nan_to_num(band))),
            "employment_high": _nulls(np.where(withheld, np.nan, employment + np.nan_to_num(band))),
            "employment_band_low": _nulls(known - band / 2),
            "employment_band_high": _nulls(known + band / 2),
            "employment_reported": np.where(withheld, 0.0, employment),
            "employment_status": np.where(withheld, "withheld", status),
            "establishments": _nulls(np.round(employment / 9) if is_us else np.full(size, np.nan)),
            "currency_code": ["USD" if is_us else "EUR"] * size,
            "grade": pa.array([None if hidden else letter for hidden, letter in zip(withheld, grade, strict=True)]),
            "is_complete": [True] * size,
            "location_quotient": _nulls(quotient),
            "quotient_reason": pa.array(["employment is withheld" if hidden else None for hidden in withheld]),
            "region_share": _nulls(known / employment.sum() * len(regions)),
            "cluster_share": _nulls(known / employment.sum()),
            "is_qualifying": pa.array(flags, pa.bool_()),
            "is_significant": pa.array(flags, pa.bool_()),
            "is_strong": pa.array(flags, pa.bool_()),
            "is_strong_top_decile": pa.array(flags, pa.bool_()),
            "star_size": pa.array(stars, pa.bool_()),
            "star_specialisation": pa.array(stars, pa.bool_()),
            "star_focus": pa.array(stars, pa.bool_()),
            "average_wage": _nulls(np.full(size, 51_000.0 if is_us else np.nan)),
            "previous_year": pa.array([None if year == min(YEARS) else min(YEARS)] * size, pa.int16()),
            "employment_growth_rate": _nulls(
                np.where(withheld | (year == min(YEARS)), np.nan, rng.normal(0.01, 0.04, size))
            ),
        }
    )


def _common(rng: np.random.Generator, native: pa.Table, year: int, variant: str) -> pa.Table:
    traded = pc.and_(pc.equal(native["year"], year), pc.is_in(native["cluster_code"], pa.array(TRADED, pa.int16())))
    rows = native.filter(traded)
    level = {scheme: name for name, schemes in LEVELS.items() for scheme in schemes}
    known = np.array(pc.is_valid(rows["employment"]))
    quotient = rng.lognormal(0, 0.8, rows.num_rows)
    return pa.table(
        {
            "level": [level[scheme] for scheme in rows["region_scheme"].to_pylist()],
            "variant": [variant] * rows.num_rows,
            **{name: rows[name] for name in ("year", "region_scheme", "region_code", "region_vintage")},
            **{name: rows[name] for name in ("cluster_code", "source", "employment", "grade", "is_complete")},
            "source_year": rows["year"],
            "paired_year": rows["year"],
            "reference_area": ["US + DE"] * rows.num_rows,
            "employment_band_low": rows["employment_band_low"],
            "employment_band_high": rows["employment_band_high"],
            "location_quotient": _nulls(np.where(known, quotient, np.nan)),
            "is_strong": pa.array([bool(q > 1.5) if k else None for q, k in zip(quotient, known, strict=True)]),
            "strong_probability": _nulls(np.where(known, np.clip(quotient / 3, 0, 1), np.nan)),
            "covered_share": [1.0] * rows.num_rows,
            "reason": pa.array([None if k else "employment is withheld" for k in known], pa.string()),
        }
    )


def _totals(native: pa.Table) -> pa.Table:
    keys = ["source", "year", "region_scheme", "region_code", "region_vintage"]
    total = native.group_by(keys, use_threads=False).aggregate([("employment", "sum")])
    employment = total["employment_sum"]
    return pa.table(
        {
            **{name: total[name] for name in keys},
            "employment": employment,
            "employment_reported": employment,
            "employment_status": ["reported"] * total.num_rows,
            "employment_traded": pc.multiply(employment, 0.75),
            "employment_local": pc.multiply(employment, 0.25),
            "cluster_strength": [0.4] * total.num_rows,
            "portfolio_entropy": [4.2] * total.num_rows,
            "is_complete": [True] * total.num_rows,
        }
    )


def _partners(year: int, most: int, count: int) -> pa.Table:
    rows = []
    for level, (american, european) in LEVELS.items():
        there = codes(european, most)
        for code in codes(american, most):
            for kind, explaining in (("twin", "4,32"), ("complement", "4>32,23>27")):
                for rank, partner in enumerate(there[:count], start=1):
                    rows.append(
                        {
                            **{"level": level, "year": year, "region_scheme": american, "region_code": code},
                            **{"region_vintage": VINTAGES[american], "partner_scheme": european},
                            **{"partner_code": partner, "partner_vintage": VINTAGES[european], "kind": kind},
                            **{"partner_rank": rank, "score": 1 / rank if count > 9 else 1 - rank / 10},
                            **{"score_low": 0.1, "score_high": 0.95},
                            **{"explaining_clusters": explaining, "size_ratio": 0.5},
                        }
                    )
    return pa.Table.from_pylist(rows, schema=contract("region_partner").arrow_schema)


def _organisations(more: int) -> pa.Table:
    common = {"region_scheme": "us_county", "region_code": "26163", "region_vintage": 2020, "country_code": "US"}
    rows = [
        {**common, "organisation_id": "a", "organisation_name": HOSTILE, "cluster_code": 4, "link_rank": 1},
        {
            **common,
            "organisation_id": "b",
            "organisation_name": "Great Lakes Motors",
            "cluster_code": 4,
            "link_rank": 1,
        },
    ]
    rows += [
        {**common, "organisation_id": f"c{i}", "organisation_name": f"Organisation number {i}"}
        | {"cluster_code": 1 + i % 51, "link_rank": 1}
        for i in range(more)
    ]
    rows = [{**row, "score": 0.5, "link_method": "text", "evidence": "motor"} for row in rows]
    return pa.Table.from_pylist(rows, schema=contract("cluster_organisation").arrow_schema)


def _relatedness(year: int) -> pa.Table:
    rows = [
        {"level": level, "area": "pooled", "year": year, "cluster_code": 4, "related_cluster_code": other}
        | {"relatedness": 1 / other, "regions": 50}
        for level in LEVELS
        for other in (4, 7, 9, 11)
    ]
    return pa.Table.from_pylist(rows, schema=contract("cluster_relatedness").arrow_schema)


def _sources() -> pa.Table:
    table = reference.source_table()
    marks = pa.array([True] * table.num_rows)
    return table.set_column(table.column_names.index("is_invented"), "is_invented", marks)


def _nulls(values: np.ndarray) -> pa.Array:
    return pa.array(values, pa.float64(), from_pandas=True)
