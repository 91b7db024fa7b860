"""The guards: what each refuses, where the bytes are kept, and how a change is taken on purpose."""

import getpass
import hashlib
import io
import json
import os
import resource
import sys
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_publisher import HEADER, HOST, Publisher, Toys, body_of, table, url_of, zipped

from etl.archive import Fetched, known, object_path
from etl.archive.bodies import RefusalError, count_rows, unpack
from etl.archive.guards import check_change, check_content
from etl.settings import Settings
from etl.sources.base import ArchivedFile, Request
from etl.storage import Storage

URL = url_of("csv", 2020)
REQUEST = [Request("toys", URL, "csv", "csv", 2020)]


def after_first_copy(
    publisher: Publisher, storage: Storage, settings: Settings, body: bytes, **options: object
) -> Fetched:
    """Archive the table of 2020, then fetch `body` in its place."""
    publisher.offer(URL, table(2020))
    publisher.fetch(storage, settings, requests=REQUEST)
    publisher.offer(URL, body)
    return publisher.fetch(storage, settings, requests=REQUEST, **options)


CHANGES = {
    "bytes": table(2020, 19),
    "rows": table(2020, 40, 9),
    "amounts": table(2020).replace(b",14140\n", b",999999999\n"),
    "lost": b"".join(line + b"\n" for line in table(2020).splitlines() if not line.startswith(b"00007,")),
    "cut_off": table(2020)[:-9],
}


@pytest.mark.parametrize("guard", CHANGES)
def test_a_change_is_refused_kept_aside_and_may_be_accepted(
    guard: str, publisher: Publisher, storage: Storage, quick: Settings
) -> None:
    body = CHANGES[guard]
    refused = after_first_copy(publisher, storage, quick, body)
    outcome = refused.stale[0]
    assert f"guard {guard}:" in outcome.reason
    assert "--accept" in outcome.reason
    assert refused.files[0].sha256 == hashlib.sha256(table(2020)).hexdigest()
    assert storage.read_bytes(str(outcome.statement["kept"])) == body
    assert str(outcome.statement["kept"]).startswith("archive/refused/toys/")
    assert not storage.exists(object_path(hashlib.sha256(body).hexdigest()))
    # Accepting another dataset changes nothing; accepting this one takes it and says who.
    assert publisher.fetch(storage, quick, requests=REQUEST, accept=["other"]).stale
    accepted = publisher.fetch(storage, quick, requests=REQUEST, accept=["toys"])
    assert accepted.changed[0].sha256 == hashlib.sha256(body).hexdigest()
    lines = [json.loads(line) for line in storage.read_bytes(storage.list("archive/log")[-1]).splitlines()]
    assert lines[0]["status"] == "accepted"
    assert lines[0]["by"] == getpass.getuser()
    assert guard in lines[0]["guard"]
    assert lines[0]["reason"]
    assert publisher.fetch(storage, quick, requests=REQUEST).sentence() == "1 unchanged"


def test_a_small_change_passes(publisher: Publisher, storage: Storage, quick: Settings) -> None:
    assert after_first_copy(publisher, storage, quick, table(2020, 44)).changed


def test_what_a_body_is_cannot_be_accepted_away(publisher: Publisher, storage: Storage, quick: Settings) -> None:
    for body in (b"<!DOCTYPE html><title>Sorry</title>", b"", b"a,b\n1,2\n", b"\x00\x01,\n"):
        fetched = after_first_copy(publisher, storage, quick, body, accept=["toys"])
        assert "refused" in fetched.stale[0].reason
        assert "--accept" not in fetched.stale[0].reason


def test_two_years_with_the_same_bytes(publisher: Publisher, storage: Storage, quick: Settings) -> None:
    for year in (2020, 2021, 2022):
        publisher.offer(url_of("csv", year), table(2020))
    requests = [r for r in Toys().requests([2022, 2021, 2020]) if r.kind == "csv"]
    fetched = publisher.fetch(storage, quick, requests=requests)
    assert [a.year for a in fetched.changed] == [2020]
    assert [(o.request.year, o.statement["guard"]) for o in fetched.left_out] == [
        (2021, "same_bytes"),
        (2022, "same_bytes"),
    ]
    assert "the same bytes as for 2020" in fetched.left_out[0].reason
    assert storage.read_bytes(str(fetched.left_out[0].statement["kept"])) == table(2020)
    publisher.offer(url_of("csv", 2021), table(2021))
    assert [a.year for a in publisher.fetch(storage, quick, requests=requests).changed] == [2021]
    # A year that had its own bytes and now repeats another's: its own stand.
    publisher.offer(url_of("csv", 2021), table(2020))
    again = publisher.fetch(storage, quick, requests=requests)
    assert [o.request.year for o in again.stale] == [2021]
    assert known(storage)[("toys", url_of("csv", 2021))].sha256 == hashlib.sha256(table(2021)).hexdigest()
    taken = publisher.fetch(storage, quick, requests=requests, accept=["toys"])
    assert [a.year for a in taken.changed] == [2021, 2022]


