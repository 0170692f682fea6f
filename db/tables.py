"""Every table, once. What leaves the building has its tables in db/outbox_tables.py."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    Time,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from db.columns import (
    CHANNEL_KINDS,
    SCHEMA,
    belongs_to_inbox,
    belongs_to_tenant,
    counters,
    flag,
    instant,
    key,
    metadata,
    one_of,
    ref,
)
from db.outbox_tables import attempt, delivery, due, host, request

__all__ = [
    "AUDIT",
    "CHANNEL_KINDS",
    "EXEMPT",
    "HOST",
    "PERSONAL",
    "SCHEMA",
    "SERVICE",
    "SHARED",
    "WORK",
    "agent",
    "attempt",
    "audit",
    "channel",
    "delivery",
    "due",
    "event",
    "host",
    "inbox",
    "inbox_count",
    "mark",
    "metadata",
    "notification",
    "notification_type",
    "preference",
    "recipient",
    "removal",
    "request",
    "settings",
    "template",
    "tenant",
]

tenant = Table("tenant", metadata, key("id"))

recipient = Table(
    "recipient",
    metadata,
    key("tenant_id"),
    key("id"),
    Column("email", Text),
    Column("name", Text),
    Column("timezone", Text),
    instant("created_at"),
    instant("updated_at"),
    belongs_to_tenant(),
    Index(None, "tenant_id", "name"),
)

notification_type = Table(
    "notification_type",
    metadata,
    key("tenant_id"),
    key("name"),
    ref("category", nullable=False),
    Column("icon", Text, nullable=False, server_default=text("'bell'")),
    flag("enabled_by_default", default=True),
    flag("required", default=False),
    belongs_to_tenant(),
)

template = Table(
    "template",
    metadata,
    key("tenant_id"),
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False, server_default=text("'CUSTOM'")),
    Column("group", Text),
    Column("method", Text),
    Column("title_template", Text, nullable=False),
    Column("body_template", Text, nullable=False),
    Column("actions", JSONB, nullable=False, server_default=text("'[]'")),
    flag("enabled_by_default", default=True),
    one_of("kind", "SYSTEM", "CUSTOM"),
    one_of("method", *CHANNEL_KINDS),
    belongs_to_tenant(),
)

channel = Table(
    "channel",
    metadata,
    key("tenant_id"),
    Column("id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    flag("enabled", default=True),
    Column("config", JSONB, nullable=False, server_default=text("'{}'")),
    Column("secrets", JSONB, nullable=False, server_default=text("'{}'")),
    Column("categories", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    instant("created_at"),
    instant("updated_at"),
    one_of("kind", *CHANNEL_KINDS),
    belongs_to_tenant(),
    Index(None, "tenant_id", "created_at", "id"),
)

inbox = Table(
    "inbox",
    metadata,
    key("tenant_id"),
    key("user_id"),
    Column("epoch", Integer, nullable=False, server_default=text("1")),
    Column("seq", BigInteger, nullable=False, server_default=text("0")),
    *counters(),
    belongs_to_tenant(),
    comment="The heart: whoever changes a user's notifications locks this row and takes the next seq.",
)

inbox_count = Table(
    "inbox_count",
    metadata,
    key("tenant_id"),
    key("user_id"),
    key("type"),
    key("category"),
    *counters(),
    belongs_to_inbox(),
)

notification = Table(
    "notification",
    metadata,
    key("tenant_id"),
    Column("id", Uuid, primary_key=True),
    ref("user_id", nullable=False),
    ref("type", nullable=False),
    ref("category", nullable=False),
    Column("severity", Text, nullable=False, server_default=text("'NORMAL'")),
    Column("title", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("url", Text),
    Column("icon", Text),
    Column("actions", JSONB, nullable=False, server_default=text("'[]'")),
    Column("targets", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("template_id", Uuid),
    ref("team_id"),
    Column("data", JSONB),
    Column("unread_seq", BigInteger, nullable=False),
    instant("read_at", nullable=True),
    instant("dismissed_at", nullable=True),
    instant("deleted_at", nullable=True),
    instant("created_at"),
    instant("updated_at"),
    one_of("severity", "LOW", "NORMAL", "HIGH", "CRITICAL"),
    belongs_to_inbox(),
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
    # What is marked but not settled is stepped over in the index.
    Index(
        "notification_unread_idx",
        "tenant_id",
        "user_id",
        text("created_at desc"),
        text("id desc"),
        "unread_seq",
        postgresql_where=text("read_at is null and deleted_at is null"),
    ),
    Index(
        "notification_unread_seq_idx",
        "tenant_id",
        "user_id",
        "unread_seq",
        postgresql_where=text("read_at is null and deleted_at is null"),
    ),
    Index(None, "tenant_id", "deleted_at", postgresql_where=text("deleted_at is not null")),
)

mark = Table(
    "mark",
    metadata,
    key("tenant_id"),
    Column("id", Uuid, primary_key=True),
    ref("user_id", nullable=False),
    Column("after_seq", BigInteger, nullable=False),
    Column("through_seq", BigInteger, nullable=False),
    instant("read_at"),
    CheckConstraint("after_seq < through_seq", name="stretch"),
    belongs_to_inbox(),
    Index(None, "tenant_id", "user_id", "through_seq", unique=True),
    comment="Which unread_seqs of an inbox were read at once, until a worker has settled it into the rows.",
)

event = Table(
    "event",
    metadata,
    key("tenant_id"),
    key("user_id"),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("notification_id", Uuid),
    Column("ids", ARRAY(Uuid)),
    Column("up_to_seq", BigInteger),
    instant("at"),
    one_of("kind", "CREATED", "UPDATED", "REMOVED", "READ"),
    CheckConstraint("(kind = 'READ') = (notification_id is null)", name="subject"),
    belongs_to_inbox(),
    comment="What happened in an inbox, one row a change, without holes in seq.",
)

preference = Table(
    "preference",
    metadata,
    key("tenant_id"),
    Column("id", Uuid, primary_key=True),
    ref("user_id", nullable=False),
    ref("category"),
    Column("template_id", Uuid),
    Column("channel_kind", Text),
    ref("project_id"),
    ref("environment_id"),
    Column("enabled", Boolean),
    Column("quiet_start", Time),
    Column("quiet_end", Time),
    Column("timezone", Text),
    Column("digest", Text),
    Column("digest_at", Time),
    instant("created_at"),
    instant("updated_at"),
    one_of("channel_kind", *CHANNEL_KINDS),
    one_of("digest", "IMMEDIATE", "HOURLY", "DAILY"),
    CheckConstraint("digest_at is null or digest = 'DAILY'", name="digest_at"),
    CheckConstraint("(category is null) <> (template_id is null)", name="subject"),
    CheckConstraint(
        "(quiet_start is null) = (quiet_end is null) and quiet_start <> quiet_end", name="quiet_hours"
    ),
    belongs_to_tenant(),
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
    key("tenant_id"),
    flag("notifier_paused", default=False),
    Column("retention_days", Integer, nullable=False, server_default=text("90")),
    Column("inbox_days", Integer),
    instant("updated_at"),
    CheckConstraint("retention_days between 1 and 3650", name="retention_days"),
    CheckConstraint("inbox_days between 1 and 3650", name="inbox_days"),
    belongs_to_tenant(),
)

agent = Table(
    "agent",
    metadata,
    key("tenant_id"),
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("types", ARRAY(Text)),
    ref("key_prefix", nullable=False),
    Column("key_hash", LargeBinary, nullable=False),
    instant("created_at"),
    instant("last_used_at", nullable=True),
    instant("revoked_at", nullable=True),
    belongs_to_tenant(),
    Index(None, "tenant_id", "key_prefix", unique=True),
)

removal = Table(
    "removal",
    metadata,
    key("tenant_id"),
    key("user_id"),
    instant("at"),
    belongs_to_tenant(),
    Index(None, "tenant_id", "at"),
    comment="Users who were removed: their tokens issued before are refused.",
)

audit = Table(
    "audit",
    metadata,
    key("tenant_id"),
    Column("id", Uuid, primary_key=True),
    ref("admin", nullable=False),
    ref("action", nullable=False),
    ref("subject"),
    Column("subject_name", Text),
    Column("changed", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    instant("created_at"),
    belongs_to_tenant(),
    Index(None, "tenant_id", "created_at", "id"),
    comment="What admins changed, by the name of the mutation; names of fields, never their values.",
)

# Rows of one user: tenant AND (that user OR the service). The other tables: tenant.
PERSONAL = (inbox, inbox_count, notification, mark, event, preference)
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
# Tenant AND the service, for what a notify said may concern more than one user.
SERVICE = (request,)
# Written by whoever is of the tenant, read by its service, and changed by nobody.
AUDIT = (audit,)
# Tenant; but the worker sees all, to find what is due: ids only. See docs/adr/0010.
WORK = (due,)
# A host application's ties to tenants: it reads its own, the owner writes, app and worker have no right.
HOST = (host,)
# Ids only, no policy: a worker finds its tenants here. See docs/adr/0002.
EXEMPT = (tenant,)
