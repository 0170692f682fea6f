"""The trace that a notify belongs to, so that the deliveries which a worker makes of it belong to it too."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("request", sa.Column("traceparent", sa.Text(), nullable=True), schema="tocsin")
    op.create_check_constraint(
        op.f("request_traceparent_check"),
        "request",
        "traceparent ~ '^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$'",
        schema="tocsin",
    )


def downgrade() -> None:
    op.drop_column("request", "traceparent", schema="tocsin")
