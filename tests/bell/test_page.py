"""The demo's page of `tocsin dev`: two people side by side."""

from collections.abc import Iterator

import httpx
import pytest
from playwright.async_api import Browser, Locator, expect

from tests.bell.browser import NEEDS_CHROMIUM, shifts, violations
from tests.codegen import node
from tests.support import Api
from tests.tocsin.processes import Running, Tocsin


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Run `tocsin dev`."""
    tocsin = Tocsin(tmp_path_factory.mktemp("bell") / "data")
    with tocsin.dev() as running:
        yield running
        running.end()
    tocsin.wait_for_stop()


async def _badge(side: Locator) -> int:
    """Return the number of a side's badge, once it is there."""
    shown = side.locator(".badge")
    await expect(shown).to_be_visible()
    return int(await shown.inner_text())


@NEEDS_CHROMIUM
async def test_one_side_hears_and_the_other_is_silent(dev: Running, browser: Browser) -> None:
    """Who sends to himself sees his badge move; the page says so, and the other side has nothing of it.

    Every 20 s the demo itself tells somebody something, which either side may be; so no count is exact here.
    """
    page = await browser.new_page()
    complaints: list[str] = []
    page.on("console", lambda it: complaints.append(it.text))
    await page.goto(dev.url)
    left, right = page.locator(".side").first, page.locator(".side").last
    await right.locator("select").select_option("procrastinate/margaret")
    before = await _badge(left)
    await _badge(right)
    await left.get_by_label("Tell yourself something").fill("A note")
    await left.get_by_role("button", name="Send").click()
    await expect(left.locator(".heard")).to_contain_text("ms after you sent it")
    assert await _badge(left) > before
    await expect(right.locator(".heard")).not_to_contain_text("you sent it")
    await right.locator("tocsin-bell").click()
    await expect(right.locator("li .title").first).to_be_visible()
    await expect(right.get_by_text("A note", exact=True)).to_have_count(0)
    await right.page.keyboard.press("Escape")
    await left.locator("tocsin-bell").click()
    await expect(left.locator("li .title").get_by_text("A note", exact=True)).to_be_visible()
    if node.available():
        assert await violations(page) == []
    assert await shifts(page) == []
    assert complaints == []
    await page.close()


def test_its_tokens_are_for_this_machine_alone(dev: Running) -> None:
    """A name that somebody else's DNS may give gets none, nor do pages elsewhere; and none may be kept."""
    url = f"{dev.url}/demo/tenants.json"
    assert httpx.get(url, headers={"Host": "rebound.example.com"}, timeout=5, verify=False).status_code == 403
    given = httpx.get(url, timeout=5, verify=False)
    assert [it["tenant"] for it in given.json()] == ["strawberry", "procrastinate", "graphql-ws"]
    assert given.headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in given.headers
    for site in ("cross-site", "same-site"):
        elsewhere = httpx.get(url, headers={"Sec-Fetch-Site": site}, timeout=5, verify=False)
        assert elsewhere.status_code == 403


@pytest.mark.parametrize("path", ["/", "/demo/tenants.json", "/demo/page.js"])
async def test_no_other_server_has_it(api: Api, path: str) -> None:
    """In production there is no page and no token to be had."""
    assert (await api.http.get(path)).status_code == 404
