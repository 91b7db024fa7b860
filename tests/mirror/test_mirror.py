"""The mirror server over real HTTP: what it finds, how it sends it, what it never sends, and how it misbehaves."""

import csv
import gzip
import io
import os
import socket
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from etl.errors import UsageError
from etl.mirror import FAULTS, Fault, MirrorServer, Seen, serve

CSV_URL = "https://stats.example.org/data.csv?a=1&b=x y&b=é+z"
TEXT = b"code,value\n" + b"01,2\n" * 500


def make_zip(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def write_mirror(folder: Path, files: dict[str, tuple[str, bytes, bool]]) -> Path:
    """Lay out a mirror: address -> (path, body, gzipped)."""
    folder.mkdir(exist_ok=True)
    with (folder / "index.csv").open("w", newline="", encoding="utf-8") as stream:
        out = csv.writer(stream)
        out.writerow(["url", "path", "content_type", "gzipped"])
        for url, (path, body, gzipped) in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(gzip.compress(body) if gzipped else body)
            out.writerow([url, path, "text/csv", int(gzipped)])
    return folder


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    return write_mirror(
        tmp_path / "mirror",
        {
            CSV_URL: ("stats/data.csv.gz", TEXT, True),
            "https://stats.example.org/plain.csv": ("stats/plain.csv", TEXT, False),
            "https://stats.example.org/data.zip": ("stats/data.zip", make_zip(table=TEXT), False),
        },
    )


@pytest.fixture
def address(mirror: Path) -> Iterator[str]:
    with serve(mirror) as address:
        yield address


@pytest.fixture
def http() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session


def test_queries_compare_as_decoded_sets(address: str, http: requests.Session) -> None:
    for query in ("a=1&b=x%20y&b=%C3%A9%2Bz", "b=%C3%A9%2Bz&a=1&b=x+y", "a=1&b=x+y&b=%C3%A9%2Bz&key=secret"):
        assert http.get(f"{address}/stats.example.org/data.csv?{query}").content == TEXT
    for query in ("a=1", "a=1&b=x+y&b=%C3%A9%2Bz&c=", "a=1&b=x+y&b=z"):
        assert http.get(f"{address}/stats.example.org/data.csv?{query}").status_code == 404


def test_gzip_is_sent_packed_or_not(address: str, http: requests.Session) -> None:
    url = f"{address}/stats.example.org/data.csv?a=1&b=x+y&b=%C3%A9%2Bz"
    packed = http.get(url, headers={"Accept-Encoding": "gzip"})
    plain = http.get(url, headers={"Accept-Encoding": "identity"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert packed.content == plain.content == TEXT
    assert packed.headers["ETag"] != plain.headers["ETag"]
    assert int(plain.headers["Content-Length"]) == len(TEXT)


def test_an_unchanged_file_is_not_sent_again(address: str, http: requests.Session, mirror: Path) -> None:
    url = f"{address}/stats.example.org/plain.csv"
    first = http.get(url)
    by_tag = {"If-None-Match": first.headers["ETag"]}
    by_date = {"If-Modified-Since": first.headers["Last-Modified"]}
    for headers in (by_tag, by_date):
        again = http.get(url, headers=headers)
        assert (again.status_code, again.content) == (304, b"")
    # The tag wins over the date.
    assert http.get(url, headers={"If-None-Match": '"other"'} | by_date).status_code == 200
    old = (mirror / "stats/plain.csv").stat()
    (mirror / "stats/plain.csv").write_bytes(TEXT.replace(b"2", b"3"))
    os.utime(mirror / "stats/plain.csv", (old.st_atime, old.st_mtime + 10))
    assert http.get(url, headers=by_tag).status_code == 200
    assert http.get(url, headers=by_date).status_code == 200


@pytest.mark.parametrize(
    ("asked", "status", "expected"),
    [
        ("bytes=0-9", 206, TEXT[:10]),
        ("bytes=10-", 206, TEXT[10:]),
        ("bytes=-7", 206, TEXT[-7:]),
        ("bytes=5-99999", 206, TEXT[5:]),
        ("bytes=9-5", 200, TEXT),
        ("bytes=0-1,5-6", 200, TEXT),
        ("lines=0-1", 200, TEXT),
        ("bytes=99999-", 416, b""),
    ],
)
def test_ranges(address: str, http: requests.Session, asked: str, status: int, expected: bytes) -> None:
    answer = http.get(f"{address}/stats.example.org/plain.csv", headers={"Range": asked, "Accept-Encoding": "identity"})
    assert (answer.status_code, answer.content) == (status, expected)
    if status == 206:
        start = TEXT.index(expected) if len(expected) > 10 else (0 if asked == "bytes=0-9" else len(TEXT) - 7)
        assert answer.headers["Content-Range"] == f"bytes {start}-{start + len(expected) - 1}/{len(TEXT)}"


def test_a_range_of_another_version_sends_the_whole(address: str, http: requests.Session) -> None:
    url = f"{address}/stats.example.org/plain.csv"
    tag = http.head(url).headers["ETag"]
    assert http.get(url, headers={"Range": "bytes=10-", "If-Range": tag}).status_code == 206
    assert http.get(url, headers={"Range": "bytes=10-", "If-Range": '"old"'}).status_code == 200


def test_head_has_the_headers_alone(address: str, http: requests.Session) -> None:
    answer = http.head(f"{address}/stats.example.org/plain.csv")
    assert answer.status_code == 200
    assert int(answer.headers["Content-Length"]) == len(TEXT)
    assert answer.content == b""


def test_one_connection_serves_many_requests(address: str, http: requests.Session) -> None:
    for _ in range(100):
        http.get(f"{address}/stats.example.org/plain.csv").raise_for_status()
    pools = http.get_adapter(address).poolmanager.pools  # type: ignore[attr-defined]
    assert [pools[key].num_connections for key in pools.keys()] == [1]  # noqa: SIM118 - not a plain mapping


def raw_status(address: str, target: str) -> int:
    """Ask for a target exactly as written, which no client library would send."""
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        return int(connection.makefile("rb").readline().split()[1])


@pytest.mark.parametrize("with_index", [True, False])
def test_nothing_outside_the_folder_is_served(tmp_path: Path, with_index: bool) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    (tmp_path / "h.org").mkdir()
    (tmp_path / "h.org" / "sibling.txt").write_text("secret")
    folder = tmp_path / "mirror"
    (folder / "h.org").mkdir(parents=True)
    (folder / "h.org" / "ok.txt").write_text("fine")
    (folder / "h.org" / "link.txt").symlink_to(secret)
    (folder / "h.org" / "linked").symlink_to(tmp_path / "h.org")
    if with_index:
        rows = [("ok.txt", "h.org/ok.txt"), ("link.txt", "h.org/link.txt"), ("linked/x", "h.org/linked/sibling.txt")]
        rows += [("up", "../secret.txt"), ("absolute", str(secret)), ("null", "h.org/\0"), ("folder", "h.org")]
        lines = "".join(f"https://h.org/{name},{path}\n" for name, path in rows)
        (folder / "index.csv").write_text("url,path\n" + lines)
    with serve(folder) as address:
        assert raw_status(address, "/h.org/ok.txt") == 200
        for target in (
            "/h.org/link.txt",
            "/h.org/linked/x",
            "/h.org/linked/sibling.txt",
            "/h.org/up",
            "/h.org/absolute",
            "/h.org/null",
            "/h.org/folder",
            "/h.org",
            "/",
            "/index.csv",
            "/../secret.txt",
            "/h.org/../../secret.txt",
            "/h.org/%2e%2e/%2e%2e/secret.txt",
            f"/{secret}",
            f"//{secret}",
            "/h.org/%00",
        ):
            assert raw_status(address, target) == 404, target


def test_without_index_the_address_is_the_path(tmp_path: Path, http: requests.Session) -> None:
    (tmp_path / "h.org" / "a b").mkdir(parents=True)
    (tmp_path / "h.org" / "a b" / "t.csv").write_bytes(TEXT)
    with serve(tmp_path) as address:
        assert http.get(f"{address}/h.org/a%20b/t.csv").content == TEXT
        assert http.get(f"{address}/h.org/a%20b/t.csv?x=1").status_code == 404


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: None, "no such folder"),
        (lambda path: path.write_text(""), "a file, not a folder"),
        (lambda path: path.mkdir(), "neither an index.csv"),
        (lambda path: (path / "documents").mkdir(parents=True), "neither an index.csv"),
        (lambda path: (path.mkdir(), (path / "index.csv").write_text("url,path\n")), "lists no file"),
        (lambda path: (path.mkdir(), (path / "index.csv").write_text("a,b\n1,2\n")), "needs a url"),
        (lambda path: (path.mkdir(), (path / "index.csv").write_bytes(b"\xff\xfe\x00")), "no CSV text"),
    ],
)
def test_a_folder_that_is_no_mirror_is_wrong_use(tmp_path: Path, make: object, says: str) -> None:
    make(tmp_path / "m")  # type: ignore[operator]
    with pytest.raises(UsageError, match=says) as caught, serve(tmp_path / "m"):
        pass
    assert "\n" not in str(caught.value)


