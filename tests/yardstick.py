"""A measure of the machine that a test runs on: promises of speed are ratios to it, never seconds."""

import time
from collections.abc import Callable

import numpy as np
import pyarrow as pa

ROWS = 1_000_000


def _table() -> pa.Table:
    random = np.random.default_rng(1)
    keys = random.integers(0, 3_000, ROWS)
    return pa.table({"region": keys, "industry": random.integers(0, 1_000, ROWS), "value": random.random(ROWS)})


def processor_time(work: Callable[[], object]) -> float:
    """Processor seconds of the work in this process, its threads included."""
    start = time.process_time()
    work()
    return time.process_time() - start


def yardsticks(work: Callable[[], object], times: int = 3) -> float:
    """How many yardsticks of processor time the work takes, the best of so many pairs.

    A yardstick is a sort of a million rows by two keys, then their sum by one, in bare pyarrow. Work and yardstick are
    measured one after the other, so that a machine that slows down slows both.
    """
    rows = _table()

    def bare() -> None:
        rows.sort_by([("region", "ascending"), ("industry", "ascending")]).group_by("region").aggregate(
            [("value", "sum")]
        )

    bare()
    return min(processor_time(work) / processor_time(bare) for _ in range(times))
