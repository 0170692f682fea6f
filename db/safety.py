"""Whether the connection's role could get around row level security."""

from db.session import Database

_ROLES = """
select rolname, rolsuper, rolbypassrls, exists (
  select from pg_class join pg_namespace on pg_namespace.oid = relnamespace
  where nspname = 'tocsin' and relkind = 'r' and pg_has_role(pg_roles.oid, relowner, 'member')
) as owns_tables
from pg_roles where rolname in (current_user, case when $1 then session_user end)
order by rolname
"""
_FAULTS = {
    "rolsuper": "is a superuser",
    "rolbypassrls": "has BYPASSRLS",
    "owns_tables": "owns Tocsin's tables, or may become their owner",
}


async def unsafe_role(database: Database, *, login_too: bool = True) -> str | None:
    """Return why the role that statements run as, or that logged in, is not safe to serve with."""
    for row in await database.pool.fetch(_ROLES, login_too):
        for column, fault in _FAULTS.items():
            if row[column]:
                return f"The database role {row['rolname']} {fault}, so it could see every tenant."
    return None
