"""The figures of one year and level for the page: every measure of every cluster of every region, with its status."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from etl.site.encode import STATUS_LETTERS, UNKNOWN, bounds, letters, persons, rate, ratio
from etl.site.page_grid import CLUSTERS, REGION, TRADED, Laid, PageGrid, chosen_sources, frame, native_rows, of_schemes
from etl.site.tables import Tables

NATIVE_PERSONS = ("employment", "establishments", "average_wage")
NATIVE_BOUNDS = ("employment_low", "employment_high", "employment_band_low", "employment_band_high")
NATIVE_RATIOS = ("location_quotient", "region_share", "cluster_share")
NATIVE_TEXTS = ("employment_status", "grade", "currency_code", "quotient_reason")
FLAGS_US = ("is_qualifying", "is_significant", "is_strong", "is_strong_top_decile")
FLAGS_EU = ("star_size", "star_specialisation", "star_focus")

COMMON_BANDS = ("employment_band_low", "employment_band_high")
COMMON_RATIOS = ("location_quotient", "strong_probability")
COMMON_OTHERS = ("grade", "is_strong", "reason", "reference_area", "covered_share")

TOTAL_PERSONS = ("employment", "employment_traded", "employment_local")
TOTAL_RATIOS = ("cluster_strength", "portfolio_entropy")

PARTNER_COLUMNS = (
    *("level", *REGION, "partner_scheme", "partner_code", "kind", "partner_rank", "score", "score_low", "score_high"),
    *("explaining_clusters", "size_ratio"),
)


def cells(tables: Tables, year: int, level: str) -> dict[str, Any] | None:
    """Everything the page shows of a year and level; None where no region has figures."""
    regions = chosen_sources(tables, year, level)
    if regions.empty:
        return None
    content: dict[str, Any] = {
        "year": year,
        "level": level,
        "clusters": list(CLUSTERS),
        "traded": list(TRADED),
        "regions": _keys(regions),
        "sources": _words(regions["source"]),
        "source_years": regions["source_year"].astype(int).tolist(),
        "native": _native(tables, regions, level),
        "totals": _totals(tables, regions, level),
        "partners": _partners(tables, year, level, regions),
    }
    for variant in ("full", "coarse"):
        content[variant] = _common(tables, regions, year, level, variant)
    return content


def _keys(regions: pd.DataFrame) -> list[str]:
    return [f"{scheme}:{code}" for scheme, code in zip(*(regions[name] for name in REGION), strict=True)]


def _words(values: Any) -> dict[str, Any]:
    """Repeated texts as a list of them and, for each row, its place in the list; -1 for none."""
    codes, words = pd.factorize(pd.Series(list(values), dtype=object), sort=True)
    return {"words": [str(word) for word in words], "codes": ",".join(map(str, codes.tolist()))}


def _native(tables: Tables, regions: pd.DataFrame, level: str) -> dict[str, Any]:
    """Each side's own figures, flags and status."""
    columns = ["cluster_code", *NATIVE_PERSONS, *NATIVE_BOUNDS, *NATIVE_RATIOS, *NATIVE_TEXTS, *FLAGS_US, *FLAGS_EU]
    columns += ["employment_growth_rate", "previous_year"]
    rows = native_rows(tables, "region_cluster", regions, level, columns)
    laid = PageGrid(regions, CLUSTERS).lay(rows)
    content: dict[str, Any] = {name: persons(laid.numbers(name)) for name in NATIVE_PERSONS}
    content |= {name: bounds(laid.numbers(name)) for name in NATIVE_BOUNDS}
    content |= {name: ratio(laid.numbers(name)) for name in NATIVE_RATIOS}
    content["employment_growth_rate"] = rate(laid.numbers("employment_growth_rate"))
    content["employment_status"] = letters(laid.texts("employment_status"), STATUS_LETTERS)
    content["grade"] = letters(laid.texts("grade"))
    content["quotient_reason"] = _words(laid.texts("quotient_reason"))
    content["flags"] = _flags(laid)
    content["currency_code"] = _words(_by_region(rows, regions, "currency_code").texts("currency_code"))
    content["previous_year"] = persons(_by_region(rows, regions, "previous_year").numbers("previous_year"))
    return content


def _by_region(rows: pd.DataFrame, regions: pd.DataFrame, column: str) -> Laid:
    """What is the same in all rows of a region, once a region."""
    known = rows.dropna(subset=[column]).drop_duplicates(REGION)
    return PageGrid(regions, (0,)).lay(known.assign(cluster_code=0))


def _flags(laid: Laid) -> str:
    """The flags of a cell as one digit, the first flag worth 1, the next 2 and so on; a full stop where none is known.

    American rows have those of FLAGS_US, European ones those of FLAGS_EU.
    """
    total, known = np.zeros(laid.size), np.zeros(laid.size, dtype=bool)
    for names in (FLAGS_US, FLAGS_EU):
        for bit, name in enumerate(names):
            flag = laid.numbers(name)
            known |= ~np.isnan(flag)
            total += np.nan_to_num(flag) * 2**bit
    return "".join(f"{int(value):x}" if is_known else UNKNOWN for value, is_known in zip(total, known, strict=True))


