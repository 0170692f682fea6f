"""The demo of `tocsin dev`: real events of three open-source projects, for a few made-up people."""

import asyncio
import logging
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4, uuid5

import orjson

import db.channel
import db.delivery
import db.draft
import db.inbox
import db.notification
import db.preference
import db.recipient
import db.request
import db.template
from db.delivery import Planned
from db.draft import Draft
from db.request import Said
from db.session import OUTAGE, Database, Scope, Transaction
from db.types import ChannelKind, DeliveryStatus, Filter, Severity, TemplateKind
from tocsin.importer import ImportedEvent

EVENTS = Path(__file__).parent / "events.jsonl"
PEOPLE = {
    "strawberry": {"ada": "Ada Lovelace", "grace": "Grace Hopper", "linus": "Linus Torvalds"},
    "procrastinate": {"ada": "Ada Lovelace", "margaret": "Margaret Hamilton", "guido": "Guido van Rossum"},
    "graphql-ws": {"barbara": "Barbara Liskov", "ken": "Ken Thompson"},
}
TICK_SECONDS = 20.0
_log = logging.getLogger(__name__)
_OLD = datetime(2026, 5, 1, tzinfo=UTC)
_DELIVERED = 30
"""How many of a tenant's newest notifications have deliveries to show."""


def _id(*names: str) -> UUID:
    return uuid5(UUID(int=0), "/".join(("tocsin", "demo", *names)))


def _drafts(tenant_id: str) -> list[Draft]:
    """Return the tenant's events as notifications with all that a notification can have."""
    with EVENTS.open("rb") as lines:
        events = [ImportedEvent.model_validate(orjson.loads(line)) for line in lines]
    return [
        replace(
            draft,
            severity=Severity.LOW if event.category == "dependency" else Severity.NORMAL,
            icon="rocket" if event.category == "release" else None,
            actions=[{"label": "Open on GitHub", "url": event.url}] if event.url else [],
            template_id=_id(tenant_id, "release") if event.category == "release" else None,
            data={"project": tenant_id, "commit": event.targets[0]},
        )
        for event in events
        if event.tenant == tenant_id
        for draft in event.drafts()
    ]


async def seed(database: Database) -> None:
    """Fill the three tenants, each in one transaction, unless that was done before."""
    for tenant_id, people in PEOPLE.items():
        if await db.channel.LISTING.count(database.reader(Scope(tenant_id, None)), {}):
            continue
        async with database.transaction(Scope(tenant_id, None)) as tx:
            await _furnish(tx, tenant_id, people)
        for user_id in people:
            await _use(database, Scope(tenant_id, user_id))


async def _furnish(tx: Transaction, tenant_id: str, people: Mapping[str, str]) -> None:
    await db.inbox.add_tenant(tx)
    known = {
        user_id: {"email": f"{user_id}@example.com", "name": name, "timezone": "Europe/Paris"}
        for user_id, name in people.items()
    }
    await db.recipient.upsert(tx, known)
    for user_id in people:
        await _add_preferences(tx, tenant_id, user_id)
    await db.template.add(
        tx,
        _id(tenant_id, "release"),
        name="Release published",
        kind=TemplateKind.SYSTEM,
        group="Releases",
        title_template="Release {{ version }}",
        body_template="{{ notes }}",
        actions=[{"label": "Open on GitHub", "url": "https://github.com"}],
    )
    drafts = await db.draft.create(tx, _drafts(tenant_id))
    await _add_channels(tx, tenant_id)
    await _add_deliveries(tx, tenant_id, drafts)


async def _add_preferences(tx: Transaction, tenant_id: str, user_id: str) -> None:
    """Let everybody sleep, and spare them mail about dependencies."""
    night = {"quiet_start": time(22), "quiet_end": time(7), "timezone": "Europe/Paris"}
    await db.preference.add(tx, user_id, _id(tenant_id, user_id, "night"), category="*", **night)
    await db.preference.add(
        tx,
        user_id,
        _id(tenant_id, user_id, "dependency"),
        category="dependency",
        channel_kind=ChannelKind.EMAIL,
        enabled=False,
    )


async def _add_channels(tx: Transaction, tenant_id: str) -> None:
    mail = {"from": f"{tenant_id}@example.com"}
    hook = {"url": f"https://hooks.example.com/{tenant_id}"}
    await db.channel.add(tx, _id(tenant_id, "EMAIL"), ChannelKind.EMAIL, "Mail", mail)
    await db.channel.add(tx, _id(tenant_id, "WEBHOOK"), ChannelKind.WEBHOOK, "Build room", hook)


async def _add_deliveries(tx: Transaction, tenant_id: str, drafts: Sequence[Draft]) -> None:
    """Show mail that arrived, and a webhook that failed three times, for what is newest."""
    attempts: list[dict[str, Any]] = []
    for draft in drafts[-_DELIVERED:]:
        request_id, mail, hook = (_id(str(draft.id), name) for name in ("request", "EMAIL", "WEBHOOK"))
        said = Said(
            type=draft.type,
            category=draft.category,
            title=draft.title,
            body=draft.body,
            url=draft.url,
            targets=draft.targets,
        )
        await db.request.add(
            tx, request_id, "demo", said, key=None, recipient_ids=[draft.user_id], recipients=1
        )
        await db.request.finish(tx, request_id)
        why = "The receiver answered 503 Service Unavailable."
        about = (draft.user_id, draft.id)
        await db.delivery.plan(
            tx,
            request_id,
            [
                Planned(mail, *about, _id(tenant_id, "EMAIL"), DeliveryStatus.SENT),
                Planned(hook, *about, _id(tenant_id, "WEBHOOK"), DeliveryStatus.FAILED, why),
            ],
        )
        attempts.append(_attempt(mail, 1, 84, 250, None))
        attempts += [_attempt(hook, number, 31, 503, why) for number in (1, 2, 3)]
    await db.delivery.add_attempts(tx, attempts)


def _attempt(
    delivery_id: UUID, number: int, duration_ms: int, status_code: int, error: str | None
) -> dict[str, Any]:
    return {
        "delivery_id": delivery_id,
        "number": number,
        "duration_ms": duration_ms,
        "status_code": status_code,
        "error": error,
    }


async def _use(database: Database, scope: Scope) -> None:
    """Let a user have read what is old."""
    assert scope.user_id is not None  # noqa: S101  the demo's scopes are people's
    async with database.transaction(scope) as tx:
        ledger = await db.inbox.lock(tx)
        seq = ledger.seq(scope.user_id)
        groups = await db.notification.read_all(tx, Filter(created_before=_OLD), seq)
        ledger.read_all(scope.user_id, groups, [id for group in groups for id in group.ids], seq)
        await ledger.write()


async def tick(database: Database) -> None:
    """Send somebody something new for ever, so that a badge is seen moving."""
    while True:
        await asyncio.sleep(TICK_SECONDS)
        try:
            await _surprise(database)
        except OUTAGE as error:
            _log.warning("The demo could not send anything this time: %s", error)


async def _surprise(database: Database) -> None:
    tenant_id = random.choice(list(PEOPLE))  # noqa: S311  no secret
    user_id = random.choice(list(PEOPLE[tenant_id]))  # noqa: S311
    again = replace(random.choice(_drafts(tenant_id)), id=uuid4(), user_id=user_id, created_at=None)  # noqa: S311
    async with database.transaction(Scope(tenant_id, None)) as tx:
        await db.draft.create(tx, [again])
