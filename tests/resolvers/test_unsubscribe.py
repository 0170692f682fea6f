"""Links that unsubscribe: what they say, and what they do."""

import asyncio
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

import db.preference
import db.removal
from db.session import Database, Scope
from resolvers import unsubscribe
from resolvers.unsubscribe import Link
from resolvers.vault import Vault
from tests.resolvers.preferences import know, picked, stored, update
from tests.support import Api

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
VAULT = Vault({"k1": OLD})
ID = st.text(min_size=1, max_size=255)


@given(ID, ID, ID)
def test_a_token_is_read_back(tenant: str, user: str, category: str) -> None:
    """Whatever the ids, in letters that a path can hold."""
    link = Link(tenant, user, category)
    token = unsubscribe.token(VAULT, link)
    assert re.fullmatch(r"[A-Za-z0-9_-]+\.k1\.[A-Za-z0-9_-]{43}", token)
    assert unsubscribe.read(VAULT, token) == link


@given(st.text())
def test_any_other_text_is_none(text: str) -> None:
    """Nothing but a token is read."""
    assert unsubscribe.read(VAULT, text) is None


def test_each_letter_counts() -> None:
    """A token with any letter changed, left out or added is none."""
    token = unsubscribe.token(VAULT, Link("acme", "ada", "build"))
    changed = [f"{token[:at]}{'A' if it != 'A' else 'B'}{token[at + 1 :]}" for at, it in enumerate(token)]
    cut = [token[:at] + token[at + 1 :] for at in range(len(token))]
    assert [it for it in (*changed, *cut, f"{token}A", f"A{token}") if unsubscribe.read(VAULT, it)] == []


def test_keys_rotate() -> None:
    """A link outlives the next key, until its own is gone."""
    link = Link("acme", "ada", "build")
    token = unsubscribe.token(VAULT, link)
    assert unsubscribe.read(Vault({"k2": NEW, "k1": OLD}), token) == link
    assert unsubscribe.read(Vault({"k2": NEW}), token) is None


FIELDS = ("category", "channelKind", "projectId", "environmentId", "enabled", "quietStart", "quietEnd")


async def rows(user: Api.User) -> list[Any]:
    """Return what is stored of a user."""
    return picked(await stored(user), *FIELDS)


async def test_it_stores_a_preference(
    database: Database, ada: Api.User, grace: Api.User, stranger: Api.User
) -> None:
    """Mail of that category is off for that user of that tenant, and nothing else, however often."""
    await know(database, ada.tenant, ada="Ada", grace="Grace")
    await know(database, stranger.tenant, ada="Another Ada")
    await unsubscribe.unsubscribe(database, Link(ada.tenant, "ada", "build"))
    first = await stored(ada)
    await unsubscribe.unsubscribe(database, Link(ada.tenant, "ada", "build"))
    assert await stored(ada) == first
    assert picked(first, *FIELDS) == [("build", "EMAIL", None, None, False, None, None)]
    assert (await stored(grace), await stored(stranger)) == ([], [])


async def test_quiet_hours_stay(database: Database, ada: Api.User) -> None:
    """Of a row that is there only `enabled` changes; rows about other places stay."""
    await know(database, ada.tenant, ada="Ada")
    quiet = {"category": "build", "channelKind": "EMAIL", "quietStart": "22:00", "quietEnd": "07:00"}
    await update(ada, quiet | {"enabled": True}, {"category": "build", "projectId": "p", "enabled": True})
    await unsubscribe.unsubscribe(database, Link(ada.tenant, "ada", "build"))
    assert await rows(ada) == [
        ("build", "EMAIL", None, None, False, "22:00", "07:00"),
        ("build", None, "p", None, True, None, None),
    ]


async def test_all_categories(database: Database, ada: Api.User) -> None:
    """The link of a mixed digest ends mail of every category."""
    await ada.receive("one")
    await unsubscribe.unsubscribe(database, Link(ada.tenant, "ada", "*"))
    effective = (await ada.data("{ effectivePreferences { type channelKind enabled } }"))[
        "effectivePreferences"
    ]
    off = [it["type"] for it in effective if it["channelKind"] == "EMAIL" and not it["enabled"]]
    assert "build.done" in off
    assert [it for it in effective if it["channelKind"] != "EMAIL" and not it["enabled"]] == []


async def test_a_removed_user_stays_removed(database: Database, ada: Api.User) -> None:
    """Nothing is stored of somebody who was removed, or was never there."""
    await ada.receive("one")
    async with database.transaction(Scope(ada.tenant, "ada")) as tx:
        assert await db.removal.erase(tx)
    for user in ("ada", "nobody"):
        await unsubscribe.unsubscribe(database, Link(ada.tenant, user, "build"))
        fresh = ada.api.user(ada.tenant, user)
        async with database.transaction(Scope(ada.tenant, user)) as tx:
            assert await db.preference.of_user(tx, fresh.id) == []


async def test_a_removal_under_way_wins(database: Database, ada: Api.User) -> None:
    """Who unsubscribes in the middle of the removal waits for it, and leaves no row behind."""
    await ada.receive("one")
    async with database.transaction(Scope(ada.tenant, "ada")) as tx:
        await db.removal.erase(tx)
        waiting = asyncio.create_task(unsubscribe.unsubscribe(database, Link(ada.tenant, "ada", "build")))
        await asyncio.sleep(0.2)
        assert not waiting.done()
    await waiting
    async with database.transaction(Scope(ada.tenant, "ada")) as tx:
        assert await db.preference.of_user(tx, "ada") == []


async def test_at_once(database: Database, ada: Api.User) -> None:
    """Ten clicks at the same time are one row."""
    await know(database, ada.tenant, ada="Ada")
    await asyncio.gather(
        *(unsubscribe.unsubscribe(database, Link(ada.tenant, "ada", "build")) for _ in range(10))
    )
    assert await rows(ada) == [("build", "EMAIL", None, None, False, None, None)]
