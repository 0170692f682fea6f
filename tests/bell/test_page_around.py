"""What the page around a bell does: it takes bells out, gives strange tokens, and is of another origin."""

from playwright.async_api import Browser, Route, WebSocket, expect

from tests.bell.browser import NEEDS_CHROMIUM, Bell, visiting
from tests.bell.conftest import Visit
from tests.support import Api, running_server
from tocsin.settings import Settings

pytestmark = NEEDS_CHROMIUM

_PROVIDE = """(tokens) => {
  window.asked = 0;
  document.querySelector("tocsin-bell").tokenProvider = () => tokens[Math.min(window.asked++, tokens.length - 1)];
}"""


async def test_a_provider_that_turns_to_somebody_else(
    api: Api, ada: Api.User, stranger: Api.User, visit: Visit
) -> None:
    """When the user of the page's session has changed, nothing of the first one is left."""
    await ada.receive("Ada's")
    await stranger.receive("stranger's")
    brief = Api.User(api, ada.tenant, ada.id, "")
    bell: Bell = await visit(brief)
    ends = api.token(ada.tenant, ada.id, minutes=8 / 60)
    await bell.page.evaluate(_PROVIDE, [ends, stranger.token])
    await bell.open()
    await bell.shows("Ada's")
    await ada.receive("Ada's second")
    await expect(bell.rows).to_have_count(2)
    await expect(bell.root.get_by_role("status").first).to_have_text("New notification: Ada's second")
    await bell.badge(2)
    await bell.shows("stranger's")
    assert await bell.root.get_by_text("Ada's").count() == 0
    assert await bell.page.evaluate("window.asked") == 2


async def test_a_provider_whose_tokens_are_all_refused(ada: Api.User, visit: Visit) -> None:
    """It is asked ever less often, and the panel offers to try again."""
    bell: Bell = await visit(ada)
    await bell.badge(0)
    never = [f"never.{number}.valid" for number in range(1000)]
    await bell.page.evaluate("document.querySelector('tocsin-bell').removeAttribute('token')")
    await bell.page.evaluate(_PROVIDE, never)
    await bell.open()
    await expect(bell.button("Try again")).to_be_visible()
    await bell.page.wait_for_timeout(2000)
    assert 2 <= await bell.page.evaluate("window.asked") <= 8
    assert bell.complaints
    assert all("401" in it for it in bell.complaints)
    bell.complaints.clear()


async def test_a_bell_that_is_taken_out(ada: Api.User, visit: Visit) -> None:
    """It hangs up; one that is taken out at once has never called; put back, it goes on."""
    await ada.receive("one")
    bell: Bell = await visit(ada)
    await bell.badge(1)
    sockets: list[WebSocket] = []
    bell.page.on("websocket", lambda it: sockets.append(it))  # noqa: PLW0108  playwright wants a function
    await bell.page.evaluate(
        """() => {
          window.bell = document.querySelector("tocsin-bell");
          const other = document.createElement("tocsin-bell");
          document.body.append(other);
          other.remove();
          bell.remove();
          other.token = bell.token;
          return other.updateComplete;
        }"""
    )
    await ada.receive("two")
    await bell.page.wait_for_timeout(500)
    assert sockets == []
    await bell.page.evaluate("document.querySelector('h1').append(bell)")
    await bell.badge(2)
    assert len(sockets) == 1


async def test_a_page_that_could_not_be_had_is_asked_for_again(ada: Api.User, visit: Visit) -> None:
    """Further down the list, too, it is said, with a button; nothing is asked in a loop."""
    await ada.receive(*(f"{number}" for number in range(70)))
    bell: Bell = await visit(ada)
    asked = 0

    async def fail(route: Route) -> None:
        nonlocal asked
        asked += 1
        await route.abort()

    await bell.open()
    await expect(bell.rows.first).to_have_attribute("aria-setsize", "-1")
    await bell.page.route("**/graphql", fail)
    await bell.rows.first.locator(".row").focus()
    await bell.page.keyboard.press("End")
    await bell.button("Try again").click()
    await expect(bell.button("Try again")).to_be_visible()
    assert asked == 2
    await bell.page.unroute("**/graphql")
    await bell.button("Try again").click()
    await expect(bell.rows.first).to_have_attribute("aria-setsize", "70")
    await expect(bell.button("Try again")).to_have_count(0)


async def test_on_another_origin(settings: Settings, api: Api, ada: Api.User, browser: Browser) -> None:
    """With its origin allowed, a page elsewhere has badge, list and changes, by token or by cookie."""
    allowed = {"allowed_origins": (api.url,), "auth_cookie": "session"}
    async with running_server(settings.model_copy(update=allowed)) as other:
        await ada.receive("two")
        await ada.receive("one")
        where = {
            "endpoint": f"{other.url}/graphql",
            "connect": f"{other.url} {other.url.replace('http', 'ws')}",
        }
        async with visiting(browser, api.url, ada.token, **where) as bell:
            await _works(bell, "Mark as read", 1)
        async with visiting(browser, api.url, "", **where) as bell:
            await bell.page.context.add_cookies(
                [{"name": "session", "value": ada.token, "url": api.url, "sameSite": "Lax"}]
            )
            await bell.page.reload()
            await _works(bell, "Mark as unread", 2)
            assert all("401" in it for it in bell.complaints)  # before there was a cookie
            bell.complaints.clear()


async def _works(bell: Bell, action: str, unread: int) -> None:
    await bell.open()
    await bell.shows("one", "two")
    await bell.act(action, "one")
    await bell.badge(unread)
