"""The log: what it says of any day is the same however it was shortened."""

import json
import tempfile
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import etl.archive.log as log_module
from etl.archive import Archived, Outcome, known
from etl.archive.log import RunLog, read_histories
from etl.errors import IntegrityError
from etl.sources.base import Request
from etl.storage import Storage

FIRST = date(2026, 1, 1)
URLS = [f"https://h.org/{name}" for name in "abc"]
STATUSES = [
    "fetched",
    "accepted",
    "unchanged",
    "unchanged-new-tag",
    "gone",
    "refused",
    "unreachable",
    "superseded",
    "not_offered",
]

run = st.tuples(
    st.integers(0, 6), st.lists(st.tuples(st.sampled_from(URLS), st.sampled_from(STATUSES)), unique_by=lambda x: x[0])
)


def write_run(storage: Storage, number: int, days: int, met: list[tuple[str, str]]) -> None:
    """Log one run as fetching does, with what was known of its day."""
    day, at = FIRST + timedelta(days), f"2026-02-01T00:{number:02}:00+00:00"
    outcomes, superseded = [], []
    for url, status in met:
        request = Request("toys", url, "k", "csv", 2020)
        if status == "superseded":
            superseded.append(("toys", url))
            continue
        if status in ("fetched", "accepted"):
            copy = Archived("toys", url, "k", "csv", 2020, f"{number:064}", 5, day, at, at, etag=f'"{number}"')
            outcomes.append(Outcome(request, status, at, copy, statement=copy.statement()))
        elif status == "unchanged-new-tag":
            outcomes.append(Outcome(request, "unchanged", at, statement={"etag": f'"new-{number}"'}))
        else:
            outcomes.append(Outcome(request, status, at, reason="" if status == "unchanged" else f"reason {number}"))
    if outcomes or superseded:
        outcomes = outcomes or [Outcome(Request("toys", "https://h.org/z", "k", "csv"), "not_offered", at)]
        log = RunLog(storage, f"run{number:03}", day, read_histories(storage, day))
        log.write(outcomes[:1])
        log.write(outcomes, superseded, at)


def test_one_changed_byte_and_one_line_less_show(tmp_path: Any) -> None:
    storage = Storage(tmp_path)
    write_run(storage, 0, 0, [(url, "fetched") for url in URLS])
    (path,) = storage.list("archive/log")
    whole = storage.read_bytes(path)
    assert len(known(storage)) == 3
    for at in range(len(whole)):
        storage.write(path, whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(IntegrityError, match=f"{path} is damaged"):
            known(storage)
    lines = whole.splitlines(keepends=True)
    for torn in (b"", whole[:-1], b"".join(lines[:-1]), b"".join(lines[1:]), whole + lines[0]):
        storage.write(path, torn)
        with pytest.raises(IntegrityError, match=f"{path} is damaged"):
            known(storage)
    storage.write(path, whole)
    storage.write(path.replace("run000", "run001"), whole)
    with pytest.raises(IntegrityError, match=r"run001.jsonl is damaged"):
        known(storage)


def read_plainly(storage: Storage, day: date) -> dict[str, tuple[str, Any, str]]:
    """The definition: newest copy with snapshot date up to the day; what came after it tells age and problem."""
    entries = []
    for path in storage.list("archive/log"):
        for text in storage.read_bytes(path).splitlines():
            line = json.loads(text)
            if line["status"] != "state" and line["snapshot_date"] <= day.isoformat():
                entries += [line | {"url": url} for url in line.get("urls", [line.get("url")])]
    entries.sort(key=lambda line: (line["snapshot_date"], line["at"]))
    state: dict[str, tuple[str, Any, str]] = {}
    for line in entries:
        url = line["url"]
        if line["status"] in ("fetched", "accepted"):
            state[url] = (line["sha256"], None, line["etag"])
        elif line["status"] == "superseded":
            state.pop(url, None)
        elif url in state and line["status"] == "unchanged":
            state[url] = (state[url][0], None, line.get("etag", state[url][2]))
        elif url in state and line["status"] in ("gone", "refused", "unreachable"):
            state[url] = (state[url][0], line["reason"], state[url][2])
    return state


@settings(max_examples=30, deadline=None)
@given(st.lists(run, max_size=14))
def test_states_shorten_the_reading_and_change_nothing(runs: list[tuple[int, list[tuple[str, str]]]]) -> None:
    every = log_module._STATE_EVERY
    log_module._STATE_EVERY = 2
    try:
        with tempfile.TemporaryDirectory() as folder:
            storage = Storage(folder)
            for number, (days, met) in enumerate(runs):
                write_run(storage, number, days, met)
            for days in range(8):
                day = FIRST + timedelta(days)
                found = {url: (held.sha256, held.problem, held.etag) for (_, url), held in known(storage, day).items()}
                assert found == read_plainly(storage, day)
            assert known(storage) == known(storage, FIRST + timedelta(7))
    finally:
        log_module._STATE_EVERY = every


def test_only_the_files_since_the_last_state_are_read(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = Storage(tmp_path)
    write_run(storage, 0, 0, [(url, "fetched") for url in URLS])
    for number in range(1, 50):
        write_run(storage, number, 1, [(url, "unchanged") for url in URLS])
    assert [path for path in storage.list("archive/log") if ".state." in path] == [
        "archive/log/toys/run030.state.jsonl"
    ]
    history = read_histories(storage)["toys"]
    assert history.since_state == 19
    held = known(storage)[("toys", URLS[0])]
    assert held.retrieved == "2026-02-01T00:00:00+00:00"
    assert held.confirmed == "2026-02-01T00:49:00+00:00"
    assert known(storage, FIRST)[("toys", URLS[0])].confirmed == held.retrieved
