"""Links that end one category's mail to one user: who holds one may do so, without signing in."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import NamedTuple

import orjson

import db.preference
import db.recipient
from db.session import Database, Scope
from db.types import ChannelKind
from resolvers.preference_change import Change, identity_of, to_store
from resolvers.vault import Vault

_PURPOSE = "tocsin unsubscribe"


class Link(NamedTuple):
    """Whose mail of which category; "*" is all categories."""

    tenant_id: str
    user_id: str
    category: str


def token(vault: Vault, link: Link) -> str:
    """Return a link as signed text of letters, digits, "-", "_" and "."; it does not expire."""
    payload = urlsafe_b64encode(orjson.dumps(tuple(link))).decode().rstrip("=")
    return f"{payload}.{vault.sign(_PURPOSE, payload)}"


def read(vault: Vault, token: str) -> Link | None:
    """Return the link that a token is; None if it was not signed here, or its key is gone."""
    payload, _, signature = token.partition(".")
    if not vault.verify(_PURPOSE, payload, signature):
        return None
    return Link(*orjson.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4))))


async def unsubscribe(database: Database, link: Link) -> None:
    """Store that the user wants no mail of the category; quiet hours stay, twice is as good as once.

    Nothing happens for somebody who was removed: a row of theirs would outlive the removal.
    """
    async with database.transaction(Scope(link.tenant_id, link.user_id)) as tx:
        await db.preference.lock(tx, link.user_id)  # a removal takes it, too
        if await db.recipient.exists(tx, link.user_id):
            stored = {identity_of(row): row for row in await db.preference.of_user(tx, link.user_id)}
            change = Change(link.category, channel_kind=ChannelKind.EMAIL, said={"enabled": False})
            await db.preference.store(tx, link.user_id, to_store([change], stored, ()))
