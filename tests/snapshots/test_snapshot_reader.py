"""Reading published versions: what was opened stays as it was, and damage is named when asked for."""

from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from snapshot_samples import draft, read_part

from etl import snapshots
from etl.contracts import contract, contracts
from etl.errors import IntegrityError, UsageError
from etl.publish import publish
from etl.storage import Storage

PATH = "region_cluster/region_cluster-2017.parquet"


def test_tables_are_read_whole_and_in_order(root: Storage) -> None:
    publish(root, draft("2026-01-01"))
    snapshot = snapshots.open(root=root.root)
    assert snapshot.version == "2026-01-01"
    assert snapshot.tables == sorted(contracts())
    for name in snapshot.tables:
        table = snapshot.table(name)
        assert table.num_rows == snapshot.manifest.tables[name].rows
        assert table.schema.equals(contract(name).arrow_schema, check_metadata=False)
        rule = contract(name)
        years = sorted(set(table["year"].to_pylist())) if rule.partition else []
        parts = [table.filter(pc.field("year") == year) for year in years] or [table]
        assert all(part.equals(rule.conform(part)) for part in parts), f"{name} is not sorted by its key"
        assert table.equals(pa.concat_tables(parts))


def test_columns_and_filters(root: Storage) -> None:
    first = draft("2026-01-01")
    publish(root, first)
    snapshot = snapshots.open("2026-01-01", root.root)
    rows = snapshot.table(
        "region_cluster",
        columns=["region_code", "employment"],
        filters=[("year", "=", 2017), ("cluster_code", "in", [1, 2]), ("region_scheme", "=", "nuts0")],
    )
    expected = read_part(first.parts[PATH])
    expected = expected.filter((pc.field("cluster_code") <= 2) & (pc.field("cluster_code") >= 1))
    expected = expected.filter(pc.field("region_scheme") == "nuts0").select(["region_code", "employment"])
    assert rows.equals(expected)
    assert snapshot.table("region_cluster", ["year"], pc.field("year") == 2016).num_rows == 5589
    assert snapshot.table("region_cluster", ["year"], []).num_rows == 2 * 5589


def test_files_of_other_years_are_not_opened(folder_root: Storage) -> None:
    publish(folder_root, draft("2026-01-01"))
    snapshot = snapshots.open(root=folder_root.root)
    other = Path(snapshot.address) / "region_cluster/region_cluster-2016.parquet"
    other.write_bytes(b"not Parquet any more")
    assert snapshot.table("region_cluster", filters=[("year", "=", 2017)]).num_rows == 5589
    with pytest.raises(IntegrityError, match=r"region_cluster-2016.parquet is damaged"):
        snapshot.table("region_cluster", filters=[("year", "=", 2017)], verify=True)


def test_a_reader_keeps_the_version_it_opened(folder_root: Storage) -> None:
    publish(folder_root, draft("2026-01-01"))
    before = snapshots.open(root=folder_root.root)
    rows = before.table("region_cluster", filters=[("year", "=", 2017)])
    publish(folder_root, draft("2026-01-02", 2.0, previous="2026-01-01"))
    after = snapshots.open(root=folder_root.root)
    assert (before.version, after.version) == ("2026-01-01", "2026-01-02")
    assert before.table("region_cluster", filters=[("year", "=", 2017)], verify=True).equals(rows)
    assert not after.table("region_cluster", filters=[("year", "=", 2017)]).equals(rows)


def test_damage_is_named_when_asked_for(folder_root: Storage) -> None:
    publish(folder_root, draft("2026-01-01"))
    snapshot = snapshots.open(root=folder_root.root)
    place = f"snapshots/2026-01-01/{PATH}"
    data = bytearray(folder_root.read_bytes(place))
    data[len(data) // 2] ^= 1
    folder_root.write(place, bytes(data))
    with pytest.raises(IntegrityError, match=r"snapshots/2026-01-01/region_cluster/region_cluster-2017.parquet is dam"):
        snapshot.table("region_cluster", verify=True)
    folder_root.delete(place)
    with pytest.raises(IntegrityError, match=r"region_cluster-2017.parquet is missing"):
        snapshot.verify("region_cluster")


def test_what_is_not_there_is_said_in_a_sentence(folder_root: Storage) -> None:
    with pytest.raises(UsageError, match="holds no published version yet"):
        snapshots.open(root=folder_root.root)
    publish(folder_root, draft("2026-01-01"))
    snapshot = snapshots.open(root=folder_root.root)
    with pytest.raises(UsageError, match="has no table nonsense; it has cluster, "):
        snapshot.table("nonsense")
    with pytest.raises(UsageError, match="region_total has no column nonsense; it has source, "):
        snapshot.table("region_total", ["nonsense"])
    with pytest.raises(UsageError, match="has no column nowhere"):
        snapshot.table("region_total", filters=[("nowhere", "=", 1)])
    with pytest.raises(UsageError, match="holds no version 2025-01-01"):
        snapshots.open("2025-01-01", folder_root.root)


def test_the_root_comes_from_the_setting(folder_root: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(folder_root, draft("2026-01-01"))
    monkeypatch.setenv("CLUSTERBRIDGE_DATA", folder_root.root)
    assert snapshots.open().version == "2026-01-01"


def test_paths_are_what_duckdb_takes(folder_root: Storage) -> None:
    publish(folder_root, draft("2026-01-01"))
    snapshot = snapshots.open(root=folder_root.root)
    for name in snapshot.tables:
        found = duckdb.sql(f"SELECT count(*) FROM '{snapshot.path(name)}'").fetchall()
        assert found == [(snapshot.manifest.tables[name].rows,)], name
        assert all(Path(file).is_file() for file in snapshot.files(name))


def test_versions_are_listed_and_files_are_found_in_them(folder_root: Storage, tmp_path: Path) -> None:
    assert snapshots.listed(folder_root) == []
    publish(folder_root, draft("2026-01-01"))
    publish(folder_root, replace(draft("2026-01-02", 2.0, previous="2026-01-01"), changes={"region_total": {"new": 3}}))
    rows = snapshots.listed(folder_root)
    assert [(row.version, row.previous, row.is_latest) for row in rows] == [
        ("2026-01-01", None, False),
        ("2026-01-02", "2026-01-01", True),
    ]
    assert rows[1].changed_cells == 3
    assert rows[0].rows > 20_000 and rows[0].bytes > 500_000
    file = tmp_path / "found.parquet"
    file.write_bytes(folder_root.read_bytes("snapshots/2026-01-01/cluster/cluster.parquet"))
    assert snapshots.holding(folder_root, file) == [
        (day, "cluster/cluster.parquet") for day in ("2026-01-01", "2026-01-02")
    ]
    assert snapshots.holding(folder_root, f"{1000:064x}") == [("2026-01-01", "https://example.org/cbp17.zip")]
    file.write_bytes(b"something else")
    assert snapshots.holding(folder_root, file) == []
    with pytest.raises(UsageError, match="cannot be read"):
        snapshots.holding(folder_root, tmp_path / "missing")
