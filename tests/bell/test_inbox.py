"""What a user does in the panel is done on the server, and what the server refuses is undone on the screen."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from playwright.async_api import CDPSession, Route, expect

from tests.bell.browser import NEEDS_CHROMIUM, PATIENCE, Bell
from tests.bell.conftest import Say, Visit
from tests.support import Api

pytestmark = NEEDS_CHROMIUM

_STATE = "{ notifications(first: 9) { unreadCount nodes { title read } } }"
_FRAMES = """() => new Promise((resolve) => {
  const bell = document.querySelector("tocsin-bell").shadowRoot;
  const scroller = bell.querySelector(".scroller");
  const gaps = [];
  let most = 0, blank = 0, before = performance.now();
  const step = (now) => {
    gaps.push(now - before);
    before = now;
    most = Math.max(most, bell.querySelectorAll("*").length);
    const { top, bottom } = scroller.getBoundingClientRect();
    const seen = bell.elementFromPoint(scroller.getBoundingClientRect().left + 100, (top + bottom) / 2);
    blank += !seen?.closest("li");
    if (gaps.length === 120) resolve({ gaps: gaps.slice(1), most, blank });
    else {
      scroller.scrollTop += 600;
      requestAnimationFrame(step);
    }
  };
  requestAnimationFrame(step);
})"""


async def stored(user: Api.User, unread: int, **read: bool) -> None:
    """Wait until the server has this unread count and just these titles, read or not; the screen is ahead."""
    wanted, found = (unread, read), None
    deadline = time.monotonic() + PATIENCE
    while found != wanted and time.monotonic() < deadline:
        page = (await user.data(_STATE))["notifications"]
        found = page["unreadCount"], {row["title"]: row["read"] for row in page["nodes"]}
        await asyncio.sleep(0.02)
    assert found == wanted


async def filled(user: Api.User, visit: Visit, **options: Any) -> Bell:
    """Open the panel of somebody with three unread notifications: one, two, three, the newest first."""
    for day, title in enumerate(("three", "two", "one"), 1):
        await user.receive(title, created_at=datetime(2026, 1, day, tzinfo=UTC))
    bell: Bell = await visit(user, **options)
    await bell.badge(3)
    await bell.open()
    await bell.shows("one", "two", "three")
    return bell


async def test_read_and_unread(ada: Api.User, visit: Visit) -> None:
    """A row is marked read and unread again by its button; the badge, the list and the server agree."""
    bell = await filled(ada, visit)
    await bell.act("Mark as read", "two")
    await bell.unread("one", "three")
    await bell.badge(2)
    await stored(ada, 2, one=False, two=True, three=False)
    await bell.act("Mark as unread", "two")
    await bell.unread("one", "two", "three")
    await bell.badge(3)
    await stored(ada, 3, one=False, two=False, three=False)


async def test_dismiss(ada: Api.User, visit: Visit) -> None:
    """A dismissed row is gone, and its count with it."""
    bell = await filled(ada, visit)
    await bell.act("Dismiss", "one")
    await bell.shows("two", "three")
    await bell.badge(2)
    await stored(ada, 2, two=False, three=False)


async def test_mark_all_read(ada: Api.User, visit: Visit) -> None:
    """Everything is read at once, and then there is nothing to mark."""
    bell = await filled(ada, visit)
    await bell.button("Mark all as read").click()
    await bell.unread()
    await bell.badge(0)
    await expect(bell.button("Mark all as read")).to_be_disabled()
    await expect(bell.button("Mark all as read")).to_be_focused()
    await stored(ada, 0, one=True, two=True, three=True)


async def test_filters(ada: Api.User, visit: Visit) -> None:
    """Unread shows the unread ones, also those that come or are read meanwhile; an empty list says so."""
    bell = await filled(ada, visit)
    await bell.act("Mark as read", "two")
    await bell.button("Unread").click()
    await bell.shows("one", "three")
    await ada.receive("zero")
    await bell.shows("zero", "one", "three")
    await bell.button("Mark all as read").click()
    await expect(bell.root.get_by_text("All caught up")).to_be_visible()
    await bell.button("All").click()
    await bell.shows("zero", "one", "two", "three")


async def test_a_notification_in_full(ada: Api.User, visit: Visit) -> None:
    """It opens with its body as HTML, is read by that, and leads on; nothing in it runs."""
    await ada.receive(
        "<img src=x onerror=alert(1)> **bold**",
        body="See [this](https://example.com/a) <script>alert(1)</script> **now**",
        url="https://example.com/b",
        actions=[{"label": "Approve", "url": "/approve"}],
    )
    bell: Bell = await visit(ada)
    await bell.open()
    await bell.rows.locator(".row").click()
    await expect(bell.root.locator("h3")).to_have_text("<img src=x onerror=alert(1)> bold")
    await expect(bell.root.locator(".body strong")).to_have_text("now")
    assert await bell.root.locator("script, img").count() == 0
    links = bell.root.locator(".pane a")
    assert [await it.get_attribute("href") for it in await links.all()] == [
        *("https://example.com/a", "https://example.com/b", "/approve")
    ]
    assert {await it.get_attribute("rel") for it in await links.all()} == {"noopener noreferrer"}
    await bell.badge(0)


async def test_the_page_may_follow_the_link_itself(ada: Api.User, visit: Visit) -> None:
    """Who cancels tocsin-open gets the notification, and the panel closes."""
    bell = await filled(ada, visit)
    await bell.page.evaluate(
        "addEventListener('tocsin-open', (event) => { event.preventDefault(); window.opened = event.detail })"
    )
    await bell.row("two").locator(".row").click()
    await expect(bell.root.get_by_role("dialog")).to_be_hidden()
    assert (await bell.page.evaluate("window.opened"))["title"] == "two"
    await bell.badge(2)


async def test_a_refusal_is_undone(ada: Api.User, visit: Visit) -> None:
    """What the server refuses is shown at once, taken back, and said; the server's state is what is shown."""
    bell = await filled(ada, visit)
    ids = await ada.data("{ notifications { nodes { id title } } }")
    [gone] = [it["id"] for it in ids["notifications"]["nodes"] if it["title"] == "three"]

    async def meanwhile(route: Route) -> None:
        await bell.unread("one", "two")  # before anything was sent
        await bell.badge(2)
        wrong = route.request.post_data or ""
        assert gone in wrong
        await route.continue_(post_data=wrong.replace(gone, "00000000-0000-0000-0000-000000000000"))

    await bell.page.route("**/graphql", meanwhile)
    await bell.act("Mark as read", "three")
    await expect(bell.root.get_by_role("alert")).to_have_text("That could not be saved, and was undone.")
    await bell.unread("one", "two", "three")
    await bell.badge(3)
    await stored(ada, 3, one=False, two=False, three=False)


