"""From a request to what each of its recipients gets: an inbox row, and deliveries on their way."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import db.audience
import db.delivery
import db.draft
import db.inbox
import db.recipient
from db.delivery import Planned
from db.draft import Copy
from db.session import Row, Source, Transaction
from db.types import ChannelKind, DeliveryStatus, Severity
from resolvers.layers import Choices
from resolvers.notification_type import default_category
from resolvers.routing import Outcome, Person, Route, Saying, off_limits, to_channel, to_inbox

_STATUS = {
    Outcome.SEND: DeliveryStatus.PENDING,
    Outcome.DEFER: DeliveryStatus.DEFERRED,
    Outcome.SKIP: DeliveryStatus.SUPPRESSED,
}


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of some recipients: their inbox rows, and how many have none."""

    category: str
    notification_ids: Sequence[UUID]
    suppressed: int


async def fan_out(
    tx: Transaction, request: Row, users: Sequence[str], known: Mapping[str, Mapping[str, Any]] | None = None
) -> Tally:
    """Give recipients what a request says, in a service scope; known: what to store of them, by id."""
    subject = await db.audience.subject(tx, request.type, request.template_id)
    category = request.category or subject.category or default_category(request.type)
    ledger = await db.inbox.open_many(tx, [(user_id, request.type, category) for user_id in users])
    if known:
        await db.recipient.upsert(tx, known)
    saying = saying_of(request, category, subject)
    people = await people_of(tx, users)
    copies = [
        Copy(uuid4(), user_id, request.type, category)
        for user_id in users
        if to_inbox(saying, people[user_id]).outcome is Outcome.SEND
    ]
    await db.draft.copy(tx, ledger, request.id, copies)
    rows = {copy.user_id: copy.id for copy in copies}
    ways = [way for way in await db.audience.kept_channels(tx) if off_limits(saying, way) is None]
    plans = [
        _plan(request, route, id, rows.get(id), way, subject.now)
        for id in users
        for way in ways
        for route in [to_channel(saying, people[id], way, subject.now)]
    ]
    await db.delivery.plan(tx, request.id, plans)
    return Tally(category, list(rows.values()), len(users) - len(rows))


def saying_of(request: Any, category: str, subject: Row) -> Saying:
    """Return what is said; subject: what the tenant has stored of its type and template."""
    return Saying(
        category,
        Severity(request.severity),
        request.template_id,
        request.project_id,
        request.environment_id,
        required=bool(subject.required),
        enabled_by_default=subject.enabled_by_default is not False and subject.template_enabled is not False,
        kinds=None if request.channels is None else frozenset(map(ChannelKind, request.channels)),
    )


async def people_of(source: Source, users: Sequence[str]) -> Mapping[str, Person]:
    """Return these users with what they chose."""
    choices = await choices_of(source, users)
    known = {row.id: row for row in await db.audience.people(source, users)}
    return {id: _person(choices[id], known.get(id)) for id in users}


async def choices_of(source: Source, users: Sequence[str]) -> Mapping[str, Choices]:
    """Return what each of these users chose."""
    chosen: dict[str, list[Row]] = defaultdict(list)
    for row in await db.audience.preferences(source, users):
        chosen[row.user_id].append(row)
    return {id: Choices(chosen[id]) for id in users}


def _person(choices: Choices, row: Row | None) -> Person:
    return Person(choices, row.timezone if row else None, row.email if row else None)


def _plan(
    request: Row, route: Route, user_id: str, notification_id: UUID | None, way: Any, now: datetime
) -> Planned:
    """Decide now what can be decided; whatever waits is decided again when its time has come."""
    if route.outcome is not Outcome.SKIP and request.escalate_minutes:
        at = now + timedelta(minutes=request.escalate_minutes)
        route = Route(Outcome.DEFER, "It waits to be read first.", at)
    return Planned(
        uuid4(),
        user_id,
        notification_id,
        way.id,
        _STATUS[route.outcome],
        None if route.outcome is Outcome.SEND else route.reason,
        route.at,
        if_unread=request.escalate_minutes is not None,
        in_digest=route.in_digest,
    )
