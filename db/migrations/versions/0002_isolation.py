"""Roles, row level security and grants: the database's own lock between tenants and between users.

The context is two transaction-local settings, tocsin.tenant and tocsin.actor ('user:ID' or 'service').
A rolled-back local setting reads as '' and not NULL, hence nullif. Policies call the functions in a
subselect, so once a statement and never while it is planned.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

PERSONAL = ("inbox", "inbox_count", "notification", "event", "preference")
SHARED = ("recipient", "notification_type", "template", "channel", "delivery", "attempt")
DELETABLE_BY_APP = ("preference", "channel", "template")

ROLE = """
do $$ begin
  if not exists (select from pg_roles where rolname = '{role}') then
    create role {role} nologin;
  end if;
-- Roles are the cluster's, and the migrators' lock is only this database's.
exception when duplicate_object or unique_violation then null;
end $$
"""

FUNCTIONS = (
    """
    create function tocsin.current_tenant() returns text language plpgsql stable parallel safe as $$
    declare tenant constant text := nullif(current_setting('tocsin.tenant', true), '');
    begin
      if tenant is null then
        raise insufficient_privilege using message = 'no tenant in this transaction';
      end if;
      return tenant;
    end $$
    """,
    """
    create function tocsin.is_service() returns boolean language plpgsql stable parallel safe as $$
    declare actor constant text := nullif(current_setting('tocsin.actor', true), '');
    begin
      if actor is null then
        raise insufficient_privilege using message = 'no actor in this transaction';
      end if;
      return actor = 'service';
    end $$
    """,
    """
    create function tocsin.current_user_id() returns text language sql stable parallel safe as $$
      select case when current_setting('tocsin.actor', true) like 'user:%'
        then substr(current_setting('tocsin.actor', true), 6) end
    $$
    """,
)
IN_TENANT = "tenant_id = (select tocsin.current_tenant())"
OWNED = f"{IN_TENANT} and (user_id = (select tocsin.current_user_id()) or (select tocsin.is_service()))"


def upgrade() -> None:
    for role in ("tocsin_app", "tocsin_worker"):
        op.execute(ROLE.format(role=role))
    for function in FUNCTIONS:
        op.execute(function)
    for table in PERSONAL:
        _isolate(table, OWNED)
    for table in SHARED:
        _isolate(table, IN_TENANT)
    _grant()


def _isolate(table: str, condition: str) -> None:
    op.execute(f"alter table tocsin.{table} enable row level security, force row level security")
    op.execute(f"create policy isolation on tocsin.{table} using ({condition}) with check ({condition})")


def _grant() -> None:
    op.execute("grant usage on schema tocsin to tocsin_app, tocsin_worker")
    op.execute("grant select, insert on tocsin.tenant to tocsin_app, tocsin_worker")
    op.execute("grant select on tocsin.alembic_version to tocsin_app, tocsin_worker")
    for table in (*PERSONAL, *SHARED):
        op.execute(f"grant select, insert, update on tocsin.{table} to tocsin_app")
        op.execute(f"grant select, insert, update, delete on tocsin.{table} to tocsin_worker")
    for table in DELETABLE_BY_APP:
        op.execute(f"grant delete on tocsin.{table} to tocsin_app")


def downgrade() -> None:
    """Take the policies off and the rights away; the roles stay, for other databases may use them."""
    for table in (*PERSONAL, *SHARED):
        op.execute(f"drop policy isolation on tocsin.{table}")
        op.execute(f"alter table tocsin.{table} no force row level security, disable row level security")
    op.execute("revoke all on all tables in schema tocsin from tocsin_app, tocsin_worker")
    op.execute("revoke all on schema tocsin from tocsin_app, tocsin_worker")
    for function in ("current_tenant", "is_service", "current_user_id"):
        op.execute(f"drop function tocsin.{function}()")