async def test_without_a_network_it_is_undone(ada: Api.User, visit: Visit) -> None:
    """A change that cannot be sent is taken back, whichever it was."""
    bell = await filled(ada, visit)
    await bell.page.route("**/graphql", lambda route: route.abort())
    await bell.act("Dismiss", "two")
    await expect(bell.root.get_by_role("alert")).to_be_visible()
    await bell.shows("one", "two", "three")
    await bell.button("Mark all as read").click()
    await bell.unread("one", "two", "three")
    await bell.badge(3)
    await stored(ada, 3, one=False, two=False, three=False)


async def test_ten_thousand_scroll_smoothly(ada: Api.User, visit: Visit, say: Say) -> None:
    """All can be reached; few are in the page at a time; a frame takes little CPU, and none is blank.

    CPU, for frames come late where other processes have the processors, whatever the list does.
    """
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    for thousand in range(10):
        created_at = begin + timedelta(hours=thousand)
        await ada.receive(*(f"{thousand} {it}" for it in range(1000)), created_at=created_at)
    bell: Bell = await visit(ada)
    await expect(bell.root.locator(".badge")).to_have_text("99+")
    await bell.open()
    await expect(bell.rows.first).to_be_visible()
    session = await bell.page.context.new_cdp_session(bell.page)
    await session.send("Performance.enable", {"timeDomain": "threadTicks"})
    before = await _busy(session)
    found = await bell.page.evaluate(_FRAMES)
    cpu = (await _busy(session) - before) / len(found["gaps"])
    gaps = sorted(found["gaps"])
    say(
        f"frames: {cpu:.1f} ms of CPU each; median {gaps[60]:.1f} ms, longest {gaps[-1]:.1f} ms apart; "
        f"{found['most']} elements at most"
    )
    assert found["most"] < 800
    assert found["blank"] == 0
    assert 0 < cpu < 25  # 9 were measured, beside other processes
    await _scroll_to_the_end(bell)


async def _busy(session: CDPSession) -> float:
    """Return how many milliseconds of CPU the page's main thread has taken."""
    metrics = (await session.send("Performance.getMetrics"))["metrics"]
    return float(next(it["value"] for it in metrics if it["name"] == "TaskDuration")) * 1000


async def _scroll_to_the_end(bell: Bell) -> None:
    """Press End until the list ends."""
    await bell.rows.first.locator(".row").focus()
    deadline = time.monotonic() + 60
    while await bell.rows.first.get_attribute("aria-setsize") != "10000":
        assert time.monotonic() < deadline
        await bell.page.keyboard.press("End")
        await bell.page.wait_for_timeout(20)
    await bell.page.keyboard.press("End")
    await expect(bell.root.locator("li[aria-posinset='10000']")).to_be_visible()
    assert await bell.rows.count() < 60
