"""Answers that a server of ours would never give: broken heads, dripping headers, rests of other versions."""

import gzip
import hashlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from toy_publisher import DAY, Toys, one, table, url_of

from etl.archive import fetch
from etl.archive.transport import wire_url
from etl.settings import Settings
from etl.storage import Storage

CSV_2020 = url_of("csv", 2020)


@contextmanager
def raw_server(*answers: bytes, pause: float = 0.0) -> Iterator[tuple[str, list[bytes]]]:
    """A server that sends each answer byte for byte, one a connection; with a pause, a byte at a time."""
    asked: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        for answer in answers:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                asked.append(connection.recv(65536))
                try:
                    for start in range(0, len(answer), 1 if pause else len(answer) or 1):
                        connection.sendall(answer[start : start + (1 if pause else len(answer))])
                        time.sleep(pause)
                except OSError:
                    continue

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}", asked
    listener.close()


def fetch_raw(address: str, storage: Storage, settings: Settings) -> object:
    return fetch(
        one("csv"),
        storage,
        dataset_objects={"toys": Toys()},
        mirror_base=address,
        snapshot_date=DAY,
        run_id="raw",
        settings=settings,
    ).outcomes[0]


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (OK + b"\r\n" + table(2020), "fetched"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n1c0\r\n" + table(2020)[:0x1C0] + b"\r\n", "unreachable"),
        (OK + b"Content-Length: nonsense\r\n\r\n" + table(2020), "fetched"),
        (OK + b"Content-Encoding: br\r\n\r\n\x8b\x02\x80", "refused"),
        (OK + b"Content-Encoding: gzip\r\n\r\n" + table(2020), "fetched"),
        (OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(table(2020))[:-9], "refused"),
        (b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-99/9999\r\n\r\n" + b"x" * 100, "unreachable"),
        (b"HTTP/1.1 304 Not Modified\r\n\r\n", "unreachable"),
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "unreachable"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://[broken\r\nContent-Length: 0\r\n\r\n", "unreachable"),
        (b"HTTP/1.1 302 Found\r\nLocation: ftp://toys.example.org/\r\nContent-Length: 0\r\n\r\n", "unreachable"),
        (b"nonsense\r\n\r\n", "unreachable"),
        (b"", "unreachable"),
        (OK + b"Content-Length: 10\r\nContent-Length: 20\r\n\r\n0123456789", "unreachable"),
        (OK + b"\r\n" + b"\xff\xfe" + table(2020).decode().encode("utf-16-le"), "refused"),
        (OK + b"\r\n\xef\xbb\xbf" + table(2020), "refused"),
        (OK + b'\r\n{"error": "no"}', "refused"),
        (OK + b"\r\n" + os.urandom(5000), "refused"),
        (OK + b"\r\n   \n  ", "refused"),
        (OK + b"\r\n" + table(2020)[:-3], "refused"),
        (OK + b"Content-Length: %d\r\n\r\n" % (len(table(2020)) - 1) + table(2020)[:-1], "fetched"),
        (OK + b"\r\n" + table(2020)[:-10], "refused"),
    ],
)
def test_answers_that_no_list_of_faults_foresaw(answer: bytes, status: str, storage: Storage, quick: Settings) -> None:
    with raw_server(answer, answer) as (address, _):
        outcome = fetch_raw(address, storage, quick)
    assert outcome.status == status, outcome  # type: ignore[attr-defined]
    assert outcome.reason or status == "fetched"  # type: ignore[attr-defined]


def test_headers_that_drip_end_with_the_time_for_requests(storage: Storage, quick: Settings) -> None:
    settings = quick.model_copy(update={"fetch_budget": 0.6})
    started = time.monotonic()
    with raw_server(OK + b"X: y\r\n" * 1000, pause=0.05) as (address, _):
        outcome = fetch_raw(address, storage, settings)
    assert time.monotonic() - started < 20
    assert outcome.status == "unreachable"  # type: ignore[attr-defined]


def test_a_rest_of_another_version_is_not_pasted_on(storage: Storage, quick: Settings) -> None:
    old, new = table(2020), table(2021)
    length = b"Content-Length: %d\r\n" % len(old)
    first = OK + length + b'ETag: "old"\r\n\r\n' + old[:3000]
    lying = (
        b'HTTP/1.1 206 Partial Content\r\nETag: "new"\r\n'
        + b"Content-Range: bytes 3000-%d/%d\r\n\r\n" % (len(new) - 1, len(new))
        + new[3000:]
    )
    whole = OK + b"Content-Length: %d\r\n" % len(new) + b'ETag: "new"\r\n\r\n' + new
    settings = quick.model_copy(update={"retries": 3})
    with raw_server(first, lying, whole) as (address, asked):
        outcome = fetch_raw(address, storage, settings)
    assert b"Range: bytes=3000-" in asked[1]
    assert b"Range" not in asked[2]
    assert outcome.archived.sha256 == hashlib.sha256(new).hexdigest()  # type: ignore[attr-defined]


def test_addresses_are_encoded_once() -> None:
    url = 'https://h.org/a b/C10+C11?where=x="1" and y&sort=id ASC&c[geo]=DE,FR&plus=a+b'
    assert wire_url(url) == (
        "https://h.org/a%20b/C10+C11?where=x%3D%221%22%20and%20y&sort=id%20ASC&c%5Bgeo%5D=DE,FR&plus=a%2Bb"
    )
    assert wire_url("https://h.org/p", "http://m:1", "k&y") == "http://m:1/h.org/p?key=k%26y"
