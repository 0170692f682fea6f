"""Settings, agents, removed users, and secrets of channels: what admins manage."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TABLES = ("settings", "agent", "removal")
IN_TENANT = "tenant_id = (select tocsin.current_tenant())"
# To erase a user whom the host application has removed.
ERASABLE = ("inbox_count", "notification", "event", "recipient")


def upgrade() -> None:
    _create_agent()
    _create_removal()
    _create_settings()
    op.add_column(
        "channel",
        sa.Column(
            "secrets", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        schema="tocsin",
    )
    op.create_index(
        op.f("notification_tenant_id_deleted_at_idx"),
        "notification",
        ["tenant_id", "deleted_at"],
        schema="tocsin",
        postgresql_where=sa.text("deleted_at is not null"),
    )
    for table in TABLES:
        op.execute(f"alter table tocsin.{table} enable row level security, force row level security")
        op.execute(f"create policy isolation on tocsin.{table} using ({IN_TENANT}) with check ({IN_TENANT})")
        op.execute(f"grant select, insert, update on tocsin.{table} to tocsin_app")
        op.execute(f"grant select, insert, update, delete on tocsin.{table} to tocsin_worker")
    for table in ERASABLE:
        op.execute(f"grant delete on tocsin.{table} to tocsin_app")


def _create_agent() -> None:
    op.create_table(
        "agent",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("types", postgresql.ARRAY(sa.Text()), nullable=True),
        sa.Column("key_prefix", sa.Text(collation="C"), nullable=False),
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["tenant_id"], ["tocsin.tenant.id"], name=op.f("agent_tenant_fkey")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("agent_pkey")),
        schema="tocsin",
    )
    op.create_index(
        op.f("agent_tenant_id_key_prefix_idx"),
        "agent",
        ["tenant_id", "key_prefix"],
        unique=True,
        schema="tocsin",
    )


def _create_removal() -> None:
    op.create_table(
        "removal",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("user_id", sa.Text(collation="C"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tocsin.tenant.id"], name=op.f("removal_tenant_fkey")),
        sa.PrimaryKeyConstraint("tenant_id", "user_id", name=op.f("removal_pkey")),
        schema="tocsin",
        comment="Users who were removed: their tokens issued before are refused.",
    )
    op.create_index(op.f("removal_tenant_id_at_idx"), "removal", ["tenant_id", "at"], schema="tocsin")


def _create_settings() -> None:
    op.create_table(
        "settings",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("notifier_paused", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("retention_days", sa.Integer(), server_default=sa.text("90"), nullable=False),
        sa.Column("inbox_days", sa.Integer(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("inbox_days between 1 and 3650", name=op.f("settings_inbox_days_check")),
        sa.CheckConstraint("retention_days between 1 and 3650", name=op.f("settings_retention_days_check")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tocsin.tenant.id"], name=op.f("settings_tenant_fkey")),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("settings_pkey")),
        schema="tocsin",
    )


def downgrade() -> None:
    for table in ERASABLE:
        op.execute(f"revoke delete on tocsin.{table} from tocsin_app")
    op.drop_index(op.f("notification_tenant_id_deleted_at_idx"), table_name="notification", schema="tocsin")
    op.drop_column("channel", "secrets", schema="tocsin")
    op.drop_table("settings", schema="tocsin")
    op.drop_index(op.f("removal_tenant_id_at_idx"), table_name="removal", schema="tocsin")
    op.drop_table("removal", schema="tocsin")
    op.drop_index(op.f("agent_tenant_id_key_prefix_idx"), table_name="agent", schema="tocsin")
    op.drop_table("agent", schema="tocsin")
