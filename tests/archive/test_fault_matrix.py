"""Every fault against every kind of body: the run ends in time, right bytes or none, and the next is right."""

import hashlib
import time
from collections.abc import Mapping

import pytest
from toy_publisher import Publisher, Toys

from etl.archive import Fetched, known, open_archived
from etl.mirror import FAULTS
from etl.mirror.spoilt import TEXTS
from etl.settings import Settings
from etl.storage import Storage

#: The budget of a fetch is 6: what matters is that it ends.
SECONDS = 60

#: What each fault does to addresses that were never had, by kind of body where it matters: the guard or the reason.
LEFT_OUT: dict[str, str] = {
    "429": "HTTP 429",
    "500": "HTTP 500",
    "502": "HTTP 502",
    "503": "HTTP 503",
    "204": "empty",
    "empty": "empty",
    "html": "HTML page",
    "outage_redirect": "HTML page",
    "redirect_loop": "redirected more than",
    "timeout": "nothing came",
    "slow_drip": "bytes came in",
    "short_body": "connection ended",
    "reset": "connection",
    "chunked_cut": "connection ended",
    "wrong_range": "",
    "partial": "a part came that was not asked for",
    "not_modified": "HTTP 304",
    "slow_headers": "",
    "retry_tomorrow": "",
    "retry_at_a_date": "",
    "redirect_elsewhere": "connection",
    "gzip_bomb": "bomb",
}
HARMLESS = {"gzip_without_header", "flapping_etag", "wrong_encoding"}
ZIP_ONLY = {"wrong_crc": "zip", "zip_bomb": "bomb", "zip_climbs": "member_names", "empty_zip": "zip"}
ZIP_ONLY["encrypted_zip"] = "encrypted"
#: The toys' readers do not look so closely: these are tried on the real ones, in test_every_dataset.
FOR_READERS = {"error_in_json", "nested_zip", *TEXTS}
TRIED = sorted(FAULTS.keys() - FOR_READERS)


def assert_right(storage: Storage, fetched: Fetched, bodies: Mapping[str, bytes]) -> None:
    """Whatever stands is, to the byte, what the publisher means."""
    for archived in fetched.files:
        file = open_archived(storage, archived)
        assert file.path.read_bytes() == bodies[file.url]
        assert archived.sha256 == hashlib.sha256(bodies[file.url]).hexdigest()


def assert_whole(storage: Storage) -> None:
    """No torn file: every object is what its name says, and nothing else is left."""
    for path in storage.list("archive/objects"):
        name = path.removeprefix("archive/objects/").replace("/", "")
        assert hashlib.sha256(storage.read_bytes(path)).hexdigest() == name
    assert storage.clean_leftovers(older_than=-1) == []


@pytest.mark.parametrize("fault", TRIED)
def test_never_had(
    fault: str, toys: Publisher, storage: Storage, quick: Settings, toy_bodies: dict[str, bytes]
) -> None:
    started = time.monotonic()
    fetched = toys.fetch(storage, quick, faults=[fault])
    assert time.monotonic() - started < SECONDS
    assert_right(storage, fetched, toy_bodies)
    assert_whole(storage)
    assert not fetched.stale
    reasons = {outcome.request.url: outcome.reason for outcome in fetched.left_out}
    if fault in LEFT_OUT:
        assert len(reasons) == 10
        down = "the host did not answer the addresses before"
        assert all(LEFT_OUT[fault] in reason or down in reason for reason in reasons.values()), reasons
        assert any(LEFT_OUT[fault] in reason for reason in reasons.values())
    elif fault in ZIP_ONLY:
        assert {url.split("/")[3] for url in reasons} == {"zip"}
        assert all(ZIP_ONLY[fault] in reason for reason in reasons.values())
    elif fault == "gone":
        assert len(fetched.not_offered) == 10
    elif fault == "truncated":
        assert len(reasons) == 10
    else:
        assert fault in HARMLESS
        assert not reasons
    again = toys.fetch(storage, quick)
    assert len(again.files) == 10
    assert not again.stale
    assert not again.left_out
    assert_right(storage, again, toy_bodies)
    assert_whole(storage)
    assert len(known(storage)) == 10


@pytest.mark.parametrize("fault", TRIED)
def test_had_before_and_changed_since(
    fault: str, toys: Publisher, storage: Storage, quick: Settings, toy_bodies: dict[str, bytes]
) -> None:
    first = toys.fetch(storage, quick)
    assert len(first.changed) == 10
    newer = {url: body.replace(b"00039", b"00041") for url, body in toy_bodies.items() if "/csv/" in url}
    for url, body in newer.items():
        toys.offer(url, body)
    fetched = toys.fetch(storage, quick, faults=[fault], accept=["toys"] if fault in HARMLESS else [])
    assert len(fetched.files) == 10
    for archived in fetched.files:
        body = open_archived(storage, archived).path.read_bytes()
        assert body in (toy_bodies[archived.url], newer.get(archived.url))
    assert_whole(storage)
    if fault in LEFT_OUT or fault in ("gone", "truncated"):
        # A server that tears its bodies still answers 304 in full.
        tears = fault in ("short_body", "reset", "slow_drip", "wrong_range")
        assert len(fetched.stale) == (0 if fault == "not_modified" else 2 if tears else 10)
        assert all(outcome.reason for outcome in fetched.stale)
        assert all(known(storage)[("toys", outcome.request.url)].is_stale for outcome in fetched.stale)
    again = toys.fetch(storage, quick, accept=["toys"])
    assert not again.stale
    assert_right(storage, again, toy_bodies | newer)


def test_a_fault_that_passes_costs_a_try_and_nothing_else(
    toys: Publisher, storage: Storage, quick: Settings, toy_bodies: dict[str, bytes]
) -> None:
    for fault in ("503:1", "reset:1", "short_body:1", "timeout:1", "slow_drip:1", "502:1"):
        root = Storage(f"{storage.root}-{fault[:3]}")
        fetched = toys.fetch(root, quick, faults=[fault])
        assert len(fetched.changed) == 10, fault
        assert_right(root, fetched, toy_bodies)


def test_retry_after_is_waited_for(toys: Publisher, storage: Storage, quick: Settings) -> None:
    started = time.monotonic()
    fetched = toys.fetch(storage, quick, faults=["429:1@csv/2020"])
    assert time.monotonic() - started >= 1
    assert not fetched.left_out


def test_retry_after_longer_than_the_time_left_ends_at_once(toys: Publisher, storage: Storage) -> None:
    hurried = Settings(fetch_budget=0.8, backoff=0.01)
    started = time.monotonic()
    fetched = toys.fetch(storage, hurried, faults=["429"])
    assert time.monotonic() - started < 20
    assert len(fetched.left_out) == 10


def test_a_host_that_is_down_is_not_asked_to_the_end(publisher: Publisher, storage: Storage) -> None:
    publisher.offer_toys(*range(2000, 2020), kinds=["csv"])
    settings = Settings(host_failures_max=3, retries=0, backoff=0.01, connections_per_host=2)
    dataset = Toys()
    dataset.kinds = ("csv",)
    fetched = publisher.fetch(
        storage, settings, faults=["500"], dataset=dataset, requests=dataset.requests(range(2000, 2020))
    )
    assert len(fetched.left_out) == 20
    assert len(publisher.seen) <= 5
    assert "did not answer" in fetched.left_out[-1].reason or "did not answer" in fetched.left_out[0].reason
