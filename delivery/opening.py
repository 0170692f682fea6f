"""From deliveries that are held to parcels that can be sent, and to what is settled without sending."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import NamedTuple
from uuid import UUID

import db.audience
import db.outbox
from db.outbox import Settlement
from db.session import Database, Row, Scope, Source, Transaction
from db.types import ChannelKind, DeliveryStatus
from delivery.parcel import Message, Parcel, Recipient
from resolvers.channel import secret_place
from resolvers.channel_config import KEYS
from resolvers.fan_out import choices_of, saying_of
from resolvers.layers import Choices
from resolvers.routing import PAUSED, Outcome, Person, to_channel
from resolvers.vault import CannotOpenError, Vault

_WAITING = frozenset({DeliveryStatus.PENDING, DeliveryStatus.DEFERRED, DeliveryStatus.SENDING})
_message_of = itemgetter(
    "notification_id",
    "type",
    "category",
    "severity",
    "title",
    "body",
    "said_at",
    "url",
    "actions",
    "targets",
    "data",
)
"""The columns of a Message, in its order."""


@dataclass(frozen=True, slots=True)
class Load:
    """A parcel on its way, and the deliveries that it makes true: one, or all of a digest."""

    parcel: Parcel
    kind: ChannelKind
    channel_id: UUID
    deliveries: Mapping[UUID, int]
    """The strikes against each so far, by id."""
    is_test: bool
    traceparents: Sequence[str] = ()
    """The spans that they were asked for in, as far as these were traced."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What is to be sent, and what becomes of the rest, once it is settled."""

    loads: Sequence[Load]
    settlements: Sequence[Settlement]


async def open_held(
    database: Database, vault: Vault, tenant_id: str, lease: UUID, seconds: float, ids: Sequence[UUID]
) -> Opened:
    """Decide what happens to the deliveries that are still held under a lease.

    Most need one read. A digest, a pause, and what is over or no longer held need locks.
    """
    service = Scope(tenant_id, None)
    reader = database.reader(service)
    rows = [row for row in await db.outbox.peek(reader, lease, ids) if _is_plain(row)]
    opened = decided(rows, await _choices(reader, rows), vault, lease)
    if rest := [*{*ids} - {row.id for row in rows}]:
        async with database.transaction(service) as tx:
            special = await _open_special(tx, vault, lease, seconds, rest)
        opened = Opened([*opened.loads, *special.loads], [*opened.settlements, *special.settlements])
    return opened


def _is_plain(row: Row) -> bool:
    return row.status in _WAITING and not row.in_digest and (row.is_test or not row.paused)


async def _open_special(
    tx: Transaction, vault: Vault, lease: UUID, seconds: float, ids: Sequence[UUID]
) -> Opened:
    gathered = await db.outbox.gather(tx, lease, seconds, ids)
    held = await db.outbox.hold(tx, lease, [*{*ids, *gathered}])
    rows = await db.outbox.read(tx, held)
    over = {*held} - {row.id for row in rows if row.status in _WAITING}
    if over:
        await db.outbox.drop(tx, lease, [*over])
        rows = [row for row in rows if row.id not in over]
    if any(row.paused for row in rows) and await db.outbox.park(tx, lease, PAUSED):
        rows = [row for row in rows if row.is_test]
    opened = decided(rows, await _choices(tx, rows), vault, lease)
    if digests := [id for load in opened.loads for id in load.deliveries]:
        await db.outbox.mark_sending(tx, digests)
    return opened


async def _choices(source: Source, rows: Sequence[Row]) -> Mapping[str, Choices]:
    # Most users have chosen nothing, and then there is nothing to ask.
    users = sorted({row.user_id for row in rows if row.has_chosen})
    chosen = await choices_of(source, users) if users else {}
    return {row.user_id: chosen.get(row.user_id) or Choices(()) for row in rows}


