"""The wheel holds everything that the package needs, and works where it was installed, far from the checkout."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]
#: Folders that travel in the wheel, and where they lie in it.
FOLDERS = {
    "etl": "etl",
    "clusterbridge": "clusterbridge",
    "schemas": "etl/_resources/schemas",
    "expectations": "etl/_resources/expectations",
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True, timeout=120)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel installed in it, and nothing else."""
    target = tmp_path_factory.mktemp("installed")
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--target", str(target), str(wheel)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return target


def run(installed: Path, folder: Path, *arguments: str, timeout: float = 60) -> str:
    """Run python elsewhere with the installed package before all others."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        there = set(archive.namelist())
    files = {
        f"{place}/{path.relative_to(CHECKOUT / folder).as_posix()}"
        for folder, place in FOLDERS.items()
        for path in (CHECKOUT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert files <= there, sorted(files - there)
    assert {"etl/site/page/index.html", "etl/reference/tables/cluster.csv"} <= there
    assert any(name.startswith("etl/site/page/vendor/") and name.endswith(".txt") for name in there)
    assert any(name.endswith("dist-info/licenses/LICENSE") for name in there)
    outside = {name.split("/")[0] for name in there}
    assert all(name in {"etl", "clusterbridge"} or name.endswith(".dist-info") for name in outside)


def test_the_installed_package_finds_what_travels_with_it(installed: Path, tmp_path: Path) -> None:
    code = (
        "import etl; from etl.contracts import contracts; from etl.validate.suites import suite; "
        "from clusterbridge import snapshots; from etl.reference import clusters; assert snapshots.open; "
        "print(etl.__file__, len(contracts()), clusters().num_rows, len(suite('region_cluster').expectations))"
    )
    place, *counts = run(installed, tmp_path, "-c", code).split()
    assert Path(place).is_relative_to(installed)
    assert all(int(count) > 0 for count in counts)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_installed_package_runs_the_demo(installed: Path, tmp_path: Path) -> None:
    script = str(installed / "bin" / "clusterbridge")
    run(installed, tmp_path, script, "demo", "--data", "a root", timeout=800)
    assert "All is as published" in run(installed, tmp_path, script, "verify", "--all", "--data", "a root")
