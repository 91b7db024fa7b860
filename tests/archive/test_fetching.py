"""Fetching: what is asked and how, what is kept, what is logged, and what stands when things change."""

import gzip
import hashlib
import json
import logging
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from pydantic import SecretStr
from toy_publisher import DAY, HEADER, HOST, Publisher, Toys, body_of, one, table, url_of

from etl.archive import fetch, in_use, known, object_path, open_archived
from etl.archive.replies import Body, Host, Validators
from etl.archive.transport import Downloader
from etl.errors import IntegrityError, UsageError
from etl.mirror import serve
from etl.settings import Settings
from etl.sources.base import Request
from etl.storage import Storage

CSV_2020 = url_of("csv", 2020)


def lines_of(storage: Storage) -> list[dict[str, object]]:
    paths = storage.list("archive/log")
    return [json.loads(line) for path in paths for line in storage.read_bytes(path).splitlines()]


def snapshot_of(folder: Path) -> dict[str, tuple[int, int]]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


def test_an_unchanged_publisher_is_asked_conditionally_and_nothing_is_written_but_the_log(
    toys: Publisher, storage: Storage, quick: Settings
) -> None:
    toys.fetch(storage, quick)
    before = snapshot_of(Path(storage.root))
    fetched = toys.fetch(storage, quick)
    assert len(toys.seen) == 10
    assert all(seen.is_conditional and seen.status == 304 and seen.bytes_sent == 0 for seen in toys.seen)
    after = snapshot_of(Path(storage.root))
    assert {path: after[path] for path in before} == before
    assert sorted(set(after) - set(before)) == ["archive/log/toys/run001.jsonl"]
    assert not fetched.changed
    assert len(fetched.files) == 10
    last = [json.loads(line) for line in storage.read_bytes("archive/log/toys/run001.jsonl").splitlines()]
    assert [(line["status"], len(line["urls"])) for line in last] == [("unchanged", 10)]
    assert fetched.sentence() == "10 unchanged"


def test_the_log_names_the_publisher_and_its_validators(toys: Publisher, storage: Storage, quick: Settings) -> None:
    toys.fetch(storage, quick)
    text = b"".join(storage.read_bytes(path) for path in storage.list("archive/log")).decode()
    assert "127.0.0.1" not in text
    line = next(line for line in lines_of(storage) if line["url"] == CSV_2020)
    body = body_of("csv", 2020)
    assert line["status"] == "fetched"
    assert line["snapshot_date"] == "2026-03-02"
    assert line["sha256"] == hashlib.sha256(body).hexdigest()
    assert line["bytes"] == len(body)
    assert str(line["etag"]).startswith('"')
    assert str(line["last_modified"]).endswith("GMT")
    assert str(line["at"]).endswith("+00:00")
    assert line["year"] == 2020
    assert storage.read_bytes(object_path(str(line["sha256"]))) == body


def test_a_flapping_tag_downloads_but_changes_nothing(toys: Publisher, storage: Storage, quick: Settings) -> None:
    first = toys.fetch(storage, quick, faults=["flapping_etag"])
    second = toys.fetch(storage, quick, faults=["flapping_etag"])
    assert not second.changed
    assert [a.sha256 for a in first.files] == [a.sha256 for a in second.files]
    assert storage.list("archive/objects") == sorted(object_path(a.sha256) for a in first.files)
    # The newest tag is the one asked with once the publisher has settled.
    held = known(storage)[("toys", CSV_2020)]
    assert held.retrieved < held.confirmed
    tags = {line["url"]: line["etag"] for line in lines_of(storage) if line["status"] == "unchanged"}
    assert held.etag == tags[CSV_2020]


def test_what_broke_off_is_taken_up_again(publisher: Publisher, storage: Storage, quick: Settings) -> None:
    body = (HEADER + "\n").encode() + b"".join(b"%05d,11,%d\n" % (n, n * n) for n in range(200_000))
    publisher.offer(CSV_2020, body)
    fetched = publisher.fetch(storage, quick, requests=one("csv"), faults=["reset:1"])
    assert fetched.changed[0].sha256 == hashlib.sha256(body).hexdigest()
    first, second = publisher.seen
    assert "range" not in first.headers
    start = int(second.headers["range"].removeprefix("bytes=").removesuffix("-"))
    assert 0 < start < len(body)
    assert second.headers["if-range"].startswith('"')
    assert second.status == 206
    assert second.bytes_sent == len(body) - start


def test_what_broke_off_in_gzip_is_taken_up_in_gzip(publisher: Publisher, storage: Storage, quick: Settings) -> None:
    publisher.offer(CSV_2020, table(2020, 900), packed=True)
    fetched = publisher.fetch(storage, quick, requests=one("csv"), faults=["short_body:1"])
    assert [seen.status for seen in publisher.seen] == [200, 206]
    assert open_archived(storage, fetched.files[0]).path.read_bytes() == table(2020, 900)


