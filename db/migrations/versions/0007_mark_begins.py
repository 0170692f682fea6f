"""Marks begin: from here on markAllRead may write them, for no server is left that would not read them.

It comes a version after the table: docs/how-to/upgrade.md.
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("grant insert on tocsin.mark to tocsin_app")


def downgrade() -> None:
    op.execute("revoke insert on tocsin.mark from tocsin_app")
