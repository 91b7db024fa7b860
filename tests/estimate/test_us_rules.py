"""American estimates on tables small enough to know the answer."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from etl.errors import DataError
from etl.estimate import Estimated, estimate
from etl.sources.naics_codes import level


def cell(
    region: str,
    industry: str,
    establishments: float,
    employment: float | None,
    *,
    low: float | None = None,
    high: float | None = None,
    status: str | None = None,
    payroll: float | None = None,
    **more: Any,
) -> dict[str, Any]:
    """A row as a reader gives it; without a figure it is withheld, behind `low` and `high`."""
    scheme = {2: "us_nation" if region == "US" else "us_state", 5: "us_county"}[len(region)]
    printed = employment is not None
    return {
        "source": "census_cbp",
        "year": 2010,
        "region_scheme": scheme,
        "region_code": region,
        "region_vintage": 2020,
        "industry_scheme": "naics2007",
        "industry_code": industry,
        "industry_level": level(industry),
        "is_leaf": len(industry) == 6,
        "employment": employment,
        "employment_low": low if low is not None else (employment if printed else 0.0),
        "employment_high": high if high is not None or not printed else employment,
        "employment_reported": employment,
        "employment_status": status or ("reported" if printed else "withheld"),
        "employment_flag": "",
        "establishments": float(establishments),
        "payroll": payroll,
        "payroll_status": "withheld" if payroll is None else "reported",
        "currency_code": "USD",
        **more,
    }


def run(*rows: dict[str, Any], previous: list[dict[str, Any]] | None = None) -> pd.DataFrame:
    """Estimate these rows; by region and industry."""
    return by_cell(estimated(*rows, previous=previous))


def estimated(*rows: dict[str, Any], previous: list[dict[str, Any]] | None = None) -> Estimated:
    return estimate(table(list(rows)), previous=None if previous is None else table(previous))


def table(rows: list[dict[str, Any]]) -> pa.Table:
    whole = pa.Table.from_pylist(rows)
    for name in ("employment", "employment_low", "employment_high", "employment_reported", "payroll"):
        position = whole.column_names.index(name)
        whole = whole.set_column(position, name, whole.column(name).cast(pa.float64()))
    return whole


def by_cell(result: Estimated) -> pd.DataFrame:
    return result.cells.to_pandas().set_index(["region_code", "industry_code"])


def test_a_part_is_its_sum_less_the_other_part() -> None:
    cells = run(cell("01", "00", 5, 10), cell("01", "11", 3, 4), cell("01", "21", 2, None))
    mining = cells.loc[("01", "21")]
    assert (mining.employment, mining.employment_status, mining.grade) == (6.0, "derived_exactly", "A")
    assert (mining.employment_low, mining.employment_high) == (6.0, 6.0)


def test_a_range_that_cannot_hold_the_residual_is_listed_and_its_difference_stands_apart() -> None:
    result = estimated(
        cell("01", "00", 9, 10_000), cell("01", "11", 7, 9_500), cell("01", "21", 2, None, low=0.0, high=19.0)
    )
    (found,) = result.contradictions.to_pylist()
    assert (found["region_code"], found["industry_code"], found["kind"]) == ("01", "00", "industry")
    assert (found["amount_published"], found["amount_possible_high"], found["difference"]) == (10_000, 9_519, 481)
    cells = by_cell(result)
    assert cells.loc[("01", "11")].employment == 9_500 and cells.loc[("01", "00")].employment == 10_000
    assert 0 <= cells.loc[("01", "21")].employment <= 19, "the range is not forced"
    assert cells[cells.is_leaf].employment.sum() == pytest.approx(10_000)
    assert cells.loc[("01", "00~")].grade == "D"


def test_a_difference_that_stands_last_needs_no_sorting() -> None:
    """No code sorts behind `113~` here, so the leaf that was added is in its place already."""
    result = estimated(
        *(cell("01", code, 5, figure) for code, figure in (("00", 30), ("11", 30), ("113", 40))),
        cell("01", "1131", 5, None, low=0.0, high=19.0),
        cell("01", "113110", 5, None, low=0.0, high=19.0),
    )
    cells = by_cell(result)
    assert cells.loc[("01", "113~")].employment + cells.loc[("01", "113110")].employment == pytest.approx(40)
    assert result.contradictions.num_rows > 0


def test_printed_figures_that_cannot_be_true_are_listed_and_kept() -> None:
    result = estimated(cell("US", "00", 5, 100), cell("01", "00", 3, 70), cell("02", "00", 2, 40))
    (found,) = result.contradictions.to_pylist()
    assert (found["region_code"], found["kind"], found["difference"]) == ("US", "geography", -10)
    assert set(by_cell(result).employment) == {70, 40, 100}


def test_noise_bounds_of_printed_cells_never_enter() -> None:
    noised = {"status": "noised"}
    cells = run(
        cell("01", "00", 5, 100, low=98.0, high=102.0, **noised),
        cell("01", "11", 3, 60, low=57.0, high=63.0, **noised),
        cell("01", "21", 2, None, low=20.0, high=99.0),
    )
    mining = cells.loc[("01", "21")]
    assert (mining.employment_status, mining.employment) == ("derived_exactly", 40.0)
    crops = cells.loc[("01", "11")]
    assert (crops.employment_low, crops.employment_high, crops.employment_status) == (57.0, 63.0, "noised")


def test_a_zero_stays_zero_and_a_figure_of_zero_is_no_withheld_one() -> None:
    cells = run(
        cell("01", "00", 6, 30),
        cell("01", "11", 2, 0),
        cell("01", "21", 2, None, low=0.0, high=19.0),
        cell("01", "22", 2, None, low=0.0, high=19.0),
    )
    assert cells.loc[("01", "11")].employment == 0 and cells.loc[("01", "11")].employment_status == "reported"
    assert cells.loc[("01", "21")].employment + cells.loc[("01", "22")].employment == pytest.approx(30)
    assert cells.loc[("01", "21")].employment_low == 11, "each holds what the other cannot"


def test_establishments_that_no_row_shows_are_a_leaf_not_allocated() -> None:
    cells = run(cell("01", "00", 10, 500), cell("01", "31", 4, 300), cell("01", "42", 3, 120))
    rest = cells.loc[("01", "00~")]
    assert (rest.employment, rest.establishments, rest.industry_level) == (80.0, 3.0, "not_allocated")
    assert rest.is_leaf and rest.employment_status == "derived_exactly" and pd.isna(rest.employment_flag)


def test_where_establishments_are_unknown_nothing_is_known_to_be_missing() -> None:
    rows = [cell("US", "00", 9, 100), cell("01", "00", 5, None), cell("02", "00", 4, 30)]
    cells = run(rows[0], *(row | {"establishments": None} for row in rows[1:]))
    assert cells.loc[("01", "00")].employment == 70 and len(cells) == 3


def test_a_code_that_no_state_shows_is_sought_where_establishments_are_missing() -> None:
    """The rebuilt files lack single codes: they are not zero, and the states' counts say where they are."""
    cells = run(
        *(cell("US", code, 9, 90) for code in ("00", "11", "114", "1141")),
        cell("US", "114111", 6, 70),
        cell("US", "114119", 3, 20),
        *(cell("01", code, 4, 35) for code in ("00", "11", "114", "1141")),
        cell("01", "114111", 3, 30),
        *(cell("02", code, 5, 55) for code in ("00", "11", "114", "1141")),
        cell("02", "114111", 3, 40),
    )
    assert cells.loc[("01", "114119")].employment == 5 and cells.loc[("02", "114119")].employment == 15
    assert set(cells.loc[("02", "114119")][["employment_status", "establishments"]]) == {"derived_exactly", 2.0}
    assert ("99", "00") not in cells.index, "the states make up the nation"


