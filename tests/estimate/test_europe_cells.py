"""European cells: completion, remainders, contradictions, spreading; small cases by hand and algebra by chance."""

from collections import defaultdict

import numpy as np
import pyarrow as pa
import pytest
from europe_cases import Figures, by_key, shuffled, table
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.errors import DataError
from etl.estimate.europe.estimate import estimate_europe
from etl.reference.nace import nace_classes

DIVISIONS = ("10", "13", "29", "31")
REGIONS = ("AT11", "AT12", "AT21")


def country(**changed: float | None) -> dict[tuple[str, str], float | None]:
    """A country of three regions with the textile and paper industry; `changed` by area and industry, AT11_13=None."""
    figures: dict[tuple[str, str], float | None] = {}
    for number, region in enumerate(REGIONS):
        figures[region, "13"] = 100.0 * (number + 1)
        figures[region, "17"] = 1000.0
    for industry in ("13", "17"):
        figures["AT", industry] = sum(figures[region, industry] or 0.0 for region in REGIONS)
    for key, value in changed.items():
        area, industry = key.split("_")
        figures[area, industry] = value
    return figures


def test_a_single_withheld_region_is_the_rest_of_its_country() -> None:
    done = by_key(estimate_europe(table(country(AT12_13=None))).cells)["AT12", "13"]
    assert done["employment"] == pytest.approx(200, abs=2)
    # Four figures, each rounded to whole persons.
    assert done["employment_low"] == pytest.approx(198) and done["employment_high"] == pytest.approx(202)
    assert done["employment_status"] == "bounded"
    # Too few cells to hold any out: no band, but bounds that hold it to a hundredth.
    assert (done["is_band_calibrated"], done["employment_band_low"], done["grade"]) == (False, None, "B")
    assert done["employment_reported"] is None


def test_published_figures_stay_and_nothing_is_negative() -> None:
    figures = country(AT12_13=None, AT_17=None)
    done = by_key(estimate_europe(table(figures)).cells)
    assert all(done[key]["employment"] == value for key, value in figures.items() if value is not None)
    assert all(row["employment"] >= 0 for row in done.values())
    assert done["AT", "17"]["employment"] == pytest.approx(3000, abs=2)


BLANK = dict.fromkeys([(area, code) for area in ("AT", *REGIONS) for code in ("13", "17")])


def silent(row: dict[str, object]) -> bool:
    """Whether a row says that nothing is known: no figure, no bound, no band, no grade, no zero anywhere."""
    told = ("employment", "employment_high", "employment_band_low", "employment_band_high", "grade", "payroll")
    return row["employment_status"] == "withheld" and not any(row[name] is not None for name in told)


def test_a_country_that_is_blank_is_unknown_and_never_zero() -> None:
    done = estimate_europe(table(BLANK | {("DE", "13"): 500.0, ("DE", "17"): 90.0}))
    rows = [row for row in done.cells.to_pylist() if row["region_code"] != "DE"]
    assert len(rows) > len(BLANK) and all(silent(row) for row in rows), "its classes are unknown too"
    assert any("nothing published tells their size" in note for note in done.notes)
    assert estimate_europe(done.cells).cells.equals(done.cells)


def test_a_country_of_zeros_and_blanks_is_unknown_where_it_is_blank() -> None:
    done = by_key(estimate_europe(table(BLANK | {("DE", "13"): 500.0, ("DE", "17"): 9.0, ("AT", "17"): 0.0})).cells)
    assert done["AT", "17"]["employment"] == 0 and done["AT11", "17"]["employment"] == 0
    assert silent(done["AT", "13"]) and silent(done["AT11", "13"])


def test_an_industry_blank_everywhere_without_a_section_is_unknown() -> None:
    done = by_key(estimate_europe(table(country(AT_13=None, AT11_13=None, AT12_13=None, AT21_13=None))).cells)
    assert all(silent(done[area, "13"]) for area in ("AT", *REGIONS))
    assert done["AT", "17"]["employment"] == 3000


def test_blank_regions_of_a_printed_country_are_unknown_within_it() -> None:
    figures = BLANK | {("AT", "13"): 500.0, ("AT", "17"): 90.0}
    done = by_key(estimate_europe(table(figures)).cells)
    assert all(done[region, "13"]["employment"] is None for region in REGIONS)
    assert done["AT11", "13"]["employment_high"] == pytest.approx(500, abs=3)
    assert done["AT", "13"]["employment"] == 500


