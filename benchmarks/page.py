"""How soon a marketer sees creators: from the answer's arrival to rows on screen, how long it takes
to sort them, and the page's weight.

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
SIZES = (50, 200, 500, 1_000)
ASKED_AT_MOST = 500  # as many as the API gives; a longer list is its rows over again

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


# Sorts the list by another order, and waits until that is painted.
SORT = """
() => new Promise((done) => {
  const order = [...document.querySelectorAll(".toolbar select")][0];
  const start = performance.now();
  order.value = "cost";
  order.dispatchEvent(new Event("change"));
  requestAnimationFrame(() => setTimeout(() => done(performance.now() - start)));
})
"""


def lengthened(route: Any, rows: int) -> None:
    """Answer with so many rows."""
    response = route.fetch()
    answer = response.json()
    items = answer["items"]
    answer["items"] = [
        items[place % len(items)] | {"creator_id": f"{place}", "rank": place + 1}
        for place in range(rows)
    ]
    route.fulfill(response=response, json=answer)


def rows_ms(browser: Any, address: str, rows: int) -> tuple[float, float, int]:
    """Milliseconds from the answer to painted rows, and to sort them; and how many there are."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.add_init_script(WATCH)
    limit = min(rows, ASKED_AT_MOST)
    if rows > limit:
        page.route("**/v1/recommendations", lambda route: lengthened(route, rows))
    brief = json.dumps({"brand": EXAMPLE_BRIEF["brand"], "query": EXAMPLE_BRIEF["query"]})
    asked = json.dumps(json.loads(brief) | {"limit": limit})
    page.goto(f"{address}#/results?brief={quote(asked)}")
    page.locator("li.creator").first.wait_for()
    page.wait_for_timeout(1_000)
    times = page.evaluate("times")
    found = page.locator("li.creator").count()
    sorted_ms = page.evaluate(SORT)
    page.close()
    return times["row"] - times["answer"], sorted_ms, found


def main() -> None:
    """Print all of it."""
    from playwright.sync_api import sync_playwright

    address = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000/"
    print(f"weight {weight_bytes() / 1000:.0f} kB, gzip")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CREATORFIT_CHROMIUM", "/usr/bin/chromium"),
            args=["--no-sandbox"],
        )
        for size in SIZES:
            found = [rows_ms(browser, address, size) for _ in range(ROUNDS)]
            first, ordered = (sorted(one[which] for one in found) for which in (0, 1))
            print(
                f"{found[0][2]} creators: first rows {statistics.median(first):.0f} ms after the "
                f"answer (slowest of {ROUNDS}: {first[-1]:.0f} ms); sorted in "
                f"{statistics.median(ordered):.0f} ms (slowest {ordered[-1]:.0f} ms)"
            )
        browser.close()


if __name__ == "__main__":
    main()
