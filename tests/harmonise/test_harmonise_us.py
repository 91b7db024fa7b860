"""American cells to clusters: the vintage's own list, -1, zeros and unknowns, statuses, bounds, grades, the ledger."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from harmonise_cases import cell, clusters, done, published_cells, source_year
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.contracts import contract
from etl.errors import ConservationError, DataError, SourceFormatError
from etl.harmonise import Harmonised, harmonise, industries
from etl.harmonise.vintages import naics
from etl.reference import NAICS_VINTAGES, naics_cluster, naics_codes

NATION = "us_nation:US"
STATE = "us_state:26"
PUBLISHED = {
    2001: 115_061_184,
    2005: 116_317_003,
    2009: 114_509_626,
    2010: 111_970_095,
    2011: 113_425_965,
    2017: 128_591_812,
    2018: 130_881_471,
    2019: 132_989_428,
    2020: 134_163_349,
    2021: 128_346_299,
}


@pytest.mark.shared
@pytest.mark.parametrize(("year", "total"), PUBLISHED.items())
def test_the_nation_adds_up_to_its_published_total(shared: Path, year: int, total: int) -> None:
    cells = published_cells(shared, "census_cbp", year, ["us"])
    result = harmonise(cells, year)
    rows = {code: row for (region, code), row in clusters(result).items() if region == NATION}
    assert len(rows) == 69
    assert sum(row["employment_reported"] for row in rows.values()) == total
    assert all(row["employment_reported"] > 0 for code, row in rows.items() if code > 0)
    assert all(row["covered_share"] == 1 for row in result.coverage.to_pylist())


@pytest.mark.shared
@pytest.mark.parametrize("year", [2005, 2009, 2011])
def test_every_state_adds_up_to_its_published_total(shared: Path, year: int) -> None:
    cells = published_cells(shared, "census_cbp", year)
    _totals_agree(cells, year)


@pytest.mark.shared
def test_every_county_adds_up_to_its_published_total(shared: Path) -> None:
    cells = published_cells(shared, "census_cbp", 2019)
    result = _totals_agree(cells, 2019)
    assert any("areas lack counties" in note for note in result.notes)
    table = result.region_cluster.to_pandas()
    areas = table[table.region_scheme == "us_economic_area"]
    assert areas.region_code.nunique() == 133
    assert areas[areas.is_complete].region_code.nunique() == 87
    assert areas[~areas.is_complete].employment.isna().all()


def _totals_agree(cells: pa.Table, year: int) -> Harmonised:
    result = harmonise(cells, year)
    keys = ["region_scheme", "region_code"]
    printed = cells.filter(pc.equal(cells.column("industry_code"), "00")).to_pandas()
    printed = printed.set_index(keys).employment_reported
    found = result.region_cluster.to_pandas().groupby(keys, observed=True).employment_reported.sum()
    assert len(printed) > 50
    assert found.loc[printed.index].to_list() == printed.to_list()
    return result


@pytest.mark.parametrize("vintage", NAICS_VINTAGES[:-1])
def test_every_code_of_a_vintage_has_its_place(vintage: int) -> None:
    scheme = f"naics{vintage}"
    rows = [cell(NATION, code, 1.0, industry_scheme=scheme) for code in sorted(naics_codes(vintage))]
    total = cell(NATION, "00", float(len(rows)), industry_scheme=scheme)
    found = clusters(done([*rows, total]))
    own = naics_cluster(vintage)
    for cluster in {*own.values(), -1}:
        expected = sum(code == cluster for code in own.values())
        assert found[NATION, cluster]["employment"] == expected
        assert found[NATION, cluster]["employment_reported"] == expected


def test_the_wrong_vintage_fails_and_loses_nothing() -> None:
    """With the codes of 2012 about 4 % of 2017's employment would vanish."""
    rows = [cell(NATION, code, 1.0, industry_scheme="naics2012") for code in sorted(naics_codes(2017))]
    with pytest.raises(SourceFormatError, match="wrong vintage") as problem:
        done([*rows, cell(NATION, "00", 1057.0, industry_scheme="naics2012")])
    assert "not in naics2012" in str(problem.value)


@pytest.mark.parametrize(("older", "newer"), [(2002, 2007), (2007, 2012), (2012, 2017)])
def test_a_states_total_survives_a_change_of_vintage(older: int, newer: int) -> None:
    rng = np.random.default_rng(older)
    codes = sorted(code for code, cluster in naics_cluster(older).items() if cluster)
    amounts = rng.integers(1, 5_000, len(codes)).astype(float)
    moved = naics(older, newer).apply(codes, amounts)
    before = _state(codes, amounts, older)
    after = _state(naics(older, newer).targets.tolist(), moved.amounts[0], newer)
    assert sum(after.values()) == pytest.approx(sum(before.values()), rel=1e-12) == amounts.sum()
    assert before[-1] == after[-1] == 0


