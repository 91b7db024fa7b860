"""The algebra of concordances: what holds for any of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yardstick import yardsticks

from etl.contracts import contract
from etl.errors import ConservationError, DataError
from etl.harmonise import concordance as module
from etl.harmonise.concordance import Concordance
from etl.harmonise.families import families, table
from etl.harmonise.ledger import LedgerEntry


@st.composite
def concordances(
    draw: st.DrawFn, source: str = "a", target: str = "b", sources: int = 5, targets: int = 5, breaks: bool = False
) -> Concordance:
    """Every source code `a0`… with some weighted targets, perhaps with breaks."""
    links, weights = [], []
    for number in range(sources):
        reached = draw(st.lists(st.integers(0, targets - 1), min_size=1, max_size=targets, unique=True))
        parts = draw(st.lists(st.integers(1, 20), min_size=len(reached), max_size=len(reached)))
        lost = draw(st.integers(0, 20)) if breaks else 0
        total = sum(parts) + lost
        for place, part in zip(reached, parts, strict=True):
            links.append((f"{source}{number}", f"{target}{place}"))
            weights.append(part / total)
        if lost:
            links.append((f"{source}{number}", ""))
            weights.append(float("nan"))
    return Concordance.from_links((source, target), links, weight=weights, method="employment")


def total_at(targets: int, source: str) -> Concordance:
    return Concordance.identity(source, [f"{source}{number}" for number in range(targets)])


amounts = st.lists(st.floats(-1e9, 1e9, allow_nan=False), min_size=0, max_size=40)


@given(concordances(breaks=True))
def test_weights_of_a_code_sum_to_one_less_its_break(concordance: Concordance) -> None:
    sums = concordance.matrix.sum(axis=1) + concordance.unmapped_share
    assert np.allclose(sums, 1)


@given(concordances(breaks=True), amounts, st.data())
def test_apply_conserves(concordance: Concordance, values: list[float], data: st.DataObject) -> None:
    codes = [data.draw(st.sampled_from(["a0", "a1", "a2", "a3", "a4", "unknown"])) for _ in values]
    groups = np.array([data.draw(st.integers(0, 2)) for _ in values], np.int64)
    result = concordance.apply(codes, values, groups, 3)
    scale = sum(map(abs, values)) or 1
    assert result.amounts.sum() + result.unmapped.sum() == pytest.approx(sum(values), abs=1e-9 * scale)
    for group in range(3):
        inside = sum(value for value, one in zip(values, groups, strict=True) if one == group)
        assert result.amounts[group].sum() + result.unmapped[group] == pytest.approx(inside, abs=1e-9 * scale)
    assert abs(result.ledger.difference) <= 1e-9 * scale
    unknown = any(code == "unknown" for code in codes)
    assert ("unknown" in result.unmapped_codes) == unknown


@given(concordances(), amounts)
def test_apply_is_the_matrix(concordance: Concordance, values: list[float]) -> None:
    codes = [f"a{number % 5}" for number in range(len(values))]
    before = np.zeros(concordance.sources.size)
    for code, value in zip(codes, values, strict=True):
        before[np.flatnonzero(concordance.sources == code)[0]] += value
    expected = before @ concordance.matrix.toarray()
    assert np.allclose(concordance.apply(codes, values).amounts[0], expected, atol=1e-6)


@given(concordances("a", "b"), concordances("b", "c"), concordances("c", "d"))
@settings(max_examples=60)
def test_compose_is_associative(first: Concordance, second: Concordance, third: Concordance) -> None:
    left = first.compose(second).compose(third)
    right = first.compose(second.compose(third))
    assert left.from_code.tolist() == right.from_code.tolist()
    assert left.to_code.tolist() == right.to_code.tolist()
    assert np.allclose(left.weight, right.weight, equal_nan=True)


@given(concordances("a", "b", breaks=True), concordances("b", "c", breaks=True), amounts)
def test_composing_is_applying_twice(first: Concordance, second: Concordance, values: list[float]) -> None:
    codes = [f"a{number % 5}" for number in range(len(values))]
    once = first.compose(second).apply(codes, values)
    middle = first.apply(codes, values)
    named = first.targets != ""
    twice = second.apply(first.targets[named].tolist(), middle.amounts[0][named])
    scale = 1e-9 * (sum(map(abs, values)) or 1)
    assert once.amounts.sum() == pytest.approx(twice.amounts.sum(), abs=scale)
    assert once.unmapped.sum() == pytest.approx(middle.unmapped.sum() + twice.unmapped.sum(), abs=scale)


@given(concordances(), amounts)
def test_identity_changes_nothing(concordance: Concordance, values: list[float]) -> None:
    identity = Concordance.identity("a", concordance.sources.tolist())
    assert identity.compose(concordance).weight == pytest.approx(concordance.weight)
    codes = [f"a{number % 5}" for number in range(len(values))]
    kept = identity.apply(codes, values)
    assert kept.amounts.sum() == pytest.approx(sum(values), abs=1e-6)
    assert kept.unmapped.sum() == 0
    after = concordance.compose(Concordance.identity("b", concordance.targets.tolist()))
    assert after.weight == pytest.approx(concordance.weight)


@given(concordances(), amounts, st.data())
def test_mapping_then_summing_groups_is_summing_then_mapping(
    concordance: Concordance, values: list[float], data: st.DataObject
) -> None:
    codes = [f"a{number % 5}" for number in range(len(values))]
    groups = np.array([data.draw(st.integers(0, 3)) for _ in values], np.int64)
    apart = concordance.apply(codes, values, groups, 4).amounts.sum(axis=0)
    together = concordance.apply(codes, values).amounts[0]
    assert np.allclose(apart, together, atol=1e-5)


@given(concordances(breaks=True))
def test_normalise_makes_known_weights_whole(concordance: Concordance) -> None:
    whole = concordance.normalise()
    assert np.allclose(whole.matrix.sum(axis=1), 1)
    assert not np.isnan(whole.weight).any()


@given(concordances())
def test_restrict_keeps_the_links_of_some_codes(concordance: Concordance) -> None:
    part = concordance.restrict(["a1", "a3"])
    assert set(part.sources.tolist()) == {"a1", "a3"}
    kept = np.isin(concordance.from_code, ["a1", "a3"])
    assert part.weight.tolist() == concordance.weight[kept].tolist()


@given(concordances())
def test_dominant_takes_the_heaviest_target(concordance: Concordance) -> None:
    label = concordance.dominant()
    assert label.is_unique and set(label.weight_method.tolist()) == {"dominant"}
    for source, target in zip(label.from_code, label.to_code, strict=True):
        mine = concordance.from_code == source
        assert concordance.weight[mine & (concordance.to_code == target)][0] == concordance.weight[mine].max()


@given(concordances(sources=8, targets=8))
def test_families_share_no_code(concordance: Concordance) -> None:
    family, kind = families(concordance)
    for codes in (concordance.from_code, concordance.to_code):
        owner: dict[str, int] = {}
        for code, number in zip(codes.tolist(), family.tolist(), strict=True):
            assert owner.setdefault(code, number) == number
    for number in set(family.tolist()):
        mine = family == number
        sources = len(set(concordance.from_code[mine].tolist()))
        targets = len(set(concordance.to_code[mine].tolist()))
        expected = f"{'1' if sources == 1 else 'n' if targets == 1 else 'm'}:{'1' if targets == 1 else 'n'}"
        assert set(kind[mine].tolist()) == {expected}


def simple() -> Concordance:
    return Concordance.from_links(
        ("a", "b"), [("x", "p"), ("x", "q"), ("y", "q")], weight=[0.25, 0.75, 1.0], method="equal"
    )


def test_a_split_by_hand() -> None:
    result = simple().apply(["x", "y", "x", "z"], [4.0, 1.0, 8.0, 5.0])
    assert result.amounts.tolist() == [[3.0, 10.0]]
    assert result.unmapped.tolist() == [5.0]
    assert result.unmapped_codes == ("z",)
    assert result.links.tolist() == [0, 1, 2]
    assert result.ledger == LedgerEntry(18.0, 13.0, 5.0)


def test_a_single_target_is_marked_unique() -> None:
    assert simple().weight_method.tolist() == ["equal", "equal", "unique"]


@pytest.mark.parametrize(
    ("links", "weight", "words"),
    [
        ([("x", "p"), ("x", "p")], [0.5, 0.5], "given twice"),
        ([("x", "p"), ("x", "q")], [0.5, 0.4], "sum to 0.9"),
        ([("x", "p"), ("x", "q")], [1.5, -0.5], "outside 0 to 1"),
        ([("x", "p"), ("x", "")], [1.1, float("nan")], "outside 0 to 1"),
    ],
)
def test_wrong_weights_are_refused(links: list[tuple[str, str]], weight: list[float], words: str) -> None:
    with pytest.raises(DataError, match=words):
        Concordance.from_links(("a", "b"), links, weight=weight, method="equal")


def test_a_missing_amount_is_not_a_zero() -> None:
    with pytest.raises(DataError, match="missing"):
        simple().apply(["x"], [float("nan")])


def test_losing_an_amount_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step broken on purpose: the sums drop a thousandth."""
    monkeypatch.setattr(module, "sums", lambda group, values, size: np.bincount(group, values, minlength=size) * 0.999)
    with pytest.raises(ConservationError, match="unaccounted"):
        simple().apply(["x", "y"], [4.0, 1.0])


