"""The door of the archive: a body that came in is unpacked, judged by the guards and archived, or kept aside."""

import getpass
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from etl.archive.bodies import RefusalError, count_rows, unpack
from etl.archive.guards import check_among_years, check_change, check_content, check_end, regions_of
from etl.archive.log import FAILED, Archived, Outcome
from etl.archive.objects import REFUSED, object_path, store
from etl.archive.replies import Body, Validators
from etl.errors import ImplausibleError, SourceFormatError, TransientError
from etl.settings import Settings
from etl.sources.base import ArchivedFile, Dataset, Request
from etl.storage import Storage, hash_file

#: Answers with fewer rows (an empty list, a header alone) may be alike in two years.
_ROWS_THAT_DIFFER = 3

_logger = logging.getLogger(__name__)


def now() -> str:
    """Wall time as the log writes it."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


class Intake:
    """Lets bodies in. `accept`: datasets whose changes are taken on purpose. Shared by threads."""

    def __init__(
        self,
        storage: Storage,
        datasets: Mapping[str, Dataset],
        snapshot_date: date,
        settings: Settings,
        accept: frozenset[str],
    ) -> None:
        self._storage = storage
        self._datasets = datasets
        self._date = snapshot_date
        self._settings = settings
        self._accept = accept
        #: The address that led to a further page, by dataset and address of the page.
        self.follows: dict[tuple[str, str], str] = {}

    def unchanged(self, request: Request, held: Archived, validators: Validators | None = None) -> Outcome:
        """What is in hand is current; `validators` are noted where they are new."""
        found = {"etag": validators.etag, "last_modified": validators.last_modified} if validators else {}
        is_new = bool(found) and found != {"etag": held.etag, "last_modified": held.last_modified}
        return Outcome(request, "unchanged", now(), held, statement=found if is_new else {})

    def admit(self, request: Request, body: Body, held: Archived | None, key: str | None) -> Outcome:
        """Archive a body, find it unchanged, or refuse it and keep it aside (unless it holds the key)."""
        path = body.path
        overruled: list[RefusalError] = []
        try:
            path = unpack(body.path, request.content, self._settings)
            sha256 = hash_file(path)
            file = ArchivedFile(
                request.dataset,
                request.url,
                request.kind,
                request.content,
                request.year,
                sha256,
                path.stat().st_size,
                path,
            )
            if held is not None and held.sha256 == sha256:
                store(self._storage, file)
                return self.unchanged(request, held, body.validators)
            if not body.is_measured and path == body.path:
                check_end(path, request.content)
            profile = self._guarded(file, held, overruled)
        except RefusalError as refusal:
            return self._refused(request, refusal, held, path, key)
        store(self._storage, file)
        return self._taken(request, file, body.validators, profile, overruled)

    def refuse_parts(self, outcomes: Iterable[Outcome], known: Mapping[tuple[str, str], Archived]) -> list[Outcome]:
        """Refuse new pages of an answer of which another page could not be had: pages of two editions are no answer."""
        answers: dict[tuple[str, str], list[Outcome]] = {}
        for outcome in outcomes:
            answers.setdefault(self._first_page(outcome.request), []).append(outcome)
        settled = []
        for pages in answers.values():
            missing = next((page for page in pages if page.status in FAILED or page.status == "not_offered"), None)
            for page in pages:
                if missing is None or page.archived is None or page.status not in ("fetched", "accepted"):
                    settled.append(page)
                    continue
                reason = f"another page of the answer could not be had ({missing.reason or missing.status})"
                key = (page.request.dataset, page.request.url)
                settled.append(self._withdrawn(page, page.archived, RefusalError("pages", reason), known.get(key)))
        return sorted(settled, key=lambda outcome: (outcome.request.dataset, outcome.request.url))

    def _first_page(self, request: Request) -> tuple[str, str]:
        key = (request.dataset, request.url)
        while key in self.follows:
            key = (request.dataset, self.follows[key])
        return key

    def refuse_repeated_years(
        self, outcomes: Iterable[Outcome], known: Mapping[tuple[str, str], Archived]
    ) -> list[Outcome]:
        """Sort outcomes, and refuse new copies whose bytes stand for another year of their dataset already.

        Publishers serve the year before where the newest is not ready: of several new copies the first year stays.
        """
        settled = {(o.request.dataset, o.request.url): o for o in outcomes}
        new = {key: o.archived for key, o in settled.items() if o.status == "fetched" and o.archived is not None}
        years: dict[tuple[str, str], set[int]] = {}
        for held in [held for key, held in known.items() if key not in new]:
            if held.year is not None:
                years.setdefault((held.dataset, held.sha256), set()).add(held.year)
        for key, copy in sorted(new.items(), key=lambda item: (item[1].year or 0, item[0])):
            if copy.year is None or copy.profile.get("rows", 0) < _ROWS_THAT_DIFFER:
                continue
            same = years.setdefault((copy.dataset, copy.sha256), set())
            if same - {copy.year}:
                reason = f"the same bytes as for {', '.join(map(str, sorted(same)))}"
                refusal = RefusalError("same_bytes", reason, is_change=True)
                settled[key] = self._withdrawn(settled[key], copy, refusal, known.get(key))
            else:
                same.add(copy.year)
        return [outcome for _, outcome in sorted(settled.items())]

    def refuse_outliers(self, outcomes: Sequence[Outcome], known: Mapping[tuple[str, str], Archived]) -> list[Outcome]:
        """Refuse first copies whose totals are far from those of the same regions in other years."""
        settled = list(outcomes)
        new = [(place, o.archived) for place, o in enumerate(settled) if o.status == "fetched" and o.archived]
        first = [(place, one) for place, one in new if (one.dataset, one.url) not in known and _is_of_a_year(one)]
        if not first:
            return settled
        current = dict(known) | {(copy.dataset, copy.url): copy for copy in (o.archived for o in settled) if copy}
        alike: dict[tuple[str, str, str], list[tuple[int, Mapping[str, Any]]]] = {}
        for copy in filter(_is_of_a_year, current.values()):
            alike.setdefault(_place(copy), []).append((copy.year or 0, copy.profile))
        for place, copy in first:
            try:
                check_among_years(copy.year or 0, copy.profile, alike[_place(copy)])
            except RefusalError as refusal:
                settled[place] = self._withdrawn(settled[place], copy, refusal, None)
        return settled

    def _guarded(self, file: ArchivedFile, held: Archived | None, overruled: list[RefusalError]) -> dict[str, Any]:
        """Ask every guard in turn; return the body's profile."""
        profile: dict[str, Any] = {}

        def ask(guard: Callable[[], object]) -> None:
            try:
                guard()
            except RefusalError as refusal:
                if not refusal.is_change or file.dataset not in self._accept:
                    raise
                overruled.append(refusal)

        ask(lambda: self._check_content(file))
        ask(lambda: profile.update(rows=count_rows(file.path, file.content, self._settings)))
        ask(lambda: profile.update(self._read(file)))
        if held is not None:
            ask(lambda: check_change(file.bytes, profile, held.bytes, held.profile, self._settings))
        return profile

    def _check_content(self, file: ArchivedFile) -> None:
        """Ask what the body is; where it is of another kind, its reader may know what the publisher says with it."""
        try:
            check_content(file.path, file.content)
        except RefusalError as refusal:
            dataset = self._datasets.get(file.dataset)
            if refusal.guard != "content" or dataset is None:
                raise
            try:
                dataset.check(file)
            except (SourceFormatError, TransientError) as error:
                raise RefusalError("content", f"{refusal.reason}: {error}") from error
            except Exception:  # a reader need not know bodies of another kind
                raise refusal from None
            raise

    def _read(self, file: ArchivedFile) -> Mapping[str, Any]:
        """Let the dataset's own reader look: at the shape, and for what a later copy is compared with."""
        dataset = self._datasets.get(file.dataset)
        if dataset is None:
            return {}
        try:
            dataset.check(file)
            dataset.follow(file)
            return dataset.profile(file)
        except ImplausibleError as error:
            raise RefusalError("plausible", str(error), is_change=True) from error
        except SourceFormatError as error:
            raise RefusalError("format", str(error)) from error
        except TransientError as error:
            raise RefusalError("not_ready", str(error)) from error
        except Exception as error:  # a reader that stumbles over unforeseen bytes refuses them
            _logger.info("%s: the reader failed", file.url, exc_info=True)
            raise RefusalError("format", f"its reader cannot read it: {type(error).__name__}: {error}") from error

    def _taken(
        self,
        request: Request,
        file: ArchivedFile,
        validators: Validators,
        profile: Mapping[str, Any],
        overruled: list[RefusalError],
    ) -> Outcome:
        at = now()
        archived = Archived(
            dataset=file.dataset,
            url=file.url,
            kind=file.kind,
            content=file.content,
            year=file.year,
            sha256=file.sha256,
            bytes=file.bytes,
            snapshot_date=self._date,
            retrieved=at,
            confirmed=at,
            etag=validators.etag,
            last_modified=validators.last_modified,
            follows=self.follows.get((file.dataset, file.url)),
            profile=profile,
        )
        statement = archived.statement()
        if not overruled:
            return Outcome(request, "fetched", at, archived, statement=statement)
        return self._accepted(request, archived, overruled)

    def _accepted(self, request: Request, archived: Archived, overruled: list[RefusalError]) -> Outcome:
        guards = ", ".join(refusal.guard for refusal in overruled)
        reason = "; ".join(refusal.reason for refusal in overruled)
        statement = archived.statement() | {"by": _user(), "guard": guards}
        return Outcome(request, "accepted", archived.retrieved, archived, reason, statement)

    def _withdrawn(self, outcome: Outcome, archived: Archived, refusal: RefusalError, held: Archived | None) -> Outcome:
        """Take back an archived body: its bytes stay in the archive, where no log line leads to them, and aside."""
        if refusal.is_change and archived.dataset in self._accept:
            return self._accepted(outcome.request, archived, [refusal])
        kept = f"{REFUSED}/{archived.dataset}/{archived.sha256}"
        self._storage.copy(object_path(archived.sha256), kept)
        statement = {"guard": refusal.guard, "sha256": archived.sha256, "bytes": archived.bytes, "kept": kept}
        return replace(
            outcome, status="refused", archived=held, reason=_said(refusal), statement=statement, next_pages=()
        )

    def _refused(
        self, request: Request, refusal: RefusalError, held: Archived | None, path: Path, key: str | None
    ) -> Outcome:
        statement: dict[str, Any] = {"guard": refusal.guard, "bytes": path.stat().st_size}
        if statement["bytes"] and not (key and _holds(path, key.encode())):
            statement["sha256"] = hash_file(path)
            statement["kept"] = f"{REFUSED}/{request.dataset}/{statement['sha256']}"
            if not self._storage.exists(statement["kept"]):
                self._storage.put_file(statement["kept"], path)
        _logger.warning("%s: refused by the guard %s: %s", request.url, refusal.guard, refusal.reason)
        return Outcome(request, "refused", now(), held, _said(refusal), statement)


def _is_of_a_year(copy: Archived) -> bool:
    """Whether a copy has a year and regions, and is no further page, which may hold the rest of anything."""
    return copy.year is not None and copy.follows is None and bool(regions_of(copy.profile))


def _place(copy: Archived) -> tuple[str, str, str]:
    """What copies of the same regions in other years have in common, among others."""
    return copy.dataset, copy.kind, regions_of(copy.profile)[0]


def _said(refusal: RefusalError) -> str:
    advice = "; --accept takes it if it is right" if refusal.is_change else ""
    return " ".join(f"refused by the guard {refusal.guard}: {refusal.reason}{advice}".split())


def _holds(path: Path, secret: bytes) -> bool:
    """Whether the bytes hold the secret, also across the border of two pieces."""
    before = b""
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            if secret in before + chunk:
                return True
            before = chunk[-len(secret) :]
    return False


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
