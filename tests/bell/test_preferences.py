"""What is set in the panel of preferences is what the server has."""

import asyncio
from typing import Any

import pytest
from playwright.async_api import expect

from tests.bell.browser import NEEDS_CHROMIUM, Bell
from tests.bell.conftest import Visit
from tests.support import Api

pytestmark = NEEDS_CHROMIUM

_STORED = """{ preferences {
  category channelKind enabled quietStart quietEnd timezone
} }"""
_MAIL = """mutation { createChannel(input: {
  name: "Mail", kind: EMAIL, config: {from: "tocsin@example.com"}
}) { channel { id } } }"""
_KINDS = """mutation($types: [NotificationTypeInput!]!) { upsertNotificationTypes(types: $types) { name } }"""


async def _panel(admin: Api.User, ada: Api.User, visit: Visit) -> Bell:
    """Open the preferences of somebody whose tenant has mail and two categories, one of them required."""
    await admin.data(_MAIL)
    types = [
        {"name": "invoice.due", "category": "billing"},
        {"name": "security.alert", "category": "security", "required": True},
    ]
    await admin.data(_KINDS, types=types)
    bell: Bell = await visit(ada, context={"timezone_id": "Asia/Tokyo"})
    await bell.open()
    await bell.button("Preferences").click()
    return bell


async def _stored(user: Api.User, *wanted: dict[str, Any]) -> None:
    """Wait until the server has just these; the screen is ahead."""
    for _attempt in range(100):
        found = (await user.data(_STORED))["preferences"]
        if found == list(wanted):
            return
        await asyncio.sleep(0.05)
    pytest.fail(f"The server has {found}.")


async def test_a_category_on_a_channel(admin: Api.User, ada: Api.User, visit: Visit) -> None:
    """A switch turns a category off on one channel; what is required cannot be turned off."""
    bell = await _panel(admin, ada, visit)
    switch = bell.root.get_by_role("switch", name="billing, Email")
    await expect(switch).to_be_checked()
    for name in ("security, Email", "security, Inbox"):
        await expect(bell.root.get_by_role("switch", name=name)).to_be_disabled()
    await switch.click()
    await expect(switch).not_to_be_checked()
    row = {"category": "billing", "channelKind": "EMAIL", "enabled": False}
    nothing = {"quietStart": None, "quietEnd": None, "timezone": None}
    await _stored(ada, row | nothing)
    await bell.button("Back to the list").click()
    await bell.button("Preferences").click()
    await expect(switch).not_to_be_checked()


async def test_quiet_hours(admin: Api.User, ada: Api.User, visit: Visit) -> None:
    """They begin as a night where the browser is; two equal times are refused on the spot."""
    bell = await _panel(admin, ada, visit)
    await bell.root.get_by_role("switch", name="Quiet hours").click()
    row = {"category": "*", "channelKind": None, "enabled": None, "timezone": "Asia/Tokyo"}
    await _stored(ada, row | {"quietStart": "22:00", "quietEnd": "07:00"})
    start = bell.root.get_by_label("From")
    await start.fill("21:30")
    await _stored(ada, row | {"quietStart": "21:30", "quietEnd": "07:00"})
    await start.fill("07:00")
    await expect(bell.root.get_by_role("alert")).to_have_text("The two times must differ.")
    await bell.root.get_by_role("switch", name="Quiet hours").click()
    await expect(start).to_have_count(0)
    await _stored(ada, row | {"quietStart": None, "quietEnd": None, "timezone": None})


async def test_a_choice_that_cannot_be_saved_is_undone(admin: Api.User, ada: Api.User, visit: Visit) -> None:
    """The switch goes back to what is stored, and it is said."""
    bell = await _panel(admin, ada, visit)
    switch = bell.root.get_by_role("switch", name="billing, Email")
    await expect(switch).to_be_checked()
    await bell.page.route(
        "**/graphql",
        lambda route: (
            route.abort() if "SavePreference" in (route.request.post_data or "") else route.continue_()
        ),
    )
    await switch.click()
    await expect(bell.root.get_by_role("alert")).to_have_text("That could not be saved, and was undone.")
    await expect(switch).to_be_checked()
    await _stored(ada)
