"""A tenant with rows of each kind, and the contexts of two of its callers."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from db.types import ChannelKind
from resolvers.context import Context, Deployment
from resolvers.principal import Principal, Role
from tests.resolvers.support import add_attempts, add_channel, add_deliveries, add_preference, add_template
from tests.support import Api
from tocsin.keys import secret_vault

_NEVER = datetime.max.replace(tzinfo=UTC)


async def furnish(user: Api.User) -> Mapping[str, Sequence[Any]]:
    """Store rows of each kind for a user, and return likely values of arguments."""
    template = await add_template(user)
    actions = [{"label": "Open", "url": "/a"}]
    ids = await user.receive(
        *(f"Number {it}" for it in range(5)), body="*Hi*", actions=actions, data={"a": [1]}
    )
    ids += await user.receive("From a template", template_id=template, url="https://a.example/", team_id="t1")
    channel = await add_channel(user)
    await add_channel(user, ChannelKind.EMAIL, "Another")
    deliveries = await add_deliveries(user, [(it, channel) for it in ids])
    await add_attempts(user, deliveries, 1, 2)
    await add_preference(user, category="build", enabled=False)
    nothing = {name: [None] for name in ("after", "before", "last", "page", "startingBefore")}
    return {**nothing, "first": [1, 3, 20, None], "id": [*ids[3:], str(channel)], "user": ["me", user.id]}


def contexts(user: Api.User) -> Callable[[int], Context]:
    """Return what makes contexts: of the user, or of an admin, by the number of an operation."""
    hub: Any = user.api.database._on_commit
    deployment = Deployment(secret_vault(user.api.settings))

    def context(number: int) -> Context:
        roles = {Role.USER, Role.ADMIN} if number % 2 else {Role.USER}
        principal = Principal(user.tenant, user.id, frozenset(roles), _NEVER)
        return Context(principal, user.api.database, hub.__self__, deployment)

    return context
