"""For everybody: keyboard, screen reader, both themes, both directions, other languages, and quick."""

import re
from typing import Any

import pytest
from playwright.async_api import expect

from db.types import Severity
from tests.bell.browser import NEEDS_CHROMIUM, Bell, shifts, violations
from tests.bell.conftest import Say, Visit
from tests.codegen import node
from tests.support import Api

pytestmark = NEEDS_CHROMIUM

_ARABIC = {
    "notifications": "الإشعارات",
    "unreadCount": {"two": "{count} إشعاران غير مقروءين", "other": "{count} إشعار غير مقروء"},
    "unread": "غير مقروء",
}


@pytest.mark.skipif(not node.available(), reason="axe comes from npm")
@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_axe_finds_nothing(ada: Api.User, visit: Visit, theme: str) -> None:
    """Closed, open, empty, one notification, and preferences: WCAG 2.2 AA and axe's best practices."""
    await ada.receive("one", "two", body="A **body**", severity=Severity.HIGH)
    bell: Bell = await visit(ada, context={"color_scheme": theme})
    await bell.badge(2)
    assert await violations(bell.page) == []
    await bell.open()
    await bell.rows.first.hover()
    assert await violations(bell.page) == []
    await bell.rows.locator(".row").first.click()
    await expect(bell.root.locator(".body strong")).to_be_visible()
    assert await violations(bell.page) == []
    await bell.page.keyboard.press("Escape")
    await bell.button("Preferences").click()
    await expect(bell.root.get_by_role("switch", name="Quiet hours")).to_be_visible()
    await bell.root.get_by_role("switch", name="Quiet hours").click()
    await expect(bell.root.get_by_label("Time zone")).to_be_visible()
    assert await violations(bell.page) == []
    await bell.button("Back to the list").click()
    await bell.button("Mark all as read").click()
    await bell.button("Unread").click()
    await expect(bell.root.get_by_text("All caught up")).to_be_visible()
    assert await violations(bell.page) == []


async def _focused(bell: Bell) -> str:
    """Return the text of what has the focus, or its label."""
    script = "() => { const it = document.querySelector('tocsin-bell').shadowRoot.activeElement;"
    script += "return it?.getAttribute('aria-label') ?? it?.querySelector('.title')?.textContent ?? it?.id }"
    return str(await bell.page.evaluate(script))


async def test_with_the_keyboard_alone(ada: Api.User, visit: Visit) -> None:
    """Open, walk, read, mark, dismiss, go back and close; the focus is always somewhere sensible."""
    for title in ("four", "three", "two", "one"):
        await ada.receive(title)
    bell: Bell = await visit(ada)
    await bell.badge(4)
    press = bell.page.keyboard.press
    await press("Tab")
    assert await _focused(bell) == "Notifications: 4 unread notifications"
    await press("Enter")
    await bell.shows("one", "two", "three", "four")
    await press("ArrowDown")
    await expect(bell.row("one").locator(".row")).to_be_focused()
    await press("ArrowDown")
    await expect(bell.row("two").locator(".row")).to_be_focused()
    await press("Tab")
    assert await _focused(bell) == "Mark as read: two"
    await press("Enter")
    await bell.unread("one", "three", "four")
    await press("ArrowUp")
    await expect(bell.row("one").locator(".row")).to_be_focused()
    await press("Delete")
    await expect(bell.row("two").locator(".row")).to_be_focused()
    await press("End")
    await expect(bell.row("four").locator(".row")).to_be_focused()
    await press("Enter")
    await expect(bell.root.locator("h3")).to_have_text("four")
    await expect(bell.button("Back to the list")).to_be_focused()
    await press("Escape")
    await expect(bell.row("four").locator(".row")).to_be_focused()
    await press("Escape")
    await expect(bell.root.get_by_role("dialog")).to_be_hidden()
    await bell.badge(1)
    await expect(bell.root.locator(".bell")).to_be_focused()


