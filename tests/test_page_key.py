"""The page where keys are asked for, and the page of the API, in a real browser."""

import pytest

from features.store import open_store
from features.store_keys import Scope
from service.settings import ServiceSettings
from tests.browsing import RESULTS, serving
from tests.conftest import TrainedHome
from tests.test_access import add_key


@pytest.fixture(scope="module")
def locked(trained_home: TrainedHome):
    """The address of a service that asks for keys, and one that it takes."""
    settings = ServiceSettings(home=trained_home.settings.home, access="keys")
    store = open_store(settings.store_url)
    token = add_key(store, Scope.RECOMMEND).token
    store.close()
    with serving(settings) as address:
        yield address, token


def opened(chromium, address):
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, locale="en-US")
    context.set_default_timeout(15_000)
    page = context.new_page()
    page.goto(address)
    return page


def test_the_page_asks_for_a_key_once(chromium, locked):
    address, token = locked
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = opened(chromium, address + RESULTS)
    asked = page.get_by_role("dialog", name="This service asks for a key")
    asked.wait_for()
    assert page.locator("dialog.key").count() == 1, "once, whatever waits for it"
    faults = axe.run(page, options={"resultTypes": ["violations"]}).response["violations"]
    assert [one["id"] for one in faults if one["impact"] in ("serious", "critical")] == []
    page.keyboard.type("no ключ at all")
    page.keyboard.press("Enter")
    page.get_by_text("The key it was given is not taken.").wait_for()
    page.get_by_label("API key").fill(f"  {token}\n")
    page.get_by_role("button", name="Go on").click()
    page.locator("li.creator").first.wait_for()
    assert page.locator("dialog.key").count() == 0
    page.get_by_text("Model ", exact=False).first.wait_for()
    with page.expect_download():
        page.get_by_role("button", name="CSV").click()
    page.reload()
    page.locator("li.creator").first.wait_for()
    assert page.locator("dialog.key").count() == 0, "it is kept while the tab is open"
    assert token not in page.evaluate("JSON.stringify(localStorage) + document.cookie")
    assert token not in page.url and token not in page.content()
    page.get_by_role("button", name="Forget the API key").click()
    asked.wait_for()
    assert page.evaluate("sessionStorage.length") == 0
    page.keyboard.press("Escape")
    page.get_by_text("This needs an API key of the service.").first.wait_for()
    assert page.locator("dialog.key").count() == 0
    page.wait_for_timeout(1_100)  # whoever closes it is left alone for a second
    page.get_by_role("button", name="Try again").click()
    asked.wait_for()
    page.context.close()


def test_the_page_of_the_api_works_under_its_policy(chromium, locked):
    address, token = locked
    complaints = []
    page = opened(chromium, "about:blank")
    page.on("console", lambda said: said.type == "error" and complaints.append(said.text))
    page.on(
        "request", lambda sent: complaints.append(sent.url) if address not in sent.url else None
    )
    page.goto(address + "docs")
    page.locator(".opblock").first.wait_for()
    page.get_by_role("button", name="Authorize").click()
    page.get_by_label("Value").or_(page.locator(".auth-container input")).first.fill(token)
    page.locator(".auth-container button.authorize").click()
    page.get_by_role("button", name="Close").first.click()
    page.locator(".opblock", has=page.get_by_text("/v1/model", exact=True)).first.click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    page.locator(".live-responses-table tr.response td.response-col_status").first.wait_for()
    assert (
        page.locator(".live-responses-table tr.response td.response-col_status").first.inner_text()[
            :3
        ]
        == "200"
    )
    assert [one for one in complaints if not one.startswith(("data:", "blob:"))] == []
    page.context.close()
