"""Every example of docs/reading.md is run as it stands there."""

import functools
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path

import duckdb
import pytest
from snapshot_samples import draft

from etl.publish import publish
from etl.storage import Storage

TEXT = (Path(__file__).parents[2] / "docs" / "reading.md").read_text("utf-8")
RECIPES = re.findall(r"```(sql|python|r|sh)\n(.*?)```", TEXT, re.DOTALL)


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder and says nothing."""

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder whose `data` holds a snapshot."""
    place = tmp_path_factory.mktemp("reading")
    publish(Storage(place / "data"), draft("2026-01-01"))
    return place


@pytest.fixture(scope="module")
def base(folder: Path) -> Iterator[str]:
    """The address that the data root is served at."""
    handler = functools.partial(Quiet, directory=str(folder / "data"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def chosen(language: str, *words: str) -> list[str]:
    """Recipes of a language that hold all these words."""
    return [code for kind, code in RECIPES if kind == language and all(word in code for word in words)]


def run(command: list[str], folder: Path, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    return done.stdout


def test_all_ways_of_reading_are_there() -> None:
    assert len(chosen("sql")) == 3
    assert len(chosen("python")) == 6
    assert len(chosen("r")) == len(chosen("sh")) == 1


@pytest.mark.parametrize("number", range(3))
def test_duckdb(folder: Path, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    connection = duckdb.connect()
    rows = connection.execute(chosen("sql")[number]).fetchall()
    assert len(rows) == (10, 2, 1)[number]


@pytest.mark.parametrize("library", ["pandas as pd\n\nversion", "polars"])
def test_data_frames(folder: Path, library: str) -> None:
    (code,) = chosen("python", f"import {library}")
    said = run([sys.executable, "-c", code], folder)
    assert "census_cbp" in said or "eurostat_sbs" in said


def test_spark(folder: Path) -> None:
    if find_spec("pyspark") is None or shutil.which("java") is None:
        pytest.skip("Spark is not installed")
    (code,) = chosen("python", "pyspark")
    assert "location_quotient" in run([sys.executable, "-c", code], folder)


def test_r(folder: Path) -> None:
    needs = "quit(status = !all(sapply(c('arrow', 'dplyr', 'jsonlite'), requireNamespace, quietly = TRUE)))"
    if shutil.which("Rscript") is None or subprocess.run(["Rscript", "-e", needs], check=False).returncode:
        pytest.skip("R with arrow, dplyr and jsonlite is not installed")
    (code,) = chosen("r")
    assert "location_quotient" in run(["Rscript", "-e", code], folder)


def test_plain_http(folder: Path, base: str) -> None:
    (code,) = chosen("python", "urlopen")
    assert "census_cbp" in run([sys.executable, "-c", code], folder, BASE=base)


def test_curl(folder: Path, base: str) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    (code,) = chosen("sh")
    assert run(["sh", "-c", code], folder, BASE=base) == "version 2026-01-01\n"


def test_our_own_reader(folder: Path) -> None:
    (code,) = chosen("python", 'snapshots.open("latest", "data")')
    assert run([sys.executable, "-c", code], folder).startswith("2026-01-01 52\n")


def test_our_own_reader_on_s3(folder: Path, s3_root: Storage) -> None:
    import boto3

    boto3.client("s3").create_bucket(Bucket="my-bucket")
    publish(Storage("s3://my-bucket/clusterbridge"), draft("2026-01-01"))
    (code,) = chosen("python", "s3://my-bucket")
    assert run([sys.executable, "-c", code], folder) == "2026-01-01 69\n"
