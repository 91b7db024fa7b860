"""Weights from links: seeds, known sides, raking."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.errors import UsageError
from etl.harmonise import weights

SCHEMES = ("a", "b")


def as_dict(concordance: object) -> dict[tuple[str, str], float]:
    found = zip(concordance.from_code, concordance.to_code, concordance.weight, strict=True)  # type: ignore[attr-defined]
    return {(str(source), str(target)): float(weight) for source, target, weight in found}


def test_equal_parts() -> None:
    found = weights.equal(SCHEMES, [("x", "p"), ("x", "q"), ("y", "q")])
    assert as_dict(found) == {("x", "p"): 0.5, ("x", "q"): 0.5, ("y", "q"): 1.0}


def test_a_noted_part_weighs_fifteen_hundredths() -> None:
    found = weights.employment(
        SCHEMES, [("x", "p"), ("x", "q")], is_partial=np.array([False, True]), source_amounts={"x": 9}
    )
    assert as_dict(found) == pytest.approx({("x", "p"): 1 / 1.15, ("x", "q"): 0.15 / 1.15})
    assert found.weight_method.tolist() == ["employment", "employment"]


def test_targets_by_their_employment() -> None:
    found = weights.employment(
        SCHEMES, [("x", "p"), ("x", "q"), ("y", "q")], target_amounts={"p": 30, "q": 20}, years=(None, 2011)
    )
    assert as_dict(found) == pytest.approx({("x", "p"): 0.75, ("x", "q"): 0.25, ("y", "q"): 1.0})
    assert found.weight_year == 2011


def test_without_employment_the_seeds_decide() -> None:
    found = weights.employment(SCHEMES, [("x", "p"), ("x", "q")], target_amounts={"p": 0, "q": 0})
    assert as_dict(found) == {("x", "p"): 0.5, ("x", "q"): 0.5}
    assert found.weight_method.tolist() == ["equal", "equal"]


def test_both_sides_are_raked() -> None:
    links = [("x", "p"), ("x", "q"), ("y", "q")]
    found = weights.employment(
        SCHEMES, links, source_amounts={"x": 60, "y": 40}, target_amounts={"p": 45, "q": 55}, years=(2011, 2012)
    )
    assert as_dict(found) == pytest.approx({("x", "p"): 0.75, ("x", "q"): 0.25, ("y", "q"): 1.0})


def test_totals_more_than_a_year_apart_are_not_raked_together() -> None:
    with pytest.raises(UsageError, match="2005 and 2009"):
        weights.employment(SCHEMES, [("x", "p")], source_amounts={"x": 1}, target_amounts={"p": 1}, years=(2005, 2009))


@given(st.integers(2, 6), st.integers(2, 6), st.data())
def test_raking_meets_both_margins_of_a_full_table(rows: int, columns: int, data: st.DataObject) -> None:
    positive = st.floats(0.1, 100)
    start = np.array([data.draw(positive) for _ in range(rows * columns)])
    truth = np.array([[data.draw(positive) for _ in range(columns)] for _ in range(rows)])
    row, column = np.divmod(np.arange(rows * columns), columns)
    # Column sums may be on any scale: 7 times.
    raked = weights.rake(row, column, start, truth.sum(axis=1), truth.sum(axis=0) * 7)
    table = raked.reshape(rows, columns)
    assert np.allclose(table.sum(axis=1), truth.sum(axis=1))
    assert np.allclose(table.sum(axis=0), truth.sum(axis=0), rtol=1e-4)


def test_components_are_scaled_apart() -> None:
    row, column = np.array([0, 0, 1]), np.array([0, 1, 2])
    raked = weights.rake(row, column, np.array([1.0, 1.0, 1.0]), np.array([10.0, 5.0]), np.array([3.0, 1.0, 99.0]))
    assert raked.tolist() == pytest.approx([7.5, 2.5, 5.0])
