"""The archive's log: what each run met at each address, and from it the state of the archive as of any day.

`archive/log/<dataset>/<run>.jsonl` holds one JSON object a line, written whole. An address that was asked for and has
a body of its own kind gets a line of its own; those that met nothing new share one, so that a quiet night stays small:

    {"status": "fetched", "at": …, "snapshot_date": …, "url": …, "kind": …, "content": …, "year": …, "sha256": …, …}
    {"status": "unchanged", "at": …, "snapshot_date": …, "urls": […]}

`status`: *fetched* (new bytes), *accepted* (bytes a guard would have refused, with `by`, `guard`, `reason`),
*unchanged*, *not_offered* (404, never had), *gone* (404, had), *refused* (with `guard`, `reason`, and where the bytes
were `kept`), *unreachable* (with `reason`), *superseded* (a further page that its first page no longer leads to).
The last good copy of an address as of day D is its newest *fetched* or *accepted* line with snapshot date ≤ D.

The last line ends with `seal`, a hash of the whole file under its path: one byte changed, or a line cut off, shows.

So that years of nights need not be read every night, now and then a run's file (`<run>.state.jsonl`) begins with a
line *state*: what all the files it `covers` come to. Where that does not fit the day asked for, all files are read.
"""

import hashlib
import json
import operator
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import Any

from etl.errors import IntegrityError
from etl.sources.base import Dataset, Request
from etl.storage import Storage

LOG = "archive/log"
_READERS = 16
_STATE = ".state.jsonl"
_STATE_EVERY = 30

FAILED = frozenset({"gone", "refused", "unreachable"})