def test_a_port_in_use_is_wrong_use(mirror: Path) -> None:
    server = MirrorServer(mirror)
    with pytest.raises(UsageError, match="port"):
        MirrorServer(mirror, port=server.server_address[1])
    server.server_close()


def test_requests_are_told(mirror: Path, http: requests.Session) -> None:
    seen: list[Seen] = []
    with serve(mirror, on_request=seen.append) as address:
        tag = http.get(f"{address}/stats.example.org/plain.csv").headers["ETag"]
        http.get(f"{address}/stats.example.org/plain.csv", headers={"If-None-Match": tag})
    assert [(one.status, one.bytes_sent, one.is_conditional) for one in seen] == [
        (200, len(TEXT), False),
        (304, 0, True),
    ]


def fetch_with(fault: str, mirror: Path, http: requests.Session, name: str = "plain.csv") -> requests.Response:
    with serve(mirror, faults=[Fault.parse(fault)]) as address:
        return http.get(f"{address}/stats.example.org/{name}", timeout=0.3)


@pytest.mark.parametrize("status", ["429", "500", "502", "503"])
def test_fault_status(mirror: Path, http: requests.Session, status: str) -> None:
    answer = fetch_with(status, mirror, http)
    assert answer.status_code == int(status)
    assert ("Retry-After" in answer.headers) == (status == "429")


