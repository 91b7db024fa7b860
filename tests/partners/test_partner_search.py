"""Partners as they are published: across the Atlantic, ranked, banded, explained, and never beyond the grades."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from partner_cases import NUTS, STATES, common, portfolios

from etl.columns import concat
from etl.contracts import contract
from etl.partners import region_partner
from etl.partners.search import PARTNERS

KEY = ["level", "year", "region_scheme", "region_code", "partner_scheme", "partner_code", "kind"]


def found(table: pa.Table, year: int = 2019) -> pd.DataFrame:
    return region_partner(table, year).to_pandas()


@pytest.fixture(scope="module")
def employment() -> dict[tuple[str, str], list[float]]:
    return portfolios(7)


@pytest.fixture(scope="module")
def partners(employment: dict[tuple[str, str], list[float]]) -> pd.DataFrame:
    return found(common(employment, spread=0.1))


def test_rows_keep_the_contract_and_are_across_the_atlantic(partners: pd.DataFrame) -> None:
    assert list(partners.columns) == list(contract("region_partner").column_names)
    assert set(partners.kind) == {"twin", "twin_related", "complement"}
    assert (partners.region_scheme != partners.partner_scheme).all()
    assert set(partners.region_code) <= {*STATES, *NUTS}


def test_ranks_count_from_one_by_score(partners: pd.DataFrame) -> None:
    for _, group in partners.groupby(["region_scheme", "region_code", "kind"]):
        ranked = group.sort_values("partner_rank")
        assert ranked.partner_rank.tolist() == list(range(1, len(group) + 1))
        assert ranked.score.is_monotonic_decreasing and (ranked.score > 0).all()
    assert partners.partner_rank.max() == PARTNERS == 20


def test_both_ends_of_a_pair_are_told_the_same(partners: pd.DataFrame) -> None:
    ends = {"region_scheme": "partner_scheme", "region_code": "partner_code"}
    swap = {**ends, **{there: here for here, there in ends.items()}}
    both = partners.merge(partners.rename(columns=swap), on=KEY, suffixes=("", "_back"))
    assert len(both) > 100
    for name in ("score", "score_low", "score_high"):
        np.testing.assert_allclose(both[name], both[f"{name}_back"], atol=1e-9)
    np.testing.assert_allclose(both.size_ratio * both.size_ratio_back, 1.0)


def test_bands_come_from_the_draws(partners: pd.DataFrame, employment: dict[tuple[str, str], list[float]]) -> None:
    """Exact figures have no band; wider bands of employment make wider bands of scores."""
    exact = found(common(employment))
    assert ((exact.score_high - exact.score_low).abs() < 1e-6).all()
    assert np.allclose(exact.score, exact.score_low, atol=1e-6)
    assert (partners.score_low <= partners.score_high).all()
    wide = found(common(employment, spread=0.3))
    assert (wide.score_high - wide.score_low).mean() > 1.5 * (partners.score_high - partners.score_low).mean() > 0
    twins = partners[partners.kind == "twin"]
    assert (twins.score_low.sub(0.02).le(twins.score) & twins.score.le(twins.score_high.add(0.02))).mean() > 0.95


def test_a_pair_is_drawn_the_same_in_other_company(employment: dict[tuple[str, str], list[float]]) -> None:
    """Twins of a region do not change when other regions are left out, the reference area being what it is."""
    reference = np.sum(list(employment.values()), axis=0)
    few = {key: row for key, row in employment.items() if key[1] in (*STATES[:4], *NUTS)}
    pair = ["region_code", "partner_code", "kind"]
    names = ["score", "score_low", "score_high", "size_ratio"]
    whole, part = (
        found(common(rows, reference=reference, spread=0.1)).query("kind == 'twin'").set_index(pair)[names]
        for rows in (employment, few)
    )
    both = whole.join(part, rsuffix="_few", how="inner")
    assert len(both) > 20
    for name in names:
        np.testing.assert_allclose(both[name], both[f"{name}_few"], atol=1e-9)


def test_the_order_of_rows_does_not_matter(employment: dict[tuple[str, str], list[float]]) -> None:
    table = common(employment, spread=0.1)
    mixed = table.take(pa.array(np.random.default_rng(1).permutation(table.num_rows)))
    assert region_partner(mixed, 2019).equals(region_partner(table, 2019))


def test_explaining_clusters_add_most(partners: pd.DataFrame, employment: dict[tuple[str, str], list[float]]) -> None:
    """A planted strength shared by two regions explains them, and a planted link explains the complement."""
    planted = {key: list(row) for key, row in employment.items()}
    for key in (("us_state", "01"), ("nuts1", "DE1")):
        planted[key][22] = 60 * np.mean(planted[key])
    twin = found(common(planted)).query("region_code == '01' and partner_code == 'DE1' and kind == 'twin'").iloc[0]
    assert twin.partner_rank == 1 and twin.explaining_clusters.split(",")[0] == "23"
    for row in partners.itertuples():
        parts = row.explaining_clusters.split(",")
        assert 1 <= len(parts) <= 5 and len(set(parts)) == len(parts)
        assert all((">" in part) == (row.kind == "complement") for part in parts)


def test_what_is_unknown_or_of_grade_d_takes_no_part(employment: dict[tuple[str, str], list[float]]) -> None:
    """Figures of grade D and cells without a quotient may be anything: nothing but totals depends on them."""
    reference = np.sum(list(employment.values()), axis=0)
    key = ("us_state", "01")
    weak = {key: [3, 4]}
    changed = {k: list(row) for k, row in employment.items()}
    jobs = changed[key][2] + changed[key][3]
    changed[key][2], changed[key][3] = 0.9 * jobs, 0.1 * jobs
    one, other = (
        found(common(rows, reference=reference, grade_d=weak)).query("kind != 'complement'")
        for rows in (employment, changed)
    )
    mine, theirs = (rows[(rows.region_code == "01") | (rows.partner_code == "01")] for rows in (one, other))
    assert len(mine) > 20
    pd.testing.assert_frame_equal(mine.reset_index(drop=True), theirs.reset_index(drop=True))
    assert not mine.explaining_clusters.str.split(",").map(lambda codes: bool({"3", "4"} & set(codes))).any()


def test_a_region_of_which_too_little_is_known_has_no_partners(employment: dict[tuple[str, str], list[float]]) -> None:
    codes = {("us_state", "01"): list(range(1, 43)), ("us_state", "04"): list(range(1, 42))}
    rows = found(common(employment, grade_d=codes))
    assert "01" not in {*rows.region_code, *rows.partner_code}
    assert "04" in {*rows.region_code, *rows.partner_code}


def test_without_the_other_side_there_are_no_partners(employment: dict[tuple[str, str], list[float]]) -> None:
    american = {key: row for key, row in employment.items() if key[0] == "us_state"}
    assert found(common(american)).empty
    assert found(common(employment).slice(0, 0)).empty


def test_only_the_full_variant_counts(employment: dict[tuple[str, str], list[float]]) -> None:
    table = common(employment)
    coarse = table.set_column(
        table.column_names.index("variant"), "variant", pa.array(["coarse"] * table.num_rows, pa.string())
    )
    assert region_partner(concat([table, coarse]), 2019).equals(region_partner(table, 2019))
    assert region_partner(coarse, 2019).num_rows == 0
