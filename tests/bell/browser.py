"""A page with a bell in a real Chromium, and what a user sees of it and does to it."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.async_api import Browser, Locator, Page, Route, async_playwright, expect

from tests.codegen import node
from tests.tocsin.processes import ROOT

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
NEEDS_CHROMIUM = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium: apt-get install chromium")
WEB = ROOT / "web" / "bell"
PATIENCE = 15
"""Seconds for what takes a fraction of one on a machine with nothing else to do."""
expect.set_options(timeout=PATIENCE * 1000)
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    # The product's page comes from the test itself, which the browser takes for a site of the internet.
    "--disable-features=LocalNetworkAccessChecks",
)
# The strictest page that a bell may be on.
_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src {}; img-src data:"
_STYLE = """
h1 { display: flex; justify-content: space-between }
tocsin-bell:not(:defined) { display: inline-block; inline-size: 2.75rem; block-size: 2.75rem }
"""
_HTML = """<!DOCTYPE html>
<html lang="{lang}" dir="{dir}"><head><meta charset="utf-8"><title>A product</title>
<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,"><link rel="stylesheet" href="/host.css">
<script type="module" src="/bell.js"></script></head>
<body><main><h1>A product <tocsin-bell endpoint="{endpoint}" token="{token}"></tocsin-bell></h1>
<p>What the product is about.</p></main></body></html>
"""

_SHIFT = """() => new Promise((resolve) => {
  const moved = [];
  const name = ({ previousRect, currentRect }) => JSON.stringify([previousRect, currentRect]);
  new PerformanceObserver((list) => {
    for (const { value, sources } of list.getEntries()) moved.push([value, ...sources.map(name)]);
  }).observe({ type: "layout-shift", buffered: true });
  setTimeout(() => resolve(moved), 300);
})"""


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Run Chromium."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        yield browser
        await browser.close()


@dataclass(frozen=True)
class Bell:
    """A page with one bell."""

    page: Page
    complaints: list[str]

    @property
    def root(self) -> Locator:
        """The element."""
        return self.page.locator("tocsin-bell")

    @property
    def rows(self) -> Locator:
        """The rows of the list that are in the page."""
        return self.root.locator("li")

    def row(self, title: str) -> Locator:
        """Return the row with a title."""
        return self.rows.filter(has=self.page.get_by_text(title, exact=True))

    def button(self, name: str) -> Locator:
        """Return the button that is called so."""
        return self.root.get_by_role("button", name=name, exact=True)

    async def badge(self, number: int) -> None:
        """Wait until the badge shows a number; 0: none."""
        shown = self.root.locator(".badge")
        if number:
            await expect(shown).to_have_text(str(number))
        else:
            button = self.root.locator(".bell")
            await expect(button).to_have_accessible_name("Notifications: No unread notifications")
            await expect(shown).to_have_count(0)

    async def open(self) -> None:
        """Click on the bell."""
        await self.root.locator(".bell").click()
        await expect(self.root.get_by_role("dialog")).to_be_visible()

    async def shows(self, *titles: str) -> None:
        """Wait until the list has these titles, from the top."""
        await expect(self.rows.locator(".title")).to_have_text(list(titles))

    async def unread(self, *titles: str) -> None:
        """Wait until just these rows are shown as unread."""
        await expect(self.root.locator("li.unread .title")).to_have_text(list(titles))

    async def becomes(self, expression: str, value: object) -> None:
        """Wait until an expression of the page has a value; the page's policy forbids it to evaluate its own."""
        async with asyncio.timeout(PATIENCE):
            while await self.page.evaluate(expression) != value:  # noqa: ASYNC110  the page sets no event of ours
                await asyncio.sleep(0.02)

    async def act(self, action: str, title: str) -> None:
        """Click on a button of a row."""
        await self.row(title).hover()
        await self.button(f"{action}: {title}").click()


def host_page(token: str, *, lang: str = "en", dir: str = "ltr", endpoint: str = "/graphql") -> str:
    """Return the page of a product that has the bell in its header."""
    return _HTML.format(token=token, lang=lang, dir=dir, endpoint=endpoint)


def sends(body: str, kind: str, connect: str = "'self'") -> Callable[[Route], Awaitable[None]]:
    """Return what answers a request of the browser with a page of the product."""

    async def answer(route: Route) -> None:
        headers = {"Content-Type": kind, "Content-Security-Policy": _POLICY.format(connect)}
        await route.fulfill(status=200, headers=headers, body=body)

    return answer


@asynccontextmanager
async def visiting(browser: Browser, url: str, token: str, **options: Any) -> AsyncIterator[Bell]:
    """Open the product's page on a server's origin; at the end, nothing may have complained.

    options: those of `host_page`; `context`: those of the browser's context; `connect`: where it may connect to.
    """
    context = await browser.new_context(**options.pop("context", {}))
    connect = options.pop("connect", "'self'")
    try:
        await context.route("**/host.css", sends(_STYLE, "text/css"))
        await context.route(
            "**/product", sends(host_page(token, **options), "text/html; charset=utf-8", connect)
        )
        bell = Bell(await context.new_page(), [])
        bell.page.on("pageerror", lambda error: bell.complaints.append(str(error)))
        bell.page.on("console", lambda it: _note(bell.complaints, it.type, it.text))
        await bell.page.goto(f"{url}/product")
        yield bell
        assert bell.complaints == []
    finally:
        await context.close()


def _note(complaints: list[str], kind: str, text: str) -> None:
    # The browser itself reports connections that fail, which is what some tests are about.
    if kind in {"error", "warning"} and "ERR_" not in text and "WebSocket" not in text:
        complaints.append(text)


async def violations(page: Page) -> list[str]:
    """Return what axe finds on a page, by WCAG 2.2 AA and its best practices."""
    node.install(WEB)
    await page.evaluate((WEB / "node_modules" / "axe-core" / "axe.min.js").read_text())
    found = await page.evaluate(
        "axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })"
    )
    return [json.dumps([it["id"], [one["html"] for one in it["nodes"]]]) for it in found["violations"]]


async def shifts(page: Page) -> list[Any]:
    """Return what has moved on a page by itself, or by what the user did, since it began to load."""
    found: list[Any] = await page.evaluate(_SHIFT)
    return found
