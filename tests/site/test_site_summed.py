"""NUTS 1 added up for a source that has NUTS 2 alone: what adds up, what does not, and what stays unknown."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from site_samples import sample, tables_of

from etl.site.page_grid import chosen_sources, frame
from etl.site.summed import REASON, with_nuts1
from etl.site.tables import Tables

#: The NUTS 2 regions of two NUTS 1 regions.
SAARLAND, BRUSSELS = "DEC0", "BE10"
FLANDERS = ["BE21", "BE22", "BE23", "BE24", "BE25"]
COLUMNS = (
    *(
        "source",
        "year",
        "region_scheme",
        "region_code",
        "cluster_code",
        "employment",
        "employment_low",
        "currency_code",
    ),
    *("employment_status", "grade", "region_share", "employment_growth_rate", "location_quotient", "quotient_reason"),
)


@pytest.fixture(scope="module")
def tables() -> dict[str, pa.Table]:
    """As published, but a European source without NUTS 1."""
    found = sample(years=(2019,), most=60)
    for name in ("region_cluster", "region_total"):
        found[name] = found[name].filter(pc.not_equal(pc.cast(found[name]["region_scheme"], pa.string()), "nuts1"))
    return found


def read(tables: Tables, name: str = "region_cluster", columns: tuple[str, ...] = COLUMNS) -> pd.DataFrame:
    return frame(tables.read(name, 2019, columns))


def test_sums_of_whole_regions(tables: dict[str, pa.Table]) -> None:
    rows = read(with_nuts1(tables_of(tables)))
    parts = rows[rows["region_code"].isin(FLANDERS)]
    whole = rows[rows["region_code"] == "BE2"].set_index("cluster_code")
    for column in ("employment", "employment_low"):
        np.testing.assert_allclose(whole[column], parts.groupby("cluster_code")[column].sum())
    assert len(whole) == 67 and set(whole["region_scheme"]) == {"nuts1"} and set(whole["currency_code"]) == {"EUR"}
    modelled = parts[parts["employment_status"] == "modelled"]["cluster_code"].unique()
    assert set(whole.loc[modelled, "employment_status"]) == {"modelled"}
    assert set(whole.drop(modelled)["employment_status"]) <= {"rounded"}
    assert (whole["grade"] == parts.groupby("cluster_code")["grade"].max()).all()
    assert whole["location_quotient"].isna().all() and set(whole["quotient_reason"]) == {REASON}
    traded = whole.index < 100
    assert whole[traded]["region_share"].sum() == pytest.approx(1) == whole[~traded]["region_share"].sum()


def test_what_is_unknown_of_one_part_is_unknown_of_the_whole(tables: dict[str, pa.Table]) -> None:
    rows = tables["region_cluster"].to_pandas()
    hidden = (rows["region_code"] == "BE22") & (rows["cluster_code"] == 7)
    rows.loc[hidden, ["employment", "employment_status"]] = np.nan, "withheld"
    rows.loc[hidden, "grade"] = None
    some = pa.Table.from_pandas(rows, tables["region_cluster"].schema, preserve_index=False)
    found = read(with_nuts1(tables_of({**tables, "region_cluster": some})))
    whole = found[found["region_code"] == "BE2"].set_index("cluster_code")
    assert np.isnan(whole.loc[7, "employment"]) and whole.loc[7, "employment_status"] == "withheld"
    assert not np.isnan(whole.loc[8, "employment"])


def test_growth_follows_from_the_sums(tables: dict[str, pa.Table]) -> None:
    rows = tables["region_cluster"].to_pandas()
    rows["previous_year"], rows["job_creation"] = 2017, rows["employment"] / 5
    grown = pa.Table.from_pandas(rows, tables["region_cluster"].schema, preserve_index=False)
    found = read(with_nuts1(tables_of({**tables, "region_cluster": grown})))
    growth = found[(found["region_scheme"] == "nuts1") & (found["employment"] > 0)]["employment_growth_rate"]
    np.testing.assert_allclose(growth, np.sqrt(1 / 0.8) - 1)


def test_no_sum_without_all_parts_and_none_where_the_source_has_its_own(tables: dict[str, pa.Table]) -> None:
    code = pc.cast(tables["region_cluster"]["region_code"], pa.string())
    lacking = {**tables, "region_cluster": tables["region_cluster"].filter(pc.not_equal(code, "BE22"))}
    found = read(with_nuts1(tables_of(lacking)))
    codes = set(found.loc[found["region_scheme"] == "nuts1", "region_code"])
    assert "BE2" not in codes and "BE1" in codes
    own = sample(years=(2019,), most=60)
    assert (
        with_nuts1(tables_of(own)).read("region_cluster", 2019, COLUMNS).equals(own["region_cluster"].select(COLUMNS))
    )


def test_totals_and_the_choice_of_source(tables: dict[str, pa.Table]) -> None:
    summed = with_nuts1(tables_of(tables))
    columns = ("region_scheme", "region_code", "employment", "employment_traded", "cluster_strength")
    totals = read(summed, "region_total", columns)
    parts = totals[totals["region_code"].isin(FLANDERS)]
    whole = totals[totals["region_code"] == "BE2"].iloc[0]
    assert whole["employment"] == pytest.approx(parts["employment"].sum()) and np.isnan(whole["cluster_strength"])
    chosen = chosen_sources(Tables({"region_cluster": (2019,)}, summed.read), 2019, "L")
    assert set(chosen.loc[chosen["region_scheme"] == "nuts1", "source"]) == {"eurostat_sbs"}
