"""Files of tables: the same rows give the same bytes, and the file says what it is."""

import io
import itertools

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from snapshot_samples import facts

from etl.columns import plain
from etl.contracts import contract
from etl.errors import DataError
from etl.publish.parquet import ROW_GROUP_ROWS, about, parquet_bytes, part_path, part_year
from etl.reference import source_table

CONTRACT = contract("region_cluster")


@pytest.fixture(scope="module")
def rows() -> pa.Table:
    return facts(2017)["region_cluster"]


def test_the_same_rows_in_any_order_and_chunks_give_the_same_bytes(rows: pa.Table) -> None:
    once = parquet_bytes(rows, CONTRACT, inputs_id="a")
    order = np.random.default_rng(1).permutation(rows.num_rows)
    shuffled = rows.take(pa.array(order))
    chunked = pa.concat_tables([shuffled.slice(0, 1000), shuffled.slice(1000, 1), shuffled.slice(1001)])
    assert parquet_bytes(chunked, CONTRACT, inputs_id="a") == once
    assert parquet_bytes(rows, CONTRACT, inputs_id="b") != once


def test_codes_in_dictionaries_and_plain_ones_give_the_same_bytes(rows: pa.Table) -> None:
    texts = [number for number, field in enumerate(rows.schema) if pa.types.is_string(field.type)]
    encoded = rows
    for at in texts:
        encoded = encoded.set_column(at, rows.schema.field(at).name, rows.column(at).dictionary_encode())
    assert texts and any(pa.types.is_dictionary(field.type) for field in encoded.schema)
    assert parquet_bytes(encoded, CONTRACT, inputs_id="a") == parquet_bytes(plain(rows), CONTRACT, inputs_id="a")


def test_the_file_is_read_back_with_its_contract(rows: pa.Table) -> None:
    data = parquet_bytes(rows, CONTRACT, inputs_id="abc", sources=source_table())
    table = pq.read_table(io.BytesIO(data))
    assert table.schema.equals(CONTRACT.arrow_schema, check_metadata=False)
    assert table.schema.field("employment").metadata[b"unit"] == b"persons"
    said = about(pq.read_metadata(io.BytesIO(data)))
    assert said["contract_version"] == CONTRACT.version
    assert said["inputs_id"] == "abc"
    assert said["columns"]["employment_low"]["description"] == "Hard lower bound of employment."
    assert [note["source"] for note in said["sources"]] == ["census_cbp", "eurostat_sbs"]
    assert all(note["licence"] and note["attribution"] for note in said["sources"])


def test_whole_figures_are_exact_and_fractions_good_to_ten_digits(rows: pa.Table) -> None:
    table = pq.read_table(io.BytesIO(parquet_bytes(rows, CONTRACT, inputs_id="abc")))
    sorted_rows = CONTRACT.conform(rows)
    rounded = set()
    for column in CONTRACT.columns:
        before, after = sorted_rows[column.name], table[column.name]
        if before.equals(after):
            continue
        rounded.add(column.name)
        left, right = before.to_numpy(), after.to_numpy()
        assert np.array_equal(np.isnan(left), np.isnan(right))
        assert np.nanmax(np.abs(left - right) / np.maximum(np.abs(left), 1e-300)) <= 2.0**-32
        assert after.null_count == before.null_count
        is_whole = left == np.rint(left)
        assert np.array_equal(left[is_whole], right[is_whole])
    assert {"location_quotient", "region_share", "cluster_share"} <= rounded
    assert "employment_reported" not in rounded
    again = parquet_bytes(table, CONTRACT, inputs_id="abc")
    assert again == parquet_bytes(rows, CONTRACT, inputs_id="abc"), "rounding twice is rounding once"


def test_what_a_portal_published_stays_as_it_is() -> None:
    rule = contract("published_region_cluster")
    row = {"portal": "p", "year": 2016, "region_scheme": "us_state", "region_code": "01", "region_vintage": 2020,
           "cluster_code": 1, "location_quotient": 1 / 3}  # fmt: skip
    table = pa.Table.from_pylist([row])
    assert pq.read_table(io.BytesIO(parquet_bytes(table, rule, inputs_id="a")))["location_quotient"][0].as_py() == 1 / 3


def test_the_file_holds_no_time_and_no_version(rows: pa.Table) -> None:
    said = about(pq.read_metadata(io.BytesIO(parquet_bytes(rows, CONTRACT, inputs_id="abc"))))
    assert not {key for key in said if "time" in key or "date" in key or key == "version"}


def test_rows_are_sorted_by_key_in_groups_that_tell_regions_apart() -> None:
    regions = [f"{number:05d}" for number in range(1500)]
    count = len(regions) * 69
    table = pa.table(
        {
            "source": ["census_cbp"] * count,
            "year": pa.array([2017] * count, pa.int16()),
            "region_scheme": ["us_county"] * count,
            "region_code": np.tile(regions, 69),
            "region_vintage": pa.array([2020] * count, pa.int16()),
            "cluster_code": pa.array(np.repeat(np.arange(69), len(regions)), pa.int16()),
            "employment_reported": np.zeros(count),
            "employment_status": ["reported"] * count,
        }
    )
    file = pq.read_metadata(io.BytesIO(parquet_bytes(table, CONTRACT, inputs_id="a")))
    at = file.schema.names.index("region_code")
    groups = [file.row_group(group).column(at).statistics for group in range(file.num_row_groups)]
    assert file.num_row_groups == -(-count // ROW_GROUP_ROWS)
    assert all(before.max <= after.min for before, after in itertools.pairwise(groups))


def test_nan_is_refused(rows: pa.Table) -> None:
    at = rows.column_names.index("location_quotient")
    spoiled = rows.set_column(at, "location_quotient", pa.array([float("nan")] * rows.num_rows))
    with pytest.raises(DataError, match="location_quotient holds NaN"):
        parquet_bytes(spoiled, CONTRACT, inputs_id="a")


def test_foreign_parquet_is_told_apart() -> None:
    sink = io.BytesIO()
    pq.write_table(pa.table({"a": [1]}), sink)
    with pytest.raises(DataError, match="no metadata of Clusterbridge"):
        about(pq.read_metadata(sink))


def test_paths_carry_the_year() -> None:
    assert part_path("region_total", 2017) == "region_total/region_total-2017.parquet"
    assert part_path("cluster") == "cluster/cluster.parquet"
    assert part_year(part_path("region_total", 2017)) == 2017
    assert part_year(part_path("cluster")) is None
