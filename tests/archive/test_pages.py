"""An answer of many pages is taken whole or not at all; a network that is not there is told in seconds."""

import json
import socket
import time

import pytest
from toy_publisher import DAY, HOST, Publisher, Toys

from etl.archive import fetch, known, open_archived
from etl.settings import Settings
from etl.sources.base import Request
from etl.storage import Storage

FIRST_PAGE = [Request("toys", f"{HOST}/page/0", "page", "json", 2020)]


def offer(publisher: Publisher, edition: int, pages: int = 3) -> None:
    """Serve an edition of an answer, each page leading to the next."""
    for number in range(pages):
        after = f"{HOST}/page/{number + 1}" if number + 1 < pages else None
        rows = [[edition, number, n] for n in range(30)]
        publisher.offer(f"{HOST}/page/{number}", json.dumps({"next": after, "rows": rows}).encode())


def editions(storage: Storage) -> list[int]:
    """The edition of every page in hand."""
    return [json.loads(open_archived(storage, one).path.read_bytes())["rows"][0][0] for one in known(storage).values()]


@pytest.mark.parametrize("page", [0, 1, 2])
@pytest.mark.parametrize("fault", ["503", "html", "gone"])
def test_pages_of_two_editions_are_never_mixed(
    page: int, fault: str, publisher: Publisher, storage: Storage, quick: Settings
) -> None:
    offer(publisher, 1)
    publisher.fetch(storage, quick, requests=FIRST_PAGE)
    offer(publisher, 2)
    broken = publisher.fetch(storage, quick, requests=FIRST_PAGE, faults=[f"{fault}@page/{page}"], accept=["toys"])
    assert editions(storage) == [1, 1, 1]
    assert len(broken.stale) == 3 and not broken.superseded
    assert sum("guard pages" in outcome.reason for outcome in broken.stale) == 2
    publisher.fetch(storage, quick, requests=FIRST_PAGE)
    assert editions(storage) == [2, 2, 2]


def test_an_answer_without_its_last_page_is_left_out(publisher: Publisher, storage: Storage, quick: Settings) -> None:
    offer(publisher, 1)
    publisher.withdraw(f"{HOST}/page/2")
    broken = publisher.fetch(storage, quick, requests=FIRST_PAGE)
    assert not broken.files and len(broken.left_out) == 2 and len(broken.not_offered) == 1
    offer(publisher, 1)
    assert len(publisher.fetch(storage, quick, requests=FIRST_PAGE).files) == 3


@pytest.mark.parametrize("is_named", [True, False])
def test_a_network_that_is_not_there_is_told_in_seconds(is_named: bool, storage: Storage) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    mirror = "http://no-such-host.invalid" if is_named else f"http://127.0.0.1:{port}"
    requests = Toys().requests(range(1990, 2020))
    started = time.monotonic()
    fetched = fetch(
        requests,
        storage,
        dataset_objects={"toys": Toys()},
        mirror_base=mirror,
        snapshot_date=DAY,
        run_id="run",
        settings=Settings(),
    )
    assert time.monotonic() - started < 60
    assert len(fetched.left_out) == len(requests)
    assert "no connection" in fetched.sentence() or "did not answer" in fetched.sentence()
