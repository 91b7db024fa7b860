"""The command line as a person or a program meets it: in this process, with its exit status and both its streams."""

import sys
from pathlib import Path

import pytest
from cli_cases import Ended, Run

sys.path.insert(0, str(Path(__file__).parent.parent / "airflow"))


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `clusterbridge` with these words."""
    from etl.cli import main

    def run_words(*words: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["clusterbridge", *map(str, words)])
        capsys.readouterr()
        try:
            main()
            status = 0
        except SystemExit as ended:
            status = int(ended.code or 0)
        return Ended(status, *capsys.readouterr())

    return run_words
