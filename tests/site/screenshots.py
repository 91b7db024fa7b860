"""Takes the screenshots of the README from a fresh demo, whose figures are invented and marked so: make screenshots."""

import subprocess
import sys
import tempfile
from pathlib import Path

from site_browser import browser, chromium

IMAGES = Path(__file__).parents[2] / "docs" / "images"

#: File, view, colour scheme, size of the window.
SHOTS = (
    ("map.png", "", "light", (1200, 980)),
    ("profile.png", "#/region/us_state:26?year=2019", "light", (1200, 1250)),
    ("details.png", "#/map?level=L&cluster=5&measure=quotient&year=2019&cell=nuts1:DE1~5", "dark", (1200, 820)),
)


def main() -> int:
    """Make the demo, open its page from the disk, and write the images."""
    if chromium() is None:
        print("No Chromium on this machine (on Debian: apt-get install chromium).", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        command = Path(sys.executable).with_name("clusterbridge")
        subprocess.run([command, "demo", "--data", folder], check=True, stdout=subprocess.DEVNULL)
        take(next(Path(folder).glob("snapshots/*/site/index.html")))
    return 0


def take(page_file: Path) -> None:
    """Write the images of a page whose figures are invented."""
    IMAGES.mkdir(exist_ok=True)
    with browser() as opened:
        for name, view, scheme, (width, height) in SHOTS:
            page = opened.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
            page.goto(page_file.as_uri() + view)
            page.wait_for_selector("main h1")
            page.wait_for_timeout(500)
            if "INVENTED" not in page.title():
                raise RuntimeError(f"{name}: the page does not say that its figures are invented")
            page.screenshot(path=IMAGES / name)
            page.close()
            print(f"docs/images/{name}")


if __name__ == "__main__":
    sys.exit(main())
