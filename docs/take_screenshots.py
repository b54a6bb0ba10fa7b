"""Takes the documentation's pictures of the Dagster UI from a running demo.

    python docs/take_screenshots.py          # starts the demo in a temporary folder

Needs a Chromium on the PATH; Debian's package `chromium` will do.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import Page, sync_playwright

IMAGES = Path(__file__).parent / "images"
ARRIVALS_SECONDS = 100
CORRUPT = "2026/11/19/orders-0005.jsonl.gz"
PARKED = "2026/11/20/orders-0012.jsonl.gz"
LOADED = "2026/11/20/orders-0007.jsonl.gz"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def main() -> None:
    """The pictures under `docs/images` show the demo as it is now."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="shots-") as home:
        command = [str(Path(sys.executable).parent / "ingest-assets"), "demo"]
        demo = subprocess.Popen(
            command,
            env={**os.environ, "INGEST_HOME": home},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            url = _address(demo)
            time.sleep(ARRIVALS_SECONDS)
            _take(url)
        finally:
            demo.send_signal(signal.SIGINT)
            demo.wait(60)


def _address(demo: "subprocess.Popen[str]") -> str:
    assert demo.stdout is not None
    for line in demo.stdout:
        if found := re.search(r"http://\S+", line):
            return found[0]
    raise RuntimeError("the demo ended without an address")


def _take(url: str) -> None:
    asset = f"{url}/assets/raw/orders"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page(viewport={"width": 1440, "height": 860})
        _open(page, f"{asset}?view=partitions&partition={quote(LOADED, safe='')}")
        _shoot(page, "partitions")
        _open(page, f"{asset}?view=partitions&partition={quote(CORRUPT, safe='')}")
        page.get_by_text("View all historical events").click()
        page.wait_for_timeout(2000)
        page.get_by_role("dialog").get_by_text(CORRUPT).last.click()
        _shoot(page, "failed-file")
        _take_decision(page, asset)
        browser.close()


def _take_decision(page: Page, asset: str) -> None:
    """From the failed check of the parked file to the launchpad that decides about it."""
    page.set_viewport_size({"width": 1440, "height": 1060})
    _open(page, f"{asset}?view=checks&checkDetail=schema_compatible")
    page.get_by_text("Execution history").wait_for()
    page.get_by_text("Partitions").last.click()
    page.wait_for_timeout(2000)
    shortened = re.compile(rf"{PARKED[-11:]}$")
    page.get_by_text(shortened).locator("visible=true").first.click()
    decide = page.get_by_text("[Show Markdown]").first
    decide.wait_for()
    page.mouse.move(0, 0)  # no tooltip in the picture
    _shoot(page, "parked-file")
    decide.click()
    _shoot(page, "schema-decision")
    page.get_by_role("link", name="Open the launchpad").click()
    page.get_by_text("Launch Run").wait_for()
    page.wait_for_timeout(3000)
    # The cursor in its field brings up what each field is for.
    page.locator(".CodeMirror-line").filter(has_text="resolution").first.click()
    _shoot(page, "schema-launchpad")


def _open(page: Page, address: str) -> None:
    page.goto(address, wait_until="domcontentloaded")
    page.wait_for_timeout(5000)


def _shoot(page: Page, name: str) -> None:
    page.wait_for_timeout(2000)
    page.screenshot(path=str(IMAGES / f"{name}.png"))


if __name__ == "__main__":
    main()
