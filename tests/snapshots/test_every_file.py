"""Damage to a file of any kind in a data root: `verify` names the file by its path, and nothing is built on it."""

import hashlib
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from archived_samples import ORIGINAL, archive_original, flip, with_archive, with_two_versions
from snapshot_samples import draft

from etl.archive import known, object_path
from etl.cache import find_step, read_cached, run_step
from etl.errors import IntegrityError
from etl.publish import latest_version, publish
from etl.snapshots import open as open_snapshot
from etl.snapshots.verify import VerifyReport, verify
from etl.storage import Storage
from etl.storage.checksummed import with_checksum

OLD, NEW = "snapshots/2026-01-01", "snapshots/2026-01-02"
OBJECT = object_path(hashlib.sha256(ORIGINAL).hexdigest())
REFUSED = f"archive/refused/census_cbp/{hashlib.sha256(b'refused').hexdigest()}"
LOG = "archive/log/census_cbp/run.jsonl"

#: One file of each kind that a data root holds; *: any name.
KINDS = [
    f"{NEW}/region_cluster/region_cluster-2017.parquet",
    f"{NEW}/cluster/cluster.parquet",
    f"{NEW}/revision/revision.parquet",
    f"{NEW}/manifest.json",
    f"{NEW}/manifest.schema.json",
    f"{NEW}/datapackage.json",
    f"{NEW}/catalogue.jsonld",
    f"{NEW}/changes.json",
    f"{NEW}/validation/result.json",
    f"{NEW}/site/index.html",
    f"{NEW}/ATTRIBUTION.txt",
    f"{OLD}/manifest.json",
    f"{OLD}/region_total/region_total-2016.parquet",
    "snapshots/latest.json",
    OBJECT,
    REFUSED,
    LOG,
    "cache/measure/all/2017/*.json",
    "cache/measure/all/2017/*.t.parquet",
]


