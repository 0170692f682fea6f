"""For whom something is: what a tenant and its people have said that decides what reaches them."""

from collections.abc import Sequence

from sqlalchemy import Text, Uuid, any_, bindparam, func, literal_column, select, true
from sqlalchemy.dialects.postgresql import ARRAY

from db.session import Row, Source, Transaction
from db.statement import Read, Write, in_tenant
from db.tables import channel, notification_type, preference, recipient, template

_USERS = bindparam("users", type_=ARRAY(Text))
_one = select(literal_column("1").label("one")).subquery("one")
_type = (
    select(notification_type)
    .where(in_tenant(notification_type), notification_type.c.name == bindparam("type", type_=Text))
    .lateral("type")
)
_template = (
    select(template.c.enabled_by_default)
    .where(in_tenant(template), template.c.id == bindparam("template", type_=Uuid))
    .lateral("template")
)
_SUBJECT = Read(
    select(
        _type.c.category,
        _type.c.required,
        _type.c.enabled_by_default,
        _template.c.enabled_by_default.label("template_enabled"),
        func.now().label("now"),
    ).select_from(_one.outerjoin(_type, true()).outerjoin(_template, true()))
)
_channels = select(channel).where(in_tenant(channel)).order_by(channel.c.created_at, channel.c.id)
_CHANNELS = Read(_channels)
_KEPT_CHANNELS = Write(_channels.with_for_update(read=True, key_share=True))
_PEOPLE = Read(select(recipient).where(in_tenant(recipient), recipient.c.id == any_(_USERS)))
_PREFERENCES = Read(select(preference).where(in_tenant(preference), preference.c.user_id == any_(_USERS)))


async def subject(source: Source, type: str, template_id: object) -> Row:
    """Return category, required, enabled_by_default of a type, template_enabled (None: not stored), and now."""
    (row,) = await source.fetch(_SUBJECT, type=type, template=template_id)
    return row


async def channels(source: Source) -> list[Row]:
    """Return all of the tenant's channels, whole: with their secrets, sealed."""
    return await source.fetch(_CHANNELS)


async def kept_channels(tx: Transaction) -> list[Row]:
    """Return all of the tenant's channels, which nobody deletes until the commit."""
    return await tx.fetch(_KEPT_CHANNELS)


async def people(source: Source, users: Sequence[str]) -> list[Row]:
    """Return what the directory knows of these users."""
    return await source.fetch(_PEOPLE, users=users)


async def preferences(source: Source, users: Sequence[str]) -> list[Row]:
    """Return the stored preferences of these users, in a service scope."""
    return await source.fetch(_PREFERENCES, users=users)
