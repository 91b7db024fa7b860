"""The contracts say the same thing everywhere, and rows are brought into them or refused."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.contracts import contract, contracts, sort_rows
from etl.errors import DataError, UsageError


def test_a_column_name_means_one_type_and_one_unit_everywhere() -> None:
    seen: dict[str, tuple[str, str | None, str]] = {}
    for table in contracts().values():
        for column in table.columns:
            kind, unit, where = seen.setdefault(column.name, (column.type, column.unit, table.name))
            assert (column.type, column.unit) == (kind, unit), f"{column.name} differs in {table.name} and {where}"


def test_every_key_is_required_and_every_column_has_a_meaning() -> None:
    for table in contracts().values():
        for column in table.columns:
            assert column.description.strip(), f"{table.name}.{column.name} has no description"
            assert not (column.name in table.key and column.nullable), f"{table.name}.{column.name} may be null"


def test_codes_are_text_but_for_clusters() -> None:
    for table in contracts().values():
        for column in table.columns:
            if column.name.endswith("_code"):
                expected = "int16" if column.name.endswith("cluster_code") and "sub" not in column.name else "string"
                assert column.type == expected, f"{table.name}.{column.name} is {column.type}"


def test_conform_orders_types_and_fills() -> None:
    table = pa.table({"subcluster_name": ["b", "a"], "cluster_code": [2, 1], "subcluster_code": ["1", "1"]})
    done = contract("subcluster").conform(table)
    assert done.schema == contract("subcluster").arrow_schema
    assert done["cluster_code"].to_pylist() == [1, 2]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (pa.table({"cluster_code": [1], "subcluster_code": ["1"], "subcluster_name": ["a"], "odd": [1]}), "odd"),
        (pa.table({"cluster_code": [1], "subcluster_code": ["1"]}), "subcluster_name"),
    ],
)
def test_conform_refuses(table: pa.Table, said: str) -> None:
    with pytest.raises(DataError, match=said):
        contract("subcluster").conform(table)


def test_an_unknown_table_is_wrong_use() -> None:
    with pytest.raises(UsageError, match="region_cluster"):
        contract("nothing")


@given(st.lists(st.tuples(st.sampled_from(["b", "a", "ä", "10", "9"]), st.integers(-3, 3)), max_size=30))
def test_sorting_by_ranks_is_sorting_by_values(rows: list[tuple[str, int]]) -> None:
    table = pa.table(
        {"a": pa.array([r[0] for r in rows], pa.string()), "b": pa.array([r[1] for r in rows], pa.int64())}
    )
    done = sort_rows(table, ["a", "b"]).to_pylist()
    assert [(r["a"], r["b"]) for r in done] == sorted(rows, key=lambda r: (r[0].encode(), r[1]))
