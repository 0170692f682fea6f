"""What admins changed: an audit log that only the service reads, and that nobody changes."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

IN_TENANT = "tenant_id = (select tocsin.current_tenant())"
# Written in whichever scope the change is made in, also that of a user who is removed.
BY_SERVICE = f"{IN_TENANT} and (select tocsin.is_service())"


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("admin", sa.Text(collation="C"), nullable=False),
        sa.Column("action", sa.Text(collation="C"), nullable=False),
        sa.Column("subject", sa.Text(collation="C"), nullable=True),
        sa.Column("subject_name", sa.Text(), nullable=True),
        sa.Column("changed", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tocsin.tenant.id"], name=op.f("audit_tenant_fkey")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("audit_pkey")),
        schema="tocsin",
        comment="What admins changed, by the name of the mutation; names of fields, never their values.",
    )
    op.create_index(
        op.f("audit_tenant_id_created_at_id_idx"),
        "audit",
        ["tenant_id", "created_at", "id"],
        schema="tocsin",
    )
    op.execute("alter table tocsin.audit enable row level security, force row level security")
    op.execute(f"create policy isolation on tocsin.audit using ({BY_SERVICE}) with check ({IN_TENANT})")
    op.execute("grant select, insert on tocsin.audit to tocsin_app")
    op.execute("grant select, delete on tocsin.audit to tocsin_worker")


def downgrade() -> None:
    op.drop_table("audit", schema="tocsin")
