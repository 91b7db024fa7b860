"""Between two steps nothing is lost, made up or changed without the run failing."""

import pyarrow as pa
import pytest

from etl.errors import ConservationError
from etl.run.conservation import require_leaves_placed, require_printed_figures_kept

CELLS = pa.table(
    {
        "region_scheme": pa.array(["us_state"] * 4).dictionary_encode(),
        "industry_level": ["total", "national_industry", "national_industry", "not_allocated"],
        "is_leaf": [False, True, True, True],
        "employment": [100.0, 60.0, 30.0, 10.0],
        "employment_reported": [100.0, 60.0, None, None],
        "establishments": [9.0, 5.0, 3.0, 1.0],
        "payroll": pa.nulls(4, pa.float64()),
        "industry_code": ["00", "113310", "211120", "21~"],
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


def test_parents_below_which_nothing_is_published_are_in_no_cluster() -> None:
    def with_third(level: str, code: str) -> pa.Table:
        levels = ["total", "national_industry", level, "national_industry", "not_allocated"]
        added = {name: CELLS.column(name).to_pylist() for name in CELLS.column_names}
        rows = {name: [*values[:2], values[2], *values[2:]] for name, values in added.items()}
        return pa.table(
            rows | {"industry_level": levels, "industry_code": ["00", "113310", code, "211120", "21~"]},
            schema=CELLS.schema.set(0, pa.field("region_scheme", pa.string())),
        )

    for level, code in (("industry", "32229"), ("industry_group", "3132"), ("sector", "21")):
        require_leaves_placed(with_third(level, code), ledger(), "x")
    with pytest.raises(ConservationError, match="employment in us_state"):
        require_leaves_placed(with_third("sector", "99"), ledger(), "x")


def test_printed_figures_stay_as_they_are() -> None:
    completed = CELLS.set_column(3, "employment", pa.array([100.0, 60.0, 31.0, 9.0]))
    require_printed_figures_kept(CELLS, completed, "x 2019")
    with pytest.raises(ConservationError, match="before and after estimation"):
        require_printed_figures_kept(CELLS, completed.slice(1), "x 2019")
