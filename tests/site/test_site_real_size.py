"""The page of a version of real size: all regions, all years, partners and organisations in full."""

import time
from pathlib import Path

import pytest
from site_browser import browser, chromium
from site_samples import sample, tables_of

from etl.site import build_site
from etl.site.shapes import Boundaries

pytestmark = pytest.mark.long

#: The promises: the whole page, and from opening it from a disk to the first paint.
MOST_BYTES = 15_000_000
FIRST_PAINT_MS = 2000
YEARS = range(1998, 2024)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tables = tables_of(sample(years=YEARS, most=10_000, partners=20, organisations=2_000))
    before = time.process_time()
    files = build_site(tables, Boundaries(), content_id="0", is_invented=True)
    size = sum(map(len, files.values()))
    print(f"\n{len(files)} files, {size / 1e6:.1f} MB, built in {time.process_time() - before:.1f} s of CPU time")
    root = tmp_path_factory.mktemp("page")
    for path, data in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    return root


def test_the_whole_page_is_small(folder: Path) -> None:
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < MOST_BYTES


def test_it_opens_from_a_disk_in_time(folder: Path) -> None:
    if chromium() is None:
        pytest.skip("no Chromium on this machine (on Debian: apt-get install chromium)")
    with browser() as opened:
        page = opened.new_page(viewport={"width": 1280, "height": 900})
        page.goto(f"{folder.as_uri()}/index.html")
        page.wait_for_selector("svg.map [data-key]")
        paints = page.evaluate("performance.getEntriesByType('paint').map((one) => one.startTime)")
        drawn = page.evaluate("performance.now()")
        print(f"\nfirst paint {max(paints):.0f} ms, map drawn {drawn:.0f} ms")
        assert max(paints) < FIRST_PAINT_MS
