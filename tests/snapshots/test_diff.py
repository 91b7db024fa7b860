"""The diff: what changed, by how much against its bounds, and why; what was not compared is not called identical."""

import json
from collections.abc import Callable
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from snapshot_samples import draft, parts_of, read_part, source_files

from etl.contracts import contract
from etl.diff import DraftSide, PublishedSide, TableComparison, compare, with_changes
from etl.diff.compare import CELLS_KEPT
from etl.publish import Draft, Manifest, publish, read_manifest
from etl.publish.manifest import TableEntry
from etl.storage import Storage

SOURCES = {"census_cbp": "census_cbp", "eurostat_sbs": "eurostat_sbs"}
CLUSTERS_2017 = "region_cluster/region_cluster-2017.parquet"


def changed(one: Draft, path: str, change: Callable[[pa.Table], pa.Table]) -> Draft:
    """The draft with a file whose rows were changed."""
    rows = change(read_part(one.parts[path]))
    return replace(one, parts={**one.parts, **parts_of({path.split("/")[0]: rows})})


def put(row: int, **values: object) -> Callable[[pa.Table], pa.Table]:
    """Other values in one row."""

    def change(table: pa.Table) -> pa.Table:
        for name, value in values.items():
            column = table[name].to_pylist()
            column[row] = value
            kind = table.schema.field(name)
            table = table.set_column(table.column_names.index(name), kind, pa.array(column, kind.type))
        return table

    return change


def between(one: Draft, other: Draft) -> TableComparison:
    storage = Storage("nowhere")
    return compare(DraftSide(storage, one), DraftSide(storage, other), SOURCES)


def test_equal_sides_are_identical() -> None:
    found = between(draft("2026-01-01"), draft("2026-01-02"))
    assert found.diff.is_identical
    assert found.revision.num_rows == 0
    assert list(found.diff.lines()) == ["this version and this version hold the same bytes."]


