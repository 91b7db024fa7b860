"""Fixtures: an empty data root in a folder and one on an S3 server in this process."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from etl.storage import Storage

S3_VARIABLES = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """Address of an S3 server with the bucket `snapshots`."""
    moto_server = pytest.importorskip("moto.server", reason="moto is not installed")
    import boto3

    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    boto3.client(
        "s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
    ).create_bucket(Bucket="snapshots")
    yield endpoint
    server.stop()


@pytest.fixture
def s3_root(s3_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Storage:
    """An empty data root on the S3 server."""
    import s3fs

    for name, value in {**S3_VARIABLES, "AWS_ENDPOINT_URL": s3_server}.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    return Storage(f"s3://snapshots/{tmp_path.parent.name}-{tmp_path.name}")


@pytest.fixture(params=["local", "s3"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    """An empty data root of each kind."""
    if request.param == "local":
        return Storage(tmp_path / "root")
    storage: Storage = request.getfixturevalue("s3_root")
    return storage


@pytest.fixture
def folder_root(tmp_path: Path) -> Storage:
    """An empty data root in a folder."""
    return Storage(tmp_path / "root")
