"""Workers are forked from a process that imports what the caller imports, whatever lies in the current folder."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SCRIPT = """
import os
import sys

sys.path.insert(0, {root!r})
import etl
from etl.run.processes import in_processes
from etl.progress import SilentProgress


def main():
    jobs = [(eval, ("(__import__('etl').__file__, 'etl.run.units' in __import__('sys').modules)",)) for _ in range(4)]
    for found in in_processes(2, jobs, SilentProgress()):
        print(*found)
    print(os.environ.get("PYTHONPATH"), os.environ.get("PYTHONSAFEPATH"))


if __name__ == "__main__":
    main()
"""


def test_workers_have_the_callers_code_and_not_that_of_the_current_folder(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    script = tmp_path / "elsewhere" / "script.py"
    script.write_text(SCRIPT.format(root=str(ROOT)), "utf-8")
    decoy = tmp_path / "here" / "etl"
    decoy.mkdir(parents=True)
    (decoy / "__init__.py").write_text("raise RuntimeError('the wrong etl')\n", "utf-8")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [sys.executable, script], cwd=tmp_path / "here", env=clean, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    *workers, environment = done.stdout.splitlines()
    assert workers == [f"{ROOT / 'etl' / '__init__.py'} True"] * 4
    assert environment == "None None", "what the server was given does not stay"
