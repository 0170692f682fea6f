"""Marks: an inbox is marked read in one row, which a worker settles into the notifications later."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

IN_TENANT = "tenant_id = (select tocsin.current_tenant())"
OWNED = f"{IN_TENANT} and (user_id = (select tocsin.current_user_id()) or (select tocsin.is_service()))"
# The owner is nobody in any policy: to write rows of all tenants it must not be bound by them.
UNBOUND = ("notification", "mark", "due")
SETTLE = """
update tocsin.notification n set read_at = m.read_at, updated_at = greatest(n.updated_at, m.read_at)
from tocsin.mark m
where (n.tenant_id, n.user_id) = (m.tenant_id, m.user_id) and n.read_at is null and n.deleted_at is null
  and n.unread_seq > m.after_seq and n.unread_seq <= m.through_seq
"""


def upgrade() -> None:
    op.create_table(
        "mark",
        sa.Column("tenant_id", sa.Text(collation="C"), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Text(collation="C"), nullable=False),
        sa.Column("after_seq", sa.BigInteger(), nullable=False),
        sa.Column("through_seq", sa.BigInteger(), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("after_seq < through_seq", name=op.f("mark_stretch_check")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["tocsin.inbox.tenant_id", "tocsin.inbox.user_id"],
            name=op.f("mark_inbox_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("mark_pkey")),
        schema="tocsin",
        comment="Which unread_seqs of an inbox were read at once, until a worker has settled it into the rows.",
    )
    op.create_index(
        op.f("mark_tenant_id_user_id_through_seq_idx"),
        "mark",
        ["tenant_id", "user_id", "through_seq"],
        unique=True,
        schema="tocsin",
    )
    op.execute("alter table tocsin.mark enable row level security, force row level security")
    op.execute(f"create policy isolation on tocsin.mark using ({OWNED}) with check ({OWNED})")
    # Nobody adds one yet: a server of the version before would take the rows that it covers for unread ones.
    op.execute("grant select, update, delete on tocsin.mark to tocsin_app, tocsin_worker")
    op.execute("grant insert on tocsin.mark to tocsin_worker")
    _index_unread()
    _allow("DELIVERY", "REQUEST", "MARK")


def _index_unread() -> None:
    order: list[Any] = [sa.literal_column("created_at desc"), sa.literal_column("id desc")]
    for name, columns in (
        ("notification_unread_idx", [*order, "unread_seq"]),
        ("notification_unread_seq_idx", ["unread_seq"]),
    ):
        op.create_index(
            name,
            "notification",
            ["tenant_id", "user_id", *columns],
            schema="tocsin",
            postgresql_where=sa.text("read_at is null and deleted_at is null"),
        )


def _allow(*kinds: str) -> None:
    op.drop_constraint(op.f("due_kind_check"), "due", schema="tocsin")
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    op.create_check_constraint(op.f("due_kind_check"), "due", f"kind in ({listed})", schema="tocsin")


def downgrade() -> None:
    """Settle what no worker has settled: the counters say that it was read."""
    for table in UNBOUND:
        op.execute(f"alter table tocsin.{table} no force row level security")
    op.execute(SETTLE)
    op.execute("delete from tocsin.due where kind = 'MARK'")
    for table in UNBOUND:
        op.execute(f"alter table tocsin.{table} force row level security")
    _allow("DELIVERY", "REQUEST")
    for name in ("notification_unread_seq_idx", "notification_unread_idx"):
        op.drop_index(name, table_name="notification", schema="tocsin")
    op.drop_table("mark", schema="tocsin")
