"""Verification: one changed byte anywhere is found and named; what cannot be told equal is not called equal."""

import hashlib
import io
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from archived_samples import ORIGINAL, flip, with_archive, with_two_versions
from snapshot_samples import draft, parts_of, read_part, source_files

from etl.archive import object_path
from etl.errors import UsageError
from etl.publish import Draft, Manifest, Part, publish
from etl.publish.versions import LATEST
from etl.snapshots.verify import verify, verify_rebuild
from etl.storage import Storage


@pytest.fixture
def published(folder_root: Storage) -> Storage:
    """A root with two versions and an archived file."""
    return with_two_versions(folder_root)


def test_sound_versions_are_sound(published: Storage) -> None:
    report = verify(published)
    assert report.is_sound, report.sentence()
    assert report.versions == ["2026-01-01", "2026-01-02"]
    assert report.sentence().startswith("All is as published: 2 versions, ")
    assert verify(published, ["2026-01-02"]).is_sound


def test_versions_on_s3_are_verified_as_well(s3_root: Storage) -> None:
    with_two_versions(s3_root)
    assert verify(s3_root).is_sound
    flip(s3_root, "snapshots/2026-01-02/revision/revision.parquet", 700)
    assert [problem.path for problem in verify(s3_root).problems] == ["snapshots/2026-01-02/revision/revision.parquet"]


def test_missing_and_added_files_are_named(published: Storage) -> None:
    published.delete("snapshots/2026-01-01/cluster/cluster.parquet")
    published.write("snapshots/2026-01-01/cluster/cluster-copy.parquet", b"added")
    published.delete(object_path(hashlib.sha256(ORIGINAL).hexdigest()))
    report = verify(published, ["2026-01-01"])
    assert {(problem.path, problem.what.split(";")[0]) for problem in report.problems} == {
        ("snapshots/2026-01-01/cluster/cluster.parquet", "is missing"),
        ("snapshots/2026-01-01/cluster/cluster-copy.parquet", "is not part of the version"),
        (object_path(hashlib.sha256(ORIGINAL).hexdigest()), "is missing"),
    }


def test_a_version_without_a_manifest_is_named(published: Storage) -> None:
    published.delete("snapshots/2026-01-02/manifest.json")
    problems = {problem.path for problem in verify(published).problems}
    assert problems == {"snapshots/2026-01-02/manifest.json", LATEST}
    with pytest.raises(UsageError, match="holds no version 2026-05-05"):
        verify(published, ["2026-05-05"])


def rewritten(table: str, year: int | None, rows: pa.Table, say: dict[str, str] | None = None) -> dict[str, Part]:
    """A part whose rows were written past the contract."""
    path, good = next(iter(parts_of({table: rows.slice(0, 1)}).items()))
    metadata = pq.read_metadata(io.BytesIO(good.source)).metadata  # type: ignore[arg-type]
    text = metadata[b"clusterbridge"].decode()
    for old, new in (say or {}).items():
        text = text.replace(old, new)
    sink = io.BytesIO()
    pq.write_table(rows.replace_schema_metadata({"clusterbridge": text}), sink)
    data = sink.getvalue()
    return {path: Part.of(data, rows.num_rows, "inputs")}


def test_wrong_rows_are_found_though_the_bytes_are_as_published(folder_root: Storage) -> None:
    good = draft("2026-01-01")
    totals = read_part(good.parts["region_total/region_total-2017.parquet"])
    at = totals.column_names.index
    other = totals.slice(0, 1).set_column(at("year"), "year", pa.array([2003], pa.int16()))
    other = other.set_column(at("source"), "source", pa.array(["nobody"]))
    other = other.set_column(at("region_code"), "region_code", pa.array(["ZZ"])).cast(totals.schema)
    spoiled = rewritten("region_total", 2017, pa.concat_tables([totals, totals.slice(3, 2), other]))
    spoiled |= rewritten("cluster", None, read_part(good.parts["cluster/cluster.parquet"]), {'"1.0.0"': '"9.0.0"'})
    publish(folder_root, replace(good, parts={**good.parts, **spoiled}, source_files=()))
    found = [f"{problem.path.rsplit('/', 1)[1]} {problem.what}" for problem in verify(folder_root).problems]
    assert found == [
        "cluster.parquet says it is cluster 9.0.0, the manifest says otherwise",
        "region_total-2017.parquet has 2 keys twice",
        "region_total-2017.parquet has rows of other years than 2017",
        "region_total-2017.parquet has 1 rows whose source is not in table source",
        "region_total-2017.parquet has 1 rows whose region_scheme, region_code, region_vintage is not in table region",
    ]


def test_a_version_built_again_from_the_same_code_is_reproduced(published: Storage) -> None:
    def rebuild(manifest: Manifest) -> Draft:
        assert manifest.version == "2026-01-02"
        return with_archive(draft("2026-03-03", 2.0))

    report = verify_rebuild(published, "2026-01-02", rebuild)
    assert report.is_reproduced and report.has_same_code and not report.not_compared
    assert report.sentence().startswith("Version 2026-01-02 was built again byte for byte: ")


def test_a_version_that_cannot_be_built_again_says_so(published: Storage) -> None:
    report = verify_rebuild(published, "2026-01-02", lambda _: with_archive(draft("2026-03-03", 3.0)))
    assert not report.is_reproduced
    assert "could NOT be built again" in report.sentence()
    assert any(path.startswith("region_cluster/") for path in report.different)


def test_with_other_code_values_are_compared_and_it_says_so(published: Storage) -> None:
    report = verify_rebuild(published, "2026-01-02", lambda _: with_archive(draft("2026-03-03", 3.0, code="other")))
    assert not report.is_reproduced and not report.has_same_code
    assert "was built with other code than is installed, so values were compared" in report.sentence()
    assert report.diff is not None and report.diff.counts["region_cluster"]["method_revised"] > 0


def test_with_other_code_the_same_values_are_enough(published: Storage) -> None:
    again = with_archive(draft("2026-03-03", 2.0, code="other"))
    clusters = parts_of({"cluster": read_part(again.parts["cluster/cluster.parquet"])}, "other code")
    report = verify_rebuild(published, "2026-01-02", lambda _: replace(again, parts={**again.parts, **clusters}))
    assert not report.is_reproduced and report.is_confirmed
    assert "of 26 files differ" in report.sentence() and "0 cells differ" in report.sentence()
    other = verify_rebuild(published, "2026-01-02", lambda _: with_archive(draft("2026-03-03", 3.0, code="other")))
    assert not other.is_confirmed


def test_a_rebuild_without_the_version_before_leaves_revisions_out_and_says_so(published: Storage) -> None:
    for path in published.list("snapshots/2026-01-01"):
        published.delete(path)
    report = verify_rebuild(published, "2026-01-02", lambda _: with_archive(draft("2026-03-03", 2.0)))
    assert report.is_reproduced
    assert "revision/revision.parquet was not compared: version 2026-01-01" in report.sentence()


def test_sources_of_the_samples_have_files() -> None:
    assert {file.dataset for file in source_files()} == {"census_cbp", "eurostat_sbs"}