def test_a_blank_region_takes_nothing_from_its_neighbours() -> None:
    blank = {"AT11_13": None, "AT11_17": None, "AT12_13": None}
    done = by_key(estimate_europe(table(country(**blank))).cells)
    assert done["AT11", "13"]["employment"] is None
    assert 20 < done["AT12", "13"]["employment"] < 280, "the neighbour has not all that is left"


def test_a_blank_country_is_the_sum_of_its_printed_regions() -> None:
    done = by_key(estimate_europe(table(country(AT_13=None, AT_17=None))).cells)
    assert done["AT", "17"]["employment"] == pytest.approx(3000, abs=2)
    partly = by_key(estimate_europe(table(country(AT_13=None, AT_17=None, AT11_17=None, AT11_13=None))).cells)
    assert partly["AT", "17"]["employment"] is None and partly["AT", "17"]["employment_low"] == pytest.approx(
        2000, abs=2
    )


def test_pay_of_a_country_without_any_is_unknown() -> None:
    paid = {("DE", "13"): 5e6}
    cells = table(country() | {("DE", "13"): 100.0, ("DE", "17"): 50.0}, pay=paid)
    done = by_key(estimate_europe(cells).cells)
    assert done["AT", "13"]["payroll"] is None and done["AT11", "13"]["payroll_status"] == "withheld"


def test_nobody_in_the_country_is_nobody_in_its_regions() -> None:
    done = by_key(estimate_europe(table(country(AT_13=0.0, AT11_13=None, AT12_13=0.0, AT21_13=None))).cells)
    for region in ("AT11", "AT21"):
        assert (done[region, "13"]["employment"], done[region, "13"]["employment_status"]) == (0, "derived_exactly")
        assert (done[region, "13.10"]["employment"], done[region, "13.10"]["employment_status"]) == (
            0,
            "derived_exactly",
        )


def test_local_units_tell_withheld_cells_apart() -> None:
    figures = country(AT11_13=None, AT12_13=None)
    units: Figures = {("AT", "13"): 60.0, ("AT11", "13"): 20.0, ("AT12", "13"): 10.0, ("AT21", "13"): 30.0}
    done = by_key(estimate_europe(table(figures, units=units)).cells)
    assert done["AT11", "13"]["employment"] == pytest.approx(2 * done["AT12", "13"]["employment"], rel=0.02)
    assert done["AT11", "13"]["employment"] + done["AT12", "13"]["employment"] == pytest.approx(300, abs=3)


def test_a_country_above_the_sum_of_its_regions_gets_a_remainder_and_is_listed() -> None:
    found = estimate_europe(table(country(AT_17=3500.0)))
    done = by_key(found.cells)
    assert [done[region, "17"]["employment"] for region in REGIONS] == [1000, 1000, 1000]
    rest = done["ATZZ", "17"]
    assert rest["employment"] == pytest.approx(500, abs=3)
    assert (rest["region_scheme"], rest["is_leaf"], rest["employment_flag"]) == ("nuts2", False, None)
    assert ("ATZZ", "13") not in done, "nothing is missing there"
    listed = found.contradictions.to_pylist()
    assert [(row["region_code"], row["industry_code"], row["kind"], row["difference"]) for row in listed] == [
        ("AT", "17", "geography", 500)
    ]


def test_regions_above_their_country_are_listed_and_kept() -> None:
    found = estimate_europe(table(country(AT_17=2000.0)))
    done = by_key(found.cells)
    assert done["AT11", "17"]["employment"] == 1000 and done["AT", "17"]["employment"] == 2000
    row = found.contradictions.to_pylist()[0]
    assert (row["region_code"], row["industry_code"], row["difference"]) == ("AT", "17", -1000)
    assert not any(area.endswith("ZZ") for area, _ in done)


def test_an_impossible_section_is_listed_and_its_divisions_kept() -> None:
    figures = {("AT", "B"): 90.0} | {("AT", code): 40.0 for code in ("05", "06", "07", "08", "09")}
    found = estimate_europe(table(figures))
    assert [(r["industry_code"], r["kind"], r["difference"]) for r in found.contradictions.to_pylist()] == [
        ("B", "industry", -110)
    ]
    assert by_key(found.cells)["AT", "05"]["employment"] == 40