def test_composing_needs_meeting_schemes_and_codes() -> None:
    with pytest.raises(DataError, match="followed by"):
        simple().compose(simple())
    with pytest.raises(DataError, match="lacks q"):
        simple().compose(Concordance.identity("b", ["p"]))


def test_a_break_stays_a_break_when_composed() -> None:
    first = Concordance.from_links(
        ("a", "b"), [("x", "p"), ("x", ""), ("y", "")], weight=[0.5, float("nan"), float("nan")], method="equal"
    )
    second = first.compose(Concordance.identity("b", ["p"]))
    assert list(zip(second.from_code, second.to_code, strict=True)) == [("x", ""), ("x", "p"), ("y", "")]
    assert second.apply(["x", "y"], [10.0, 1.0]).unmapped.tolist() == [6.0]


def test_the_published_form_has_null_for_a_break() -> None:
    broken = Concordance.from_links(("a", "b"), [("x", "p"), ("y", "")], weight=[1.0, float("nan")], method="unique")
    rows = table(broken).to_pylist()
    assert [row["weight"] for row in rows] == [1.0, None]
    assert [row["family_kind"] for row in rows] == ["1:1", None]
    assert table(broken).schema.equals(contract("concordance").arrow_schema)


def test_a_unique_concordance_moves_a_million_rows_in_a_yardstick() -> None:
    rows, size = 1_000_000, 1_000
    concordance = Concordance.identity("a", [f"{number:04d}" for number in range(size)])
    place = np.random.default_rng(1).integers(0, size, rows)
    codes = _dictionary(place, concordance)
    values, groups = np.ones(rows), np.arange(rows) % 3_000
    assert yardsticks(lambda: concordance.apply(codes, values, groups, 3_000)) < 1.2


def test_a_weighted_concordance_moves_a_county_year_in_six_yardsticks() -> None:
    from etl.harmonise.vintages import naics2017_to_nace2

    concordance = naics2017_to_nace2()
    rows = 600_000
    place = np.random.default_rng(1).integers(0, concordance.sources.size, rows)
    codes = _dictionary(place, concordance)
    values, groups = np.ones(rows), np.arange(rows) % 3_200
    assert yardsticks(lambda: concordance.apply(codes, values, groups, 3_200)) < 6


def _dictionary(place: np.ndarray, concordance: Concordance) -> object:
    import pyarrow as pa

    return pa.DictionaryArray.from_arrays(pa.array(place.astype(np.int32)), pa.array(concordance.sources.tolist()))