@dataclass(frozen=True, slots=True)
class Archived:
    """The last good copy of one address, as the log tells it.

    `retrieved` and `confirmed`: when these bytes came and when the publisher last sent or confirmed them (UTC, ISO
    8601). `problem`: what the attempts since then met; a copy with a problem is stale. `follows`: the address whose
    answer led to this one. `profile`: what a later copy is compared with.
    """

    dataset: str
    url: str
    kind: str
    content: str
    year: int | None
    sha256: str
    bytes: int
    snapshot_date: date
    retrieved: str
    confirmed: str
    etag: str | None = None
    last_modified: str | None = None
    follows: str | None = None
    problem: str | None = None
    profile: Mapping[str, Any] = field(default_factory=dict)

    def statement(self) -> dict[str, Any]:
        """What the log line of a new copy says besides status, time and address."""
        names = ("kind", "content", "year", "sha256", "bytes", "etag", "last_modified", "follows", "profile")
        return {name: value for name in names if (value := getattr(self, name)) not in (None, {})}

    @property
    def is_stale(self) -> bool:
        """Whether the publisher has failed to send or confirm it since."""
        return self.problem is not None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one request. `archived`: the copy that stands now; `statement`: further fields of its log line."""

    request: Request
    status: str
    at: str
    archived: Archived | None = None
    reason: str = ""
    statement: Mapping[str, Any] = field(default_factory=dict)
    next_pages: tuple[Request, ...] = ()

    @property
    def is_stale(self) -> bool:
        """Had before, and now failing, gone or refused: the last good bytes stand."""
        return self.status in FAILED and self.archived is not None

    @property
    def is_left_out(self) -> bool:
        """Never had, and unreachable or refused."""
        return self.status in FAILED and self.archived is None


@dataclass(frozen=True, slots=True)
class History:
    """What the log of one dataset says up to a day: its entries in their order, and the files they stand in.

    `unread`: entries of later days were left out. `since_state`: files read besides the one with the state.
    """

    entries: list[dict[str, Any]]
    covers: list[str]
    since_state: int
    unread: bool

    def state(self, dataset: str) -> dict[str, Archived]:
        """The last good copy of each address."""
        return _fold(dataset, self.entries)


def known(
    storage: Storage, snapshot_date: date | None = None, datasets: Collection[str] | None = None
) -> dict[tuple[str, str], Archived]:
    """Return the last good copy by (dataset, url) as of a day, sorted; all there is where no day is given.

    Reads the log only. Raises IntegrityError naming a log file that cannot be read.
    """
    histories = read_histories(storage, snapshot_date, datasets)
    return {(name, url): held for name, history in histories.items() for url, held in history.state(name).items()}


def in_use(
    copies: Mapping[tuple[str, str], Archived], datasets: Mapping[str, Dataset]
) -> dict[tuple[str, str], Archived]:
    """Leave out copies of addresses that the datasets no longer ask for, where their successors are in hand.

    An address changes when a publisher moves or a reader asks otherwise; reading both would count everything twice.
    """
    asked = {(name, request.url) for name, one in datasets.items() for request in one.requests(one.years)}

    def is_asked_for(held: Archived) -> bool:
        before = copies.get((held.dataset, held.follows)) if held.follows else None
        return is_asked_for(before) if before is not None else (held.dataset, held.url) in asked

    current = {key for key, held in copies.items() if is_asked_for(held)}
    replaced = {(copies[key].dataset, copies[key].kind, copies[key].year) for key in current}
    return {
        key: held
        for key, held in copies.items()
        if key in current or (held.dataset, held.kind, held.year) not in replaced
    }


def read_histories(
    storage: Storage, snapshot_date: date | None = None, datasets: Collection[str] | None = None
) -> dict[str, History]:
    """Read the log of each dataset as of a day, sorted by dataset."""
    by_dataset: dict[str, list[str]] = {}
    for path in storage.list(LOG):
        dataset, _, name = path.removeprefix(LOG + "/").partition("/")
        if name.endswith(".jsonl") and (datasets is None or dataset in datasets):
            by_dataset.setdefault(dataset, []).append(name)
    latest = snapshot_date.isoformat() if snapshot_date else "9999-12-31"
    with ThreadPoolExecutor(_READERS) as pool:

        def read(dataset: str, names: list[str]) -> list[dict[str, Any]]:
            parts = pool.map(lambda name: _read(storage, f"{LOG}/{dataset}/{name}"), names)
            return [entry for part in parts for entry in part]

        return {name: _history(partial(read, name), files, latest) for name, files in sorted(by_dataset.items())}


def _history(read: Callable[[list[str]], list[dict[str, Any]]], names: list[str], latest: str) -> History:
    with_state = [name for name in names if name.endswith(_STATE)]
    if with_state:
        state, *own = read(with_state[-1:])
        rest = [name for name in names if name not in {*state["covers"], with_state[-1]}]
        later = [entry for entry in own + read(rest) if entry["status"] != "state"]
        if _when(state) <= min(map(_when, later), default=_when(state)) and state["snapshot_date"] <= latest:
            return _ordered([state, *later], names, len(rest), latest)
    entries = [entry for entry in read(names) if entry["status"] != "state"]
    return _ordered(entries, names, len(names), latest)


def _ordered(entries: list[dict[str, Any]], names: list[str], since_state: int, latest: str) -> History:
    kept = sorted((entry for entry in entries if entry["snapshot_date"] <= latest), key=_when)
    return History(kept, names, since_state, unread=len(kept) < len(entries))


_when = operator.itemgetter("snapshot_date", "at")


def _read(storage: Storage, path: str) -> list[dict[str, Any]]:
    entries = []
    for number, line in enumerate(verified_json(storage, path).splitlines(), 1):
        try:
            entry = json.loads(line)
            entry["snapshot_date"], entry["at"], entry["status"]
        except (ValueError, TypeError, KeyError) as error:
            raise IntegrityError(
                f"{storage.root}/{path}, line {number}: this is no line of the log ({error})"
            ) from error
        entries.append(entry)
    return entries


_SEALED = re.compile(rb'(.*), "seal": "([0-9a-f]{64})"}\n', re.DOTALL)


def with_checksum(path: str, lines: Sequence[str]) -> bytes:
    """The file of these lines, each a JSON object: the last one also carries the hash of them all."""
    text = "\n".join(lines).removesuffix("}").encode()
    return text + f', "seal": "{_seal(path, text)}"}}\n'.encode()


def verified_json(storage: Storage, path: str) -> bytes:
    """Read a file of the log without its seal. Raises IntegrityError naming it where it is not as it was written."""
    match = _SEALED.fullmatch(storage.read_bytes(path))
    if match is None or _seal(path, match[1]).encode() != match[2]:
        raise IntegrityError(
            f"{storage.root}/{path} is damaged: it is not as it was written; bring back a copy of it, or remove it, "
            "and what it told is asked for again"
        )
    return match[1] + b"}\n"


def _seal(path: str, text: bytes) -> str:
    return hashlib.sha256(path.encode() + b"\0" + text).hexdigest()


def _fold(dataset: str, entries: Iterable[dict[str, Any]]) -> dict[str, Archived]:
    """Go through the entries in their order; each changes what is known of its addresses."""
    copies: dict[str, dict[str, Any]] = {}
    confirmed: dict[str, str] = {}
    problems: dict[str, str] = {}
    for entry in entries:
        if entry["status"] == "state":
            copies = {copy["url"]: copy for copy in entry["copies"]}
            confirmed = {copy["url"]: copy["confirmed"] for copy in entry["copies"]}
            problems = {copy["url"]: copy["problem"] for copy in entry["copies"] if copy["problem"]}
            continue
        status, urls = entry["status"], entry.get("urls") or [entry["url"]]
        if status in FAILED:
            problems |= dict.fromkeys(urls, entry.get("reason") or status)
        if status in FAILED or status == "not_offered":
            continue
        confirmed |= dict.fromkeys(urls, entry["at"])
        for url in problems.keys() & urls:
            del problems[url]
        if status in ("fetched", "accepted"):
            copies |= dict.fromkeys(urls, entry)
        elif status == "superseded":
            for url in urls:
                copies.pop(url, None)
        elif status == "unchanged" and "url" in entry and entry["url"] in copies:
            tags = {name: entry[name] for name in ("etag", "last_modified") if name in entry}
            copies[entry["url"]] = copies[entry["url"]] | tags
    return {
        url: _archived(dataset, url, copy, confirmed[url], problems.get(url)) for url, copy in sorted(copies.items())
    }


def _archived(dataset: str, url: str, entry: Mapping[str, Any], confirmed: str, problem: str | None) -> Archived:
    return Archived(
        dataset=dataset,
        url=url,
        kind=entry["kind"],
        content=entry["content"],
        year=entry.get("year"),
        sha256=entry["sha256"],
        bytes=entry["bytes"],
        snapshot_date=date.fromisoformat(entry["snapshot_date"]),
        retrieved=entry["at"],
        confirmed=confirmed,
        etag=entry.get("etag"),
        last_modified=entry.get("last_modified"),
        follows=entry.get("follows"),
        problem=problem,
        profile=entry.get("profile", {}),
    )


class RunLog:
    """The log files of one run, one a dataset. Each is written anew as outcomes come in: a killed run keeps its own.

    `histories`: what was known before the run, of which a state is written where many files have come together.
    """

    def __init__(self, storage: Storage, run_id: str, snapshot_date: date, histories: Mapping[str, History]) -> None:
        self._storage = storage
        self._histories = histories
        self._run_id = run_id.replace("/", "_")
        self._date = snapshot_date.isoformat()
        self._paths: dict[str, str] = {}
        self._written: dict[str, list[str]] = {}
        self._states: dict[str, dict[str, Any] | None] = {}

    def write(self, outcomes: Iterable[Outcome], superseded: Iterable[tuple[str, str]] = (), at: str = "") -> None:
        """Write all outcomes so far, and the (dataset, url) that were superseded at `at`."""
        by_dataset: dict[str, list[Outcome]] = {}
        for outcome in outcomes:
            by_dataset.setdefault(outcome.request.dataset, []).append(outcome)
        dropped: dict[str, list[str]] = {}
        for dataset, url in superseded:
            dropped.setdefault(dataset, []).append(url)
        for dataset in sorted(by_dataset):
            lines = [*_lines(by_dataset[dataset])]
            if dataset in dropped:
                lines.append({"status": "superseded", "at": at, "urls": sorted(dropped[dataset])})
            if dataset not in self._states:
                self._states[dataset] = self._state(dataset)
            if (state := self._states[dataset]) is not None:
                lines.insert(0, state)
            self._put(dataset, [json.dumps(_dated(line, self._date), ensure_ascii=False) for line in lines])

    def _state(self, dataset: str) -> dict[str, Any] | None:
        history = self._histories.get(dataset)
        if history is None or history.since_state < _STATE_EVERY or history.unread:
            return None
        last = history.entries[-1]
        copies = [
            {"url": held.url, "at": held.retrieved, "snapshot_date": held.snapshot_date.isoformat()}
            | held.statement()
            | {"confirmed": held.confirmed, "problem": held.problem}
            for held in history.state(dataset).values()
        ]
        when = {"at": last["at"], "snapshot_date": last["snapshot_date"]}
        return {"status": "state"} | when | {"covers": history.covers, "copies": copies}

    def _put(self, dataset: str, lines: list[str]) -> None:
        if self._written.get(dataset) == lines:
            return
        if dataset in self._paths:
            path = self._paths[dataset]
            self._storage.write(path, with_checksum(path, lines))
        else:
            self._paths[dataset] = self._claim(dataset, lines)
        self._written[dataset] = lines

    def _claim(self, dataset: str, lines: list[str]) -> str:
        """A task that is tried again has the same run id: what its first try logged stays."""
        number = 1
        while True:
            end = _STATE if self._states[dataset] else ".jsonl"
            path = f"{LOG}/{dataset}/{self._run_id}{'' if number == 1 else f'.{number}'}{end}"
            if self._storage.write_new(path, with_checksum(path, lines)):
                return path
            number += 1


def _dated(line: dict[str, Any], day: str) -> dict[str, Any]:
    return {"status": line["status"], "at": line["at"], "snapshot_date": day} | line


def _lines(outcomes: Iterable[Outcome]) -> Iterator[dict[str, Any]]:
    shared: dict[str, list[Outcome]] = {}
    for outcome in sorted(outcomes, key=lambda o: (o.request.url, o.request.kind)):
        if outcome.status in ("unchanged", "not_offered") and not outcome.statement:
            shared.setdefault(outcome.status, []).append(outcome)
            continue
        line: dict[str, Any] = {"status": outcome.status, "at": outcome.at, "url": outcome.request.url}
        if outcome.reason:
            line["reason"] = outcome.reason
        yield line | dict(outcome.statement)
    for status, group in sorted(shared.items()):
        yield {"status": status, "at": max(o.at for o in group), "urls": [o.request.url for o in group]}
