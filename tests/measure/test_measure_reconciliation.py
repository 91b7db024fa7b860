"""Our formulas on the portal's own figures, and our figures beside the portal's."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from measure_cases import STATES, cell, generated, table
from portal_files import FLAGS, read_portal

from etl.columns import concat
from etl.measure import Rules, measure_year
from etl.measure.grid import TRADED, make_grid
from etl.measure.reconciliation import RECOMPUTED, implied_nation, is_equal

RANKS = [name for name in RECOMPUTED if name.endswith(("_rank", "_percentile"))]


def reconciled(published: pa.Table, tables: dict[str, pa.Table] | None = None, **rules: Any) -> Any:
    done = measure_year(tables or {}, year=2016, published=published, rules=Rules(**rules))
    return done["reconciliation"].to_pandas()


def reasons(rows: Any, *measures: str) -> Counter[str]:
    chosen = rows[rows.measure.isin(measures)]
    return Counter("met" if isinstance(reason, float) or reason is None else reason for reason in chosen.reason)


@pytest.mark.shared
def test_every_state_figure_of_2016_is_met(shared: Path) -> None:
    published = read_portal(shared, "state")
    rows = reconciled(published)
    assert len(rows) == 3350 * len(RECOMPUTED)
    quotients = rows[rows.measure.eq("location_quotient")]
    is_traded = quotients.cluster_code <= 51
    equal = is_equal(quotients.published.to_numpy(), quotients.rebuilt.to_numpy())
    assert (equal[is_traded].sum(), equal[~is_traded].sum()) == (2550, 800)
    for name, true in zip(FLAGS, (1454, 1014, 512, 209), strict=True):
        flags = rows[rows.measure.eq(name) & (rows.cluster_code <= 51)]
        assert len(flags) == 2550 and (flags.published == flags.rebuilt).all()
        assert flags.published.sum() == flags.rebuilt.sum() == true
    assert reasons(rows, "region_share", "cluster_share", "average_wage") == {"met": 3 * 3350}
    assert set(reasons(rows, *RANKS)) == {"met", "order of ties"}
    local_flags = rows[rows.measure.isin(list(FLAGS)) & (rows.cluster_code > 51)]
    assert local_flags[["published", "rebuilt", "difference", "reason"]].isna().all(axis=None)


@pytest.mark.shared
@pytest.mark.parametrize("with_states", [False, True])
def test_five_economic_areas_have_their_quotients_and_no_flags(shared: Path, with_states: bool) -> None:
    published = read_portal(shared, "economic")
    if with_states:
        published = pa.concat_tables([published, read_portal(shared, "state")])
    rows = reconciled(published)
    rows = rows[rows.region_scheme.eq("us_economic_area")]
    assert reasons(rows, "location_quotient", "region_share", "cluster_share", "average_wage") == {"met": 4 * 335}
    flags = rows[rows.measure.isin(list(FLAGS)) & (rows.cluster_code <= 51)]
    assert flags.rebuilt.isna().all() and set(flags.reason) == {"comparison set incomplete"}


@pytest.mark.shared
def test_the_nation_is_what_the_portal_implies(shared: Path) -> None:
    nation = implied_nation(make_grid(read_portal(shared, "state")))
    assert nation[TRADED].sum() == pytest.approx(45_242_110, rel=1e-6)
    assert nation[53:].sum() == pytest.approx(81_486_214, rel=1e-6)


def as_published(rows: pa.Table, scheme: str, regions: list[str]) -> pa.Table:
    """What a portal that follows its own rules would print of generated clusters."""
    done = measure_year({"census_cbp": rows}, year=2016)["region_cluster"]
    chosen = pc.and_(pc.equal(done["region_scheme"], scheme), pc.is_in(done["region_code"], pa.array(regions)))
    chosen = pc.and_(chosen, pc.greater(done["cluster_code"], 0))
    names = ["year", "region_scheme", "region_code", "region_vintage", "cluster_code", "employment"]
    names += ["establishments", "payroll", *RECOMPUTED]
    kept = done.filter(chosen).select(names)
    kept = kept.append_column("employment_reported", kept.column("employment"))
    return kept.append_column("portal", pa.array(["us_cluster_mapping"] * kept.num_rows))


COUNTIES = [f"{state}{number:03d}" for state in STATES for number in range(1, 140, 2)][:3200]


@pytest.mark.parametrize(
    ("scheme", "regions"),
    [
        ("us_county", COUNTIES),
        ("us_cbsa", [f"{10000 + 20 * number}" for number in range(920)]),
        ("us_economic_area", [f"{57001 + number}" for number in range(179)]),
        ("us_nation", ["US"]),
    ],
)
def test_any_region_type_is_recomputed_by_the_same_code(scheme: str, regions: list[str]) -> None:
    rows = generated({scheme: regions}, year=2016, nation=None if scheme == "us_nation" else ("us_nation", "US"))
    found = reconciled(as_published(rows, scheme, regions))
    assert reasons(found, "location_quotient", "region_share", "cluster_share", *FLAGS) == {
        "met": len(regions) * 67 * 7
    }
    assert found[found.measure.eq("is_strong")].rebuilt.notna().sum() == len(regions) * 51


def test_a_cluster_that_no_region_has_is_told_by_the_quotients() -> None:
    rows = generated({"us_state": STATES}, year=2016)
    published = as_published(rows, "us_state", STATES[:3]).to_pandas()
    published.loc[
        published.cluster_code.eq(7), ["employment", "region_share", "cluster_share", "location_quotient"]
    ] = 0
    shares = published[published.cluster_code <= 51].groupby("region_code").employment.transform("sum")
    published.loc[published.cluster_code <= 51, "region_share"] = published.employment / shares
    nation = rows.filter(pc.equal(rows["region_scheme"], "us_nation")).to_pandas().set_index("cluster_code").employment
    whole = nation.loc[1:51].sum()
    quotient = published.region_share / (published.cluster_code.map(nation) / whole)
    published.loc[published.cluster_code <= 51, "location_quotient"] = quotient
    found = reconciled(pa.Table.from_pandas(published, preserve_index=False))
    assert reasons(found, "location_quotient") == {"met": 3 * 67}


@pytest.mark.parametrize(
    ("published", "rebuilt", "equal"),
    [
        (8.160348, 8.160348 * (1 + 9e-7), True),
        (8.160348, 8.160348 * (1 + 2e-6), False),
        (0.5, 0.5 + 9e-6, True),
        (0.5, 0.5 + 2e-5, False),
        (0.0, 0.0, True),
        (np.nan, np.nan, False),
    ],
)
def test_equal_is_to_a_millionth_or_below_one_to_five_digits(published: float, rebuilt: float, equal: bool) -> None:
    assert is_equal(np.array([published]), np.array([rebuilt]))[0] == equal


def all_reported(rows: pa.Table) -> pa.Table:
    at = rows.column_names.index("employment_reported")
    return rows.set_column(at, "employment_reported", rows.column("employment"))


# Rebuilt: what was done to the published figure, measure, the reason expected.
def rebuilt_case(change: str) -> Any:
    rows = all_reported(generated({"us_state": STATES}, year=2016, zero_share=0))
    scheme, regions = "us_state", STATES
    ours = rows
    if change == "other region type":
        codes = [f"{10000 + 20 * number}" for number in range(920)]
        rows = all_reported(generated({"us_cbsa": codes}, year=2016))
        scheme, regions = "us_cbsa", codes
        ours = rows.filter(pc.not_equal(rows["region_code"], codes[0]))
    published = as_published(rows, scheme, regions).to_pandas()
    at = published.region_code.eq(regions[0]) & published.cluster_code.eq(4)
    if change == "mid-points":
        published.loc[at, "employment"] *= 1.5
    if change == "unexplained":
        published.loc[at, "establishments"] += 1
    if change == "withheld nation":
        ours = ours.filter(
            pc.invert(pc.and_(pc.equal(ours["region_scheme"], "us_nation"), pc.equal(ours["cluster_code"], 4)))
        )
        hole = table({("us_nation", "US"): [cell(4, None)]}, year=2016)
        ours = concat([ours, hole])
    if change == "fewer states":
        ours = ours.filter(pc.not_equal(ours["region_code"], "56"))
    if change == "other vintage":
        published["year"] = np.int16(2012)
        published.loc[at, "employment"] *= 1.5
        ours = ours.set_column(1, "year", pa.array(np.full(ours.num_rows, 2012), pa.int16()))
    year = 2012 if change == "other vintage" else 2016
    published_rows = pa.Table.from_pandas(published, preserve_index=False)
    done = measure_year({"census_cbp": ours}, year=year, published=published_rows)["reconciliation"].to_pandas()
    return done[done.basis.eq("rebuilt")], regions[0]


@pytest.mark.parametrize(
    ("change", "measure", "reason"),
    [
        ("mid-points", "employment", "mid-point fill"),
        ("unexplained", "establishments", "unexplained"),
        ("withheld nation", "location_quotient", "withheld national cell"),
        ("fewer states", "is_strong", "comparison set incomplete"),
        ("other vintage", "employment", "other vintage"),
        ("other region type", "employment", "other delineation"),
    ],
)
def test_rebuilt_figures_that_differ_have_a_reason(change: str, measure: str, reason: str) -> None:
    rows, region = rebuilt_case(change)
    row = rows[rows.region_code.eq(region) & rows.cluster_code.eq(4) & rows.measure.eq(measure)]
    assert row.reason.tolist() == [reason]


def test_rebuilt_figures_that_agree_have_none() -> None:
    rows, _ = rebuilt_case("nothing")
    assert rows.reason.isna().all()
    assert (rows.difference.fillna(0).abs() <= 1e-9 * rows.published.abs().fillna(0).clip(lower=1)).all()
    assert set(rows.measure) == {"employment", "employment_reported", "establishments", "payroll", *RECOMPUTED}


def test_there_is_nothing_rebuilt_where_the_scheme_is_not_ours() -> None:
    regions = [f"{10000 + 20 * number}" for number in range(920)]
    published = as_published(generated({"us_cbsa": regions}, year=2016), "us_cbsa", regions)
    rows = reconciled(published, {"census_cbp": generated({"us_state": STATES}, year=2016)})
    assert set(rows.basis) == {"recomputed"}
