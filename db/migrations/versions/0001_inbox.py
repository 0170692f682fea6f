"""The tables of the inbox, its event log, preferences, channels and deliveries."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tenant",
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("tenant_pkey")),
        schema="tocsin",
    )
    op.create_table(
        "channel",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column(
            "config", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("categories", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "kind in ('IN_APP', 'EMAIL', 'SLACK', 'WEBHOOK', 'APPRISE')", name=op.f("channel_kind_check")
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tocsin.tenant.id"], name=op.f("channel_tenant_fkey")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("channel_pkey")),
        schema="tocsin",
    )
    op.create_index(
        op.f("channel_tenant_id_created_at_id_idx"),
        "channel",
        ["tenant_id", "created_at", "id"],
        unique=False,
        schema="tocsin",
    )
    op.create_table(
        "inbox",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("user_id", sa.Text(collation="C"), nullable=False),
        sa.Column("epoch", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("seq", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("total", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("unread", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("dismissed", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("dismissed_unread", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint(
            "dismissed >= dismissed_unread and dismissed_unread >= 0", name=op.f("inbox_hidden_check")
        ),
        sa.CheckConstraint("total >= unread and unread >= 0", name=op.f("inbox_listed_check")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tocsin.tenant.id"], name=op.f("inbox_tenant_fkey")),
        sa.PrimaryKeyConstraint("tenant_id", "user_id", name=op.f("inbox_pkey")),
        schema="tocsin",
        comment="The heart: whoever changes a user's notifications locks this row and takes the next seq.",
    )
    op.create_table(
        "notification_type",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("category", sa.Text(collation="C"), nullable=False),
        sa.Column("icon", sa.Text(), server_default=sa.text("'bell'"), nullable=False),
        sa.Column("enabled_by_default", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("required", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tocsin.tenant.id"], name=op.f("notification_type_tenant_fkey")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "name", name=op.f("notification_type_pkey")),
        schema="tocsin",
    )
    op.create_table(
        "recipient",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.Text(collation="C"), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("timezone", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tocsin.tenant.id"], name=op.f("recipient_tenant_fkey")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("recipient_pkey")),
        schema="tocsin",
    )
    op.create_index(
        op.f("recipient_tenant_id_name_idx"),
        "recipient",
        ["tenant_id", "name"],
        unique=False,
        schema="tocsin",
    )
    op.create_table(
        "template",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), server_default=sa.text("'CUSTOM'"), nullable=False),
        sa.Column("group", sa.Text(), nullable=True),
        sa.Column("method", sa.Text(), nullable=True),
        sa.Column("title_template", sa.Text(), nullable=False),
        sa.Column("body_template", sa.Text(), nullable=False),
        sa.Column(
            "actions", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False
        ),
        sa.Column("enabled_by_default", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.CheckConstraint("kind in ('SYSTEM', 'CUSTOM')", name=op.f("template_kind_check")),
        sa.CheckConstraint(
            "method in ('IN_APP', 'EMAIL', 'SLACK', 'WEBHOOK', 'APPRISE')", name=op.f("template_method_check")
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tocsin.tenant.id"], name=op.f("template_tenant_fkey")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("template_pkey")),
        schema="tocsin",
    )
    op.create_table(
        "event",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("user_id", sa.Text(collation="C"), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("notification_id", sa.Uuid(), nullable=True),
        sa.Column("ids", postgresql.ARRAY(sa.Uuid()), nullable=True),
        sa.Column("up_to_seq", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("(kind = 'READ') = (notification_id is null)", name=op.f("event_subject_check")),
        sa.CheckConstraint(
            "kind in ('CREATED', 'UPDATED', 'REMOVED', 'READ')", name=op.f("event_kind_check")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["tocsin.inbox.tenant_id", "tocsin.inbox.user_id"],
            name=op.f("event_inbox_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "user_id", "seq", name=op.f("event_pkey")),
        schema="tocsin",
        comment="What happened in an inbox, one row a change, without holes in seq.",
    )
    op.create_table(
        "inbox_count",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("user_id", sa.Text(collation="C"), nullable=False),
        sa.Column("type", sa.Text(collation="C"), nullable=False),
        sa.Column("category", sa.Text(collation="C"), nullable=False),
        sa.Column("total", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("unread", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("dismissed", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("dismissed_unread", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint(
            "dismissed >= dismissed_unread and dismissed_unread >= 0", name=op.f("inbox_count_hidden_check")
        ),
        sa.CheckConstraint("total >= unread and unread >= 0", name=op.f("inbox_count_listed_check")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["tocsin.inbox.tenant_id", "tocsin.inbox.user_id"],
            name=op.f("inbox_count_inbox_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "user_id", "type", "category", name=op.f("inbox_count_pkey")),
        schema="tocsin",
    )
    op.create_table(
        "notification",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Text(collation="C"), nullable=False),
        sa.Column("type", sa.Text(collation="C"), nullable=False),
        sa.Column("category", sa.Text(collation="C"), nullable=False),
        sa.Column("severity", sa.Text(), server_default=sa.text("'NORMAL'"), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("icon", sa.Text(), nullable=True),
        sa.Column(
            "actions", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False
        ),
        sa.Column("targets", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("template_id", sa.Uuid(), nullable=True),
        sa.Column("team_id", sa.Text(collation="C"), nullable=True),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("unread_seq", sa.BigInteger(), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dismissed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "severity in ('LOW', 'NORMAL', 'HIGH', 'CRITICAL')", name=op.f("notification_severity_check")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "template_id"],
            ["tocsin.template.tenant_id", "tocsin.template.id"],
            name=op.f("notification_template_fkey"),
            ondelete="SET NULL (template_id)",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["tocsin.inbox.tenant_id", "tocsin.inbox.user_id"],
            name=op.f("notification_inbox_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("notification_pkey")),
        schema="tocsin",
    )
    op.create_index(
        "notification_inbox_idx",
        "notification",
        ["tenant_id", "user_id", sa.literal_column("created_at desc"), sa.literal_column("id desc")],
        unique=False,
        schema="tocsin",
        postgresql_where=sa.text("deleted_at is null"),
    )
    op.create_table(
        "preference",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Text(collation="C"), nullable=False),
        sa.Column("category", sa.Text(collation="C"), nullable=True),
        sa.Column("template_id", sa.Uuid(), nullable=True),
        sa.Column("channel_kind", sa.Text(), nullable=True),
        sa.Column("project_id", sa.Text(collation="C"), nullable=True),
        sa.Column("environment_id", sa.Text(collation="C"), nullable=True),
        sa.Column("enabled", sa.Boolean(), nullable=True),
        sa.Column("quiet_start", sa.Time(), nullable=True),
        sa.Column("quiet_end", sa.Time(), nullable=True),
        sa.Column("timezone", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "channel_kind in ('IN_APP', 'EMAIL', 'SLACK', 'WEBHOOK', 'APPRISE')",
            name=op.f("preference_channel_kind_check"),
        ),
        sa.CheckConstraint(
            "(category is null) <> (template_id is null)", name=op.f("preference_subject_check")
        ),
        sa.CheckConstraint(
            "(quiet_start is null) = (quiet_end is null) and quiet_start <> quiet_end",
            name=op.f("preference_quiet_hours_check"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "template_id"],
            ["tocsin.template.tenant_id", "tocsin.template.id"],
            name=op.f("preference_template_fkey"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tocsin.tenant.id"], name=op.f("preference_tenant_fkey")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("preference_pkey")),
        schema="tocsin",
    )
    op.create_index(
        "preference_identity_idx",
        "preference",
        ["tenant_id", "user_id", "category", "template_id", "channel_kind", "project_id", "environment_id"],
        unique=True,
        schema="tocsin",
        postgresql_nulls_not_distinct=True,
    )
    op.create_table(
        "delivery",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("notification_id", sa.Uuid(), nullable=False),
        sa.Column("channel_id", sa.Uuid(), nullable=True),
        sa.Column("status", sa.Text(), server_default=sa.text("'PENDING'"), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "status in ('PENDING', 'DEFERRED', 'SENDING', 'SENT', 'FAILED', 'SUPPRESSED', 'CANCELLED')",
            name=op.f("delivery_status_check"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "channel_id"],
            ["tocsin.channel.tenant_id", "tocsin.channel.id"],
            name=op.f("delivery_channel_fkey"),
            ondelete="SET NULL (channel_id)",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "notification_id"],
            ["tocsin.notification.tenant_id", "tocsin.notification.id"],
            name=op.f("delivery_notification_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("delivery_pkey")),
        schema="tocsin",
    )
    op.create_index(
        op.f("delivery_tenant_id_channel_id_idx"),
        "delivery",
        ["tenant_id", "channel_id", sa.literal_column("created_at desc"), sa.literal_column("id desc")],
        unique=False,
        schema="tocsin",
    )
    op.create_index(
        op.f("delivery_tenant_id_notification_id_created_at_idx"),
        "delivery",
        ["tenant_id", "notification_id", "created_at"],
        unique=False,
        schema="tocsin",
    )
    op.create_table(
        "attempt",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("delivery_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("status_code", sa.Integer(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "delivery_id"],
            ["tocsin.delivery.tenant_id", "tocsin.delivery.id"],
            name=op.f("attempt_delivery_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "delivery_id", "number", name=op.f("attempt_pkey")),
        schema="tocsin",
    )


def downgrade() -> None:
    op.drop_table("attempt", schema="tocsin")
    op.drop_index(
        op.f("delivery_tenant_id_notification_id_created_at_idx"), table_name="delivery", schema="tocsin"
    )
    op.drop_index(op.f("delivery_tenant_id_channel_id_idx"), table_name="delivery", schema="tocsin")
    op.drop_table("delivery", schema="tocsin")
    op.drop_index(
        "preference_identity_idx",
        table_name="preference",
        schema="tocsin",
        postgresql_nulls_not_distinct=True,
    )
    op.drop_table("preference", schema="tocsin")
    op.drop_index(
        "notification_inbox_idx",
        table_name="notification",
        schema="tocsin",
        postgresql_where=sa.text("deleted_at is null"),
    )
    op.drop_table("notification", schema="tocsin")
    op.drop_table("inbox_count", schema="tocsin")
    op.drop_table("event", schema="tocsin")
    op.drop_table("template", schema="tocsin")
    op.drop_index(op.f("recipient_tenant_id_name_idx"), table_name="recipient", schema="tocsin")
    op.drop_table("recipient", schema="tocsin")
    op.drop_table("notification_type", schema="tocsin")
    op.drop_table("inbox", schema="tocsin")
    op.drop_index(op.f("channel_tenant_id_created_at_id_idx"), table_name="channel", schema="tocsin")
    op.drop_table("channel", schema="tocsin")
    op.drop_table("tenant", schema="tocsin")