def test_regions_that_no_file_holds_are_one_region() -> None:
    cells = run(
        *(cell("US", code, 9, 90) for code in ("00", "11", "113")),
        cell("US", "113110", 4, 50),
        cell("US", "113210", 5, 40),
        *(cell("01", code, 6, 70) for code in ("00", "11", "113")),
        cell("01", "113110", 3, 45),
        cell("01", "113210", 3, 25),
    )
    rest = cells.loc["99"]
    assert set(rest.index) == {"00", "11", "113", "113110", "113210"}
    assert rest.loc["113110"].employment == 5 and rest.loc["113210"].employment == 15
    assert set(rest.region_scheme) == {"us_state"} and rest.loc["113210"].is_leaf
    assert rest.loc["00"].establishments == 3


def test_counties_have_their_remainder_under_the_state() -> None:
    cells = run(
        *(cell("01", code, 9, 90) for code in ("00", "11", "113", "113110")),
        *(cell("01001", code, 6, 70) for code in ("00", "11", "113", "113110")),
    )
    assert cells.loc[("01999", "113110")].employment == 20
    assert cells.loc[("01999", "113110")].region_scheme == "us_county"


def test_a_dropped_cell_is_found_where_only_one_place_is_left() -> None:
    rows = [cell("01", code, 20, 200) for code in ("00", "11", "113")]
    rows += [cell("01", "113110", 12, 100), cell("01", "113210", 8, 100)]
    rows += [cell("01001", code, 11, 120) for code in ("00", "11", "113")]
    rows += [cell("01001", "113110", 9, 95)]
    rows += [cell("01003", code, 9, 80) for code in ("00", "11", "113")]
    rows += [cell("01003", "113110", 3, 5), cell("01003", "113210", 6, 75)]
    cells = run(*(row | {"year": 2019, "industry_scheme": "naics2017"} for row in rows))
    found = cells.loc[("01001", "113210")]
    assert (found.employment, found.establishments, found.employment_status) == (25.0, 2.0, "derived_exactly")
    assert len(cells) == len(rows) + 1