def test_eurostats_bare_gzip_is_archived_unpacked_and_a_zip_as_it_came(
    publisher: Publisher, storage: Storage, quick: Settings
) -> None:
    publisher.offer_toys(2020)
    doubly = gzip.compress(body_of("csv", 2020))
    publisher.offer(CSV_2020, doubly, packed=True)
    publisher.fetch(storage, quick, requests=[*one("tsv"), *one("zip"), *one("csv")])
    for kind in ("tsv", "zip", "csv"):
        file = open_archived(storage, known(storage)[("toys", url_of(kind, 2020))])
        assert file.path.read_bytes() == body_of(kind, 2020)


def test_gzip_that_is_asked_for_stays_gzip(publisher: Publisher, storage: Storage, quick: Settings) -> None:
    packed = gzip.compress(table(2020))
    publisher.offer(CSV_2020, packed)
    fetched = publisher.fetch(storage, quick, requests=one("csv", content="gzip"))
    assert open_archived(storage, fetched.files[0]).path.read_bytes() == packed


def test_404_is_not_offered_until_it_was_had(toys: Publisher, storage: Storage, quick: Settings) -> None:
    toys.withdraw(CSV_2020)
    first = toys.fetch(storage, quick)
    assert [o.request.url for o in first.not_offered] == [CSV_2020]
    assert len(first.files) == 9
    toys.offer_toys(2020)
    toys.fetch(storage, quick)
    toys.withdraw(CSV_2020)
    gone = toys.fetch(storage, quick)
    assert not gone.not_offered
    assert [(o.request.url, o.reason) for o in gone.stale] == [(CSV_2020, "HTTP 404")]
    assert open_archived(storage, gone.files[0]).path.read_bytes() == body_of("csv", 2020)
    held = known(storage)[("toys", CSV_2020)]
    assert held.problem == "HTTP 404"
    assert held.confirmed < lines_of(storage)[-1]["at"]  # type: ignore[operator]
    toys.offer_toys(2020)
    toys.fetch(storage, quick)
    assert not known(storage)[("toys", CSV_2020)].is_stale


def test_known_is_the_state_of_a_day(publisher: Publisher, storage: Storage, quick: Settings) -> None:
    days = [date(2026, 1, 5), date(2026, 1, 7), date(2026, 1, 9)]
    versions = [table(2020), table(2020) + b"99999,01,5\n", table(2020) + b"99999,01,6\n"]
    for day, body in zip(days, versions, strict=True):
        publisher.offer(CSV_2020, body)
        publisher.fetch(storage, quick, requests=one("csv"), day=day)
    assert known(storage, date(2026, 1, 4)) == {}
    for day, body in zip(days, versions, strict=True):
        for later in (day, day.replace(day=day.day + 1)):
            held = known(storage, later)[("toys", CSV_2020)]
            assert (held.snapshot_date, held.sha256) == (day, hashlib.sha256(body).hexdigest())
    assert known(storage)[("toys", CSV_2020)].sha256 == hashlib.sha256(versions[2]).hexdigest()
    # A run for an earlier day neither sees nor changes what came later.
    publisher.fetch(storage, quick, requests=one("csv"), day=date(2026, 1, 8))
    assert known(storage, date(2026, 1, 7))[("toys", CSV_2020)].sha256 == hashlib.sha256(versions[1]).hexdigest()
    assert known(storage, date(2026, 1, 8))[("toys", CSV_2020)].sha256 == hashlib.sha256(versions[2]).hexdigest()


def test_a_run_of_some_years_leaves_the_others_known(toys: Publisher, storage: Storage, quick: Settings) -> None:
    toys.fetch(storage, quick)
    toys.fetch(storage, quick, requests=Toys().requests([2021]), day=date(2026, 3, 3))
    assert len(known(storage, date(2026, 3, 3))) == 10
    assert set(known(storage, datasets=["other"])) == set()


def test_pages_are_followed_and_dropped_when_no_longer_led_to(
    publisher: Publisher, storage: Storage, quick: Settings
) -> None:
    def offer(pages: int) -> None:
        for number in range(pages):
            after = f"{HOST}/page/{number + 1}" if number + 1 < pages else None
            rows = [[number, n] for n in range(30)]
            publisher.offer(f"{HOST}/page/{number}", json.dumps({"next": after, "rows": rows}).encode())

    first_page = [Request("toys", f"{HOST}/page/0", "page", "json", 2020)]
    offer(4)
    fetched = publisher.fetch(storage, quick, requests=first_page)
    assert [a.url for a in fetched.files] == [f"{HOST}/page/{n}" for n in range(4)]
    assert [a.follows for a in fetched.files] == [None, *(f"{HOST}/page/{n}" for n in range(3))]
    # Unchanged pages are led to by the copies in hand.
    assert len(publisher.fetch(storage, quick, requests=first_page).files) == 4
    offer(2)
    shorter = publisher.fetch(storage, quick, requests=first_page)
    assert shorter.superseded == (("toys", f"{HOST}/page/2"), ("toys", f"{HOST}/page/3"))
    assert sorted(url for _, url in known(storage)) == [f"{HOST}/page/0", f"{HOST}/page/1"]