def test_unchanged_files_are_not_read(folder_root: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(folder_root, draft("2026-01-01"))
    other = changed(draft("2026-01-02"), CLUSTERS_2017, put(7, employment=1.5))
    read: list[str] = []
    for side in (PublishedSide, DraftSide):
        real = side.read
        monkeypatch.setattr(side, "read", lambda self, path, real=real: read.append(path) or real(self, path))
    old_manifest = read_manifest(folder_root, "2026-01-01")
    old = PublishedSide(folder_root, old_manifest)
    found = compare(old, DraftSide(folder_root, other), SOURCES)
    assert set(read) == {CLUSTERS_2017}
    told = {table.table: table for table in found.diff.tables}
    assert told["region_cluster"].files_unchanged == 1 and told["region_cluster"].files_compared == 1
    assert {name for name, table in told.items() if table.status != "identical"} == {"region_cluster"}
    assert not found.diff.is_identical


def test_a_change_is_measured_by_the_bounds_before_it() -> None:
    before = draft("2026-01-01")
    rows = read_part(before.parts[CLUSTERS_2017]).to_pylist()
    traded = [(at, row) for at, row in enumerate(rows) if row["is_qualifying"] is not None]
    exact = next(at for at, row in traded if row["employment_high"] == row["employment_low"])
    wide = next(at for at, row in traded if row["employment_high"] - row["employment_low"] > 100)
    width = rows[wide]["employment_high"] - rows[wide]["employment_low"]
    after = changed(before, CLUSTERS_2017, put(exact, employment=rows[exact]["employment"] + 40))
    after = changed(after, CLUSTERS_2017, put(wide, employment=rows[wide]["employment"] + 60, is_qualifying=None))
    found = between(before, after)
    by_key = {(row["row_key"], row["column_name"]): row for row in found.revision.to_pylist()}
    keys = ["|".join(str(rows[at][name]) for name in contract("region_cluster").key) for at in (exact, wide)]
    assert by_key[keys[0], "employment"]["relative_size"] == pytest.approx(40)
    assert by_key[keys[1], "employment"]["relative_size"] == pytest.approx(60 / width)
    assert by_key[keys[1], "employment"]["old"] == rows[wide]["employment"]
    assert by_key[keys[1], "is_qualifying"]["relative_size"] is None
    assert [change.row_key for change in found.diff.top] == keys
    assert found.diff.top[0].column == "employment"


def test_a_cell_is_source_revised_where_the_file_of_its_source_and_year_changed() -> None:
    before, after = draft("2026-01-01"), draft("2026-01-02", 2.0)
    counts = between(before, after).diff.counts
    assert set(counts["region_cluster"]) == {"source_revised"}
    same_files = replace(draft("2026-01-02", 2.0, code="other"), source_files=source_files(1.0))
    counts = between(before, same_files).diff.counts
    assert set(counts["region_cluster"]) == {"method_revised"}


def test_years_and_sources_are_told_apart() -> None:
    before = draft("2026-01-01")
    rows = read_part(before.parts[CLUSTERS_2017]).to_pylist()
    american = next(at for at, row in enumerate(rows) if row["source"] == "census_cbp")
    european = next(at for at, row in enumerate(rows) if row["source"] == "eurostat_sbs")
    after = replace(before, code_id="other", source_files=source_files(2.0))
    after = changed(after, CLUSTERS_2017, put(american, employment=1.0))
    after = changed(after, CLUSTERS_2017, put(european, employment=2.0))
    after = changed(after, CLUSTERS_2017.replace("2017", "2016"), put(american, employment=3.0))
    kinds = {(row["new"], row["kind"]) for row in between(before, after).revision.to_pylist()}
    assert kinds == {(1.0, "source_revised"), (2.0, "method_revised"), (3.0, "method_revised")}
    every_year = tuple(file.model_copy(update={"year": None}) for file in source_files(2.0))
    kinds = {
        (row["new"], row["kind"])
        for row in between(before, replace(after, source_files=every_year)).revision.to_pylist()
    }
    assert kinds == {(1.0, "source_revised"), (2.0, "method_revised"), (3.0, "source_revised")}


def test_what_follows_from_other_files_is_revised_by_the_source() -> None:
    before = draft("2026-01-01")
    after = changed(before, CLUSTERS_2017, put(5000, employment=1.0))
    assert between(before, after).diff.counts == {"region_cluster": {"source_revised": 1}}


def test_new_and_gone_rows_count_once() -> None:
    before = draft("2026-01-01")
    after = changed(before, CLUSTERS_2017, lambda rows: rows.slice(3))
    found = between(before, after)
    assert found.diff.counts == {"region_cluster": {"gone": 3}}
    assert {(row["column_name"], row["new"]) for row in found.revision.to_pylist()} == {("employment", None)}
    found = between(after, before)
    assert found.diff.counts == {"region_cluster": {"new": 3}}
    lacking = replace(before, parts={path: part for path, part in before.parts.items() if path != CLUSTERS_2017})
    assert between(lacking, before).diff.counts == {"region_cluster": {"new": 5589}}
    assert between(lacking, before).revision.num_rows == CELLS_KEPT


def test_rows_that_moved_to_another_list_of_regions() -> None:
    before = draft("2026-01-01")
    vintage = pa.array([2024] * 5589, pa.int16())
    after = changed(before, CLUSTERS_2017, lambda rows: rows.set_column(4, rows.schema.field(4), vintage))
    assert between(before, after).diff.counts == {"region_cluster": {"region_changed": 2 * 5589}}


def test_rows_under_another_classification_are_reclassified() -> None:
    path = "region_industry/region_industry-2017.parquet"

    def newer(rows: pa.Table) -> pa.Table:
        schemes = pc.replace_substring(rows["industry_scheme"], "naics2017", "naics2022")
        return rows.set_column(
            rows.column_names.index("industry_scheme"), rows.schema.field("industry_scheme"), schemes
        )

    before = draft("2026-01-01")
    counts = between(before, changed(before, path, newer)).diff.counts["region_industry"]
    assert set(counts) == {"reclassified"} and counts["reclassified"] == 2 * 53 * 70


def test_clusters_whose_industries_changed_are_reclassified() -> None:
    before = draft("2026-01-01")
    path = "industry_cluster/industry_cluster.parquet"
    links = read_part(before.parts[path]).to_pylist()
    at = next(at for at, link in enumerate(links) if link["cluster_code"] == 7)
    rows = read_part(before.parts[CLUSTERS_2017]).to_pylist()
    seven = next(at for at, row in enumerate(rows) if row["cluster_code"] == 7)
    nine = next(at for at, row in enumerate(rows) if row["cluster_code"] == 9)
    after = changed(replace(before, code_id="other"), path, put(at, weight=0.5))
    after = changed(after, CLUSTERS_2017, put(seven, employment=7.0))
    after = changed(after, CLUSTERS_2017, put(nine, employment=9.0))
    kinds = {row["new"]: row["kind"] for row in between(before, after).revision.to_pylist()}
    assert (kinds[7.0], kinds[9.0]) == ("reclassified", "method_revised")


def test_regions_whose_links_changed() -> None:
    before = draft("2026-01-01")
    link = {
        "from_scheme": "nuts2016", "from_code": "AT", "to_scheme": "nuts2021", "to_code": "BE", "weight": 1.0,
        "weight_method": "unique", "is_partial": False,
    }  # fmt: skip
    path = "concordance/concordance.parquet"
    links = [
        parts_of({"concordance": pa.Table.from_pylist([{**link, "weight": weight}])})[path] for weight in (1.0, 0.5)
    ]
    before = replace(before, parts={**before.parts, path: links[0]})
    rows = read_part(before.parts[CLUSTERS_2017]).to_pylist()
    at = {code: next(at for at, row in enumerate(rows) if row["region_code"] == code) for code in ("BE", "DE")}
    after = replace(before, parts={**before.parts, path: links[1]}, code_id="other")
    after = changed(
        changed(after, CLUSTERS_2017, put(at["BE"], employment=1.0)), CLUSTERS_2017, put(at["DE"], employment=2.0)
    )
    kinds = {row["new"]: row["kind"] for row in between(before, after).revision.to_pylist()}
    assert (kinds[1.0], kinds[2.0]) == ("region_changed", "method_revised")


def test_texts_are_counted_and_not_listed() -> None:
    before = draft("2026-01-01")
    found = between(before, changed(before, CLUSTERS_2017, put(3, employment_status="modelled")))
    told = next(table for table in found.diff.tables if table.table == "region_cluster")
    assert told.columns == {"employment_status": {"source_revised": 1}}
    assert found.revision.num_rows == 0


def test_the_last_bits_of_doubles_are_no_change() -> None:
    before = draft("2026-01-01")
    rows = read_part(before.parts[CLUSTERS_2017]).to_pylist()
    found = between(before, changed(before, CLUSTERS_2017, put(9, employment=rows[9]["employment"] * (1 + 6e-10))))
    assert found.diff.counts == {} and not found.diff.is_identical
    assert "  region_cluster: no cell beyond the last bits (1 files unchanged)" in list(found.diff.lines())


def test_rows_are_matched_by_key_and_not_by_place() -> None:
    before = draft("2026-01-01")
    rows = read_part(before.parts[CLUSTERS_2017])
    assert rows.num_rows == 5589
    gone = changed(before, CLUSTERS_2017, lambda one: one.slice(0, 4000))
    found = between(gone, changed(before, CLUSTERS_2017, put(17, employment=1.0)))
    assert found.diff.counts == {"region_cluster": {"new": 1589, "source_revised": 1}}


def test_a_comparison_that_was_skipped_is_never_called_identical() -> None:
    class Older(DraftSide):
        @property
        def tables(self) -> dict[str, TableEntry]:
            entries = dict(super().tables)
            old = entries["region_cluster"]
            return {**entries, "region_cluster": old.model_copy(update={"contract_version": "0.9.0"})}

    storage = Storage("nowhere")
    one, two = draft("2026-01-01"), changed(draft("2026-01-01"), CLUSTERS_2017, put(3, employment=1.0))
    found = compare(Older(storage, one), DraftSide(storage, two), SOURCES)
    told = next(table for table in found.diff.tables if table.table == "region_cluster")
    assert told.status == "skipped" and not found.diff.is_identical
    assert any("region_cluster: NOT COMPARED, its contract changed from 0.9.0" in line for line in found.diff.lines())
    assert json.loads(found.diff.as_json())["is_identical"] is False


def test_a_damaged_file_is_never_compared(folder_root: Storage) -> None:
    publish(folder_root, draft("2026-01-01"))
    place = f"snapshots/2026-01-01/{CLUSTERS_2017}"
    data = bytearray(folder_root.read_bytes(place))
    data[2000] ^= 4
    folder_root.write(place, bytes(data))
    old_manifest = read_manifest(folder_root, "2026-01-01")
    old = PublishedSide(folder_root, old_manifest)
    found = compare(old, DraftSide(folder_root, draft("2026-01-02", 2.0)), SOURCES)
    told = {table.table: table for table in found.diff.tables}
    assert told["region_cluster"].status == "skipped" and not found.diff.is_identical
    assert (told["region_cluster"].reason or "").startswith(f"{place} is damaged")
    assert told["region_total"].status == "changed"
    folder_root.delete("snapshots/2026-01-01/region_total/region_total-2017.parquet")
    folder_root.delete("snapshots/2026-01-01/source_file/source_file.parquet")
    done = publish(folder_root, with_changes(folder_root, draft("2026-01-02", 2.0), old_manifest, SOURCES))
    assert done.is_new and done.previous == "2026-01-01"
    changes = json.loads(folder_root.read_bytes("snapshots/2026-01-02/changes.json"))
    skipped = {table["table"] for table in changes["tables"] if table["status"] == "skipped"}
    assert skipped == {"region_cluster", "region_total", "source_file"}


def manifest_of(storage: Storage, one: Draft, previous: Manifest | None) -> Manifest:
    return read_manifest(storage, publish(storage, with_changes(storage, one, previous, SOURCES)).version)


def test_a_published_version_says_what_changed(folder_root: Storage) -> None:
    first = manifest_of(folder_root, draft("2026-01-01"), None)
    told = json.loads(folder_root.read_bytes("snapshots/2026-01-01/changes.json"))
    assert told["old"] is None and told["is_identical"] is False and first.tables["revision"].rows == 0
    second = manifest_of(folder_root, draft("2026-01-02", 2.0), first)
    assert second.previous == "2026-01-01"
    assert second.changes["source_file"] == {"source_revised": 1}
    told = json.loads(folder_root.read_bytes("snapshots/2026-01-02/changes.json"))
    assert told["old"] == "2026-01-01" and len(told["top"]) == 20
    assert {table["table"]: table["cells"] for table in told["tables"] if table["cells"]} == second.changes
    assert second.tables["revision"].rows > 500
    third = manifest_of(folder_root, draft("2026-01-03", 1.0), second)
    assert third.changes == second.changes


def test_the_order_of_top_changes_is_largest_first() -> None:
    sizes = [change.relative_size for change in between(draft("2026-01-01"), draft("2026-01-02", 2.0)).diff.top]
    known = [size for size in sizes if size is not None]
    assert known == sorted(known, reverse=True) and len(known) > 5
