"""What a notify said, and what is due: requests, the outbox, and how deliveries refer to them."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

IN_TENANT = "tenant_id = (select tocsin.current_tenant())"
BY_SERVICE = f"{IN_TENANT} and (select tocsin.is_service())"


def upgrade() -> None:
    # Until now only the demo stored deliveries, and without what they said they could not be retried.
    op.execute("truncate tocsin.attempt, tocsin.delivery")
    _create_request()
    _create_due()
    _extend_delivery()
    _extend_preference()
    _isolate_request()
    _isolate_due()
    op.execute("grant delete on tocsin.delivery to tocsin_app")


def _create_request() -> None:
    op.create_table(
        "request",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("caller", sa.Text(collation="C"), nullable=False),
        sa.Column("idempotency_key", sa.Text(collation="C"), nullable=True),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=True),
        sa.Column("status", sa.Text(), server_default=sa.text("'ACCEPTED'"), nullable=False),
        sa.Column("recipient_ids", postgresql.ARRAY(sa.Text()), nullable=True),
        sa.Column("position", sa.Text(collation="C"), server_default=sa.text("''"), nullable=False),
        sa.Column("recipients", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("done", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("suppressed", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "notification_ids", postgresql.ARRAY(sa.Uuid()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("type", sa.Text(collation="C"), nullable=False),
        sa.Column("category", sa.Text(collation="C"), nullable=True),
        sa.Column("severity", sa.Text(), server_default=sa.text("'NORMAL'"), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("icon", sa.Text(), nullable=True),
        sa.Column(
            "actions", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False
        ),
        sa.Column("targets", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("template_id", sa.Uuid(), nullable=True),
        sa.Column("team_id", sa.Text(collation="C"), nullable=True),
        sa.Column("project_id", sa.Text(collation="C"), nullable=True),
        sa.Column("environment_id", sa.Text(collation="C"), nullable=True),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("channels", postgresql.ARRAY(sa.Text()), nullable=True),
        sa.Column("escalate_minutes", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "severity in ('LOW', 'NORMAL', 'HIGH', 'CRITICAL')", name=op.f("request_severity_check")
        ),
        sa.CheckConstraint(
            "status in ('ACCEPTED', 'FANNING_OUT', 'DONE')", name=op.f("request_status_check")
        ),
        sa.CheckConstraint(
            "cardinality(recipient_ids) between 1 and 1000", name=op.f("request_recipient_ids_check")
        ),
        sa.CheckConstraint("cardinality(targets) <= 100", name=op.f("request_targets_check")),
        sa.CheckConstraint(
            "escalate_minutes between 1 and 10080", name=op.f("request_escalate_minutes_check")
        ),
        sa.CheckConstraint("length(body) <= 65536", name=op.f("request_body_check")),
        sa.CheckConstraint(
            "length(category) between 1 and 255 and octet_length(category) <= 510",
            name=op.f("request_category_check"),
        ),
        sa.CheckConstraint(
            "length(idempotency_key) between 1 and 255 and octet_length(idempotency_key) <= 510",
            name=op.f("request_idempotency_key_check"),
        ),
        sa.CheckConstraint("length(title) between 1 and 1000", name=op.f("request_title_check")),
        sa.CheckConstraint(
            "length(type) between 1 and 255 and octet_length(type) <= 510", name=op.f("request_type_check")
        ),
        sa.CheckConstraint("octet_length(data::text) <= 131072", name=op.f("request_data_check")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "template_id"],
            ["tocsin.template.tenant_id", "tocsin.template.id"],
            name=op.f("request_template_fkey"),
            ondelete="SET NULL (template_id)",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("request_pkey")),
        schema="tocsin",
        comment="What a notify said, once for all its recipients; recipient_ids null: everyone.",
    )
    op.create_index(
        "request_idempotency_idx",
        "request",
        ["tenant_id", "caller", "idempotency_key"],
        unique=True,
        schema="tocsin",
        postgresql_where=sa.text("idempotency_key is not null"),
    )
    op.create_index(
        op.f("request_tenant_id_created_at_idx"),
        "request",
        ["tenant_id", "created_at"],
        unique=False,
        schema="tocsin",
    )


def _create_due() -> None:
    op.create_table(
        "due",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), server_default=sa.text("'DELIVERY'"), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("lease", sa.Uuid(), nullable=True),
        sa.CheckConstraint("kind in ('DELIVERY', 'REQUEST')", name=op.f("due_kind_check")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("due_pkey")),
        schema="tocsin",
        comment="What a worker has to do, and when; while one holds it, lease is that one's and due_at its end.",
    )
    op.create_index(
        op.f("due_tenant_id_due_at_idx"), "due", ["tenant_id", "due_at"], unique=False, schema="tocsin"
    )
    # Each row is written a few times in its short life.
    op.execute("alter table tocsin.due set (autovacuum_vacuum_scale_factor = 0.02)")
    # Room in each page for the row as it is settled: so no index has to learn of it.
    op.execute("alter table tocsin.delivery set (fillfactor = 70)")


def _extend_delivery() -> None:
    def add(*columns: sa.Column[Any]) -> None:
        for column in columns:
            op.add_column("delivery", column, schema="tocsin")

    add(
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Text(collation="C"), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("strikes", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("is_test", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("if_unread", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("in_digest", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.alter_column("delivery", "notification_id", nullable=True, schema="tocsin")
    # The check of the rows that are there, though there are none, would ask the policies about the owner.
    op.execute("alter table tocsin.delivery no force row level security")
    op.create_foreign_key(
        op.f("delivery_request_fkey"),
        "delivery",
        "request",
        ["tenant_id", "request_id"],
        ["tenant_id", "id"],
        source_schema="tocsin",
        referent_schema="tocsin",
        ondelete="CASCADE",
    )
    op.execute("alter table tocsin.delivery force row level security")
    op.create_index(
        "delivery_log_idx",
        "delivery",
        ["tenant_id", sa.literal_column("created_at desc"), sa.literal_column("id desc")],
        schema="tocsin",
    )
    for column in ("request_id", "user_id"):
        op.create_index(
            op.f(f"delivery_tenant_id_{column}_idx"), "delivery", ["tenant_id", column], schema="tocsin"
        )


def _extend_preference() -> None:
    op.add_column("preference", sa.Column("digest", sa.Text(), nullable=True), schema="tocsin")
    op.add_column("preference", sa.Column("digest_at", sa.Time(), nullable=True), schema="tocsin")
    for name, condition in (
        ("digest", "digest in ('IMMEDIATE', 'HOURLY', 'DAILY')"),
        ("digest_at", "digest_at is null or digest = 'DAILY'"),
    ):
        op.create_check_constraint(op.f(f"preference_{name}_check"), "preference", condition, schema="tocsin")


def _isolate_request() -> None:
    op.execute("alter table tocsin.request enable row level security, force row level security")
    op.execute(
        "create policy isolation on tocsin.request to tocsin_app, tocsin_worker "
        f"using ({BY_SERVICE}) with check ({BY_SERVICE})"
    )
    # To erase a user, and with them what was said to nobody else.
    own = f"{IN_TENANT} and recipient_ids = array[(select tocsin.current_user_id())]"
    for verb in ("select", "delete"):
        op.execute(f"create policy own_{verb} on tocsin.request for {verb} to tocsin_app using ({own})")
    op.execute("grant select, insert, update, delete on tocsin.request to tocsin_app")
    op.execute("grant select, insert, update, delete on tocsin.request to tocsin_worker")


def _isolate_due() -> None:
    op.execute("alter table tocsin.due enable row level security, force row level security")
    op.execute(
        f"create policy isolation on tocsin.due to tocsin_app using ({IN_TENANT}) with check ({IN_TENANT})"
    )
    # To find work the worker looks across tenants. There are only ids here; having claimed some, it enters
    # their tenant.
    op.execute("create policy worker on tocsin.due to tocsin_worker using (true) with check (true)")
    op.execute("grant select, insert, update, delete on tocsin.due to tocsin_app, tocsin_worker")


def downgrade() -> None:
    op.execute("alter table tocsin.delivery reset (fillfactor)")
    op.execute("truncate tocsin.attempt, tocsin.delivery")
    op.execute("revoke delete on tocsin.delivery from tocsin_app")
    for column in ("digest_at", "digest"):
        op.drop_column("preference", column, schema="tocsin")
    for column in ("in_digest", "if_unread", "is_test", "strikes", "attempts", "user_id", "request_id"):
        op.drop_column("delivery", column, schema="tocsin")
    op.drop_index("delivery_log_idx", table_name="delivery", schema="tocsin")
    op.alter_column("delivery", "notification_id", nullable=False, schema="tocsin")
    op.drop_table("due", schema="tocsin")
    op.drop_table("request", schema="tocsin")
