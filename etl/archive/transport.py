"""Gets one body over HTTP into a file: conditionally, politely, taking up again what broke off.

A host is asked by a limited number of workers. Nothing is delayed until it answers 429 or 5xx or a connection breaks;
then tries wait longer and longer, with jitter, and as long as Retry-After says. A host at which many addresses in a row
could not be had counts as down. Nothing outlasts the deadline of the run.
"""

import http.client
import logging
import random
import re
import shutil
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from urllib.parse import quote, urljoin, urlsplit
from urllib.request import url2pathname

import requests
import urllib3

from etl.archive.replies import Absent, Body, Failed, Host, Reply, Unchanged, Validators
from etl.settings import Settings

_CHUNK = 1 << 16
_REDIRECTS_MAX = 5
_SAFE = "/:,;@!$'()*~?"
_RETRIED = frozenset({202, 408, 425, 429})
_ABSENT = frozenset({404, 410})
_MEASURES = ("Content-Length", "Transfer-Encoding")
_REDIRECTED = frozenset({301, 302, 303, 307, 308})
_TRANSPORT_ERRORS = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    TimeoutError,
)
_NO_CONNECTION = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

_logger = logging.getLogger(__name__)


class _TryAgainError(Exception):
    """This try failed; another may not. `is_silent`: there was no connection; `is_unknown`: nor a name's address."""

    def __init__(
        self, reason: str, retry_after: float = 0.0, *, is_silent: bool = False, is_unknown: bool = False
    ) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        self.is_silent = is_silent
        self.is_unknown = is_unknown


class _FailedError(Exception):
    """No further try would help."""


@dataclass(slots=True)
class _Transfer:
    """How much of a body is in the file, and of which version."""

    path: Path
    received: int = 0
    validator: str | None = None

    def restart(self) -> None:
        self.received = 0
        self.validator = None


