"""One contract for both kinds of data root, then what is special about each."""

import os
import pickle
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from etl.errors import TransientError, UsageError
from etl.storage import TEMPORARY_PREFIX, Storage, size_on_disk
from etl.storage.locks import held, is_held

moto_server = pytest.importorskip("moto.server", reason="moto is not installed")


@pytest.fixture(scope="module")
def s3_endpoint() -> Iterator[str]:
    import boto3

    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    boto3.client(
        "s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
    ).create_bucket(Bucket="bridge")
    yield endpoint
    server.stop()


@pytest.fixture
def s3_environment(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_ENDPOINT_URL": s3_endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture(params=["local", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "local":
        return Storage(tmp_path / "root")
    request.getfixturevalue("s3_environment")
    return Storage(f"s3://bridge/{tmp_path.name}")


def test_what_is_written_is_read_back(storage: Storage) -> None:
    assert not storage.exists("a/b.bin")
    storage.write("a/b.bin", b"one")
    storage.write("a/b.bin", b"three")
    assert storage.exists("a/b.bin")
    assert not storage.exists("a")
    assert storage.read_bytes("a/b.bin") == b"three"
    assert storage.size("a/b.bin") == 5
    storage.delete("a/b.bin")
    storage.delete("a/b.bin")
    assert not storage.exists("a/b.bin")


def test_a_missing_file_is_file_not_found(storage: Storage) -> None:
    for operation in (storage.read_bytes, storage.size, storage.local_path):
        with pytest.raises(FileNotFoundError):
            operation("no/such.file")
    assert storage.tag("no/such.file") is None
    assert storage.list("no") == []


def test_list_is_sorted_and_below_one_folder(storage: Storage) -> None:
    for path in ("t/2.parquet", "t/1/x.parquet", "table/3.parquet", "t/10.parquet"):
        storage.write(path, b"x")
    assert storage.list("t") == ["t/1/x.parquet", "t/10.parquet", "t/2.parquet"]
    assert storage.list() == ["t/1/x.parquet", "t/10.parquet", "t/2.parquet", "table/3.parquet"]


def test_write_new_has_one_winner(storage: Storage) -> None:
    barrier = threading.Barrier(6)

    def claim(number: int) -> bool:
        barrier.wait()
        return storage.write_new("claims/2024", str(number).encode())

    storage.write("claims/other", b"")  # connect before the race
    with ThreadPoolExecutor(6) as pool:
        won = list(pool.map(claim, range(6)))
    assert sum(won) == 1
    assert storage.read_bytes("claims/2024") == str(won.index(True)).encode()
    assert storage.list("claims") == ["claims/2024", "claims/other"]


def test_of_many_who_replace_the_same_content_one_does(tmp_path: Path) -> None:
    local = Storage(tmp_path)
    for turn in range(20):
        local.write("latest.json", f"old {turn}".encode())
        tag = local.tag("latest.json")
        with ThreadPoolExecutor(8) as pool:
            tries = [pool.submit(local.replace_if, "latest.json", b"new %d" % who, tag) for who in range(8)]
        done = [one.result() for one in tries]
        assert done.count(True) == 1
        assert local.read_bytes("latest.json") == b"new %d" % done.index(True)


def test_replace_if_compares_before_it_swaps(storage: Storage) -> None:
    assert not storage.replace_if("latest.json", b"0", "a tag of nothing")
    assert not storage.exists("latest.json")
    assert storage.replace_if("latest.json", b"1", None)
    assert not storage.replace_if("latest.json", b"2", None)
    first = storage.tag("latest.json")
    assert storage.replace_if("latest.json", b"2", first)
    assert storage.tag("latest.json") != first
    assert not storage.replace_if("latest.json", b"3", first)
    assert storage.read_bytes("latest.json") == b"2"


def test_files_come_in_and_go_out_as_files(storage: Storage, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"body" * 1000)
    storage.put_file("archive/objects/ab/cd", source)
    assert storage.local_path("archive/objects/ab/cd").read_bytes() == source.read_bytes()
    assert source.exists()
    storage.write("archive/objects/ab/cd", b"other")
    assert storage.local_path("archive/objects/ab/cd").read_bytes() == b"other"


def test_copy_replaces_its_target_and_leaves_nothing_else(storage: Storage) -> None:
    storage.write("v1/t.parquet", b"old")
    storage.write("v2/t.parquet", b"new")
    for _ in range(2):  # the second time both names are the same file
        storage.copy("v1/t.parquet", "v2/t.parquet")
        assert storage.read_bytes("v2/t.parquet") == b"old"
    storage.write("v1/t.parquet", b"newest")
    assert storage.read_bytes("v2/t.parquet") == b"old"
    assert storage.list() == ["v1/t.parquet", "v2/t.parquet"]
    with pytest.raises(FileNotFoundError):
        storage.copy("v1/none.parquet", "v2/none.parquet")


def test_two_copies_of_one_file_at_once_are_one(tmp_path: Path) -> None:
    local = Storage(tmp_path)
    local.write("source", b"bytes")
    for turn in range(30):
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(local.copy, ["source"] * 4, [f"target/{turn}"] * 4))
        assert local.read_bytes(f"target/{turn}") == b"bytes"
    assert local.clean_leftovers(older_than=-1) == []


