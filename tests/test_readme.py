"""What the README shows works as printed."""

import re
from pathlib import Path

import pytest

from tests.support import Api

_BLOCKS = re.findall(
    r"```graphql\n(.*?)```", (Path(__file__).parents[1] / "README.md").read_text(), flags=re.DOTALL
)
_LINKS = re.compile(r"\]\((?!https?:|mailto:|#)([^)#]+)")
_QUERY, _MUTATION, _SUBSCRIPTION, _NOTIFY = _BLOCKS


@pytest.fixture
async def reader(ada: Api.User) -> Api.User:
    """Somebody with four unread notifications, two of them about dependencies."""
    await ada.receive("one", "two", category="dependency", type="dependency.updated")
    await ada.receive("three", "four")
    return ada


async def test_the_query(reader: Api.User) -> None:
    """The page holds the first three of four unread rows."""
    page = (await reader.data(_QUERY))["notifications"]
    assert (page["totalCount"], page["unreadCount"], len(page["nodes"])) == (4, 4, 3)
    assert page["pageInfo"]["hasNextPage"] is True


async def test_the_mutation(reader: Api.User) -> None:
    """Marking one category read leaves the other."""
    payload = (await reader.data(_MUTATION))["markAllRead"]
    assert (payload["marked"], payload["stats"]["unread"]) == (2, 2)


async def test_the_subscription(reader: Api.User) -> None:
    """The events of another tab arrive."""
    async with reader.socket() as socket:
        feed = await socket.subscribe(_SUBSCRIPTION)
        await feed.silent(0.2)
        await reader.data(_MUTATION)
        event = (await feed.next())["inboxEvents"]
    assert event["stats"]["unread"] == 2
    assert len(event["ids"]) == 2


async def test_notify(agent: Api.User, grace: Api.User) -> None:
    """The first time it is stored, the second time only answered."""
    said = [(await agent.data(_NOTIFY))["notify"] for _ in range(2)]
    assert [(it["created"], it["replayed"], it["request"]["status"]) for it in said] == [
        (1, False, "DONE"),
        (1, True, "DONE"),
    ]
    page = (await grace.data("{ notifications { totalCount nodes { title } } }"))["notifications"]
    assert page == {"totalCount": 1, "nodes": [{"title": "**2.0** is out"}]}


@pytest.mark.parametrize("page", ["README.md", "SECURITY.md", "CONTRIBUTING.md", "docs"])
def test_links_lead_somewhere(page: str) -> None:
    """Each relative link of a page, or of all under a folder, is to a file that is there."""
    at = Path(__file__).parents[1] / page
    pages = [*at.rglob("*.md")] if at.is_dir() else [at]
    links = [(it.parent, link) for it in pages for link in _LINKS.findall(it.read_text())]
    assert [link for folder, link in links if not (folder / link).exists()] == []
