"""Runs a workload in a fresh process. Nothing large is imported here: a child's peak memory begins at its parent's."""

import importlib
import json
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

from bench.measured import Row

T = TypeVar("T")


class WorkloadError(Exception):
    """A workload's process ended without a result."""


def _child(module: str, name: str, arguments: tuple[Any, ...], answer: str) -> None:
    importlib.import_module("etl")  # first, as in the command line: it says how NumPy is to use threads
    rows: list[Row] = getattr(importlib.import_module(f"bench.{module}"), name)(*arguments)
    Path(answer).write_text(json.dumps([asdict(row) for row in rows]), "utf-8")


def run(folder: Path, module: str, name: str, *arguments: Any) -> list[Row]:
    """Run a function of a module here in a fresh process and return the lines it measured."""
    print(f"{name} {' '.join(str(one) for one in arguments)}", file=sys.stderr, flush=True)
    answer = folder / "answer.json"
    answer.unlink(missing_ok=True)
    process = get_context("spawn").Process(target=_child, args=(module, name, (folder, *arguments), str(answer)))
    process.start()
    process.join()
    if process.exitcode or not answer.exists():
        raise WorkloadError(f"{name} {arguments} ended with {process.exitcode}")
    return [Row(**line) for line in json.loads(answer.read_text("utf-8"))]


def apart(function: Callable[..., T], *arguments: Any) -> T:
    """Call a function in a process of its own, so that its memory does not count as the caller's."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()
