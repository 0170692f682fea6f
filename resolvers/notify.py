"""Notify: producers say something to some or all of a tenant's people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

import db.inbox
import db.request
import db.template
import db.work
from db.request import Key, Said
from db.session import Row, Transaction
from db.types import RequestStatus, WorkKind
from resolvers import notify_input
from resolvers.context import Context
from resolvers.errors import ErrorCode, TocsinError, bad_input, forbidden, not_found
from resolvers.fan_out import Tally, fan_out
from resolvers.inputs import uuid_or_none
from resolvers.notify_input import Wanted
from resolvers.principal import Role
from resolvers.rights import allow
from resolvers.template_render import render


@dataclass(frozen=True, slots=True)
class NotifyPayload:
    """What a notify has done so far; replayed: an earlier call with the same key did it."""

    request: Row
    replayed: bool = False

    @property
    def notifications(self) -> Sequence[UUID]:
        """The ids of the inbox rows; none where everyone is meant."""
        ids: Sequence[UUID] = self.request.notification_ids
        return ids

    @property
    def created(self) -> int:
        """How many inbox rows there are."""
        return int(self.request.created)

    @property
    def suppressed(self) -> int:
        """How many recipients have no inbox row."""
        return int(self.request.suppressed)


@allow(Role.ADMIN, Role.AGENT)
async def notify(ctx: Context, input: Mapping[str, Any], idempotency_key: str | None) -> NotifyPayload:
    """Store what is said: with named recipients all of it, in one transaction; else for the worker to do."""
    wanted = _checked(ctx, input, idempotency_key)
    key = Key(idempotency_key, wanted.fingerprint) if idempotency_key else None
    async with ctx.service_write() as tx:
        said = await _rendered(tx, wanted)
        row = await _accepted(tx, ctx, said, wanted, key)
        if row is None:
            return await _replay(tx, ctx.caller.user_id, Key(str(idempotency_key), wanted.fingerprint))
        if wanted.recipients is None:
            await db.work.add(tx, row.id, WorkKind.REQUEST)
            return NotifyPayload(row)
        known = {patch["id"]: patch for patch in wanted.recipients}
        tally = await fan_out(tx, row, sorted(known), _to_store(known))
        return NotifyPayload(await _done(tx, row, tally))


def _checked(ctx: Context, input: Mapping[str, Any], idempotency_key: str | None) -> Wanted:
    if problem := notify_input.key_problem(idempotency_key):
        raise bad_input(problem)
    wanted = notify_input.read(input)
    types = ctx.caller.types
    if types is not None and wanted.said.type not in types:
        raise forbidden("This agent may not send this type.")
    return wanted


def _to_store(known: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return what says more of a person than the id."""
    return {id: patch for id, patch in known.items() if len(patch) > 1}


async def _rendered(tx: Transaction, wanted: Wanted) -> Said:
    """Return what is said, its title and body made from the template if there is one."""
    if wanted.template is None:
        return wanted.said
    await db.inbox.add_tenant(tx)  # so that the shipped ones are there in a tenant that is new
    ids = [id for id in [wanted.said.template_id] if id]
    await db.template.hold(tx, ids)
    found = await db.template.by_ids(tx, ids)
    if not found:
        raise not_found("Template")
    (row,) = found
    title, body = render(row.title_template, row.body_template, wanted.variables)
    return replace(wanted.said, title=title, body=body, actions=wanted.said.actions or row.actions)


async def _accepted(tx: Transaction, ctx: Context, said: Said, wanted: Wanted, key: Key | None) -> Row | None:
    ids = None if wanted.recipients is None else sorted(patch["id"] for patch in wanted.recipients)
    count = await db.request.count_everyone(tx) if ids is None else len(ids)
    return await db.request.add(
        tx,
        uuid4(),
        ctx.caller.user_id,
        said,
        key=key,
        recipient_ids=ids,
        recipients=count,
        traceparent=ctx.deployment.traceparent(),
    )


async def _replay(tx: Transaction, caller: str, key: Key) -> NotifyPayload:
    row = await db.request.with_key(tx, caller, key.value)
    if row is None or row.fingerprint != key.fingerprint:
        raise TocsinError(
            ErrorCode.IDEMPOTENCY_CONFLICT, "This idempotencyKey was used with another input within 24 hours."
        )
    return NotifyPayload(row, replayed=True)


async def _done(tx: Transaction, row: Row, tally: Tally) -> Row:
    return await db.request.advance(
        tx,
        row.id,
        status=RequestStatus.DONE,
        category=tally.category,
        position="",
        done=row.recipients,
        created=len(tally.notification_ids),
        suppressed=tally.suppressed,
        notification_ids=tally.notification_ids,
    )


@allow(Role.ADMIN, Role.AGENT)
async def request(ctx: Context, id: str) -> Row:
    """Return how far a notify has got, to the agent that made it or an admin; else NOT_FOUND."""
    parsed = uuid_or_none(id)
    row = await db.request.by_id(ctx.service_reader, parsed) if parsed else None
    if row is None or (Role.ADMIN not in ctx.caller.roles and row.caller != ctx.caller.user_id):
        raise not_found("Request")
    return row
