"""The wheel carries what the code reads, and works far from the checkout."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from etl.resources import resource_folder

CHECKOUT = Path(__file__).parent.parent.parent
ELSEWHERE = "import sys; sys.argv[0] = 'clusterbridge'; from etl.cli import main; main()"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=CHECKOUT, check=True, capture_output=True, text=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the wheel alone was installed into."""
    target = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(target)]
    subprocess.run([*pip, str(wheel)], check=True, capture_output=True, text=True)
    return target


def run(installed: Path, here: Path, *words: str) -> str:
    """The output of `clusterbridge` as installed there, run from a folder that is no checkout."""
    variables = {**os.environ, "PYTHONPATH": str(installed), "PYTHONSAFEPATH": "1"}
    told = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, *words], cwd=here, env=variables, capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stderr
    return told.stdout


def test_every_file_that_is_no_code_is_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    tracked = subprocess.run(["git", "ls-files", "etl"], cwd=CHECKOUT, check=True, capture_output=True, text=True)
    assert set(tracked.stdout.split()) <= packed
    for name in ("schemas", "expectations"):
        files = [path.relative_to(resource_folder(name)) for path in resource_folder(name).rglob("*.json")]
        assert files and {f"etl/_resources/{name}/{path.as_posix()}" for path in files} <= packed
    assert any(path.endswith("licenses/LICENSE") for path in packed)
    assert not [path for path in packed if path.startswith(("tests", "bench", "dags")) or "shared" in path]


def test_it_answers_far_from_the_checkout(installed: Path, tmp_path: Path) -> None:
    where = "import etl.schema; print(etl.__file__, len(etl.schema.contracts()))"
    variables = {**os.environ, "PYTHONPATH": str(installed), "PYTHONSAFEPATH": "1"}
    told = subprocess.run([sys.executable, "-c", where], cwd=tmp_path, env=variables, capture_output=True, text=True)
    assert told.stdout.startswith(str(installed)), told.stderr
    assert "29.10" in run(installed, tmp_path, "concordance", "naics2017:336111", "--to", "nace2")


@pytest.mark.long
def test_it_runs_the_demo_far_from_the_checkout(installed: Path, tmp_path: Path) -> None:
    assert "Published version" in run(installed, tmp_path, "demo")
    assert "All is as published" in run(installed, tmp_path, "verify", "--data", "demo-data")