def test_divisions_absent_from_the_file_are_a_remainder_of_their_section() -> None:
    done = by_key(estimate_europe(table({("AT", "B"): 90.0, ("AT", "08"): 60.0})).cells)
    rest = done["AT", "B~"]
    assert rest["employment"] == pytest.approx(30, abs=2)
    assert (rest["industry_level"], rest["is_leaf"]) == ("not_allocated", True)
    assert not done["AT", "B"]["is_leaf"]


def test_a_section_without_divisions_is_spread_over_its_classes() -> None:
    done = by_key(estimate_europe(table({("AT", "B"): 90.0})).cells)
    classes = [row for (_, code), row in done.items() if len(code) == 5]
    assert sum(row["employment"] for row in classes) == pytest.approx(90)
    assert {row["industry_code"][:2] for row in classes} == {"05", "06", "07", "08", "09"}
    assert not done["AT", "B"]["is_leaf"]


def test_a_division_of_one_class_is_that_class() -> None:
    done = by_key(estimate_europe(table({("AT", "36"): 250.0})).cells)
    one = done["AT", "36.00"]
    assert (one["employment"], one["employment_low"], one["employment_high"]) == (250, 250, 250)
    assert (one["employment_status"], one["grade"], one["structure_source"]) == ("derived_exactly", "A", None)


def test_groups_divide_their_division_and_bound_their_classes() -> None:
    groups = {"45.1": 600.0, "45.2": 300.0, "45.3": 60.0, "45.4": 40.0}
    done = by_key(estimate_europe(table({("AT", "45"): 1000.0} | {("AT", g): v for g, v in groups.items()})).cells)
    for group, value in groups.items():
        members = [row for (_, code), row in done.items() if code.startswith(group) and len(code) == 5]
        assert sum(row["employment"] for row in members) == pytest.approx(value)
    assert not done["AT", "45.1"]["is_leaf"] and not done["AT", "45"]["is_leaf"]


def test_groups_that_lack_share_what_the_others_leave_of_their_division() -> None:
    done = by_key(estimate_europe(table({("AT", "45"): 1000.0, ("AT", "45.1"): 600.0})).cells)
    classes = {code: row["employment"] for (_, code), row in done.items() if len(code) == 5}
    assert sum(value for code, value in classes.items() if code.startswith("45.1")) == pytest.approx(600)
    assert sum(classes.values()) == pytest.approx(1000) and classes["45.20"] > 0
    assert ("AT", "45~") not in done, "it is in the classes"


def test_classes_that_lack_are_a_remainder_of_their_division() -> None:
    done = by_key(estimate_europe(table({("AT", "18"): 220.0, ("AT", "18.11"): 150.0})).cells)
    assert done["AT", "18~"]["employment"] == pytest.approx(70, abs=2)
    assert [code for (_, code), row in done.items() if row["is_leaf"]] == ["18.11", "18~"]


def test_a_class_alone_in_its_division_is_not_all_of_a_section() -> None:
    done = by_key(estimate_europe(table({("AT", "C"): 1000.0})).cells)
    tobacco = done["AT", "12.00"]
    assert tobacco["employment_low"] == 0 < tobacco["employment"] < 1000
    assert (tobacco["employment_status"], tobacco["grade"]) == ("modelled", "D")


def test_there_is_no_band_where_no_held_out_cell_stands_for_one() -> None:
    found = estimate_europe(table(country(AT11_13=None, AT12_13=None))).cells
    for row in found.to_pylist():
        is_exact = row["employment_low"] == row["employment_high"]
        is_withheld = row["region_code"] in ("AT11", "AT12", "AT1") and row["industry_code"][:2] == "13"
        if is_exact or is_withheld:
            assert row["is_band_calibrated"] is (None if is_exact else False)
            assert row["employment_band_low"] is None and row["employment_band_high"] is None
            assert row["grade"] in ("A" if is_exact else "CD")
        else:
            assert row["is_band_calibrated"] and row["industry_level"] == "class", "parts of a printed division"


