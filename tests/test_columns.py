"""Columns of codes, dictionary-encoded or plain."""

import pyarrow as pa

from etl.columns import concat, constant, plain


def test_dictionary_and_plain_columns_stack() -> None:
    encoded = pa.table({"source": constant("a", 2), "n": [1, 2]})
    written = pa.table({"source": ["b"], "n": [3]})
    for tables in ([encoded, written], [written, encoded]):
        assert sorted(concat(tables).to_pylist(), key=lambda row: row["n"]) == [
            {"source": "a", "n": 1},
            {"source": "a", "n": 2},
            {"source": "b", "n": 3},
        ]


def test_equal_columns_stay_encoded() -> None:
    tables = [pa.table({"source": constant(name, 2)}) for name in "ab"]
    assert pa.types.is_dictionary(concat(tables).schema.field("source").type)


def test_plain_decodes_the_columns_asked_for() -> None:
    table = pa.table({"a": constant("x", 1), "b": constant("y", 1)})
    kinds = [pa.types.is_dictionary(field.type) for field in plain(table, {"a"}).schema]
    assert kinds == [False, True]
    assert plain(table).to_pylist() == table.to_pylist()