@pytest.mark.parametrize("fault", ["reset", "short_body", "timeout"])
def test_fault_transport(mirror: Path, http: requests.Session, fault: str) -> None:
    with pytest.raises(requests.RequestException):
        fetch_with(fault, mirror, http)


def test_fault_slow_drip_never_stops_for_long(mirror: Path, http: requests.Session) -> None:
    started = time.monotonic()
    with (
        serve(mirror, faults=[Fault("slow_drip")]) as address,
        http.get(f"{address}/stats.example.org/plain.csv", stream=True, timeout=0.3) as answer,
    ):
        assert answer.raw.read(4) == TEXT[:4]
        assert time.monotonic() - started > 0.25


def test_faults_in_the_body(mirror: Path, http: requests.Session) -> None:
    assert fetch_with("html", mirror, http).headers["Content-Type"].startswith("text/html")
    assert fetch_with("outage_redirect", mirror, http).content.startswith(b"<!DOCTYPE html>")
    assert fetch_with("empty", mirror, http).content == b""
    assert fetch_with("204", mirror, http).status_code == 204
    assert fetch_with("gone", mirror, http).status_code == 410
    assert fetch_with("truncated", mirror, http).content == TEXT[: len(TEXT) // 2]
    bare = fetch_with("gzip_without_header", mirror, http)
    assert "Content-Encoding" not in bare.headers
    assert gzip.decompress(bare.content) == TEXT
    with pytest.raises(requests.TooManyRedirects):
        fetch_with("redirect_loop", mirror, http)


def test_faults_in_a_zip(mirror: Path, http: requests.Session) -> None:
    def archive(fault: str) -> zipfile.ZipFile:
        return zipfile.ZipFile(io.BytesIO(fetch_with(fault, mirror, http, "data.zip").content))

    with pytest.raises(zipfile.BadZipFile, match="CRC"):
        archive("wrong_crc").read("table")
    assert archive("zip_climbs").namelist() == ["table", "../../climbed.txt"]
    bomb = archive("zip_bomb").getinfo("table")
    assert bomb.file_size == 1 << 30
    assert bomb.compress_size < 2 << 20
    assert archive("zip_bomb").testzip() is None


def test_fault_gzip_bomb_is_a_sound_gzip(mirror: Path, http: requests.Session) -> None:
    with (
        serve(mirror, faults=[Fault("gzip_bomb")]) as address,
        http.get(f"{address}/stats.example.org/plain.csv", stream=True, timeout=5) as answer,
    ):
        packed = answer.raw.read(decode_content=False)
    assert len(packed) < 2 << 20
    with gzip.open(io.BytesIO(packed)) as stream:
        assert sum(len(chunk) for chunk in iter(lambda: stream.read(1 << 24), b"")) == 1 << 30


def test_fault_flapping_etag(mirror: Path, http: requests.Session) -> None:
    with serve(mirror, faults=[Fault("flapping_etag")]) as address:
        first = http.get(f"{address}/stats.example.org/plain.csv")
        again = http.get(f"{address}/stats.example.org/plain.csv", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (200, first.content)
    assert again.headers["ETag"] != first.headers["ETag"]


def test_a_fault_strikes_where_and_as_often_as_told(mirror: Path, http: requests.Session) -> None:
    with serve(mirror, faults=[Fault.parse("503:2@plain")]) as address:
        plain = [http.get(f"{address}/stats.example.org/plain.csv").status_code for _ in range(4)]
        other = http.get(f"{address}/stats.example.org/data.zip").status_code
    assert (plain, other) == ([503, 503, 200, 200], 200)


@pytest.mark.parametrize("text", ["teapot", "503:x", ""])
def test_an_unknown_fault_is_wrong_use(text: str) -> None:
    with pytest.raises(UsageError, match="fault"):
        Fault.parse(text)


def test_a_waiting_fault_does_not_hold_up_the_end(mirror: Path, http: requests.Session) -> None:
    started = time.monotonic()
    with serve(mirror, faults=[Fault("timeout")]) as address, pytest.raises(requests.ReadTimeout):
        http.get(f"{address}/stats.example.org/plain.csv", timeout=0.1)
    assert time.monotonic() - started < 20
    assert set(FAULTS) >= {"429", "timeout", "slow_drip", "reset"}


def test_the_real_files_are_served_by_their_addresses(shared: Path, http: requests.Session) -> None:
    with (shared / "mirror" / "index.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    with serve(shared / "mirror") as address:
        for row in rows:
            url = row["url"].partition("://")[2]
            path, _, query = url.partition("?")
            pairs = [tuple(part.split("=", 1)) for part in query.split("&") if part]
            answer = http.get(f"{address}/{path}", params=list(reversed(pairs)))
            assert answer.status_code == 200, row["url"]
            assert answer.headers["Content-Type"] == row["content_type"]