def test_pay_is_completed_by_pay_per_head_and_goes_with_the_persons() -> None:
    figures = country()
    pay = {key: value * 30_000.0 for key, value in figures.items() if value is not None}
    done = by_key(estimate_europe(table(figures, pay=pay | {("AT12", "13"): None, ("AT21", "13"): None})).cells)
    assert done["AT12", "13"]["payroll"] == pytest.approx(200 * 30_000, rel=0.06)
    assert done["AT12", "13"]["payroll_status"] == "estimated"
    classes = [row["payroll"] for (area, code), row in done.items() if area == "AT11" and code.startswith("13.")]
    assert sum(value for value in classes if value) == pytest.approx(pay["AT11", "13"])


def test_sums_of_countries_pass_as_they_are() -> None:
    cells = table({("EU28", "13"): None, ("AT", "13"): 600.0})
    done = by_key(estimate_europe(cells).cells)
    assert done["EU28", "13"]["employment"] is None and done["EU28", "13"]["employment_status"] == "withheld"
    assert estimate_europe(table({("EU28", "13"): 5.0})).cells.num_rows == 1
    assert estimate_europe(cells.slice(0, 0)).cells.num_rows == 0


def test_cells_of_two_years_are_refused() -> None:
    with pytest.raises(DataError, match="several years"):
        estimate_europe(pa.concat_tables([table({("AT", "13"): 1.0}), table({("AT", "17"): 1.0}, year=2016)]))


@st.composite
def sources(draw: st.DrawFn) -> tuple[Figures, Figures]:
    """A consistent source and what it shows of itself: truth by area and industry, and the same with cells withheld."""
    truth: dict[tuple[str, str], float] = {}
    for region in REGIONS:
        for industry in DIVISIONS:
            truth[region, industry] = float(draw(st.integers(0, 500)))
    for industry in DIVISIONS:
        for area in ("AT1", "AT2", "AT"):
            truth[area, industry] = sum(truth[r, industry] for r in REGIONS if r.startswith(area))
    hidden = {key: draw(st.integers(0, 3)) == 0 for key in sorted(truth)}
    return truth, {key: None if hidden[key] else value for key, value in truth.items()}


@settings(max_examples=25, deadline=None)
@given(sources())
def test_estimates_of_a_consistent_source(source: tuple[Figures, Figures]) -> None:
    truth, shown = source
    cells = table(shown)
    found = estimate_europe(cells)
    done = by_key(found.cells)
    assert found.contradictions.num_rows == 0
    classes: dict[tuple[str, str], float] = defaultdict(float)
    for (area, code), row in done.items():
        low, high, value = row["employment_low"] or 0.0, row["employment_high"], row["employment"]
        if value is None:
            assert row["employment_status"] == "withheld" and shown.get((area, code)) is None
            continue
        assert low - 1e-6 <= value <= (np.inf if high is None else high) + 1e-6
        if row["employment_band_low"] is not None:
            assert row["employment_band_low"] - 1e-6 <= value <= row["employment_band_high"] + 1e-6
        if (area, code) in truth:
            assert low - 1e-6 <= truth[area, code] <= (np.inf if high is None else high) + 1e-6, "bounds hold"
            if shown[area, code] is not None:
                assert value == shown[area, code]
        elif len(code) == 5:
            classes[area, code[:2]] += value
    for area, code in truth:
        if done[area, code]["employment"] is not None:
            assert classes[area, code] == pytest.approx(done[area, code]["employment"], abs=1e-6)
    for code in DIVISIONS:
        parts = [done[area, code]["employment"] for area in (*REGIONS, "AT")]
        if None not in parts:
            assert sum(parts[:-1]) == pytest.approx(parts[-1], abs=6), "but for rounding"
    assert estimate_europe(found.cells).cells.equals(found.cells), "a second run changes nothing"
    assert estimate_europe(shuffled(cells)).cells.equals(found.cells), "nor does the order of rows"


def test_every_class_of_a_spread_division_has_a_row() -> None:
    done = estimate_europe(table(country())).cells
    rows = [row for row in done.to_pylist() if row["region_code"] == "AT11" and row["industry_level"] == "class"]
    wanted = [code for code in nace_classes("nace2") if code[:2] in ("13", "17")]
    assert [row["industry_code"] for row in rows] == wanted
    assert all(row["is_leaf"] for row in rows)
