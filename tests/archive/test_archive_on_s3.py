"""The archive on object storage: the same as on a folder."""

from collections.abc import Iterator

import pytest
from toy_publisher import Publisher

from etl.archive import known, object_path, open_archived
from etl.errors import IntegrityError
from etl.settings import Settings
from etl.storage import Storage

moto_server = pytest.importorskip("moto.server", reason="moto is not installed")


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    import boto3
    import s3fs

    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    boto3.client("s3").create_bucket(Bucket="bridge")
    yield Storage("s3://bridge/root")
    server.stop()


def test_an_archive_in_a_bucket(
    toys: Publisher, bucket: Storage, quick: Settings, toy_bodies: dict[str, bytes]
) -> None:
    patient = quick.model_copy(update={"fetch_budget": 30})
    assert len(toys.fetch(bucket, patient).changed) == 10
    before = bucket.list()
    again = toys.fetch(bucket, patient)
    assert all(seen.is_conditional and seen.status == 304 for seen in toys.seen)
    assert sorted(set(bucket.list()) - set(before)) == ["archive/log/toys/run001.jsonl"]
    assert not again.changed
    held = known(Storage("s3://bridge/root"))
    assert len(held) == 10
    for archived in held.values():
        assert open_archived(bucket, archived).path.read_bytes() == toy_bodies[archived.url]
    damaged = next(iter(held.values()))
    bucket.write(object_path(damaged.sha256), b"x" * damaged.bytes)
    with pytest.raises(IntegrityError, match="damaged"):
        open_archived(bucket, damaged)