def _state(codes: list[str], amounts: np.ndarray, vintage: int) -> dict[int, float]:
    scheme = f"naics{vintage}"
    rows = [
        cell(STATE, code, float(amount), industry_scheme=scheme) for code, amount in zip(codes, amounts, strict=True)
    ]
    found = clusters(done([*rows, cell(STATE, "00", float(amounts.sum()), industry_scheme=scheme)]))
    return {code: row["employment_reported"] for (_, code), row in found.items()}


def test_what_the_total_holds_beyond_its_industries_is_not_allocated() -> None:
    found = clusters(
        done(
            [
                cell(STATE, "00", 100.0),
                cell(STATE, "336111", 60.0),
                cell(STATE, "336112", None, employment_low=20.0, employment_high=99.0),
                cell(STATE, "99", 5.0),
            ]
        )
    )
    automotive = found[STATE, 4]
    assert automotive["employment_reported"] == 60
    assert automotive["employment"] is None and automotive["employment_status"] == "withheld"
    assert (automotive["employment_low"], automotive["employment_high"]) == (80, 100)
    assert automotive["grade"] is None and automotive["payroll"] is None
    assert found[STATE, 0]["employment"] == 5
    rest = found[STATE, -1]
    assert [rest[f"employment{end}"] for end in ("_reported", "", "_low", "_high")] == [35, 35, 35, 35]
    assert (rest["employment_status"], rest["grade"]) == ("derived_exactly", "A")
    assert sum(row["employment_reported"] for row in found.values()) == 100


def test_without_an_upper_bound_there_is_none() -> None:
    found = clusters(done([cell(STATE, "336111", None), cell(STATE, "336112", 7.0)]))
    assert (found[STATE, 4]["employment_low"], found[STATE, 4]["employment_high"]) == (7, None)


def test_an_absent_cluster_is_zero_where_establishments_leave_no_room() -> None:
    found = clusters(
        done([cell(STATE, "00", 10.0, establishments=2.0), cell(STATE, "336111", 4.0, establishments=2.0)])
    )
    row = found[STATE, 3]
    assert (row["employment"], row["employment_high"], row["employment_status"]) == (0, 0, "reported")
    assert (row["establishments"], row["payroll"], row["grade"]) == (0, 0, "A")


def test_an_absent_cluster_is_unknown_within_what_is_left() -> None:
    found = clusters(done([cell(STATE, "00", 10.0, establishments=3.0), cell(STATE, "336111", 4.0)]))
    row = found[STATE, 3]
    assert row["employment"] is None and row["employment_status"] == "withheld"
    assert (row["employment_low"], row["employment_high"], row["employment_reported"]) == (0, 6, 0)
    assert row["establishments"] is None


def test_not_allocated_leaves_go_to_minus_one_and_widen_what_could_be() -> None:
    estimated = {"employment_status": "estimated", "employment_low": 0.0, "employment_high": 9.0}
    found = clusters(
        done([cell(STATE, "00", 30.0), cell(STATE, "336111", 24.0), cell(STATE, "3361~", 6.0, **estimated)])
    )
    assert found[STATE, -1]["employment"] == 6 and found[STATE, -1]["employment_reported"] == 6
    assert found[STATE, -1]["employment_status"] == "estimated"
    assert (found[STATE, 4]["employment"], found[STATE, 4]["employment_high"]) == (24, 30)
    apparel = found[STATE, 3]
    assert (apparel["employment"], apparel["employment_high"], apparel["employment_status"]) == (0, 0, "reported")


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (("reported", "reported"), "reported"),
        (("reported", "noised"), "noised"),
        (("noised", "derived_exactly"), "derived_exactly"),
        (("noised", "estimated"), "estimated"),
        (("bounded", "reported"), "bounded"),
    ],
)
def test_the_status_is_the_least_certain_members(statuses: tuple[str, str], expected: str) -> None:
    rows = [
        cell(STATE, code, 10.0, employment_status=status)
        for code, status in zip(("336111", "336112"), statuses, strict=True)
    ]
    assert (
        clusters(done([cell(STATE, "00", 20.0, establishments=2.0), *rows]))[STATE, 4]["employment_status"] == expected
    )


@pytest.mark.parametrize(("half_width", "grade"), [(0.0, "B"), (9.0, "B"), (11.0, "C"), (34.0, "C"), (36.0, "D")])
def test_grades_follow_the_band(half_width: float, grade: str) -> None:
    row = cell(
        STATE,
        "336111",
        100.0,
        employment_status="estimated",
        employment_low=0.0,
        employment_high=200.0,
        employment_band_low=100 - half_width,
        employment_band_high=100 + half_width,
    )
    assert clusters(done([cell(STATE, "00", 100.0), row]))[STATE, 4]["grade"] == grade


def test_printed_figures_are_grade_a() -> None:
    row = cell(STATE, "336111", 100.0, employment_status="noised", employment_low=98.0, employment_high=102.0)
    found = clusters(done([cell(STATE, "00", 100.0), row]))
    assert found[STATE, 4]["grade"] == "A"
    assert found[STATE, 4]["employment_band_low"] is None