def test_copies_of_addresses_that_have_moved_give_way_to_their_successors(
    publisher: Publisher, storage: Storage, quick: Settings
) -> None:
    class Moved(Toys):
        kinds = ("csv",)
        years = (2020, 2021)

    old = [Request("toys", f"{HOST}/old/{year}", "csv", "csv", year) for year in (2019, 2020)]
    publisher.offer(old[0].url, table(2019))
    publisher.offer(old[1].url, table(2018))
    publisher.offer_toys(2020, kinds=["csv"])
    publisher.fetch(storage, quick, requests=[*old, *Moved().requests([2020])])
    assert len(known(storage)) == 3
    used = in_use(known(storage), {"toys": Moved()})
    assert [(held.year, held.url) for held in used.values()] == [(2020, CSV_2020), (2019, old[0].url)]


def test_pages_of_an_address_in_use_are_in_use(publisher: Publisher, storage: Storage, quick: Settings) -> None:
    class Paged(Toys):
        years = (2020,)

        def requests(self, years: Iterable[int]) -> list[Request]:
            return [Request("toys", f"{HOST}/page/0", "page", "json", year) for year in years]

    for number in range(3):
        after = f"{HOST}/page/{number + 1}" if number < 2 else None
        publisher.offer(f"{HOST}/page/{number}", json.dumps({"next": after, "n": number}).encode())
    publisher.fetch(storage, quick, requests=Paged().requests([2020]), dataset=Paged())
    assert len(in_use(known(storage), {"toys": Paged()})) == 3


def test_a_page_that_cannot_be_followed_is_refused(publisher: Publisher, storage: Storage, quick: Settings) -> None:
    publisher.offer(f"{HOST}/page/0", b'{"rows": []}')
    publisher.offer_toys(2020)
    requests = [Request("toys", f"{HOST}/page/0", "page", "json", 2020), *Toys().requests([2020])]
    fetched = publisher.fetch(storage, quick, requests=requests)
    assert "guard format" in fetched.left_out[0].reason
    assert len(fetched.files) == 5


def test_a_publishers_own_list_saves_the_question(toys: Publisher, storage: Storage, quick: Settings) -> None:
    toys.fetch(storage, quick)
    fetched = toys.fetch(storage, quick, is_current=lambda request, held: request.kind == "csv")
    assert len(toys.seen) == 8
    assert len(fetched.files) == 10
    assert not fetched.stale


