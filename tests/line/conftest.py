"""The demo's publishers and one refresh from them, made once for all tests of the whole line."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from line_cases import Line, run
from snapshot_roots import s3_root, s3_server

from etl.demo import write_publishers
from etl.mirror import serve

__all__ = ["s3_root", "s3_server"]


@pytest.fixture(scope="session")
def publishers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's publishers as a folder."""
    return write_publishers(tmp_path_factory.mktemp("publishers"))


@pytest.fixture(scope="session")
def line(publishers: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """A root refreshed once. Tests that change it must put it back or copy it."""
    root = tmp_path_factory.mktemp("root")
    with serve(publishers) as address:
        yield Line(root, address, run(root, address))