def decided(rows: Sequence[Row], choices: Mapping[str, Choices], vault: Vault, lease: UUID) -> Opened:
    """Decide on rows of `db.outbox.read`, given what their users chose. Pure, but for the vault's work."""
    sending: list[Row] = []
    settlements: list[Settlement] = []
    for row in rows:
        settlement = _settled(row, choices[row.user_id], lease)
        if settlement:
            settlements.append(settlement)
        else:
            sending.append(row)
    loads: list[Load] = []
    configs: dict[UUID, _Config] = {}  # what is opened together goes to few channels
    for group in _parcels(sending):
        first = group[0]
        try:
            if first.channel_id not in configs:
                configs[first.channel_id] = _opened_config(first, vault)
            loads.append(_load(group, configs[first.channel_id]))
        except CannotOpenError:
            why = "The channel's secret cannot be opened: its key is not in TOCSIN_SECRET_KEYS."
            settlements += [Settlement(row.id, lease, DeliveryStatus.FAILED, why) for row in group]
    return Opened(loads, settlements)


def _settled(row: Row, choices: Choices, lease: UUID) -> Settlement | None:
    """Return what becomes of a delivery that is not sent now; None: it is."""
    if row.way_id is None:
        return Settlement(row.id, lease, DeliveryStatus.CANCELLED, "The channel was deleted.")
    if row.is_test:
        return None
    if row.if_unread and not row.is_unread:
        return Settlement(row.id, lease, DeliveryStatus.SUPPRESSED, "It was read before.")
    saying = saying_of(row, row.category, row)
    person = Person(choices, row.timezone, row.email)
    route = to_channel(saying, person, row, row.now, gathered=row.in_digest)
    if route.outcome is Outcome.SKIP:
        return Settlement(row.id, lease, DeliveryStatus.SUPPRESSED, route.reason)
    if route.outcome is Outcome.DEFER:
        return Settlement(
            row.id, lease, DeliveryStatus.DEFERRED, route.reason, at=route.at, in_digest=route.in_digest
        )
    return None


def _parcels(rows: Iterable[Row]) -> Iterable[list[Row]]:
    """Put together what goes in one parcel: the digest of one recipient and channel."""
    parcels: dict[object, list[Row]] = defaultdict(list)
    for row in rows:
        parcels[(row.user_id, row.channel_id) if row.in_digest else row.id].append(row)
    return parcels.values()


class _Config(NamedTuple):
    """A channel's config with its secrets in the clear, and the signing secrets rotated out of late."""

    whole: Mapping[str, str]
    previous: Sequence[str]


def _load(rows: Sequence[Row], config: _Config) -> Load:
    first = rows[0]
    parcel = Parcel(
        first.id,
        first.tenant_id,
        Recipient(first.user_id, first.email, first.name, first.timezone),
        config.whole,
        [Message(*_message_of(row)) for row in rows],
        config.previous,
    )
    strikes = {row.id: row.strikes for row in rows}
    traceparents = [row.traceparent for row in rows if row.traceparent]
    return Load(parcel, ChannelKind(first.kind), first.channel_id, strikes, first.is_test, traceparents)


def _opened_config(row: Row, vault: Vault) -> _Config:
    opened = {
        name: vault.open(secret_place(row.tenant_id, row.channel_id, name), box)
        for name, box in row.secrets.items()
        if name in KEYS[ChannelKind(row.kind)]
    }
    previous = row.secrets.get("previous")
    still_signs = previous and datetime.fromisoformat(previous["until"]) > row.now
    return _Config({**row.config, **opened}, _previous_secret(row, vault) if still_signs else [])


def _previous_secret(row: Row, vault: Vault) -> list[str]:
    # Without it the current secret signs alone, which is better than not sending.
    with suppress(CannotOpenError):
        place = secret_place(row.tenant_id, row.channel_id, "secret")
        return [vault.open(place, row.secrets["previous"]["box"])]
    return []
