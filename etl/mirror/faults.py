"""The ways in which publishers' servers misbehave, by name: a table from name to function.

A fault function sends something in place of the honest answer; what is wrong with a body alone is in `spoilt`.
"""

import socket
import struct
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate

from etl.errors import UsageError
from etl.mirror import spoilt
from etl.mirror.answer import Answer, Exchange

OUTAGE_PATH = "/outage"
RETRY_AFTER_SECONDS = 1
DRIP_SECONDS = 0.1

Send = Callable[[Exchange], None]
_HTML = {"Content-Type": "text/html; charset=utf-8"}


def outage_page() -> Answer:
    """The page that a publisher's front shows, with status 200, while the service behind it is down."""
    page = (
        b"<!DOCTYPE html>\n<html><head><title>Service unavailable</title></head>\n"
        b"<body><h1>We are sorry, the service is down for maintenance.</h1></body></html>\n"
    )
    return Answer(200, dict(_HTML), page)


def _instead(status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> Send:
    """Send this status and body whatever was asked for."""

    def send(exchange: Exchange) -> None:
        exchange.send(Answer(status, {"Content-Type": "text/plain"} | (headers or {}), body))

    return send


def _changed(change: Callable[[bytes], bytes], *, encoding: str | None = "") -> Send:
    """Send the honest answer in full with its body changed; `encoding` None drops Content-Encoding, '' keeps it."""

    def send(exchange: Exchange) -> None:
        answer = exchange.answer(whole=True)
        if answer.status == 200:
            if encoding is None:
                answer.headers.pop("Content-Encoding", None)
            elif encoding:
                answer.headers["Content-Encoding"] = encoding
            answer = Answer(200, answer.headers, change(answer.whole()))
        exchange.send(answer)

    return send


def _timeout(exchange: Exchange) -> None:
    """Never answer, until the client gives up."""
    exchange.close_connection = True
    exchange.connection.settimeout(DRIP_SECONDS)
    while not exchange.closing.is_set():
        try:
            if not exchange.connection.recv(1):
                return
        except TimeoutError:
            continue


def _slow_drip(exchange: Exchange) -> None:
    """A byte now and then: no single wait is long, the whole takes for ever."""
    answer = exchange.answer()
    exchange.close_connection = True
    exchange.begin(answer)
    for byte in answer.whole():
        exchange.put(bytes([byte]))
        exchange.wfile.flush()
        if exchange.closing.wait(DRIP_SECONDS):
            return


def _short_body(exchange: Exchange) -> None:
    """Half the body under the length of the whole."""
    answer = exchange.answer()
    exchange.close_connection = True
    exchange.begin(answer)
    body = answer.whole()
    exchange.put(body[: len(body) // 2])
    exchange.wfile.flush()


def _reset(exchange: Exchange) -> None:
    """Half the body, then the connection is torn."""
    _short_body(exchange)
    exchange.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    exchange.connection.close()


def _flapping_etag(exchange: Exchange) -> None:
    """The right body under a tag that was never seen before."""
    answer = exchange.answer(whole=True)
    answer.headers.pop("Last-Modified", None)
    answer.headers["ETag"] = f'"{uuid.uuid4().hex}"'
    exchange.send(answer)


def _not_modified(exchange: Exchange) -> None:
    """Say that nothing has changed, whether it was asked or not."""
    exchange.send(Answer(304))


def _partial(exchange: Exchange) -> None:
    """The whole body as if it were the part that was asked for."""
    answer = exchange.answer(whole=True)
    if answer.status == 200:
        answer.status = 206
        answer.headers["Content-Range"] = f"bytes 0-{answer.length - 1}/{answer.length}"
    exchange.send(answer)


def _wrong_range(exchange: Exchange) -> None:
    """Half the body; who asks for the rest gets the beginning once more, under the right name."""
    answer = exchange.answer()
    if answer.status == 206:
        exchange.send(Answer(206, answer.headers, exchange.answer(whole=True).whole()[: answer.length]))
    else:
        _short_body(exchange)


def _chunked_cut(exchange: Exchange) -> None:
    """A body of unknown length that ends without its last chunk."""
    body = exchange.answer(whole=True).whole()
    exchange.close_connection = True
    exchange.put(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    exchange.put(b"%x\r\n" % len(body) + body[: len(body) // 2])


def _slow_headers(exchange: Exchange) -> None:
    """Headers without end."""
    exchange.close_connection = True
    exchange.put(b"HTTP/1.1 200 OK\r\n")
    while not exchange.closing.wait(DRIP_SECONDS):
        exchange.put(b"X-Padding: more\r\n")
        exchange.wfile.flush()


def _retry_at_a_date(exchange: Exchange) -> None:
    """Busy, for an hour by the clock."""
    when = formatdate(time.time() + 3600, usegmt=True)
    exchange.send(Answer(503, {"Retry-After": when}, b"Unavailable.\n"))


FAULTS: dict[str, Send] = {
    "429": _instead(429, b"Too many requests.\n", {"Retry-After": str(RETRY_AFTER_SECONDS)}),
    "500": _instead(500, b"Internal error.\n"),
    "502": _instead(502, b"Bad gateway.\n"),
    "503": _instead(503, b"Unavailable.\n"),
    "204": _instead(204),
    "gone": _instead(410, b"Gone.\n"),
    "empty": _instead(200),
    "html": lambda exchange: exchange.send(outage_page()),
    "outage_redirect": _instead(302, headers={"Location": OUTAGE_PATH}),
    "redirect_loop": lambda exchange: exchange.send(Answer(302, {"Location": exchange.path})),
    "timeout": _timeout,
    "slow_drip": _slow_drip,
    "reset": _reset,
    "short_body": _short_body,
    "chunked_cut": _chunked_cut,
    "wrong_range": _wrong_range,
    "partial": _partial,
    "not_modified": _not_modified,
    "slow_headers": _slow_headers,
    "retry_tomorrow": _instead(503, b"Unavailable.\n", {"Retry-After": "86400"}),
    "retry_at_a_date": _retry_at_a_date,
    "redirect_elsewhere": _instead(302, headers={"Location": "http://elsewhere.invalid/"}),
    "error_in_json": _instead(200, b'{"error": {"code": 500, "message": "Internal error"}}\n'),
    "wrong_encoding": _changed(bytes, encoding="br"),
    "truncated": _changed(spoilt.halved),
    "gzip_without_header": _changed(spoilt.gzipped, encoding=None),
    "gzip_bomb": _changed(spoilt.gzip_bomb, encoding="gzip"),
    "wrong_crc": _changed(spoilt.wrong_crc),
    "zip_bomb": _changed(spoilt.zip_bomb),
    "zip_climbs": _changed(spoilt.climbing),
    "empty_zip": _changed(spoilt.empty_zip),
    "nested_zip": _changed(spoilt.nested_zip),
    "encrypted_zip": _changed(spoilt.encrypted_zip),
    "flapping_etag": _flapping_etag,
    **{name: _changed(change) for name, change in spoilt.TEXTS.items()},
}


@dataclass(slots=True)
class Fault:
    """A fault and where it strikes.

    `name`: of FAULTS. `matching`: only addresses that contain this. `first`: only the first so many requests of each
    address, after which the server is well again.
    """

    name: str
    matching: str = ""
    first: int | None = None
    _seen: Counter[str] = field(default_factory=Counter, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        if self.name not in FAULTS:
            raise UsageError(f"fault {self.name}: unknown; there are {', '.join(FAULTS)}")
        if self.name.endswith("bomb"):
            spoilt.packed_zeros()  # takes a second, which the first client should not wait for

    @classmethod
    def parse(cls, text: str) -> "Fault":
        """Read `NAME`, `NAME:FIRST`, `NAME@MATCHING` or `NAME:FIRST@MATCHING`. Raises UsageError."""
        what, _, matching = text.partition("@")
        name, _, first = what.partition(":")
        if first and not first.isdecimal():
            raise UsageError(f"fault {text}: write NAME, NAME:FIRST, NAME@PART-OF-ADDRESS or NAME:FIRST@PART")
        return cls(name, matching, int(first) if first else None)

    def strikes(self, address: str) -> bool:
        """Say whether this request of an address (`H/P?Q`, decoded) meets the fault, and count it."""
        if self.matching not in address:
            return False
        with self._lock:
            self._seen[address] += 1
            return self.first is None or self._seen[address] <= self.first

    def send(self, exchange: Exchange) -> None:
        """Misbehave."""
        FAULTS[self.name](exchange)
