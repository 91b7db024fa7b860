"""An Airflow home of the tests' own, set before Airflow is first imported; a data root and publishers for the steps."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_publishers import write_small_publishers

from etl.mirror import MirrorServer

_HOME = tempfile.TemporaryDirectory(prefix="clusterbridge-airflow-")
os.environ |= {
    "AIRFLOW_HOME": _HOME.name,
    "AIRFLOW__CORE__DAGS_FOLDER": str(Path(__file__).parent.parent.parent / "dags"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
    "AIRFLOW__CORE__UNIT_TEST_MODE": "false",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{_HOME.name}/airflow.db",
}


@pytest.fixture(scope="session")
def publishers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with small publishers; a test that changes it takes a copy."""
    return write_small_publishers(tmp_path_factory.mktemp("publishers"))


@pytest.fixture
def mirror(publishers: Path) -> Iterator[MirrorServer]:
    """A mirror of the demo's publishers, whose faults a test may set."""
    import threading

    server = MirrorServer(publishers)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def data_root(tmp_path: Path, mirror: MirrorServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty data root, and settings that lead to it and to the mirror."""
    root = str(tmp_path / "data")
    for name in [name for name in os.environ if name.startswith("CLUSTERBRIDGE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CLUSTERBRIDGE_DATA", root)
    monkeypatch.setenv("CLUSTERBRIDGE_MIRROR", mirror.address)
    monkeypatch.setenv("CLUSTERBRIDGE_RETRIES", "0")
    return root
