"""The badge and the list follow the inbox, through restarts, lost networks and tokens that end."""

import asyncio
import time
from typing import Any

from playwright.async_api import Browser, expect

from resolvers.principal import Role
from tests.bell.browser import NEEDS_CHROMIUM, Bell, visiting
from tests.bell.conftest import Say, Visit
from tests.support import SECRET, Api, Urls
from tests.tocsin.processes import Running, Tocsin, free_port

pytestmark = NEEDS_CHROMIUM

_NOTIFY = """mutation($to: ID!, $title: String!) {
  notify(input: {recipients: [{id: $to}], type: "t", category: "c", title: $title}) { created }
}"""


async def test_a_notify_moves_the_badge_within_a_second(
    ada: Api.User, grace: Api.User, stranger: Api.User, agent: Api.User, visit: Visit, say: Say
) -> None:
    """One user's badge moves; that of another user and of another tenant's user of the same id stay silent.

    Of three, one may be late: the machine does other things, too.
    """
    bells: list[Bell] = [await visit(user) for user in (ada, grace, stranger)]
    for bell in bells:
        await bell.badge(0)
        await bell.page.evaluate("window.heard = 0; addEventListener('tocsin-unread', () => window.heard++)")
    took = []
    for count in (1, 2, 3):
        began = time.monotonic()
        await agent.data(_NOTIFY, to="ada", title="For Ada")
        await bells[0].badge(count)
        took.append(time.monotonic() - began)
    say("badge " + ", ".join(f"{it * 1000:.0f} ms" for it in took) + " after notify was sent")
    assert sorted(took)[1] < 1
    await asyncio.sleep(0.5)
    assert [await bell.page.evaluate("window.heard") for bell in bells] == [3, 0, 0]
    await bells[1].badge(0)
    await bells[2].badge(0)


async def test_two_tabs_stay_in_step(ada: Api.User, visit: Visit) -> None:
    """What is done in one tab shows in the other."""
    await ada.receive("one", "two")
    first: Bell = await visit(ada)
    second: Bell = await visit(ada)
    for tab in (first, second):
        await tab.open()
        await tab.badge(2)
    await first.act("Mark as read", "one")
    await second.unread("two")
    await second.act("Dismiss", "two")
    await first.shows("one")
    await first.act("Mark as unread", "one")
    await second.unread("one")
    await second.button("Mark all as read").click()
    for tab in (first, second):
        await tab.unread()
        await tab.badge(0)


async def test_the_network_goes_and_comes_back(ada: Api.User, visit: Visit) -> None:
    """Offline it says so and keeps what it knows; back online it catches up, with nothing missed or twice."""
    await ada.receive("one")
    bell: Bell = await visit(ada)
    await bell.open()
    await bell.shows("one")
    await bell.page.context.set_offline(True)
    await expect(bell.root.get_by_text("No connection.")).to_be_visible()
    await ada.receive("two")
    await ada.data("mutation { markAllRead { marked } }")
    await ada.receive("three")
    await bell.unread("one")
    await bell.page.context.set_offline(False)
    await bell.unread("three")
    await expect(bell.rows).to_have_count(3)
    await bell.badge(1)
    await expect(bell.root.get_by_text("No connection.")).to_be_hidden()


async def test_a_token_that_ends(api: Api, ada: Api.User, visit: Visit) -> None:
    """The page hears of it, and a new token of the same user goes on with what is shown."""
    await ada.receive("one")
    brief = Api.User(api, ada.tenant, ada.id, api.token(ada.tenant, ada.id, minutes=8 / 60))
    bell: Bell = await visit(brief)
    await bell.page.evaluate("addEventListener('tocsin-token-expired', () => { window.expired = true })")
    await bell.open()
    await bell.shows("one")
    await expect(bell.root.get_by_text("Your session has ended.")).to_be_visible()
    assert await bell.page.evaluate("window.expired")
    await ada.receive("two")
    await bell.shows("one")
    await bell.page.evaluate("(token) => { document.querySelector('tocsin-bell').token = token }", ada.token)
    await expect(bell.rows).to_have_count(2)
    await bell.badge(2)
    await expect(bell.root.get_by_text("Your session has ended.")).to_be_hidden()


async def test_a_provider_of_tokens(api: Api, ada: Api.User, visit: Visit) -> None:
    """With one, nobody notices that tokens end."""
    await ada.receive("one")
    brief = Api.User(api, ada.tenant, ada.id, api.token(ada.tenant, ada.id, minutes=2 / 60))
    bell: Bell = await visit(brief)
    await bell.page.evaluate(
        """(token) => { document.querySelector("tocsin-bell").tokenProvider = () => {
          window.asked = (window.asked ?? 0) + 1;
          return Promise.resolve(token);
        } }""",
        ada.token,
    )
    await bell.badge(1)
    await bell.becomes("window.asked", 1)
    await ada.receive("two")
    await bell.badge(2)
    assert await bell.page.evaluate("window.asked") == 1


async def test_another_user_begins_anew(ada: Api.User, stranger: Api.User, visit: Visit) -> None:
    """A token of somebody else shows nothing of who was there before."""
    await ada.receive("Ada's")
    await stranger.receive("stranger's", "stranger's too")
    bell: Bell = await visit(ada)
    await bell.badge(1)
    await bell.open()
    await bell.shows("Ada's")
    swap = """(token) => {
      const bell = document.querySelector("tocsin-bell");
      bell.token = token;
      return bell.updateComplete;
    }"""
    await bell.page.evaluate(swap, stranger.token)
    assert await bell.root.get_by_text("Ada's").count() == 0
    await expect(bell.rows).to_have_count(2)
    await bell.badge(2)


def _start(tocsin: Tocsin, port: int) -> Any:
    return tocsin.start("serve", "--port", str(port))


async def test_the_server_is_killed_and_comes_back(
    own: Urls, browser: Browser, api: Api, ada: Api.User, tmp_path: Any
) -> None:
    """The same port, another process: the badge and the list are right, and nothing is there twice."""
    tocsin, port = Tocsin(tmp_path / "data", {"database_url": own.server, "jwt_secret": SECRET}), free_port()
    agent = api.token(ada.tenant, "bot", Role.AGENT)

    def tell(running: Running, *titles: str) -> None:
        for title in titles:
            running.ask(agent, _NOTIFY, to="ada", title=title)

    with _start(tocsin, port) as running:
        running.wait_for(running.is_ready)
        await asyncio.to_thread(tell, running, "one", "two")
        async with visiting(browser, running.url, ada.token) as bell:
            await bell.open()
            await bell.shows("two", "one")
            running.process.kill()
            running.process.wait()
            await expect(bell.root.get_by_text("No connection.")).to_be_visible()
            with _start(tocsin, port) as again:
                again.wait_for(again.is_ready)
                await asyncio.to_thread(tell, again, "three")
                await bell.shows("three", "two", "one")
                await bell.badge(3)
                await bell.act("Mark as read", "two")
                await bell.unread("three", "one")
                await bell.badge(2)
