"""What would happen if something were sent to somebody: asked of the same functions as the worker asks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import db.audience
import db.settings
from db.request import Said
from db.session import Row
from resolvers.context import Context
from resolvers.errors import bad_input, forbidden
from resolvers.fan_out import people_of, saying_of
from resolvers.inputs import refuse, text_problem
from resolvers.layers import PreferenceLayer
from resolvers.notification_type import default_category
from resolvers.principal import Role
from resolvers.rights import allow
from resolvers.routing import Outcome, Person, Route, Saying, to_channel, to_inbox

_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class DeliveryDecision:
    """What would happen on a channel (None: in the inbox), and why."""

    channel: Row | None
    route: Route

    @property
    def outcome(self) -> Outcome:
        """Whether it is sent now, later, or not at all."""
        return self.route.outcome

    @property
    def at(self) -> datetime | None:
        """Until when it is deferred; None: it is not, or until the tenant is no longer paused."""
        return self.route.at

    @property
    def reason(self) -> str:
        """Why, in a sentence."""
        return self.route.reason

    @property
    def decided_by(self) -> PreferenceLayer | None:
        """Which layer of preferences decided, if any was asked."""
        return self.route.decided_by


@allow(Role.ADMIN, Role.AGENT)
async def explain(ctx: Context, user: str, type: str, at: datetime | None) -> list[DeliveryDecision]:
    """Say what would happen at a moment (None: now), to anybody, known or not; nothing is written."""
    _check(ctx, user, type, at)
    reader = ctx.service_reader
    subject = await db.audience.subject(reader, type, None)
    saying = saying_of(
        Said(type=type, category=None, title=""), subject.category or default_category(type), subject
    )
    person = (await people_of(reader, [user]))[user]
    ways = await db.audience.channels(reader)
    paused = (await db.settings.of_tenant(reader)).notifier_paused
    return list(_decisions(saying, person, ways, at or subject.now, paused=paused))


def _check(ctx: Context, user: str, type: str, at: datetime | None) -> None:
    refuse((("user", text_problem(user, least=1)), ("type", text_problem(type, least=1))))
    if at is not None and not _FIRST <= at < _LAST:
        raise bad_input(("at", "must be from 1970 to 2199."))
    types = ctx.caller.types
    if types is not None and type not in types:
        raise forbidden("This agent may not send this type.")


def _decisions(
    saying: Saying, person: Person, ways: Sequence[Any], at: datetime, *, paused: bool
) -> Iterator[DeliveryDecision]:
    yield DeliveryDecision(None, to_inbox(saying, person))
    for way in ways:
        yield DeliveryDecision(way, to_channel(saying, person, way, at, paused=paused))
