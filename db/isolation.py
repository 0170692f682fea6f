"""What Postgres must say of row level security: the frozen list of policies, and what differs from it."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from db import tables
from db.session import APP_ROLE, WORKER_ROLE

HOST_ROLE = "tocsin_host"
"""Whose members are host applications: it calls one function, with the rights that this takes."""
_EXEMPT = ("alembic_version", *(table.name for table in tables.EXEMPT))
_KNOWN = (*tables.PERSONAL, *tables.SHARED, *tables.SERVICE, *tables.AUDIT, *tables.WORK, *tables.HOST)
_HOST = {table.name for table in tables.HOST}


class Connection(Protocol):
    """What runs a statement: a connection or a pool."""

    async def fetch(self, query: str, *arguments: Any) -> list[Any]:
        """Return its rows."""


_IN_TENANT = "tenant_id = (select tocsin.current_tenant())"
_BY_SERVICE = f"({_IN_TENANT}) and (select tocsin.is_service())"
_OWNED = f"({_IN_TENANT}) and ((user_id = (select tocsin.current_user_id())) or (select tocsin.is_service()))"
_SAID_TO_ONE = f"({_IN_TENANT}) and (recipient_ids = array[(select tocsin.current_user_id())])"
_TIED = (
    "(caller = ('sql:'::text || (current_user)::text)) and (exists (select from tocsin.host"
    " where ((host.tenant_id = request.tenant_id) and (host.role_name = current_user))))"
)
_SOUND = f"{_TIED} and (tocsin.request_problems(request.*) is null)"
_OF_OWN_REQUEST = (
    "(kind = 'request'::text) and (exists (select from tocsin.request"
    " where ((request.tenant_id = due.tenant_id) and (request.id = due.id))))"
)


class Policy(NamedTuple):
    """A policy, its conditions as `_plain` gives them; None: none of its own."""

    using: str | None
    check: str | None
    roles: tuple[str, ...] = ("public",)
    command: str = "ALL"
    permissive: str = "PERMISSIVE"


# By table and name. Without a context only `worker` lets anybody see anything, and that only ids.
POLICIES: Mapping[tuple[str, str], Policy] = {
    **{(table.name, "isolation"): Policy(_OWNED, _OWNED) for table in tables.PERSONAL},
    **{(table.name, "isolation"): Policy(_IN_TENANT, _IN_TENANT) for table in tables.SHARED},
    ("audit", "isolation"): Policy(_BY_SERVICE, _IN_TENANT),
    ("request", "isolation"): Policy(_BY_SERVICE, _BY_SERVICE, (APP_ROLE, WORKER_ROLE)),
    ("request", "own_select"): Policy(_SAID_TO_ONE, None, (APP_ROLE,), "SELECT"),
    ("request", "own_delete"): Policy(_SAID_TO_ONE, None, (APP_ROLE,), "DELETE"),
    ("due", "isolation"): Policy(_IN_TENANT, _IN_TENANT, (APP_ROLE,)),
    ("due", "worker"): Policy("true", "true", (WORKER_ROLE,)),
    ("due", "host_insert"): Policy(None, _OF_OWN_REQUEST, (HOST_ROLE,), "INSERT"),
    ("host", "own"): Policy("role_name = current_user", None, (HOST_ROLE,), "SELECT"),
    ("request", "host_insert"): Policy(None, _SOUND, (HOST_ROLE,), "INSERT"),
    ("request", "host_select"): Policy(_TIED, None, (HOST_ROLE,), "SELECT"),
    ("request", "host_update"): Policy(_TIED, "idempotency_key is null", (HOST_ROLE,), "UPDATE"),
}


async def table_faults(connection: Connection) -> list[str]:
    """Return which tables are not guarded as they must be, a sentence each."""
    rows = await connection.fetch(
        "select relname, relrowsecurity, relforcerowsecurity from pg_class"
        " where relnamespace = 'tocsin'::regnamespace and relkind in ('r', 'p', 'f', 'm')"
    )
    known = {table.name for table in _KNOWN} | {*_EXEMPT}
    found = {row["relname"] for row in rows}
    guarded = [row for row in rows if row["relname"] not in _EXEMPT]
    return [
        *(f"{name} is not in the list of tables" for name in sorted(found - known)),
        *(f"{name} is missing" for name in sorted(known - found)),
        *(f"{row['relname']} has no row level security" for row in guarded if not row["relrowsecurity"]),
        *(
            f"{row['relname']} {'forces' if row['relforcerowsecurity'] else 'does not force'} it"
            for row in guarded
            if row["relforcerowsecurity"] is (row["relname"] in _HOST)
        ),
    ]


def _plain(expression: str | None) -> str | None:
    """Return a condition as Postgres prints it, without its outer brackets, aliases and odd spaces."""
    if expression is None:
        return None
    text = re.sub(r" as \w+", "", re.sub(r"\s+", " ", expression.lower())).replace("( ", "(")
    return text[1:-1] if text.startswith("(") and text.endswith(")") else text


async def policy_faults(connection: Connection) -> list[str]:
    """Return which policies are not those of the list, a sentence each."""
    rows = await connection.fetch("select * from pg_policies where schemaname = 'tocsin'")
    found = {
        (row["tablename"], row["policyname"]): Policy(
            _plain(row["qual"]),
            _plain(row["with_check"]),
            tuple(row["roles"]),
            row["cmd"],
            row["permissive"],
        )
        for row in rows
    }
    return [
        f"policy {name} of {table} is {found.get((table, name))}"
        for table, name in sorted(found.keys() | POLICIES.keys())
        if found.get((table, name)) != POLICIES.get((table, name))
    ]