def test_the_key_goes_on_the_wire_alone(
    toys: Publisher, storage: Storage, quick: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "s3cr3t-k3y"
    keyed = Toys()
    keyed.key = "census_api_key"
    settings = quick.model_copy(update={"census_api_key": SecretStr(secret)})
    toys.offer(url_of("xml", 2020), b"<html>your key " + secret.encode() + b" is not known</html>")
    toys.fetch(storage, settings, dataset=keyed)
    fetched = toys.fetch(storage, settings, dataset=keyed, faults=["timeout@csv"])
    assert any(f"key={secret}" in seen.address for seen in toys.seen)
    assert fetched.stale
    assert all(secret not in outcome.reason for outcome in fetched.outcomes)
    assert secret not in caplog.text
    for path in storage.list():
        assert secret.encode() not in storage.read_bytes(path)
    # A stale answer names the publisher's address, without the key.
    assert all("key=" not in url for _, url in known(storage))


def test_no_key_is_no_hindrance(toys: Publisher, storage: Storage, quick: Settings) -> None:
    keyed = Toys()
    keyed.key = "census_api_key"
    assert len(toys.fetch(storage, quick, dataset=keyed).files) == 10


def test_two_runs_at_once_agree(toys: Publisher, storage: Storage, quick: Settings, tmp_path: Path) -> None:
    toys.write()
    with serve(toys.folder) as address, ThreadPoolExecutor(2) as pool:
        runs = [
            pool.submit(
                fetch,
                Toys().requests([2020, 2021]),
                Storage(storage.root),
                dataset_objects={"toys": Toys()},
                mirror_base=address,
                snapshot_date=DAY,
                run_id="nightly",
                settings=quick,
            )
            for _ in range(2)
        ]
        results = [run.result() for run in runs]
    assert [a.sha256 for a in results[0].files] == [a.sha256 for a in results[1].files]
    # The same run id twice: neither log is lost.
    assert storage.list("archive/log") == ["archive/log/toys/nightly.2.jsonl", "archive/log/toys/nightly.jsonl"]
    assert len(storage.list("archive/objects")) == 10
    for archived in known(storage).values():
        open_archived(storage, archived)


def test_damaged_bytes_are_noticed_on_reading_and_mended_by_fetching(
    toys: Publisher, storage: Storage, quick: Settings
) -> None:
    archived = next(a for a in toys.fetch(storage, quick).files if a.url == CSV_2020)
    path = Path(storage.root) / object_path(archived.sha256)
    open_archived(storage, archived)
    path.write_bytes(path.read_bytes().replace(b"00039", b"00038"))
    with pytest.raises(IntegrityError, match=str(object_path(archived.sha256))):
        open_archived(storage, archived)
    path.unlink()
    with pytest.raises(IntegrityError, match="missing"):
        open_archived(storage, archived)
    again = toys.fetch(storage, quick)
    assert sum(not seen.is_conditional for seen in toys.seen) == 1
    assert not again.changed
    assert open_archived(storage, archived).path.read_bytes() == body_of("csv", 2020)


def test_a_torn_log_is_named(toys: Publisher, storage: Storage, quick: Settings) -> None:
    toys.fetch(storage, quick)
    path = storage.list("archive/log")[0]
    storage.write(path, storage.read_bytes(path)[:-30])
    with pytest.raises(IntegrityError, match=f"{path} is damaged"):
        known(storage)


def test_a_killed_run_keeps_what_it_logged(
    toys: Publisher, storage: Storage, quick: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("etl.archive.retrieval._LOG_EVERY", -1.0)

    class Killer:
        pieces = 0

        def stage(self, name: str, total: int) -> None:
            assert (name, total) == ("fetch", 10)

        def advance(self, pieces: int = 1) -> None:
            self.pieces += pieces
            if self.pieces == 6:
                assert len(known(storage)) == 5  # what a kill at this moment would leave
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        toys.fetch(storage, quick, progress=Killer())
    assert len(known(storage)) == 6
    toys.fetch(storage, quick)
    assert sum(seen.is_conditional for seen in toys.seen) == 6
    assert len(known(storage)) == 10


def test_requests_run_at_once_but_politely(publisher: Publisher, storage: Storage) -> None:
    publisher.offer_toys(*range(2000, 2012), kinds=["csv"])
    running, most = [0], [0]
    changed = threading.Condition()

    class Watched(Toys):
        def check(self, file: object) -> None:
            with changed:
                running[0] += 1
                most[0] = max(most[0], running[0])
                changed.notify_all()
                changed.wait_for(lambda: most[0] >= 3, timeout=10)
            time.sleep(0.02)  # a fourth would show
            with changed:
                running[0] -= 1

    requests = [r for r in Toys().requests(range(2000, 2012)) if r.kind == "csv"]
    publisher.fetch(storage, Settings(connections_per_host=3), requests=requests, dataset=Watched())
    assert most[0] == 3


def test_a_host_that_asked_for_time_gets_it_from_all_workers(toys: Publisher, tmp_path: Path, quick: Settings) -> None:
    toys.write()
    host = Host()
    with serve(toys.folder) as address:
        started = time.monotonic()
        host.hold(started + 0.4)
        downloader = Downloader(quick, address, started + 5)
        reply = downloader.get(CSV_2020, None, Validators(), host, tmp_path / "part")
    assert isinstance(reply, Body)
    assert time.monotonic() - started >= 0.4


def test_an_unknown_content_is_a_mistake_of_the_program(storage: Storage, quick: Settings) -> None:
    request = replace(one("csv")[0], content="parquet")
    with pytest.raises(ValueError, match="parquet"):
        fetch([request], storage, dataset_objects={}, snapshot_date=DAY, run_id="r", settings=quick)


def test_a_root_that_cannot_be_written_is_wrong_use(toys: Publisher, tmp_path: Path, quick: Settings) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError):
        toys.fetch(Storage(tmp_path / "file" / "root"), quick)


def test_settings_name_the_variable_and_not_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUSTERBRIDGE_RETRIES", "often")
    with pytest.raises(UsageError, match="CLUSTERBRIDGE_RETRIES") as caught:
        Settings()
    assert "often" not in str(caught.value)
    monkeypatch.delenv("CLUSTERBRIDGE_RETRIES")
    monkeypatch.setenv("CLUSTERBRIDGE_CENSUS_API_KEY", "s3cr3t")
    assert "s3cr3t" not in repr(Settings())