def test_payroll_speaks_of_a_cell_whose_employment_is_withheld() -> None:
    """Withheld for quality, not for secrecy: employment is gone, payroll is printed."""
    regions = [f"{number:02d}" for number in range(1, 51)]
    rows = [cell("US", "00", 1000, None, payroll=None)]
    for number, region in enumerate(regions):
        employment = 100.0 + 10 * number
        hidden = number in (4, 20)
        rows.append(
            cell(
                region,
                "00",
                20,
                None if hidden else employment,
                low=100.0 if hidden else None,
                high=999.0 if hidden else None,
                payroll=employment * 40_000,
            )
        )
    cells = run(*rows)
    assert cells.loc[("05", "00")].employment == pytest.approx(140, rel=0.1)
    assert cells.loc[("21", "00")].employment == pytest.approx(300, rel=0.1)
    assert cells.loc[("US", "00")].payroll == pytest.approx(cells.drop(index=("US", "00")).payroll.sum())


def test_the_year_before_speaks_too() -> None:
    rng = np.random.default_rng(0)
    regions, size = [f"{number:02d}" for number in range(1, 51)], rng.uniform(100, 900, 50).round()
    now = [cell(region, "00", 20, figure) for region, figure in zip(regions, size, strict=True)]
    before = [row | {"year": 2009} for row in now]
    hidden = [
        row
        | {"employment": None, "employment_reported": None, "employment_status": "withheld"}
        | {"employment_low": 100.0, "employment_high": 999.0}
        for row in now[:10]
    ]
    without = run(*hidden, *now[10:]).employment[:10].to_numpy()
    with_it = run(*hidden, *now[10:], previous=before).employment[:10].to_numpy()
    assert np.abs(with_it - size[:10]).sum() < 0.3 * np.abs(without - size[:10]).sum()
    other = run(*hidden, *now[10:], previous=[row | {"industry_scheme": "naics2002"} for row in before])
    assert other.employment[:10].to_numpy() == pytest.approx(without), "codes of another vintage mean other things"


def test_size_classes_bound_a_cell_and_their_contradiction_is_listed() -> None:
    classes = {f"establishments_{name}": 0 for name in ("1_4", "5_9", "10_19", "20_49", "50_99", "100_249")}
    good = cell(
        "01", "11", 3, None, low=20.0, high=99.0, **classes | {"establishments_20_49": 1, "establishments_1_4": 2}
    )
    bad = cell("01", "21", 3, None, low=0.0, high=19.0, **classes | {"establishments_100_249": 3})
    result = estimated(cell("01", "00", 6, None, **classes), good, bad)
    cells = by_cell(result)
    assert (cells.loc[("01", "11")].employment_low, cells.loc[("01", "11")].employment_high) == (20.0, 57.0)
    (found,) = result.contradictions.to_pylist()
    assert (found["industry_code"], found["kind"], found["amount_possible_low"]) == ("21", "range", 300.0)
    assert cells.loc[("01", "21")].employment <= 19


def test_rounded_averages_may_miss_their_sums() -> None:
    rows = [cell("01", "00", 8, 101), cell("01", "11", 4, 50), cell("01", "21", 5, 50)]
    result = estimated(*(row | {"source": "bls_qcew"} for row in rows))
    assert result.contradictions.num_rows == 0 and result.cells.num_rows == 3
    assert estimated(*rows[:2], cell("01", "21", 4, 50)).contradictions.num_rows == 1


def test_metropolitan_rows_pass_through() -> None:
    metro = cell("01", "00", 5, None) | {"region_scheme": "us_cbsa", "region_code": "10180", "region_vintage": 2013}
    cells = run(cell("01", "00", 5, 10), metro)
    assert cells.loc[("10180", "00")].employment_status == "withheld"
    assert np.isnan(cells.loc[("10180", "00")].employment)


def test_a_figure_below_zero_is_refused_with_its_place() -> None:
    with pytest.raises(DataError, match="employment of 01, industry 11, is -5"):
        estimated(cell("01", "00", 5, 30), cell("01", "11", 5, -5))


def test_a_range_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(DataError, match="of 01, industry 11, is said to lie between 50 and 20"):
        run(cell("01", "00", 5, 60), cell("01", "11", 5, None, low=50.0, high=20.0))
