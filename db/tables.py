"""Every table, once: queries and Alembic read the same metadata.

Rows of a tenant start with `tenant_id` in each key, because keys see through row level security. Ids of
tenants and users are the host application's own, so they are text; they compare bytewise (collation C).
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Time,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
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


def _key(name: str) -> Column[str]:
    return Column(name, Text(collation="C"), primary_key=True)


def _ref(name: str, *, nullable: bool = True) -> Column[str]:
    return Column(name, Text(collation="C"), nullable=nullable)


def _instant(name: str, *, nullable: bool = False) -> Column[object]:
    """Return a timestamptz; one that must be there defaults to the database's clock."""
    default = None if nullable else func.now()
    return Column(name, DateTime(timezone=True), nullable=nullable, server_default=default)


def _flag(name: str, *, default: bool) -> Column[bool]:
    return Column(name, Boolean, nullable=False, server_default=text(str(default).lower()))


def _counter(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False, server_default=text("0"))


def _counters() -> list[SchemaItem]:
    """Return what counts rows, as in db.types.Counters, and what must always be true of it."""
    return [
        *(_counter(name) for name in Counters._fields),
        CheckConstraint("total >= unread and unread >= 0", name="listed"),
        CheckConstraint("dismissed >= dismissed_unread and dismissed_unread >= 0", name="hidden"),
    ]