def test_those_who_look_at_a_lock_do_not_hold_it(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as threads:
        assert not any(threads.map(is_held, [tmp_path] * 2000))
    with held(tmp_path):
        assert is_held(tmp_path)


def test_it_travels_to_another_process(storage: Storage) -> None:
    storage.write("a", b"1")
    assert pickle.loads(pickle.dumps(storage)).read_bytes("a") == b"1"


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../up", "a/../../up"])
def test_paths_stay_inside_the_root(storage: Storage, path: str) -> None:
    with pytest.raises(ValueError, match="inside a data root"):
        storage.write(path, b"x")


def test_copy_shares_the_bytes_locally(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    storage.write("a", b"x")
    storage.copy("a", "b")
    assert (tmp_path / "a").samefile(tmp_path / "b")


def test_a_crash_while_writing_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = Storage(tmp_path)
    storage.write("a", b"old")

    def crash(handle: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", crash)
    with pytest.raises(KeyboardInterrupt):
        storage.write("a", b"new")
    monkeypatch.undo()
    assert storage.read_bytes("a") == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_what_a_killed_run_left_is_hidden_and_cleaned_when_old(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    storage.write("snapshots/good", b"1")
    half = tmp_path / "snapshots" / f"{TEMPORARY_PREFIX}123"
    half.write_bytes(b"half")
    folder = tmp_path / f"{TEMPORARY_PREFIX}456"
    folder.mkdir()
    (folder / "part").write_bytes(b"half")
    assert storage.list() == ["snapshots/good"]
    assert storage.clean_leftovers(older_than=3600) == []
    os.utime(half, (0, 0))
    os.utime(folder, (0, 0))
    assert storage.clean_leftovers(older_than=3600) == [f"{folder.name}/", f"snapshots/{half.name}"]
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["good", "snapshots"]


def test_scratch_is_gone_afterwards(storage: Storage) -> None:
    with storage.scratch() as folder:
        (folder / "part").write_bytes(b"x")
        assert storage.list() == []
        assert storage.folders() == []
    assert not folder.exists()


def test_a_full_disk_is_said_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TransientError, match="no space left"):
        Storage(tmp_path).write("a", b"x")
    assert list(tmp_path.iterdir()) == []


def test_no_hard_links_is_said_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    storage = Storage(tmp_path)
    with pytest.raises(UsageError, match="hard links"):
        storage.write_new("a", b"x")
    storage.write("a", b"x")
    storage.copy("a", "b")
    assert storage.read_bytes("b") == b"x"


def test_a_root_that_is_a_file_is_wrong_use(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UsageError, match="not a folder"):
        Storage(tmp_path / "file")
    with pytest.raises(UsageError, match="cannot write"):
        Storage(tmp_path / "file" / "below").write("a", b"x")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_root_without_permission_is_wrong_use(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UsageError, match="cannot write"):
        Storage(tmp_path).write("a/b", b"x")


def test_a_root_of_another_kind_is_wrong_use() -> None:
    with pytest.raises(UsageError, match="local folder or s3"):
        Storage("ftp://host/folder")


@pytest.mark.usefixtures("s3_environment")
def test_a_bucket_that_is_not_there_is_wrong_use() -> None:
    with pytest.raises(UsageError, match="no bucket nowhere"):
        Storage("s3://nowhere/x").exists("a")


@pytest.mark.usefixtures("s3_environment")
def test_large_files_go_to_s3_in_parts(tmp_path: Path) -> None:
    local = tmp_path / "large"
    local.write_bytes(os.urandom(1 << 20) * 101)
    storage = Storage("s3://bridge/large")
    storage.put_file("a", local)
    assert storage.size("a") == local.stat().st_size
    assert storage.local_path("a").read_bytes() == local.read_bytes()


def test_threads_that_read_first_share_one_folder_of_copies(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    make = tempfile.TemporaryDirectory

    def slowly(**arguments: str) -> tempfile.TemporaryDirectory[str]:
        time.sleep(0.05)
        return make(**arguments)

    names = [f"a/{number}" for number in range(8)]
    for name in names:
        storage.write(name, name.encode())
    monkeypatch.setattr(tempfile, "TemporaryDirectory", slowly)
    with ThreadPoolExecutor(8) as threads:
        paths = list(threads.map(storage.local_path, names))
    assert [path.read_text() for path in paths] == names


def test_the_size_of_what_goes_meanwhile_is_told_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "stays").write_bytes(b"1234")
    (tmp_path / "goes").write_bytes(b"12")
    assert size_on_disk(tmp_path) == 6
    walked = list(os.walk(tmp_path))
    (tmp_path / "goes").unlink()
    monkeypatch.setattr(os, "walk", lambda _: walked)
    assert size_on_disk(tmp_path) == 4
    monkeypatch.undo()
    assert size_on_disk(tmp_path / "nowhere") == 0