class Downloader:
    """Gets bodies for the run that ends at `deadline` (of time.monotonic). Shared by threads."""

    def __init__(self, settings: Settings, mirror_base: str | None, deadline: float) -> None:
        self._settings = settings
        self._mirror = mirror_base.rstrip("/") if mirror_base else None
        self._deadline = deadline
        self._thread = threading.local()
        self.stop = threading.Event()
        logging.getLogger("urllib3.connectionpool").addFilter(_hide_keys)

    def get(self, url: str, key: str | None, validators: Validators, host: Host, part: Path) -> Reply:
        """Download `url` into `part`. `key` goes on the wire alone; no reply and no message holds it."""
        if host.failures >= self._settings.host_failures_max:
            return Failed("not asked: the host did not answer the addresses before")
        if url.startswith("file:"):
            return _local_file(url, validators, part)
        address = wire_url(url, self._mirror, key)
        transfer = _Transfer(part)
        attempt = 0
        while True:
            try:
                self._wait(host.not_before)
                reply = self._attempt(address, validators, transfer)
            except _FailedError as error:
                return Failed(str(error))
            except _TryAgainError as error:
                delay = self._delay(attempt, error.retry_after)
                if error.retry_after:
                    host.hold(time.monotonic() + error.retry_after)
                is_last = attempt >= self._settings.retries or delay > self._left() or (error.is_unknown and attempt)
                # Of a host that was never reached every try counts: no network is told in seconds.
                if is_last or (error.is_silent and not host.is_there):
                    host.failed()
                if is_last or host.failures >= self._settings.host_failures_max:
                    return Failed(str(error) + (f" ({attempt + 1} tries)" if attempt else ""))
                _logger.info("%s: %s; trying again in %.1f s", url, error, delay)
                attempt += 1
                if self.stop.wait(delay):
                    return Failed(self._out_of_time())
            else:
                host.answered()
                return reply

    def _attempt(self, address: str, validators: Validators, transfer: _Transfer) -> Reply:
        headers = _conditions(validators, transfer)
        try:
            with self._open(address, headers) as response:
                return self._take(response, headers, transfer)
        except ValueError as error:
            raise _FailedError("an address that cannot be asked for") from error
        except _TRANSPORT_ERRORS as error:
            causes = _causes(error)
            raise _TryAgainError(
                self._describe(error),
                is_silent=any(isinstance(cause, _NO_CONNECTION) for cause in causes),
                is_unknown=any(isinstance(cause, urllib3.exceptions.NameResolutionError) for cause in causes),
            ) from error

    def _open(self, address: str, headers: dict[str, str]) -> requests.Response:
        for _ in range(_REDIRECTS_MAX + 1):
            waits = [min(self._left(), wait) for wait in (self._settings.connect_timeout, self._settings.read_timeout)]
            response = self._session().get(
                address, headers=headers, timeout=(waits[0], waits[1]), stream=True, allow_redirects=False
            )
            location = response.headers.get("Location")
            if response.status_code not in _REDIRECTED or not location:
                return response
            response.close()
            target = urljoin(address, location)
            if urlsplit(target).scheme not in {"https", urlsplit(address).scheme}:
                raise _FailedError("redirected to an address without encryption")
            address = target
        raise _FailedError(f"redirected more than {_REDIRECTS_MAX} times")

    def _take(self, response: requests.Response, headers: dict[str, str], transfer: _Transfer) -> Reply:
        status = response.status_code
        if status in _ABSENT:
            return Absent(status)
        if status == 304 and ("If-None-Match" in headers or "If-Modified-Since" in headers):
            return Unchanged()
        if status in _RETRIED or status >= 500:
            raise _TryAgainError(_status_text(response), _retry_after(response))
        if status == 416:
            transfer.restart()
            raise _TryAgainError("the publisher could not go on where it broke off")
        total = None
        if status == 206:
            total = _total(response, transfer)
        elif status in (200, 203, 204):
            transfer.restart()
        else:
            raise _FailedError(_status_text(response))
        self._receive(response, transfer)
        if total is not None and transfer.received != total:
            raise _TryAgainError("only a part of the rest came")
        found = Validators(response.headers.get("ETag"), response.headers.get("Last-Modified"))
        is_measured = total is not None or any(name in response.headers for name in _MEASURES)
        return Body(transfer.path, transfer.received, found, is_measured)

    def _receive(self, response: requests.Response, transfer: _Transfer) -> None:
        """Append the bytes on the wire to the file; its state stays right wherever they break off."""
        transfer.validator = _resume_validator(response)
        expected = response.headers.get("Content-Length", "")
        window_start, window_bytes, received_now = time.monotonic(), 0, 0
        with transfer.path.open("ab" if transfer.received else "wb") as out:
            while chunk := response.raw.read1(_CHUNK, decode_content=False):
                out.write(chunk)
                transfer.received += len(chunk)
                received_now += len(chunk)
                window_bytes += len(chunk)
                now = time.monotonic()
                if transfer.received > self._settings.download_bytes_max:
                    raise _FailedError(f"the body is larger than {self._settings.download_bytes_max:,} bytes")
                if self.stop.is_set() or now > self._deadline:
                    raise _FailedError(self._out_of_time())
                if now - window_start >= self._settings.stall_seconds:
                    if window_bytes < self._settings.stall_bytes:
                        raise _TryAgainError(f"only {window_bytes:,} bytes came in {now - window_start:.0f} s")
                    window_start, window_bytes = now, 0
        if expected.isdecimal() and received_now != int(expected):
            raise _TryAgainError("the connection ended before the body did")

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._thread, "session", None)
        if session is None:
            session = requests.Session()
            session.headers.clear()
            session.headers.update({"User-Agent": _user_agent(), "Accept": "*/*", "Connection": "keep-alive"})
            # A proxy of the environment cannot reach a mirror on this machine.
            session.trust_env = self._mirror is None or urlsplit(self._mirror).hostname not in _LOOPBACK
            self._thread.session = session
        return session

    def _wait(self, until: float) -> None:
        delay = until - time.monotonic()
        if delay >= self._left() > 0.001:
            raise _FailedError("not asked: the host wants to be left alone for longer than the run may take")
        if max(delay, 0) >= self._left() or self.stop.wait(max(delay, 0)):
            raise _FailedError(self._out_of_time())

    def _delay(self, attempt: int, retry_after: float) -> float:
        longest = min(self._settings.backoff * 2.0**attempt, self._settings.backoff_max)
        return max(retry_after, longest * random.uniform(0.5, 1.0))

    def _left(self) -> float:
        return max(self._deadline - time.monotonic(), 0.001)

    def _out_of_time(self) -> str:
        return f"the run's {self._settings.fetch_budget:g} s for requests are over"

    def _describe(self, error: BaseException) -> str:
        """Say what happened without the address, which may hold a key."""
        if isinstance(error, requests.ConnectTimeout):
            return f"no connection within {self._settings.connect_timeout:g} s"
        if isinstance(error, requests.ReadTimeout | urllib3.exceptions.ReadTimeoutError | TimeoutError):
            return f"nothing came for {self._settings.read_timeout:g} s"
        for cause in _causes(error):
            if isinstance(cause, OSError) and cause.strerror:
                return f"no connection: {cause.strerror}"
        return "the connection ended before the answer did"


