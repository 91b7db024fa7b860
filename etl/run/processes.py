"""Runs independent jobs in worker processes: which worker does what changes no result."""

import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import forkserver, get_context
from typing import Any, TypeVar

from etl.errors import TransientError
from etl.progress import Progress

T = TypeVar("T")

#: What every job needs: imported once, before workers are forked, and not by each worker of each stage again.
PRELOADED = ("etl.run.checked_publishing", "etl.run.units")


def in_processes(workers: int, jobs: Sequence[tuple[Callable[..., T], tuple[Any, ...]]], progress: Progress) -> list[T]:
    """Results of functions and their arguments, in the order of the jobs; the first failure is raised.

    With one worker, or one job, everything is done here. Raises TransientError where a worker was killed.
    """
    if workers == 1 or len(jobs) <= 1:
        results = []
        for function, arguments in jobs:
            results.append(function(*arguments))
            progress.advance()
        return results
    start_server()
    with ProcessPoolExecutor(min(workers, len(jobs)), mp_context=get_context("forkserver")) as pool:
        futures = [pool.submit(function, *arguments) for function, arguments in jobs]
        try:
            for future in as_completed(futures):
                future.result()
                progress.advance()
        except BrokenProcessPool as error:
            reason = "a worker process was killed, perhaps for want of memory; nothing was published"
            raise TransientError(f"{reason}. Run again, with fewer workers (CLUSTERBRIDGE_WORKERS)") from error
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return [future.result() for future in futures]


def start_server() -> None:
    """Start the process that workers are forked from, unless it runs; it imports what this process would import.

    By itself it looks for modules in the current folder first, whatever lies there.
    """
    get_context("forkserver").set_forkserver_preload(list(PRELOADED))
    before = dict(os.environ)
    os.environ |= {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "PYTHONSAFEPATH": "1"}
    try:
        forkserver.ensure_running()
    finally:
        for name in ("PYTHONPATH", "PYTHONSAFEPATH"):
            os.environ.pop(name, None)
            if name in before:
                os.environ[name] = before[name]
