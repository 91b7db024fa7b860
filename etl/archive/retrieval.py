"""Asks the publishers for what a run wants, and lets into the archive what the guards let pass.

Bodies are archived as they are once the transfer's gzip is taken off; a text that its publisher packs (Eurostat's TSV)
is archived unpacked, a zip or a workbook as it came. Nothing that goes wrong at one address touches another.
"""

import itertools
import queue
import threading
import time
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from etl.archive.guards import CONTENTS
from etl.archive.intake import Intake, now
from etl.archive.log import Archived, Outcome, RunLog, read_histories
from etl.archive.objects import OBJECTS, object_path, open_archived
from etl.archive.replies import Absent, Body, Failed, Host, Reply, Unchanged, Validators
from etl.archive.transport import Downloader
from etl.errors import TransientError
from etl.progress import Progress, SilentProgress
from etl.settings import Settings
from etl.sources.base import Dataset, Request
from etl.storage import Storage

_LOG_EVERY = 30.0
#: Beyond the deadline workers get this long to say what they have; one that hangs for longer is given up.
_GRACE = 1.0

_Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came of a run's requests, sorted by dataset and address. `superseded`: pages that are no longer led to."""

    outcomes: tuple[Outcome, ...]
    superseded: tuple[_Key, ...] = ()

    @property
    def files(self) -> list[Archived]:
        """The copy that now stands for each address that has one: new, confirmed or stale."""
        return [outcome.archived for outcome in self.outcomes if outcome.archived is not None]

    @property
    def changed(self) -> list[Archived]:
        """The copies that are new."""
        return [o.archived for o in self.outcomes if o.archived is not None and o.status in ("fetched", "accepted")]

    @property
    def not_offered(self) -> list[Outcome]:
        """404, and never had."""
        return [outcome for outcome in self.outcomes if outcome.status == "not_offered"]

    @property
    def stale(self) -> list[Outcome]:
        """Had before, and now failing, gone or refused: the last good bytes stand."""
        return [outcome for outcome in self.outcomes if outcome.is_stale]

    @property
    def left_out(self) -> list[Outcome]:
        """Never had, and unreachable or refused."""
        return [outcome for outcome in self.outcomes if outcome.is_left_out]

    def sentence(self) -> str:
        """One line for a person."""
        counts = {
            "new": len(self.changed),
            "unchanged": sum(outcome.status == "unchanged" for outcome in self.outcomes),
            "not offered": len(self.not_offered),
            "stale": len(self.stale),
            "left out": len(self.left_out),
        }
        told = ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "nothing asked for"
        worst = next(iter(self.left_out or self.stale), None)
        return told + (f"; {worst.request.dataset}: {worst.reason}" if worst else "")


def fetch(
    requests: Iterable[Request],
    storage: Storage,
    *,
    dataset_objects: Mapping[str, Dataset],
    snapshot_date: date,
    run_id: str,
    settings: Settings,
    mirror_base: str | None = None,
    accept: Collection[str] = (),
    is_current: Callable[[Request, Archived], bool] | None = None,
    progress: Progress | None = None,
) -> Fetched:
    """Ask for every address once, and for the pages that answers lead to, and log what came of each.

    `accept`: datasets whose changes are taken although a guard on change refuses them. `is_current`: says that a
    publisher's own list (Eurostat's table of contents) shows an address unchanged since its copy was confirmed, so
    that it need not be asked. Ends within `settings.fetch_budget` seconds, a little grace apart.
    Fails soft: an address that cannot be had is an Outcome. Raises UsageError or TransientError where the storage
    fails, ValueError for a Request of an unknown content.
    """
    wanted = list({(request.dataset, request.url): request for request in requests}.values())
    for request in wanted:
        if request.content not in CONTENTS:
            raise ValueError(f"{request.dataset}: unknown content {request.content!r} of {request.url}")
    progress = progress or SilentProgress()
    progress.stage("fetch", len(wanted))
    with ExitStack() as stack:
        run = _Run(storage, dataset_objects, snapshot_date, settings, mirror_base, accept, is_current, stack)
        log = RunLog(storage, run_id, snapshot_date, run.histories)
        outcomes: dict[_Key, Outcome] = {}
        logged = time.monotonic()
        try:
            with closing(run.outcomes(wanted)) as coming:
                for outcome in coming:
                    outcomes[(outcome.request.dataset, outcome.request.url)] = outcome
                    progress.advance()
                    if time.monotonic() - logged > _LOG_EVERY:
                        log.write(outcomes.values())
                        logged = time.monotonic()
        finally:
            settled = run.settle(outcomes.values())
            superseded = run.superseded(settled)
            log.write(settled, superseded, now())
    return Fetched(tuple(settled), tuple(superseded))