def _one_of(column: str, *values: str) -> CheckConstraint:
    """Text with a CHECK, not an enum: enums are not leakproof, so no index serves them under RLS."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} in ({listed})", name=column)


def _belongs_to_tenant() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["tenant_id"], ["tocsin.tenant.id"])


def _belongs_to_inbox() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["tenant_id", "user_id"], ["tocsin.inbox.tenant_id", "tocsin.inbox.user_id"])


CHANNEL_KINDS = ("IN_APP", "EMAIL", "SLACK", "WEBHOOK", "APPRISE")

tenant = Table("tenant", metadata, _key("id"))

recipient = Table(
    "recipient",
    metadata,
    _key("tenant_id"),
    _key("id"),
    Column("email", Text),
    Column("name", Text),
    Column("timezone", Text),
    _instant("created_at"),
    _instant("updated_at"),
    _belongs_to_tenant(),
    Index(None, "tenant_id", "name"),
)

notification_type = Table(
    "notification_type",
    metadata,
    _key("tenant_id"),
    _key("name"),
    _ref("category", nullable=False),
    Column("icon", Text, nullable=False, server_default=text("'bell'")),
    _flag("enabled_by_default", default=True),
    _flag("required", default=False),
    _belongs_to_tenant(),
)

template = Table(
    "template",
    metadata,
    _key("tenant_id"),
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False, server_default=text("'CUSTOM'")),
    Column("group", Text),
    Column("method", Text),
    Column("title_template", Text, nullable=False),
    Column("body_template", Text, nullable=False),
    Column("actions", JSONB, nullable=False, server_default=text("'[]'")),
    _flag("enabled_by_default", default=True),
    _one_of("kind", "SYSTEM", "CUSTOM"),
    _one_of("method", *CHANNEL_KINDS),
    _belongs_to_tenant(),
)

channel = Table(
    "channel",
    metadata,
    _key("tenant_id"),
    Column("id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    _flag("enabled", default=True),
    Column("config", JSONB, nullable=False, server_default=text("'{}'")),
    Column("secrets", JSONB, nullable=False, server_default=text("'{}'")),
    Column("categories", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    _instant("created_at"),
    _instant("updated_at"),
    _one_of("kind", *CHANNEL_KINDS),
    _belongs_to_tenant(),
    Index(None, "tenant_id", "created_at", "id"),
)

inbox = Table(
    "inbox",
    metadata,
    _key("tenant_id"),
    _key("user_id"),
    Column("epoch", Integer, nullable=False, server_default=text("1")),
    Column("seq", BigInteger, nullable=False, server_default=text("0")),
    *_counters(),
    _belongs_to_tenant(),
    comment="The heart: whoever changes a user's notifications locks this row and takes the next seq.",
)

inbox_count = Table(
    "inbox_count",
    metadata,
    _key("tenant_id"),
    _key("user_id"),
    _key("type"),
    _key("category"),
    *_counters(),
    _belongs_to_inbox(),
)

notification = Table(
    "notification",
    metadata,
    _key("tenant_id"),
    Column("id", Uuid, primary_key=True),
    _ref("user_id", nullable=False),
    _ref("type", nullable=False),
    _ref("category", nullable=False),
    Column("severity", Text, nullable=False, server_default=text("'NORMAL'")),
    Column("title", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("url", Text),
    Column("icon", Text),
    Column("actions", JSONB, nullable=False, server_default=text("'[]'")),
    Column("targets", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("template_id", Uuid),
    _ref("team_id"),
    Column("data", JSONB),
    Column("unread_seq", BigInteger, nullable=False),
    _instant("read_at", nullable=True),
    _instant("dismissed_at", nullable=True),
    _instant("deleted_at", nullable=True),
    _instant("created_at"),
    _instant("updated_at"),
    _one_of("severity", "LOW", "NORMAL", "HIGH", "CRITICAL"),
    _belongs_to_inbox(),
    ForeignKeyConstraint(
        ["tenant_id", "template_id"],
        ["tocsin.template.tenant_id", "tocsin.template.id"],
        ondelete="SET NULL (template_id)",
    ),
    Index(
        "notification_inbox_idx",
        "tenant_id",
        "user_id",
        text("created_at desc"),
        text("id desc"),
        postgresql_where=text("deleted_at is null"),
    ),
    Index(None, "tenant_id", "deleted_at", postgresql_where=text("deleted_at is not null")),
)

event = Table(
    "event",
    metadata,
    _key("tenant_id"),
    _key("user_id"),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("notification_id", Uuid),
    Column("ids", ARRAY(Uuid)),
    Column("up_to_seq", BigInteger),
    _instant("at"),
    _one_of("kind", "CREATED", "UPDATED", "REMOVED", "READ"),
    CheckConstraint("(kind = 'READ') = (notification_id is null)", name="subject"),
    _belongs_to_inbox(),
    comment="What happened in an inbox, one row a change, without holes in seq.",
)

preference = Table(
    "preference",
    metadata,
    _key("tenant_id"),
    Column("id", Uuid, primary_key=True),
    _ref("user_id", nullable=False),
    _ref("category"),
    Column("template_id", Uuid),
    Column("channel_kind", Text),
    _ref("project_id"),
    _ref("environment_id"),
    Column("enabled", Boolean),
    Column("quiet_start", Time),
    Column("quiet_end", Time),
    Column("timezone", Text),
    _instant("created_at"),
    _instant("updated_at"),
    _one_of("channel_kind", *CHANNEL_KINDS),
    CheckConstraint("(category is null) <> (template_id is null)", name="subject"),
    CheckConstraint(
        "(quiet_start is null) = (quiet_end is null) and quiet_start <> quiet_end", name="quiet_hours"
    ),
    _belongs_to_tenant(),
    ForeignKeyConstraint(
        ["tenant_id", "template_id"],
        ["tocsin.template.tenant_id", "tocsin.template.id"],
        ondelete="CASCADE",
    ),
    Index(
        "preference_identity_idx",
        "tenant_id",
        "user_id",
        "category",
        "template_id",
        "channel_kind",
        "project_id",
        "environment_id",
        unique=True,
        postgresql_nulls_not_distinct=True,
    ),
)

settings = Table(
    "settings",
    metadata,
    _key("tenant_id"),
    _flag("notifier_paused", default=False),
    Column("retention_days", Integer, nullable=False, server_default=text("90")),
    Column("inbox_days", Integer),
    _instant("updated_at"),
    CheckConstraint("retention_days between 1 and 3650", name="retention_days"),
    CheckConstraint("inbox_days between 1 and 3650", name="inbox_days"),
    _belongs_to_tenant(),
)

agent = Table(
    "agent",
    metadata,
    _key("tenant_id"),
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("types", ARRAY(Text)),
    _ref("key_prefix", nullable=False),
    Column("key_hash", LargeBinary, nullable=False),
    _instant("created_at"),
    _instant("last_used_at", nullable=True),
    _instant("revoked_at", nullable=True),
    _belongs_to_tenant(),
    Index(None, "tenant_id", "key_prefix", unique=True),
)

removal = Table(
    "removal",
    metadata,
    _key("tenant_id"),
    _key("user_id"),
    _instant("at"),
    _belongs_to_tenant(),
    Index(None, "tenant_id", "at"),
    comment="Users who were removed: their tokens issued before are refused.",
)

delivery = Table(
    "delivery",
    metadata,
    _key("tenant_id"),
    Column("id", Uuid, primary_key=True),
    Column("notification_id", Uuid, nullable=False),
    Column("channel_id", Uuid),
    Column("status", Text, nullable=False, server_default=text("'PENDING'")),
    Column("reason", Text),
    _instant("next_attempt_at", nullable=True),
    _instant("created_at"),
    _one_of("status", "PENDING", "DEFERRED", "SENDING", "SENT", "FAILED", "SUPPRESSED", "CANCELLED"),
    ForeignKeyConstraint(
        ["tenant_id", "notification_id"],
        ["tocsin.notification.tenant_id", "tocsin.notification.id"],
        ondelete="CASCADE",
    ),
    ForeignKeyConstraint(
        ["tenant_id", "channel_id"],
        ["tocsin.channel.tenant_id", "tocsin.channel.id"],
        ondelete="SET NULL (channel_id)",
    ),
    Index(None, "tenant_id", "notification_id", "created_at"),
    Index(None, "tenant_id", "channel_id", text("created_at desc"), text("id desc")),
)

attempt = Table(
    "attempt",
    metadata,
    _key("tenant_id"),
    Column("delivery_id", Uuid, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    _instant("at"),
    Column("duration_ms", Integer, nullable=False),
    Column("status_code", Integer),
    Column("error", Text),
    ForeignKeyConstraint(
        ["tenant_id", "delivery_id"],
        ["tocsin.delivery.tenant_id", "tocsin.delivery.id"],
        ondelete="CASCADE",
    ),
)

# Rows of one user: tenant AND (that user OR the service). The other tables: tenant.
PERSONAL = (inbox, inbox_count, notification, event, preference)
SHARED = (
    recipient,
    notification_type,
    template,
    channel,
    delivery,
    attempt,
    settings,
    agent,
    removal,
)
# Ids only, no policy: a worker finds its tenants here. See docs/adr/0002.
EXEMPT = (tenant,)
