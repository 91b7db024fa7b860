"""Results of steps are found again, made anew when anything they depend on changes, and never trusted when damaged."""

from pathlib import Path

import pyarrow as pa
import pytest

from etl.cache import find_step, hash_of, read_cached, run_step
from etl.errors import IntegrityError
from etl.storage import Storage

TABLE = pa.table({"a": [1, 2]})


def test_a_result_is_computed_once_for_the_same_inputs(tmp_path: Path) -> None:
    storage, calls = Storage(tmp_path), []

    def compute() -> tuple[dict[str, pa.Table], list[str]]:
        calls.append(1)
        return {"t": TABLE}, ["note"]

    first = run_step(storage, "harmonise", "x", 2019, ["in=1"], compute)
    again = run_step(storage, "harmonise", "x", 2019, ["in=1"], compute)
    other = run_step(storage, "harmonise", "x", 2019, ["in=2"], compute)
    assert first == again and len(calls) == 2 and other.key != first.key
    assert read_cached(storage, again.tables["t"]).equals(TABLE)


def test_a_damaged_result_is_named_and_made_anew(tmp_path: Path) -> None:
    storage = Storage(tmp_path)

    def compute() -> tuple[dict[str, pa.Table], list[str]]:
        return {"t": TABLE}, []

    result = run_step(storage, "harmonise", "x", 2019, [], compute)
    path = tmp_path / result.tables["t"].path
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(IntegrityError, match="harmonise/x/2019"):
        read_cached(storage, result.tables["t"])
    again = run_step(storage, "harmonise", "x", 2019, [], compute)
    assert read_cached(storage, again.tables["t"]).equals(TABLE)


def test_a_result_without_its_note_is_not_there(tmp_path: Path) -> None:
    storage, calls = Storage(tmp_path), []

    def compute() -> tuple[dict[str, pa.Table], list[str]]:
        calls.append(1)
        return {"t": TABLE}, []

    result = run_step(storage, "harmonise", "x", None, [], compute)
    storage.delete(result.tables["t"].path.rsplit(".", 2)[0] + ".json")
    run_step(storage, "harmonise", "x", None, [], compute)
    assert len(calls) == 2


def test_hashes_keep_parts_apart() -> None:
    assert hash_of(["ab", "c"]) != hash_of(["a", "bc"])


def test_a_damaged_note_counts_as_none_and_the_step_runs_again(tmp_path: Path) -> None:
    storage, runs = Storage(tmp_path), 0

    def compute() -> tuple[dict[str, pa.Table], list[str]]:
        nonlocal runs
        runs += 1
        return {"cells": pa.table({"a": [1]})}, ["a note"]

    first = run_step(storage, "estimate", "toys", 2020, ["input"], compute)
    note = next(path for path in storage.list("cache") if path.endswith(".json"))
    whole = storage.read_bytes(note)
    for at in range(0, len(whole), 40):
        storage.write(note, whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert run_step(storage, "estimate", "toys", 2020, ["input"], compute) == first
        assert storage.read_bytes(note) == whole
    assert runs == 1 + len(range(0, len(whole), 40))


def test_a_table_that_is_gone_is_made_again(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    made = run_step(storage, "estimate", "toys", 2020, ["input"], lambda: ({"cells": pa.table({"a": [1]})}, []))
    storage.delete(made.tables["cells"].path)
    with pytest.raises(IntegrityError, match="was damaged or gone"):
        read_cached(storage, made.tables["cells"])
    assert find_step(storage, "estimate", "toys", 2020, ["input"]) is None