class _Run:
    """One run's requests: what is known, a queue of addresses for each host, and workers that empty it."""

    def __init__(
        self,
        storage: Storage,
        datasets: Mapping[str, Dataset],
        snapshot_date: date,
        settings: Settings,
        mirror_base: str | None,
        accept: Collection[str],
        is_current: Callable[[Request, Archived], bool] | None,
        stack: ExitStack,
    ) -> None:
        self._storage = storage
        self._datasets = datasets
        self._settings = settings
        self._is_current = is_current
        self._stack = stack
        self.histories = read_histories(storage, snapshot_date)
        self._known = {(name, url): c for name, h in self.histories.items() for url, c in h.state(name).items()}
        self._door = Intake(storage, datasets, snapshot_date, settings, frozenset(accept))
        self._objects = set(storage.list(OBJECTS))
        self._deadline = time.monotonic() + settings.fetch_budget
        self._downloader = Downloader(settings, mirror_base, self._deadline)
        self._scratch: Path | None = None
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._queues: dict[str, queue.SimpleQueue[Request | None]] = {}
        self._done: queue.SimpleQueue[Outcome | Exception] = queue.SimpleQueue()

    def outcomes(self, wanted: Sequence[Request]) -> Generator[Outcome, None, None]:
        """Ask for everything and give each outcome as it comes; at the deadline the rest is unreachable."""
        waiting = {(request.dataset, request.url): request for request in wanted}
        asked = set(waiting)
        for request in wanted:
            self._ask(request)
        try:
            while waiting:
                try:
                    outcome = self._done.get(timeout=max(self._deadline + _GRACE - time.monotonic(), 0.001))
                except queue.Empty:
                    break
                if isinstance(outcome, Exception):
                    raise outcome
                del waiting[(outcome.request.dataset, outcome.request.url)]
                for page in outcome.next_pages:
                    key = (page.dataset, page.url)
                    if key not in asked:
                        asked.add(key)
                        waiting[key] = page
                        self._door.follows[key] = outcome.request.url
                        self._ask(page)
                yield outcome
            for request in waiting.values():
                held = self._known.get((request.dataset, request.url))
                yield Outcome(request, "unreachable", now(), held, "no answer when the time for requests was over")
        finally:
            self._downloader.stop.set()
            for hosts_queue in self._queues.values():
                for _ in range(self._settings.connections_per_host):
                    hosts_queue.put(None)

    def settle(self, outcomes: Iterable[Outcome]) -> list[Outcome]:
        """Sort the outcomes; refuse bytes that stand for another year already, totals that no other year comes near,
        and answers that lack a page.
        """
        settled = self._door.refuse_repeated_years(outcomes, self._known)
        return self._door.refuse_parts(self._door.refuse_outliers(settled, self._known), self._known)

    def _ask(self, request: Request) -> None:
        name = urlsplit(request.url).netloc
        if name not in self._queues:
            self._queues[name] = queue.SimpleQueue()
            host = Host()
            # Threads of a pool would be waited for at exit, even one that hangs in a name look-up.
            for _ in range(self._settings.connections_per_host):
                threading.Thread(target=self._work, args=(self._queues[name], host), daemon=True).start()
        self._queues[name].put(request)

    def _work(self, requests: "queue.SimpleQueue[Request | None]", host: Host) -> None:
        while (request := requests.get()) is not None:
            try:
                self._done.put(self._outcome(request, host))
            except OSError as error:
                self._done.put(TransientError(f"no room or no right to keep a download: {error.strerror or error}"))
            except Exception as error:  # the caller's thread raises it
                self._done.put(error)

    def _outcome(self, request: Request, host: Host) -> Outcome:
        held = self._known.get((request.dataset, request.url))
        has_bytes = held is not None and object_path(held.sha256) in self._objects
        if held is not None and has_bytes and self._is_current is not None and self._is_current(request, held):
            return self._with_pages(self._door.unchanged(request, held))
        validators = Validators(held.etag, held.last_modified) if held is not None and has_bytes else Validators()
        part = self._part()
        try:
            reply = self._downloader.get(request.url, self._key(request), validators, host, part)
            outcome = self._judge(request, reply, held)
        finally:
            for left in part.parent.glob(f"{part.name}*"):
                left.unlink(missing_ok=True)
        return self._with_pages(outcome)

    def _judge(self, request: Request, reply: Reply, held: Archived | None) -> Outcome:
        if isinstance(reply, Body):
            return self._door.admit(request, reply, held, self._key(request))
        if isinstance(reply, Unchanged) and held is not None:
            return self._door.unchanged(request, held)
        if isinstance(reply, Absent):
            status = "gone" if held is not None else "not_offered"
            return Outcome(request, status, now(), held, f"HTTP {reply.status}" if held is not None else "")
        reason = reply.reason if isinstance(reply, Failed) else "said to be unchanged, though it was never had"
        return Outcome(request, "unreachable", now(), held, reason)

    def _with_pages(self, outcome: Outcome) -> Outcome:
        dataset = self._datasets.get(outcome.request.dataset)
        if dataset is None or outcome.archived is None or type(dataset).follow is Dataset.follow:
            return outcome
        pages = dataset.follow(open_archived(self._storage, outcome.archived))
        return replace(outcome, next_pages=tuple(pages))

    def _key(self, request: Request) -> str | None:
        secret = getattr(self._settings, request.secret) if request.secret else None
        return secret.get_secret_value() if isinstance(secret, SecretStr) else None

    def _part(self) -> Path:
        with self._lock:
            if self._scratch is None:
                self._scratch = self._stack.enter_context(self._storage.scratch())
            return self._scratch / f"{next(self._numbers)}.part"

    def superseded(self, outcomes: Iterable[Outcome]) -> list[_Key]:
        """Further pages in hand that no page before leads to any more, and those that only they led to."""
        current = [o for o in outcomes if o.archived is not None and not o.is_stale]
        led_to = {(o.request.dataset, o.request.url): {page.url for page in o.next_pages} for o in current}
        found: dict[_Key, None] = {}
        further = {key: held.follows for key, held in self._known.items() if held.follows is not None}
        is_growing = True
        while is_growing:
            fresh = [
                (dataset, url)
                for (dataset, url), before in further.items()
                if (dataset, url) not in found
                and ((dataset, before) in found or url not in led_to.get((dataset, before), {url}))
            ]
            found |= dict.fromkeys(fresh)
            is_growing = bool(fresh)
        return sorted(found)