def _common(tables: Tables, regions: pd.DataFrame, year: int, level: str, variant: str) -> dict[str, Any] | None:
    """Figures under the common rule; None where the year is not compared."""
    if year not in tables.years.get("region_cluster_common", ()):
        return None
    columns = ["level", "variant", *REGION, "cluster_code", "employment", *COMMON_BANDS, *COMMON_RATIOS, *COMMON_OTHERS]
    table = of_schemes(tables.read("region_cluster_common", year, columns), level)
    rows = frame(table.filter(pc.equal(table["variant"], variant)))
    if rows.empty:
        return None
    laid = PageGrid(regions, TRADED).lay(rows)
    content: dict[str, Any] = {name: ratio(laid.numbers(name)) for name in COMMON_RATIOS}
    content["grade"] = letters(laid.texts("grade"))
    strong = laid.numbers("is_strong")
    content["is_strong"] = letters(None if np.isnan(value) else str(int(value)) for value in strong)
    if variant == "coarse":
        return content
    content["employment"] = persons(laid.numbers("employment"))
    content |= {name: bounds(laid.numbers(name)) for name in COMMON_BANDS}
    content["reason"] = _words(laid.texts("reason"))
    one_each = regions.drop_duplicates("source")
    covered = PageGrid(one_each, TRADED).lay(rows).numbers("covered_share").reshape(-1, len(TRADED))
    content["covered_share"] = {
        source: ratio(shares) for source, shares in zip(one_each["source"], covered, strict=True)
    }
    areas = rows["reference_area"].dropna()
    content["reference_area"] = str(areas.iloc[0]) if len(areas) else None
    return content


def _totals(tables: Tables, regions: pd.DataFrame, level: str) -> dict[str, Any]:
    columns = [*TOTAL_PERSONS, *TOTAL_RATIOS, "employment_status"]
    rows = native_rows(tables, "region_total", regions, level, columns)
    laid = PageGrid(regions, (0,)).lay(rows.assign(cluster_code=0))
    content: dict[str, Any] = {name: persons(laid.numbers(name)) for name in TOTAL_PERSONS}
    content |= {name: ratio(laid.numbers(name)) for name in TOTAL_RATIOS}
    content["employment_status"] = letters(laid.texts("employment_status"), STATUS_LETTERS)
    return content


def _partners(tables: Tables, year: int, level: str, regions: pd.DataFrame) -> dict[str, Any] | None:
    """Pairs of regions, both named by their place among the page's regions; None where there are none."""
    if year not in tables.years.get("region_partner", ()):
        return None
    rows = frame(of_schemes(tables.read("region_partner", year, PARTNER_COLUMNS), level))
    index = pd.MultiIndex.from_frame(regions[REGION])
    rows["region"] = index.get_indexer(pd.MultiIndex.from_frame(rows[REGION]))
    rows["partner"] = index.get_indexer(pd.MultiIndex.from_frame(rows[["partner_scheme", "partner_code"]]))
    rows = rows[(rows["region"] >= 0) & (rows["partner"] >= 0)].sort_values(["region", "kind", "partner_rank"])
    if rows.empty:
        return None
    content: dict[str, Any] = {
        "region": ",".join(map(str, rows["region"].tolist())),
        "partner": ",".join(map(str, rows["partner"].tolist())),
        "kind": _words(rows["kind"]),
        "explaining_clusters": "|".join(text or "" for text in rows["explaining_clusters"].fillna("")),
    }
    for name in ("partner_rank", "score", "score_low", "score_high", "size_ratio"):
        content[name] = ratio(rows[name].to_numpy(dtype=float, na_value=np.nan))
    return content


def series(tables: Tables, level: str) -> dict[str, Any]:
    """Employment of the traded clusters by region over all years, each year from the source with precedence.

    Where the comparison uses a region's figures, its choice of source is not asked: a curve is one source's own, and
    the page breaks it where the source changes.
    """
    years = tables.years.get("region_cluster", ())
    by_year = {year: chosen_sources(_native_only(tables), year, level) for year in years}
    known = [regions[REGION] for regions in by_year.values() if len(regions)]
    if not known:
        return {"regions": [], "years": []}
    together = pd.concat(known).drop_duplicates().sort_values(REGION).reset_index(drop=True)
    content: dict[str, Any] = {"regions": _keys(together), "years": list(years), "sources": [], "employment": []}
    for regions in by_year.values():
        rows = native_rows(tables, "region_cluster", regions, level, ["cluster_code", "employment"])
        named = together.merge(regions, on=REGION, how="left")
        content["sources"].append(_words(named["source"]))
        content["employment"].append(persons(PageGrid(together, TRADED).lay(rows).numbers("employment")))
    return content


def _native_only(tables: Tables) -> Tables:
    return Tables({"region_cluster": tables.years.get("region_cluster", ())}, tables.read)
