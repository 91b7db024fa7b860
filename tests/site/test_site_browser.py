"""The page in a real browser: what people do with it, by mouse, by keyboard, on a phone, in the dark."""

import csv
import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from site_browser import browser as opened_browser
from site_browser import chromium
from site_samples import HOSTILE, sample, tables_of

from etl.site import build_site
from etl.site.shapes import Boundaries

pytest.importorskip("playwright", reason="Playwright is not installed")
if chromium() is None:
    pytest.skip("no Chromium on this machine (on Debian: apt-get install chromium)", allow_module_level=True)

Open = Callable[..., Any]

#: Opening from a disk to the first paint and to the drawn map; the promise is two seconds.
FIRST_PAINT_MS = 2000
VIEWS = {
    "map": "#/map?level=M&year=2019&cluster=4&measure=quotient",
    "all clusters": "#/map?level=L&year=2019&cluster=all&measure=strength",
    "region": "#/region/us_economic_area:57045?year=2019",
    "cluster": "#/cluster/4?level=L&year=2019&measure=quotient",
    "clusters": "#/clusters?level=L&year=2019",
    "regions": "#/regions?level=L&year=2019",
    "organisations": "#/organisations?level=L&year=2019",
    "notes": "#/notes",
    "details": "#/map?level=L&year=2019&cluster=4&measure=quotient&cell=nuts1:DE1~4",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page as a version keeps it."""
    root = tmp_path_factory.mktemp("page") / "snapshots" / "2026-11-23" / "site"
    files = build_site(tables_of(sample(most=60)), Boundaries(), content_id="0123", is_invented=True)
    for path, data in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    return root


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with opened_browser() as opened:
        yield opened


@pytest.fixture
def open_page(browser: Any, folder: Path) -> Iterator[Open]:
    """Open a view from the disk. A script's error, or a request to anywhere else, fails the test."""
    contexts, wrong = [], []

    def open_view(view: str = "", **options: Any) -> Any:
        context = browser.new_context(viewport={"width": 1280, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
        page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
        page.on(
            "request",
            lambda request: None if request.url.startswith(("file:", "blob:", "data:")) else wrong.append(request.url),
        )
        page.goto(f"{folder.as_uri()}/index.html{view}")
        page.wait_for_selector("main h1")
        return page

    yield open_view
    for context in contexts:
        context.close()
    assert wrong == []


def figure_of(page: Any, key: str) -> str:
    return str(page.locator(f"svg [data-key='{key}']").get_attribute("aria-label"))


def test_it_opens_from_a_disk_in_time(open_page: Open) -> None:
    page = open_page()
    paints = page.evaluate("performance.getEntriesByType('paint').map((one) => one.startTime)")
    assert paints and max(paints) < FIRST_PAINT_MS
    assert page.locator("svg.map").count() == 2
    assert "one rule for both sides, 2019" in page.inner_text("h1")
    assert "Version 2026-11-23" in page.inner_text("footer")


def test_choosing_changes_map_title_and_address(open_page: Open) -> None:
    page = open_page(VIEWS["map"])
    before = page.locator("svg.map path.region").first.get_attribute("fill")
    colours = {page.locator("svg.map path.region").nth(i).get_attribute("fill") for i in range(40)}
    page.select_option("#cluster", label="Biopharmaceuticals")
    page.wait_for_function("document.querySelector('h1').textContent.startsWith('Biopharmaceuticals')")
    assert "cluster=5" in page.url and len(colours) > 3 and before
    page.select_option("#level", "L")
    page.wait_for_selector("svg [data-key='us_state:26']")
    page.select_option("#measure", "native_employment")
    page.wait_for_function("document.querySelector('h1').textContent.includes('as each side counts it')")
    page.select_option("#year", "2016")
    page.wait_for_function("document.querySelector('h1').textContent.endsWith('2016')")
    page.go_back()
    page.wait_for_function("document.querySelector('h1').textContent.endsWith('2019')")
    assert page.input_value("#year") == "2019"


def test_one_scale_for_both_sides(open_page: Open) -> None:
    page = open_page(VIEWS["map"].replace("level=M", "level=L"))
    legend = page.locator(".legend li").all_inner_texts()
    assert legend[:3] == ["0: none there", "more than 0, below 0.50", "0.50 to 0.80"]
    by_class: dict[int, set[str]] = {}
    for node in page.locator("svg a[data-key]").all():
        value = re.search(r": (?:≈ )?(below )?([\d.]+),", node.get_attribute("aria-label"))
        if value:
            steps = sum(float(value[2]) >= step for step in (0.5, 0.8, 1.25, 2, 4))
            if all(abs(float(value[2]) - step) > 0.006 for step in (0.5, 0.8, 1.25, 2, 4)):
                by_class.setdefault(steps, set()).add(node.locator("path").first.get_attribute("fill"))
    assert len(by_class) >= 5 and all(len(colours) == 1 for colours in by_class.values())


def test_pointing_at_a_region_tells_its_figure_and_status(open_page: Open) -> None:
    page = open_page(VIEWS["map"].replace("level=M", "level=L"))
    page.locator("svg [data-key='us_state:48']").hover()
    tip = page.locator(".map-us .tip")
    assert tip.is_visible() and "Texas" in tip.inner_text() and "invented figure" in tip.inner_text()
    assert re.search(r"noised|reported|estimated", tip.inner_text())


def test_a_number_is_one_click_from_its_details(open_page: Open) -> None:
    page = open_page(VIEWS["map"].replace("level=M", "level=L"))
    page.locator("svg [data-key='nuts1:DE1']").click()
    page.wait_for_selector("dialog[open]")
    text = page.inner_text("dialog")
    for part in (
        "Invented figure",
        "80 % band",
        "Certain bounds",
        "Grade",
        "Under one rule",
        "By its own side's rule",
        "Eurostat",
    ):
        assert part in text, part
    assert re.search("modelled|rounded", text) and "clusterbridge explain nuts1:DE1 4 2019" in text
    assert "cell=nuts1" in page.url
    page.keyboard.press("Escape")
    page.wait_for_function("!location.hash.includes('cell=')")
    assert not page.locator("dialog").is_visible()


def test_withheld_is_no_zero(open_page: Open) -> None:
    page = open_page(VIEWS["map"].replace("level=M", "level=L"))
    assert figure_of(page, "us_state:26").startswith("Michigan, US: no figure, withheld")
    page.select_option("#measure", "native_employment")
    page.wait_for_function("document.querySelector('h1').textContent.includes('as each side')")
    assert figure_of(page, "us_state:26").startswith("Michigan, US: no figure, withheld")
    assert figure_of(page, "us_state:27").startswith("Minnesota, US: 0,") or "≈ 0," in figure_of(page, "us_state:27")
    drawn = {
        key: page.locator(f"svg [data-key='us_state:{key}'] path.region").get_attribute("class") for key in (26, 27)
    }
    assert drawn == {26: "region withheld", 27: "region zero"}
    assert {"0: none there", "no figure", "withheld by the publisher"} <= set(
        page.locator(".legend li").all_inner_texts()
    )
    page.goto(page.url + "&cell=us_state:26~4")
    page.wait_for_selector("dialog[open]")
    assert "withheld" in page.inner_text("dialog") and "it is not zero" in page.inner_text("dialog")


def test_modelled_figures_are_marked_everywhere(open_page: Open) -> None:
    page = open_page(VIEWS["map"].replace("level=M", "level=L"))
    for node in page.locator("svg a[data-key]").all():
        label = node.get_attribute("aria-label")
        is_ours = re.search("estimated|modelled|grade D", label) and "no figure" not in label
        assert bool(is_ours) == (node.locator("path.hatch").count() == 1), label
        assert ("≈" in label) == bool(re.search("estimated|modelled", label) and "no figure" not in label), label
    assert re.search(r"\d+ of them modelled or estimated", page.inner_text(".tally"))
    assert "hatched: our estimate or model" in page.inner_text(".legend")


def test_from_the_map_to_a_region_to_a_partner_and_back(open_page: Open) -> None:
    page = open_page(VIEWS["map"])
    page.locator("svg [data-key='us_economic_area:57045']").click()
    page.click("dialog >> text=Profile of the region")
    page.wait_for_function("document.querySelector('h1').textContent.startsWith('Denver')")
    assert page.evaluate("document.activeElement.tagName") == "H1"
    for part in ("Portfolio", "Growth", "Partners across the Atlantic", "Cluster organisations", "Local clusters"):
        assert page.locator(f"h2:text-is('{part}')").count() == 1
    assert page.locator("figure.chart svg[role=img]").count() == 2
    assert "0.90 (0.10 to 0.95)" in page.inner_text("table:has(caption:text-is('Twins'))")
    complements = page.inner_text("table:has(caption:text-is('Complements')) >> tbody tr >> nth=0")
    assert re.search("Automotive → .+; ", complements)
    partner = page.locator("table:has(caption:text-is('Twins')) tbody th a").first
    name = partner.inner_text()
    partner.click()
    page.wait_for_function("(name) => document.querySelector('h1').textContent.startsWith(name)", arg=name)
    page.go_back()
    page.wait_for_function("document.querySelector('h1').textContent.startsWith('Denver')")


def test_a_clusters_profile_ranks_both_sides_without_grade_d(open_page: Open) -> None:
    page = open_page(VIEWS["cluster"])
    for side in ("United States", "Europe"):
        table = page.locator(f"table:has(caption:text-is('{side}, the highest first'))")
        assert table.locator("tbody tr").count() > 0
        assert "grade D" not in table.inner_text()
    assert page.locator("h2:text-is('Related clusters') ~ ul >> nth=0 >> li").count() == 3
    page.select_option("#cluster", label="Furniture")
    page.wait_for_function("document.querySelector('h1').textContent.startsWith('Furniture')")


def downloaded(page: Any, button: str) -> tuple[str, list[dict[str, str]]]:
    with page.expect_download() as waiting:
        page.locator(f"button:visible:text('{button}')").first.click()
    text = Path(waiting.value.path()).read_text(encoding="utf-8-sig")
    return waiting.value.suggested_filename, list(csv.DictReader(io.StringIO(text)))


def test_what_is_seen_can_be_downloaded(open_page: Open) -> None:
    page = open_page(VIEWS["map"].replace("level=M", "level=L"))
    name, rows = downloaded(page, "Download these figures")
    assert name == "invented-clusterbridge-2026-11-23-cluster-4-L-2019.csv"
    assert len(rows) == page.locator("svg a[data-key]").count()
    by_key = {f"{row['region_scheme']}:{row['region_code']}": row for row in rows}
    assert by_key["us_state:26"]["employment"] == "" and by_key["us_state:26"]["employment_status"] == "withheld"
    assert by_key["us_state:27"]["employment"] == "0"
    assert {row["is_invented"] for row in rows} == {"true"} and {row["version"] for row in rows} == {"2026-11-23"}
    for key in ("us_state:48", "nuts1:DE1"):
        shown = re.search(r"([\d.]+),", figure_of(page, key))
        assert shown and float(by_key[key]["common_location_quotient"]) == pytest.approx(float(shown[1]), abs=0.006)
    page = open_page(VIEWS["region"])
    name, rows = downloaded(page, "Download this profile")
    assert len(rows) == 67 and rows[0]["region_code"] == "57045"
    page.click("summary")
    _, rows = downloaded(page, "Download this table")
    assert {row["year"] for row in rows} == {"2016", "2019"} and len(rows) == 12
    _, rows = downloaded(page, "Download these partners")
    assert [row["kind"] for row in rows] == ["complement"] * 3 + ["twin"] * 3


def test_organisations_and_figures_are_held_against_each_other(open_page: Open) -> None:
    page = open_page(VIEWS["organisations"])
    listed = page.locator("table:has(caption:text-is('Cluster organisations of both sides'))")
    assert listed.locator("tbody tr").count() == 2 and HOSTILE in listed.inner_text()
    assert "whether the cluster is strong there is not known" in listed.inner_text()
    gaps = page.locator(
        "table:has(caption:text-is('Strong clusters without an organisation, the most specialised first'))"
    )
    quotients = [float(text.removeprefix("≈ ")) for text in gaps.locator("tbody td.number").all_inner_texts()]
    assert len(quotients) == 20 and quotients == sorted(quotients, reverse=True)
    page.click("nav >> text=Clusters")
    page.wait_for_function("document.querySelector('h1').textContent.startsWith('Clusters')")
    _, rows = downloaded(page, "Download this table")
    assert len(rows) == 67 and rows[3]["cluster_name"] == "Automotive"


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_opens_by_its_link_and_by_going_back(open_page: Open, view: str) -> None:
    page = open_page(VIEWS[view])
    title, address = page.title(), page.url
    page.goto(address.split("#")[0] + "#/map?cluster=44&measure=native_employment&level=L&year=2016")
    page.wait_for_function("document.title.includes('Trailers')")
    assert not page.locator("dialog").is_visible()
    page.go_back()
    page.wait_for_function("(title) => document.title === title", arg=title)
    assert page.locator("dialog").is_visible() == (view == "details")
    page.go_forward()
    page.wait_for_function("document.title.includes('Trailers')")


def test_names_from_lists_stay_text(open_page: Open) -> None:
    page = open_page("#/region/us_state:26?year=2019")
    assert HOSTILE in page.inner_text("table:has(caption:text('Cluster organisations'))")
    assert page.locator("main img").count() == 0 and page.title() != "1"
    assert page.evaluate("csvText([{ name: '=1+1', other: -3 }])") == "name,other\r\n'=1+1,-3\r\n"


def test_everything_works_by_keyboard(open_page: Open) -> None:
    page = open_page(VIEWS["map"].replace("level=M", "level=L"))
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("Tab")
    focused = "document.activeElement.getAttribute('data-key')"
    first = page.evaluate(focused)
    assert first.startswith("us_state:")
    visited = {first}
    for arrow in ("ArrowRight", "ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp"):
        page.keyboard.press(arrow)
        visited.add(page.evaluate(focused))
    assert len(visited) > 2 and page.locator(".map-us .tip").is_visible()
    page.locator("svg [data-key='us_state:48']").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog[open]")
    assert "Texas" in page.inner_text("dialog")
    page.keyboard.press("Escape")
    page.wait_for_function("!location.hash.includes('cell=')")
    assert page.evaluate("document.activeElement.closest('svg') !== null"), "focus returns to where it was"


def test_a_region_is_found_by_name_and_code(open_page: Open) -> None:
    page = open_page()
    page.fill("#find-region", "michig")
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('h1').textContent.startsWith('Michigan (26)')")
    page.fill("#find-region", "DE11")
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('h1').textContent.startsWith('Stuttgart')")
    page.fill("#find-region", "Atlantis")
    page.keyboard.press("Enter")
    assert page.locator("#find-region:invalid").count() == 1
    assert "Stuttgart" in page.inner_text("h1")


def test_a_table_sorts_and_unfolds(open_page: Open) -> None:
    page = open_page(VIEWS["map"].replace("level=M", "level=L"))
    table = page.locator("main table").last
    assert table.locator("tbody tr").count() == 25
    page.click("main .more")
    rows = table.locator("tbody tr").count()
    assert rows == page.locator("svg a[data-key]").count()
    table.locator("thead button", has_text="Region").click()
    names = table.locator("tbody th").all_inner_texts()
    assert names == sorted(names) and table.locator("th[aria-sort=ascending]").count() == 1


@pytest.mark.parametrize("view", VIEWS)
def test_invented_is_never_overlooked(open_page: Open, view: str) -> None:
    page = open_page(VIEWS[view])
    assert page.title().startswith("INVENTED FIGURES")
    page.mouse.wheel(0, 5000)
    page.wait_for_timeout(100)
    if view == "details":
        assert "Never quote it" in page.inner_text("dialog")
    else:
        box = page.locator("#invented").bounding_box()
        assert box and 0 <= box["y"] < 40, "the warning stays in sight"
    assert page.locator("svg.map .watermark").count() == page.locator("svg.map").count()


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_problem_of_access(open_page: Open, view: str, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
    page = open_page(VIEWS[view], color_scheme=scheme)
    page.wait_for_timeout(200)
    # Axe would fetch the style sheet again, which a page from a disk must not do.
    found = axe.Axe().run(page, options={"preload": False}).response["violations"]
    serious = [one for one in found if one["impact"] in ("serious", "critical")]
    assert [(one["id"], [node["html"][:150] for node in one["nodes"][:3]]) for one in serious] == []


@pytest.mark.parametrize("view", VIEWS)
def test_it_fits_a_phone(open_page: Open, view: str) -> None:
    page = open_page(VIEWS[view], screen={"width": 360, "height": 740}, is_mobile=True, has_touch=True)
    page.set_viewport_size({"width": 360, "height": 740})
    page.wait_for_timeout(100)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    small = page.evaluate(
        "[...document.querySelectorAll('button, select, input')].filter((one) => one.offsetParent"
        " && !one.closest('th') && one.getBoundingClientRect().height < 32).map((one) => one.outerHTML.slice(0, 80))"
    )
    assert small == []


def test_wrong_addresses_are_told(open_page: Open) -> None:
    page = open_page("#/region/nuts2:XX99")
    assert "No region nuts2:XX99" in page.inner_text("h1")
    page = open_page("#/nowhere?cluster=999&year=1066&level=Q&measure=magic")
    assert "2019" in page.inner_text("h1") and page.locator("svg.map").count() == 2


def test_a_missing_data_file_is_told(browser: Any, folder: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(folder, tmp_path / "site")
    (tmp_path / "site" / "data" / "cells-2019-M.js").unlink()
    page = browser.new_page()
    page.goto(f"{(tmp_path / 'site').as_uri()}/index.html{VIEWS['map']}")
    page.wait_for_selector("text=data/cells-2019-M.js cannot be read")
    page.close()