def test_empty_answers_may_be_alike(publisher: Publisher, storage: Storage, quick: Settings) -> None:
    requests = [Request("toys", f"{HOST}/end/{year}", "end", "json", year) for year in (2020, 2021)]
    for request in requests:
        publisher.offer(request.url, b"[]")
    assert len(publisher.fetch(storage, quick, requests=requests).changed) == 2


def test_a_reader_that_stumbles_refuses(publisher: Publisher, storage: Storage, quick: Settings) -> None:
    class Stumbling(Toys):
        def check(self, file: ArchivedFile) -> None:
            raise KeyError("naics")

    publisher.offer(URL, table(2020))
    fetched = publisher.fetch(storage, quick, requests=REQUEST, dataset=Stumbling())
    assert "guard format" in fetched.left_out[0].reason
    assert "naics" in fetched.left_out[0].reason


def write(tmp_path: Path, body: bytes) -> Path:
    path = tmp_path / "body"
    path.write_bytes(body)
    return path


WORKBOOK = zipped(**{"[Content_Types].xml": b"<x/>", "xl/workbook.xml": b"<x/>"})


@pytest.mark.parametrize(
    ("content", "body"),
    [
        *((kind, body_of(kind, 2020)) for kind in Toys.kinds),
        ("xlsx", WORKBOOK),
        ("xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500)),
        ("text", b"just words\n"),
        ("text", b"a;b\n"),
        ("csv", b"\xef\xbb\xbfa;b\r\n1;2\r\n"),
        ("csv", b'"a","b"\n1,2'),
        ("json", b'\n {"a": 1} \n'),
        ("json", rb'["a [ \" {", "\\", {"b": []}]'),
        ("xml", b"<!-- a note --><a></a>\n"),
    ],
)
def test_the_right_content_passes(tmp_path: Path, content: str, body: bytes) -> None:
    check_content(write(tmp_path, body), content)


@pytest.mark.parametrize(
    ("content", "body", "says"),
    [
        ("csv", b"\r\n<!doctype HTML>\n<p>", "an HTML page"),
        ("csv", b"<!-- maintenance -->\n<html>", "an HTML page"),
        ("csv", b"<?xml version='1.0'?><!DOCTYPE html><html>", "an HTML page"),
        ("tsv", b"<?xml version='1.0'?><S:Envelope><queued/></S:Envelope>", "XML instead of tsv"),
        ("csv", b'{"error": [{"status": 413}]}', "JSON instead of csv"),
        ("json", b"a,b\n1,2\n", "a table instead of json"),
        ("json", b'{"a": [1, 2', "cut off"),
        ("json", b"[[1, 2], [3, 4]", "cut off"),
        ("json", b'["]', "cut off"),
        ("json", b'["\\', "cut off"),
        ("xml", b"<a><b></b>\n<c", "cut off"),
        ("csv", b"out of service\n", "text instead of csv"),
        ("csv", b"PK\x03\x04,,,", "zip instead of csv"),
        ("zip", b"a,b\n", "a table instead of zip"),
        ("zip", b"<html>", "an HTML page instead of zip"),
        ("xls", WORKBOOK, "zip instead of xls"),
        ("xlsx", zipped(a=b"1"), "zip instead of xlsx"),
        ("zip", body_of("zip", 2020)[:300], "list of members"),
        ("zip", zipped(), "instead of zip"),
        ("zip", zipped(**{"../up": b"1"}), "outside its folder"),
        ("zip", zipped(**{"/etc/passwd": b"1"}), "outside its folder"),
        ("zip", zipped(**{"a/../../up": b"1"}), "outside its folder"),
        ("zip", zipped(**{"C:\\up": b"1"}), "outside its folder"),
        ("zip", zipped(**{"..\\up": b"1"}), "outside its folder"),
        ("json", b"", "empty"),
    ],
)
def test_the_wrong_content_is_refused(tmp_path: Path, content: str, body: bytes, says: str) -> None:
    with pytest.raises(RefusalError, match=says):
        check_content(write(tmp_path, body), content)


def test_a_dot_dot_inside_a_name_is_only_a_name(tmp_path: Path) -> None:
    check_content(write(tmp_path, zipped(**{"cbp..us/a..txt": b"1"})), "zip")


@pytest.mark.parametrize("content", ["csv", "zip", "json", "xml", "tsv"])
@given(cut=st.floats(0.01, 0.99))
def test_no_cut_body_is_torn_open(tmp_path_factory: pytest.TempPathFactory, content: str, cut: float) -> None:
    """A cut body is refused, or, where a table ends with the end of a field, told by its rows."""
    body = body_of(content, 2020)
    part = body[: max(1, int(len(body) * cut))]
    path = write(tmp_path_factory.mktemp("cut"), part)
    settings = Settings()
    try:
        check_content(path, content)
        rows = count_rows(path, content, settings)
    except RefusalError:
        return
    assert content in ("csv", "tsv")
    whole = write(tmp_path_factory.mktemp("whole"), body)
    assert rows < count_rows(whole, content, settings)


def test_damage_anywhere_in_a_zip_is_found(tmp_path: Path) -> None:
    body = zipped(a=os.urandom(3000), b=table(2020))
    settings = Settings()
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        packed = [(info.header_offset + 30 + len(info.filename), info.compress_size) for info in archive.infolist()]
    for start, size in packed:
        for at in range(start, start + size, max(1, size // 40)):
            damaged = body[:at] + bytes([body[at] ^ 0x10]) + body[at + 1 :]
            try:
                count_rows(write(tmp_path, damaged), "zip", settings)
            except RefusalError:
                continue
            # A few bits of a packed stream mean nothing: then nothing may have changed.
            with zipfile.ZipFile(io.BytesIO(body)) as good, zipfile.ZipFile(io.BytesIO(damaged)) as bad:
                assert [good.read(name) for name in "ab"] == [bad.read(name) for name in "ab"]


def test_bombs_are_put_out_early(tmp_path: Path) -> None:
    settings = Settings(unpacked_bytes_max=10_000_000)
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(64)) + packer.flush()
    with pytest.raises(RefusalError, match="unpacks to more than 10,000,000"):
        unpack(write(tmp_path, bomb), "csv", settings)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 12_000_000
    with pytest.raises(RefusalError, match="200 times"):
        count_rows(write(tmp_path, zipped(zeros=bytes(80 << 20))), "zip", Settings())
    matryoshka = zlib.compress(b"a,b\n1,2\n", wbits=31)
    for _ in range(5):
        matryoshka = zlib.compress(matryoshka, wbits=31)
    with pytest.raises(RefusalError, match="packed 3 times"):
        unpack(write(tmp_path, matryoshka), "csv", Settings())


@given(
    before=st.integers(1, 10**9),
    share=st.floats(0.0, 10.0),
)
def test_the_band_is_the_stated_one(before: int, share: float) -> None:
    settings = Settings()
    after = before * share
    low, high = settings.amounts_band
    try:
        check_change(1, {"employment": after}, 1, {"employment": before}, settings)
        passes = True
    except RefusalError as refusal:
        passes = False
        assert refusal.is_change
    assert passes == (low <= after / before <= high)


def test_figures_may_grow_with_a_list_that_grows() -> None:
    settings = Settings()
    before = {"regions": ["01", "02"], "employment": 100.0}
    check_change(9999, {"regions": ["01", "02", "03", "04"], "employment": 290.0}, 5000, before, settings)
    with pytest.raises(RefusalError, match="300%"):
        check_change(9999, {"regions": ["01", "02", "03", "04"], "employment": 310.0}, 5000, before, settings)
    with pytest.raises(RefusalError, match="150%"):
        check_change(9999, {"regions": ["01", "02"], "employment": 160.0}, 5000, before, settings)


@given(st.sets(st.text(max_size=3), max_size=8), st.sets(st.text(max_size=3), max_size=8))
def test_nothing_may_be_lost_from_a_list(before: set[str], after: set[str]) -> None:
    try:
        check_change(1, {"regions": sorted(after)}, 1, {"regions": sorted(before)}, Settings())
        passes = True
    except RefusalError:
        passes = False
    assert passes == (before <= after)


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read as Linux gives it")
def test_250_mb_of_zip_stay_out_of_memory(publisher: Publisher, storage: Storage, tmp_path: Path) -> None:
    lines = (HEADER + "\n").encode() + b"".join(b"%05d,%02d,%d\n" % (n % 3000, n % 90, n) for n in range(100_000))
    large = tmp_path / "large.zip"
    with (
        zipfile.ZipFile(large, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("big.txt", "w", force_zip64=True) as member,
    ):
        written = 0
        while written < 250_000_000:
            noise = os.urandom(1 << 20).hex().encode() + b"\n"
            member.write(lines + noise)
            written += (1 << 20) + len(lines) // 4
    assert large.stat().st_size > 250_000_000
    url = url_of("zip", 2020)
    publisher.offer(url, b"")
    publisher.write()
    large.replace(publisher.folder / "0.bin")
    publisher.write = lambda: None  # type: ignore[method-assign]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    fetched = publisher.fetch(storage, Settings(), requests=[Request("toys", url, "zip", "zip", 2020)])
    assert len(fetched.changed) == 1
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < 300_000_000
