"""Whether the connection's role could get around row level security."""

from db.session import Database

# A member can SET ROLE to what it is a member of, so it counts as having the rights of that.
_ROLES = """
select me.rolname, bool_or(other.rolsuper) as superuser, bool_or(other.rolbypassrls) as bypasses,
  bool_or(other.oid in (
    select nspowner from pg_namespace where nspname = 'tocsin'
    union select relowner from pg_class where relnamespace = to_regnamespace('tocsin')
    union select proowner from pg_proc where pronamespace = to_regnamespace('tocsin')
  )) as owns
from pg_roles me join pg_roles other on pg_has_role(me.oid, other.oid, 'member')
where me.rolname in (current_user, case when $1 then session_user end)
group by me.rolname order by me.rolname
"""
_FAULTS = {
    "superuser": "is a superuser, or may become one",
    "bypasses": "has BYPASSRLS, or may become a role that has it",
    "owns": "owns Tocsin's tables, schema or functions, or may become their owner",
}


async def unsafe_role(database: Database, *, login_too: bool = True) -> str | None:
    """Return why the role that statements run as, or that logged in, is not safe to serve with."""
    for row in await database.pool.fetch(_ROLES, login_too):
        for column, fault in _FAULTS.items():
            if row[column]:
                return f"The database role {row['rolname']} {fault}, so it could see every tenant."
    return None