def test_bands_of_members_add_up_as_squares_and_stay_within_bounds() -> None:
    rows = [
        cell(
            STATE,
            code,
            100.0,
            employment_status="estimated",
            employment_low=0.0,
            employment_high=1_000.0,
            employment_band_low=100 - width,
            employment_band_high=100 + width,
        )
        for code, width in (("336111", 30.0), ("336112", 40.0))
    ]
    row = clusters(done([cell(STATE, "00", 200.0), *rows]))[STATE, 4]
    assert (row["employment_band_low"], row["employment_band_high"]) == (150, 200)  # 250, but for the total of 200


def test_the_ledger_has_every_step_and_measure() -> None:
    ledger = done([cell(STATE, "00", 10.0), cell(STATE, "336111", 4.0)]).ledger.to_pylist()
    assert {(row["step"], row["measure"]) for row in ledger} == {
        (step, measure)
        for step in ("industries_to_clusters", "regions_to_regions")
        for measure in ("employment_reported", "employment", "establishments", "payroll")
    }
    first = next(r for r in ledger if r["step"] == "industries_to_clusters" and r["measure"] == "employment_reported")
    assert (first["amount_in"], first["amount_out"], first["amount_unmapped"], first["difference"]) == (10, 4, 6, 0)


@pytest.mark.parametrize("step", ["industries", "regions"])
def test_a_step_broken_on_purpose_fails_the_run(monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    if step == "industries":
        monkeypatch.setattr(industries, "sums", lambda key, values, size: np.bincount(key, values, size) * 1.000001)
    else:
        from etl.harmonise.cluster_sums import ClusterSums

        whole = ClusterSums.added_up
        monkeypatch.setattr(ClusterSums, "added_up", lambda *given: whole(*given[:-1], given[-1] * 0.999))
    with pytest.raises(
        ConservationError, match="industries_to_clusters" if step == "industries" else "regions_to_regions"
    ):
        done([cell(STATE, "00", 10.0), cell(STATE, "336111", 4.0)])


def test_cells_of_two_sources_are_refused() -> None:
    with pytest.raises(DataError, match="have one source"):
        done([cell(STATE, "00", 1.0), cell(STATE, "336111", 1.0, source="bls_qcew")])
    with pytest.raises(DataError, match="not of 2018"):
        done([cell(STATE, "00", 1.0)], 2018)
    with pytest.raises(DataError, match="without cells"):
        harmonise(contract("region_industry").empty(), 2019)


codes_of_2017 = st.sampled_from(sorted(code for code, cluster in naics_cluster(2017).items() if cluster))


@given(
    st.dictionaries(
        st.tuples(st.sampled_from(["26001", "26003", "26999", "55001"]), codes_of_2017),
        st.one_of(st.none(), st.integers(0, 10_000)),
        min_size=1,
        max_size=30,
    ),
    st.randoms(use_true_random=False),
)
@settings(max_examples=40)
def test_any_counties_are_conserved_whatever_their_order(
    figures: dict[tuple[str, str], int | None], random: object
) -> None:
    rows = [
        cell(f"us_county:{county}", code, None if amount is None else float(amount))
        for (county, code), amount in figures.items()
    ]
    totals = {county: 5_000.0 for county, _ in figures}
    for (county, _), amount in figures.items():
        totals[county] += amount or 0
    rows += [cell(f"us_county:{county}", "00", amount, establishments=1_000.0) for county, amount in totals.items()]
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    first, second = done(rows), done(shuffled)
    assert first.region_cluster.equals(second.region_cluster)
    found = clusters(first)
    for county, total in totals.items():
        inside = [row for (region, _), row in found.items() if region == f"us_county:{county}"]
        assert sum(row["employment_reported"] for row in inside) == total
        for row in inside:
            if row["employment"] is not None:
                assert row["employment_low"] <= row["employment"]
                assert row["employment_high"] is None or row["employment"] <= row["employment_high"]
    areas = sum(row["employment_reported"] for (region, _), row in found.items() if region.startswith("us_economic"))
    assert areas == sum(amount for county, amount in totals.items() if county != "26999")


def test_plain_strings_and_dictionaries_give_the_same() -> None:
    table = source_year([cell(STATE, "00", 10.0), cell(STATE, "336111", 4.0), cell(STATE, "541511", None)])
    coded = pa.table(
        {
            name: table.column(name).dictionary_encode()
            if pa.types.is_string(table.schema.field(name).type)
            else table.column(name)
            for name in table.column_names
        }
    )
    assert harmonise(coded, 2019).region_cluster.equals(harmonise(table, 2019).region_cluster)


@pytest.mark.shared
def test_every_code_of_qcew_maps(shared: Path) -> None:
    """After the declared fix of its construction codes; its total counts what the site's own covers less farms."""
    cells = published_cells(shared, "bls_qcew", 2019)
    result = harmonise(cells, 2019)
    total = cells.filter(pc.equal(cells.column("industry_code"), "00")).column("employment_reported")
    table = result.region_cluster.to_pandas()
    assert table.employment_reported.sum() == pc.sum(total).as_py() == 126_358_746
    assert (table.groupby("region_code", observed=True).size() == 69).all()
