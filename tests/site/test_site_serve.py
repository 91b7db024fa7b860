"""The page of a version over HTTP: from a folder and from a bucket, the page and nothing else."""

import http.client
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from snapshot_samples import draft
from typer.testing import CliRunner

from etl.cli import app
from etl.errors import UsageError
from etl.publish import publish
from etl.site.server import SiteServer
from etl.snapshots import open as open_snapshot
from etl.storage import Storage

PAGE = {"site/index.html": b"<!doctype html>", "site/js/main.js": b'"use strict";'}


@contextmanager
def served(storage: Storage) -> Iterator[SiteServer]:
    server = SiteServer(open_snapshot("latest", storage.root))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def test_the_page_and_nothing_else(root: Storage) -> None:
    publish(root, draft("2026-11-23", documents=PAGE))
    with served(root) as server:
        start = server.address.removesuffix("/snapshots/2026-11-23/site/")
        with urllib.request.urlopen(start + "/") as answer:
            assert answer.url == server.address and answer.read() == PAGE["site/index.html"]
            assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        with urllib.request.urlopen(server.address + "js/main.js?x=1") as answer:
            assert answer.headers["Content-Type"].startswith("text/javascript")
        for path in (
            "manifest.json",
            "../manifest.json",
            "%2e%2e/manifest.json",
            "js/",
            "js/none.js",
            "../../latest.json",
        ):
            connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1])
            connection.request("GET", f"/snapshots/2026-11-23/site/{path}" if path != "manifest.json" else f"/{path}")
            assert connection.getresponse().status == 404, path
            connection.close()


def test_a_bucket_says_what_a_page_is(s3_root: Storage, s3_server: str) -> None:
    import boto3

    publish(s3_root, draft("2026-11-23", documents=PAGE))
    client = boto3.client("s3", endpoint_url=s3_server)
    bucket, prefix = s3_root.root.removeprefix("s3://").split("/", 1)
    head = client.head_object(Bucket=bucket, Key=f"{prefix}/snapshots/2026-11-23/site/index.html")
    assert head["ContentType"] == "text/html; charset=utf-8"


def test_a_version_without_a_page_and_a_taken_port(folder_root: Storage) -> None:
    publish(folder_root, draft("2026-11-22"))
    with pytest.raises(UsageError, match="without a page; clusterbridge site build"):
        SiteServer(open_snapshot("latest", folder_root.root))
    publish(folder_root, draft("2026-11-23", factor=2.0, previous="2026-11-22", documents=PAGE))
    with served(folder_root) as server, pytest.raises(UsageError, match="--port"):
        SiteServer(open_snapshot("latest", folder_root.root), server.server_address[1])


def test_site_build_makes_the_page_of_a_version_that_has_none(folder_root: Storage, tmp_path: Path) -> None:
    publish(folder_root, draft("2026-11-22"))
    done = CliRunner().invoke(app, ["site", "build", str(tmp_path / "page"), "--data", folder_root.root])
    assert done.exit_code == 0, done.output
    assert "version 2026-11-22" in done.output and (tmp_path / "page" / "data" / "index.js").is_file()
    again = CliRunner().invoke(app, ["site", "build", str(tmp_path / "page"), "--data", folder_root.root])
    assert isinstance(again.exception, UsageError) and "not an empty folder" in str(again.exception)