def wire_url(url: str, mirror: str | None = None, key: str | None = None) -> str:
    """The address as it is sent: percent-encoded, with the key, at the mirror where there is one."""
    scheme, _, rest = url.partition("://")
    address, _, query = rest.partition("?")
    pairs = ["=".join(quote(side, safe=_SAFE) for side in part.split("=", 1)) for part in query.split("&") if part]
    if key is not None:
        pairs.append(f"key={quote(key, safe='')}")
    base = f"{mirror}/" if mirror else f"{scheme}://"
    return base + quote(address, safe="/:+,;=@!$&'()*~") + ("?" + "&".join(pairs) if pairs else "")


def _local_file(url: str, validators: Validators, part: Path) -> Reply:
    """A table on this machine that the settings name: size and time of change stand for a publisher's tag."""
    path = Path(url2pathname(urlsplit(url).path))
    try:
        found = path.stat()
        tag = f"{found.st_size}-{found.st_mtime_ns}"
        if tag == validators.etag:
            return Unchanged()
        shutil.copyfile(path, part)
    except FileNotFoundError:
        return Absent(404)
    except OSError as error:
        return Failed(f"the file cannot be read: {error.strerror}")
    return Body(part, found.st_size, Validators(tag))


def _conditions(validators: Validators, transfer: _Transfer) -> dict[str, str]:
    """Ask for the rest of what broke off, else for what has changed."""
    headers = {"Accept-Encoding": "gzip"}
    if transfer.received and transfer.validator:
        return headers | {"Range": f"bytes={transfer.received}-", "If-Range": transfer.validator}
    transfer.restart()
    if validators.etag:
        headers["If-None-Match"] = validators.etag
    elif validators.last_modified:
        headers["If-Modified-Since"] = validators.last_modified
    return headers


def _resume_validator(response: requests.Response) -> str | None:
    """A strong tag, or a date, without which the rest of a body might be of another version."""
    etag = response.headers.get("ETag", "")
    return etag if etag.startswith('"') else response.headers.get("Last-Modified")


def _total(response: requests.Response, transfer: _Transfer) -> int | None:
    """Size of the whole body of which a part comes (None: not told), which must go on where the file ends."""
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    etag = response.headers.get("ETag")
    if not transfer.received or found is None or int(found[1]) != transfer.received:
        transfer.restart()
        raise _TryAgainError("a part came that was not asked for")
    if etag is not None and (transfer.validator or "").startswith('"') and etag != transfer.validator:
        transfer.restart()
        raise _TryAgainError("the body changed while it was coming")
    return None if found[2] == "*" else int(found[2])


def _status_text(response: requests.Response) -> str:
    phrase = http.client.responses.get(response.status_code, "")
    return f"HTTP {response.status_code} {phrase}".rstrip()


def _retry_after(response: requests.Response) -> float:
    """Seconds to wait as the answer says, 0 where it does not."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0


def _causes(error: BaseException | None) -> list[BaseException]:
    """An error and those behind it; libraries keep them in several places."""
    found: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        one = waiting.pop()
        if isinstance(one, BaseException) and one not in found:
            found.append(one)
            waiting += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
    return found


def _user_agent() -> str:
    try:
        return f"clusterbridge/{version('clusterbridge')}"
    except PackageNotFoundError:
        return "clusterbridge"


def _hide_keys(record: logging.LogRecord) -> bool:
    """Take keys out of the debug lines of the HTTP library."""
    if isinstance(record.args, tuple):
        record.args = tuple(
            re.sub(r"([?&]key=)[^&\s]+", r"\1(hidden)", part) if isinstance(part, str) else part for part in record.args
        )
    return True