def cached_table() -> tuple[dict[str, pa.Table], list[str]]:
    return {"t": pa.table({"a": [1, 2, 3]})}, ["a note"]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with a file of every kind."""
    folder = tmp_path_factory.mktemp("sound") / "root"
    storage = Storage(folder)
    beside = {"validation/result.json": b"{}\n", "site/index.html": b"<!doctype html><title>page</title>\n"}
    with_two_versions(storage, beside)
    storage.write(REFUSED, b"refused")
    run_step(storage, "measure", "all", 2017, ["in=1"], cached_table)
    assert verify(storage).is_sound, verify(storage).sentence()
    return folder


@pytest.fixture
def damaged(sound: Path, tmp_path: Path) -> Storage:
    """A copy of it to be damaged."""
    shutil.copytree(sound, tmp_path / "root")
    return Storage(tmp_path / "root")


def path_of(storage: Storage, kind: str) -> str:
    folder, _, end = kind.partition("*")
    (path,) = [path for path in storage.list("") if path.startswith(folder) and path.endswith(end)]
    return path


def names(report: VerifyReport, path: str) -> bool:
    return path in {problem.path for problem in report.problems} and path in report.sentence()


@pytest.mark.parametrize("kind", KINDS)
def test_a_flipped_byte_a_lost_end_and_another_files_bytes_are_named(damaged: Storage, kind: str) -> None:
    path, chance = path_of(damaged, kind), random.Random(kind)
    before = damaged.read_bytes(path)
    flip(damaged, path, chance.randrange(1_000_000))
    assert names(verify(damaged), path), "a flipped byte"
    for spoiled in (before[:-1], b"", damaged.read_bytes(OBJECT) + b"!"):
        damaged.write(path, spoiled)
        assert names(verify(damaged), path), spoiled[-20:]
    damaged.write(path, before)
    assert verify(damaged).is_sound


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in (REFUSED, "cache/measure/all/2017/*.json")])
def test_a_file_that_is_gone_is_named(damaged: Storage, kind: str) -> None:
    path = path_of(damaged, kind)
    damaged.delete(path)
    # Of a log, what it told is missed.
    assert names(verify(damaged), path if path != LOG else "archive/log/census_cbp")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (f"{NEW}/region_cluster/region_cluster-2017.parquet", f"{NEW}/region_cluster/region_cluster-2016.parquet"),
        (f"{NEW}/manifest.json", f"{OLD}/manifest.json"),
        (f"{NEW}/datapackage.json", f"{OLD}/datapackage.json"),
        (OBJECT, REFUSED),
    ],
)
def test_a_swapped_pair_is_named(damaged: Storage, one: str, other: str) -> None:
    mine, theirs = damaged.read_bytes(one), damaged.read_bytes(other)
    damaged.write(one, theirs)
    damaged.write(other, mine)
    report = verify(damaged)
    assert names(report, one) and names(report, other)


@pytest.mark.parametrize(
    "path",
    [f"{NEW}/region_cluster/region_cluster-2018.parquet", f"{NEW}/notes.txt", f"{NEW}/site/more.js",
     "snapshots/2026-01-0x/manifest.json", "snapshots/stray.json", "archive/objects/ab/cd", "archive/refused/x/abc"],
)  # fmt: skip
def test_a_file_that_was_added_is_named(damaged: Storage, path: str) -> None:
    damaged.write(path, b"added")
    assert names(verify(damaged), path)


def test_a_damaged_log_stops_whoever_reads_it(damaged: Storage) -> None:
    assert len(known(damaged)) == 1
    for at in range(0, len(damaged.read_bytes(LOG)), 7):
        flip(damaged, LOG, at)
        with pytest.raises(IntegrityError, match=f"{LOG} is damaged"):
            known(damaged)
        flip(damaged, LOG, at)


def test_a_damaged_note_of_a_result_is_as_good_as_none(damaged: Storage) -> None:
    note = path_of(damaged, "cache/measure/all/2017/*.json")
    before = damaged.read_bytes(note)
    for at in range(0, len(before), 7):
        flip(damaged, note, at)
        assert find_step(damaged, "measure", "all", 2017, ["in=1"]) is None
        damaged.write(note, before)
    damaged.write(note, b"{")
    again = run_step(damaged, "measure", "all", 2017, ["in=1"], cached_table)
    assert damaged.read_bytes(note) == before and read_cached(damaged, again.tables["t"]).num_rows == 3


def test_a_cached_table_that_is_gone_is_made_again(damaged: Storage) -> None:
    result = find_step(damaged, "measure", "all", 2017, ["in=1"])
    assert result is not None
    damaged.delete(result.tables["t"].path)
    with pytest.raises(IntegrityError, match="was damaged or gone; it is left out from now on"):
        read_cached(damaged, result.tables["t"])
    assert find_step(damaged, "measure", "all", 2017, ["in=1"]) is None


def test_a_pointer_that_names_another_version_is_not_followed_and_is_mended(damaged: Storage) -> None:
    sound = damaged.read_bytes("snapshots/latest.json")
    spoilings: list[Callable[[bytes], bytes]] = [
        lambda data: data.replace(b"2026-01-02", b"2026-01-01"),
        lambda data: data.replace(b"2026-01-02", b"2026-01-03"),
        lambda data: data[:-9],
    ]
    for spoil in spoilings:
        damaged.write("snapshots/latest.json", spoil(sound))
        with pytest.raises(IntegrityError, match=r"snapshots/latest.json"):
            open_snapshot(root=damaged.root)
        again = publish(damaged, with_archive(draft("2026-01-05", 2.0, previous="2026-01-02")))
        assert not again.is_new and damaged.read_bytes("snapshots/latest.json") == sound


def test_after_a_damaged_version_was_taken_away_the_pointer_names_the_one_before(damaged: Storage) -> None:
    flip(damaged, f"{NEW}/manifest.json", 500)
    following = with_archive(draft("2026-01-03", 3.0, previous="2026-01-02"))
    with pytest.raises(IntegrityError, match=f"{NEW}/manifest.json is damaged"):
        publish(damaged, following)
    shutil.rmtree(Path(damaged.root) / NEW)
    assert not publish(damaged, with_archive(draft("2026-01-03", previous="2026-01-01"))).is_new
    assert latest_version(damaged) == "2026-01-01"


def test_a_damaged_claim_is_named(s3_root: Storage) -> None:
    archive_original(s3_root)
    publish(s3_root, with_archive(draft("2026-01-01")))
    path = f"{OLD}/claim.json"
    before = s3_root.read_bytes(path)
    for at in (3, len(before) // 2, len(before) - 20):
        flip(s3_root, path, at)
        assert names(verify(s3_root, ["2026-01-01"]), path)
        s3_root.write(path, before)
    assert verify(s3_root, ["2026-01-01"]).is_sound
    s3_root.write(path, with_checksum({"content_id": "other", "claimed_at": "2026-01-01T00:00:00+00:00"}))
    assert "other content" in verify(s3_root).sentence()
