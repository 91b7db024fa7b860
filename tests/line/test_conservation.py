"""Between two steps nothing is lost, made up or changed without the run failing."""

import pyarrow as pa
import pytest

from etl.conservation import require_leaves_placed, require_printed_figures_kept
from etl.errors import ConservationError

CELLS = pa.table(
    {
        "region_scheme": pa.array(["us_state"] * 4).dictionary_encode(),
        "industry_level": ["total", "national_industry", "national_industry", "not_allocated"],
        "is_leaf": [False, True, True, True],
        "employment": [100.0, 60.0, 30.0, 10.0],
        "employment_reported": [100.0, 60.0, None, None],
        "establishments": [9.0, 5.0, 3.0, 1.0],
        "payroll": pa.nulls(4, pa.float64()),
    }
)


def ledger(**out: float) -> pa.Table:
    """Lines of the step to clusters with these amounts coming out."""
    amounts = {"employment": 90.0, "employment_reported": 60.0, "establishments": 8.0, "payroll": 0.0} | out
    rows = [
        {"step": "industries_to_clusters", "region_scheme": "us_state", "measure": name, "amount_out": amount}
        for name, amount in amounts.items()
    ]
    return pa.Table.from_pylist([*rows, {**rows[0], "step": "regions_to_regions", "amount_out": 1.0}])


def test_leaves_are_held_against_what_came_out() -> None:
    require_leaves_placed(CELLS, ledger(), "x 2019")
    for name in ("employment", "employment_reported", "establishments", "payroll"):
        with pytest.raises(ConservationError, match=f"x 2019.*{name} in us_state"):
            require_leaves_placed(CELLS, ledger(**{name: 61.0}), "x 2019")
    with pytest.raises(ConservationError, match="employment in us_county"):
        require_leaves_placed(CELLS.set_column(0, "region_scheme", pa.array(["us_county"] * 4)), ledger(), "x")


def test_printed_figures_stay_as_they_are() -> None:
    completed = CELLS.set_column(3, "employment", pa.array([100.0, 60.0, 31.0, 9.0]))
    require_printed_figures_kept(CELLS, completed, "x 2019")
    with pytest.raises(ConservationError, match="before and after estimation"):
        require_printed_figures_kept(CELLS, completed.slice(1), "x 2019")
