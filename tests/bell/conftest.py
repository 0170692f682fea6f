"""One Chromium for all, and a page for each user that a test needs."""

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from playwright.async_api import Browser

from tests.bell.browser import Bell, chromium, visiting
from tests.support import Api

Visit = Callable[..., Any]
Say = Callable[[str], None]


@pytest.fixture
def say(pytestconfig: pytest.Config) -> Say:
    """Print a figure that was measured, whatever pytest captures."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")

    def say(figure: str) -> None:
        with capture.global_and_fixture_disabled():
            sys.stderr.write(f"\n{figure}\n")

    return say


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Chromium, for the whole session."""
    async with chromium() as browser:
        yield browser


@pytest.fixture
async def visit(browser: Browser, api: Api) -> AsyncIterator[Visit]:
    """Open a product's page as a user; see `visiting` for the options."""
    async with AsyncExitStack() as stack:

        async def open_page(user: Api.User, **options: Any) -> Bell:
            return await stack.enter_async_context(visiting(browser, api.url, user.token, **options))

        yield open_page
