"""How soon a marketer sees creators: from the answer's arrival to rows on screen, and the weight.

``python -m benchmarks.page http://127.0.0.1:8000/`` against a service that runs. Needs the extra
`dev` and a Chromium at /usr/bin/chromium, or where CREATORFIT_CHROMIUM says.
"""

from __future__ import annotations

import gzip
import json
import os
import statistics
import sys
from typing import Any
from urllib.parse import quote

from service.routes_page import WEB
from service.wire import EXAMPLE_BRIEF

ROUNDS = 7
SIZES = (50, 200, 500)

# Notes when the answer's body is there, and when the first row has been painted after that.
WATCH = """
window.times = {};
const json = Response.prototype.json;
Response.prototype.json = async function () {
  const text = await this.text();
  if (this.url.endsWith("/v1/recommendations")) times.answer = performance.now();
  return JSON.parse(text);
};
new MutationObserver(() => {
  if (times.row === undefined && document.querySelector("li.creator")) {
    times.row = 0;
    requestAnimationFrame(() => setTimeout(() => { times.row = performance.now(); }));
  }
}).observe(document, { childList: true, subtree: true });
"""


def weight_bytes() -> int:
    """All files of the page, each compressed by itself, as they are sent."""
    files = [file for file in WEB.rglob("*") if file.is_file() and "LICENSE" not in file.name]
    return sum(len(gzip.compress(file.read_bytes())) for file in files)


def first_rows_ms(browser: Any, address: str, limit: int) -> tuple[float, int]:
    """Milliseconds from the answer to painted rows, and how many rows there are in the end."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.add_init_script(WATCH)
    brief = json.dumps({"brand": EXAMPLE_BRIEF["brand"], "query": EXAMPLE_BRIEF["query"]})
    asked = json.dumps(json.loads(brief) | {"limit": limit})
    page.goto(f"{address}#/results?brief={quote(asked)}")
    page.locator("li.creator").first.wait_for()
    page.wait_for_timeout(1_000)
    times = page.evaluate("times")
    rows = page.locator("li.creator").count()
    page.close()
    return times["row"] - times["answer"], rows


def main() -> None:
    """Print both."""
    from playwright.sync_api import sync_playwright

    address = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000/"
    print(f"weight {weight_bytes() / 1000:.0f} kB, gzip")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CREATORFIT_CHROMIUM", "/usr/bin/chromium"),
            args=["--no-sandbox"],
        )
        for limit in SIZES:
            found = [first_rows_ms(browser, address, limit) for _ in range(ROUNDS)]
            times = sorted(ms for ms, _ in found)
            print(
                f"{found[0][1]} creators: first rows {statistics.median(times):.0f} ms after the "
                f"answer (slowest of {ROUNDS}: {times[-1]:.0f} ms)"
            )
        browser.close()


if __name__ == "__main__":
    main()
