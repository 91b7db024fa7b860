"""Verification: one changed byte anywhere is found and named; what cannot be told equal is not called equal."""

import hashlib
import io
import random
from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from snapshot_samples import draft, parts_of, read_part, source_files

from etl.archive import Outcome, object_path
from etl.archive.log import RunLog
from etl.cache import run_step
from etl.diff import with_changes
from etl.errors import UsageError
from etl.publish import Draft, Manifest, Part, publish, read_manifest
from etl.publish.versions import LATEST
from etl.seal import sealed
from etl.sources.base import Request
from etl.storage import Storage
from etl.verify import verify, verify_rebuild

ORIGINAL = b"what the publisher sent"


def with_archive(one: Draft) -> Draft:
    """The draft with an archived file of ours behind it."""
    digest = hashlib.sha256(ORIGINAL).hexdigest()
    files = tuple(file.model_copy(update={"sha256": digest}) for file in one.source_files[:1])
    return replace(one, source_files=files)


@pytest.fixture
def published(folder_root: Storage) -> Storage:
    """A root with two versions and an archived file."""
    return with_two_versions(folder_root)


def with_two_versions(root: Storage) -> Storage:
    root.write(object_path(hashlib.sha256(ORIGINAL).hexdigest()), ORIGINAL)
    publish(root, with_archive(draft("2026-01-01")))
    second = with_archive(draft("2026-01-02", 2.0))
    publish(root, with_changes(root, second, read_manifest(root, "2026-01-01")))
    return root


def flip(storage: Storage, path: str, at: int) -> None:
    """Change one bit."""
    data = bytearray(storage.read_bytes(path))
    data[at % len(data)] ^= 1 << (at % 8)
    storage.write(path, bytes(data))


def test_sound_versions_are_sound(published: Storage) -> None:
    report = verify(published)
    assert report.is_sound, report.sentence()
    assert report.versions == ["2026-01-01", "2026-01-02"]
    assert report.sentence().startswith("All is as published: 2 versions, ")
    assert verify(published, ["2026-01-02"]).is_sound


def test_one_changed_byte_anywhere_is_named(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    storage.write(object_path(hashlib.sha256(ORIGINAL).hexdigest()), ORIGINAL)
    publish(storage, with_archive(draft("2026-01-01")))
    chance = random.Random(1)
    paths = storage.list("")
    must = [path for path in paths if path.startswith("archive") or path.endswith((".json", ".txt", ".jsonld"))]
    assert len(must) == 7
    for path in must + chance.sample([path for path in paths if path.endswith(".parquet")], 8):
        before = storage.read_bytes(path)
        flip(storage, path, chance.randrange(1_000_000))
        report = verify(storage)
        named = {problem.path for problem in report.problems}
        assert path in named and path in report.sentence(), (path, report.sentence())
        storage.write(path, before)
    assert verify(storage).is_sound


def test_one_changed_byte_of_log_cache_or_refused_bytes_is_named(folder_root: Storage) -> None:
    publish(folder_root, replace(draft("2026-01-01"), source_files=()))
    copy = {"kind": "k", "content": "csv", "year": 2020, "sha256": "0" * 64, "bytes": 5}
    log = RunLog(folder_root, "run", date(2026, 1, 1), {})
    outcome = Outcome(Request("toys", "https://example.org/a", "k", "csv", 2020), "fetched", "2026-01-01", None)
    log.write([replace(outcome, statement=copy)])
    folder_root.write(f"archive/refused/toys/{hashlib.sha256(ORIGINAL).hexdigest()}", ORIGINAL)
    rows = pa.table({"a": [1, 2]})
    run_step(folder_root, "estimate", "toys", 2020, ["input"], lambda: ({"cells": rows}, ["a note"]))
    assert verify(folder_root).is_sound
    chance = random.Random(2)
    paths = [path for path in folder_root.list("") if not path.startswith("snapshots")]
    assert len(paths) == 4
    for path in paths:
        before = folder_root.read_bytes(path)
        for _ in range(20):
            flip(folder_root, path, chance.randrange(1_000_000))
            assert path in {problem.path for problem in verify(folder_root, None).problems}
            folder_root.write(path, before)


def test_swapped_and_cut_files_are_named(published: Storage) -> None:
    folder = "snapshots/2026-01-02"
    pair = [f"{folder}/region_total/region_total-{year}.parquet" for year in (2016, 2017)]
    one, other = (published.read_bytes(path) for path in pair)
    published.write(pair[0], other)
    published.write(pair[1], one)
    published.write(f"{folder}/datapackage.json", published.read_bytes(f"{folder}/datapackage.json")[:-1])
    found = {problem.path for problem in verify(published, ["2026-01-02"]).problems}
    assert found == {*pair, f"{folder}/datapackage.json"}


def test_a_claim_that_does_not_fit_is_named(s3_root: Storage) -> None:
    publish(s3_root, replace(draft("2026-01-01"), source_files=()))
    path = "snapshots/2026-01-01/claim.json"
    before = s3_root.read_bytes(path)
    for at in (30, 90, 200, len(before) - 3):
        flip(s3_root, path, at)
        assert [problem.path for problem in verify(s3_root).problems] == [path]
    s3_root.write(path, sealed({"content_id": "other", "claimed_at": "2026-01-01T00:00:00+00:00"}))
    assert "other content" in verify(s3_root).sentence()


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


def test_a_rebuild_without_the_version_before_leaves_revisions_out_and_says_so(published: Storage) -> None:
    for path in published.list("snapshots/2026-01-01"):
        published.delete(path)
    report = verify_rebuild(published, "2026-01-02", lambda _: with_archive(draft("2026-03-03", 2.0)))
    assert report.is_reproduced
    assert "revision/revision.parquet was not compared: version 2026-01-01" in report.sentence()


def test_sources_of_the_samples_have_files() -> None:
    assert {file.dataset for file in source_files()} == {"census_cbp", "eurostat_sbs"}
