"""A real service on a port of its own, a real browser that opens its page, and where to."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import uvicorn

from service.app import create_app
from service.settings import ServiceSettings
from service.wire import EXAMPLE_BRIEF

CHROMIUM = Path(os.environ.get("CREATORFIT_CHROMIUM", "/usr/bin/chromium"))
START_SECONDS = 30.0
WAIT_SECONDS = 15.0

BRIEF = EXAMPLE_BRIEF | {"limit": 50}
RESULTS = f"#/results?brief={quote(json.dumps(BRIEF))}"
PLAN = f"#/plan?brief={quote(json.dumps(BRIEF))}"
CAMPAIGN = "serum-spring"


@contextmanager
def serving(settings: ServiceSettings) -> Iterator[str]:
    """Serve on a free loopback port for as long as the block lasts; gives the address."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        server = uvicorn.Server(uvicorn.Config(create_app(settings), log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        deadline = time.monotonic() + START_SECONDS
        while not server.started:
            assert thread.is_alive() and time.monotonic() < deadline, "the service did not start"
            time.sleep(0.02)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        finally:
            server.should_exit = True
            thread.join(START_SECONDS)


@contextmanager
def browsing() -> Iterator[object]:
    """A headless Chromium, or a skip that says what is missing."""
    if not CHROMIUM.exists():
        pytest.skip(f"needs a Chromium at {CHROMIUM}; CREATORFIT_CHROMIUM names another")
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        try:
            yield browser
        finally:
            browser.close()


def send(service: str, path: str, body: object) -> Any:
    """Post JSON, and read what is answered."""
    request = urllib.request.Request(
        service + path, json.dumps(body).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)


def make_campaign(service: str) -> str:
    """A campaign with a plan that was kept, and outcomes of three creators of it."""
    body = BRIEF | {"campaign_id": CAMPAIGN, "constraints": {"max_creators": 6}}
    plan = send(service, "v1/portfolios", body)
    outcomes = [
        {
            "sponsorship_id": f"page-{number}",
            "creator_id": pick["creator_id"],
            "campaign_id": CAMPAIGN,
            "recommendation_id": plan["recommendation_id"],
            "started_at": "2025-07-10T09:00:00Z",
            "cost": pick["cost"] / 2,
            "impressions": 20_000,
            "clicks": 300,
            "conversions": 4 * number,
        }
        for number, pick in enumerate(plan["portfolio"]["picked"][:3])
    ]
    send(service, "v1/outcomes", {"outcomes": outcomes})
    return CAMPAIGN


def places(creator_id: str) -> dict[str, str]:
    """Every page, by name."""
    return {
        "brief": f"#/?brief={quote(json.dumps(BRIEF))}",
        "creators": RESULTS,
        "plan": PLAN,
        "creator": f"#/creator?id={creator_id}",
        "map": "#/map",
        "campaigns": "#/campaign",
        "campaign": f"#/campaign?id={CAMPAIGN}",
        "shortlist": "#/shortlist",
        "model": "#/model",
    }


def until(page: Any, expression: str, arg: object = None) -> None:
    """Wait until JavaScript holds; the browser's own way of waiting needs `eval`, which is off."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not page.evaluate(expression, arg):
        assert time.monotonic() < deadline, expression
        page.wait_for_timeout(20)


def settle(page: Any) -> None:
    """Wait until all that a page asks for is there."""
    page.wait_for_selector("h1")
    page.wait_for_load_state("networkidle")
    until(page, "!document.querySelector('.waiting')")
