"""What tables are made of: the metadata that queries and Alembic share, and the kinds of column.

Rows of a tenant start with `tenant_id` in each key, because keys see through row level security. Ids of
tenants and users are the host application's own, so they are text; they compare bytewise (collation C).
"""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Integer,
    MetaData,
    Text,
    func,
    text,
)
from sqlalchemy.schema import SchemaItem

from db.types import Counters

SCHEMA = "tocsin"

metadata = MetaData(
    schema=SCHEMA,
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "fk": "%(table_name)s_%(referred_table_name)s_fkey",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
    },
)


def key(name: str) -> Column[str]:
    """Return a text column of the primary key."""
    return Column(name, Text(collation="C"), primary_key=True)


def ref(name: str, *, nullable: bool = True, default: str | None = None) -> Column[str]:
    """Return a text column that holds an id or a name, and compares bytewise."""
    fallback = None if default is None else text(f"'{default}'")
    return Column(name, Text(collation="C"), nullable=nullable, server_default=fallback)


def instant(name: str, *, nullable: bool = False) -> Column[object]:
    """Return a timestamptz; one that must be there defaults to the database's clock."""
    default = None if nullable else func.now()
    return Column(name, DateTime(timezone=True), nullable=nullable, server_default=default)


def flag(name: str, *, default: bool) -> Column[bool]:
    """Return a boolean that is never null."""
    return Column(name, Boolean, nullable=False, server_default=text(str(default).lower()))


def counter(name: str) -> Column[int]:
    """Return a count that begins at 0."""
    return Column(name, Integer, nullable=False, server_default=text("0"))


def counters() -> list[SchemaItem]:
    """Return what counts rows, as in db.types.Counters, and what must always be true of it."""
    return [
        *(counter(name) for name in Counters._fields),
        CheckConstraint("total >= unread and unread >= 0", name="listed"),
        CheckConstraint("dismissed >= dismissed_unread and dismissed_unread >= 0", name="hidden"),
    ]


def one_of(column: str, *values: str) -> CheckConstraint:
    """Text with a CHECK, not an enum: enums are not leakproof, so no index serves them under RLS."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} in ({listed})", name=column)


def belongs_to_tenant() -> ForeignKeyConstraint:
    """Return the foreign key to the tenant."""
    return ForeignKeyConstraint(["tenant_id"], ["tocsin.tenant.id"])


def belongs_to_inbox() -> ForeignKeyConstraint:
    """Return the foreign key to the user's inbox."""
    return ForeignKeyConstraint(["tenant_id", "user_id"], ["tocsin.inbox.tenant_id", "tocsin.inbox.user_id"])


CHANNEL_KINDS = ("IN_APP", "EMAIL", "SLACK", "WEBHOOK", "APPRISE")