async def test_the_focus_outlives_its_row(ada: Api.User, visit: Visit) -> None:
    """A row that leaves the list of unread ones hands the focus to the next one, the last one to the panel."""
    for title in ("two", "one"):
        await ada.receive(title)
    bell: Bell = await visit(ada)
    await bell.open()
    await bell.button("Unread").click()
    await bell.button("Mark as read: one").press("Enter")
    await bell.shows("two")
    await expect(bell.row("two").locator(".row")).to_be_focused()
    await bell.page.keyboard.press("Enter")
    await expect(bell.button("Back to the list")).to_be_focused()
    await bell.page.keyboard.press("Escape")
    await expect(bell.root.get_by_text("All caught up")).to_be_visible()
    await expect(bell.root.get_by_role("dialog")).to_be_focused()


async def test_a_screen_reader_hears_what_comes(ada: Api.User, visit: Visit) -> None:
    """While the list is open, the title of a new notification is said; rows tell their place."""
    await ada.receive("one")
    bell: Bell = await visit(ada)
    await bell.open()
    await bell.shows("one")
    await ada.receive("two")
    await expect(bell.root.get_by_role("status").first).to_have_text("New notification: two")
    items = bell.root.get_by_role("listitem")
    assert [await it.get_attribute("aria-posinset") for it in await items.all()] == ["1", "2"]
    assert [await it.get_attribute("aria-setsize") for it in await items.all()] == ["2", "2"]


async def test_right_to_left_in_another_language(ada: Api.User, visit: Visit) -> None:
    """The panel opens to the other side; words are the page's, with the plurals of its language."""
    await ada.receive("one", "two")
    bell: Bell = await visit(ada, lang="ar", dir="rtl")
    words = "(strings) => { document.querySelector('tocsin-bell').strings = strings }"
    await bell.page.evaluate(words, _ARABIC)
    await expect(bell.root.locator(".bell")).to_have_accessible_name(re.compile("إشعاران غير مقروءين"))
    await bell.open()
    panel = await bell.root.get_by_role("dialog").bounding_box()
    button = await bell.root.bounding_box()
    assert panel
    assert button
    assert panel["x"] == pytest.approx(button["x"], abs=1)
    mark = await bell.rows.first.locator(".mark").bounding_box()
    assert mark
    assert mark["x"] > panel["x"] + panel["width"] / 2
    assert await violations(bell.page) == []


async def test_it_fits_on_a_phone(ada: Api.User, visit: Visit) -> None:
    """At 360 pixels nothing is cut off, and at 320 nothing scrolls sideways (WCAG 1.4.10)."""
    await ada.receive("A title that is a good deal longer than a phone is wide, as titles are")
    bell: Bell = await visit(ada, context={"viewport": {"width": 360, "height": 640}})
    await bell.open()
    for width in (360, 320):
        await bell.page.set_viewport_size({"width": width, "height": 640})
        panel = await bell.root.get_by_role("dialog").bounding_box()
        assert panel
        assert panel["x"] >= 0
        assert panel["x"] + panel["width"] <= width
        assert await bell.page.evaluate("document.documentElement.scrollWidth") <= width


async def test_nothing_on_the_page_moves(ada: Api.User, visit: Visit) -> None:
    """From the first paint through the badge to the open list there is no layout shift."""
    await ada.receive("one")
    bell: Bell = await visit(ada)
    await bell.badge(1)
    await ada.receive("two")
    await bell.badge(2)
    await bell.open()
    await bell.shows("two", "one")
    assert await shifts(bell.page) == []


async def test_the_first_badge_costs_little(ada: Api.User, visit: Visit, say: Say) -> None:
    """From an empty tab to the badge takes the page's main thread less than 300 ms of CPU."""
    await ada.receive("one")
    other: Bell = await visit(ada)
    bell = Bell(await other.page.context.new_page(), [])
    session: Any = await bell.page.context.new_cdp_session(bell.page)
    await session.send("Performance.enable", {"timeDomain": "threadTicks"})
    await bell.page.goto(other.page.url)
    await bell.badge(1)
    metrics = {it["name"]: it["value"] for it in (await session.send("Performance.getMetrics"))["metrics"]}
    took = metrics["TaskDuration"] * 1000
    say(f"first badge: {took:.0f} ms of CPU, {metrics['ScriptDuration'] * 1000:.0f} ms of it in scripts")
    assert 0 < took < 300
