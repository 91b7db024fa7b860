"""Fixtures of the archive's tests: a toy publisher, a data root, settings with which faults take little time."""

import socket
from pathlib import Path
from typing import Any

import pytest
from toy_publisher import Publisher, Toys, body_of, url_of

from etl.settings import Settings
from etl.storage import Storage


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    return Publisher(tmp_path / "mirror")


@pytest.fixture
def toys(publisher: Publisher) -> Publisher:
    publisher.offer_toys(2020, 2021)
    return publisher


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path / "root")


@pytest.fixture
def quick() -> Settings:
    """Settings with which no fault takes long."""
    return Settings(
        connect_timeout=0.3,
        read_timeout=0.3,
        stall_seconds=0.3,
        stall_bytes=1000,
        retries=1,
        backoff=0.01,
        fetch_budget=6,
        unpacked_bytes_max=1 << 23,
    )


@pytest.fixture(autouse=True)
def no_such_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hosts that cannot exist are not asked for in the network, which may take its time to say so."""
    look_up = socket.getaddrinfo

    def answer(host: Any, *arguments: Any, **options: Any) -> Any:
        if str(host).endswith(".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return look_up(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", answer)


@pytest.fixture
def toy_bodies() -> dict[str, bytes]:
    return {url_of(kind, year): body_of(kind, year) for kind in Toys.kinds for year in (2020, 2021)}
