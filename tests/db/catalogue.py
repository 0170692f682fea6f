"""What the system catalogues must say about isolation, as a function, to show it broken databases too."""

from collections.abc import Mapping

from db.isolation import HOST_ROLE, policy_faults, table_faults
from tests.db.support import PERSONAL, SERVICE, SHARED, WORK, Connection

EXEMPT = ("alembic_version", "tenant")
ROLES = ("tocsin_app", "tocsin_worker")
FUNCTIONS = ("current_tenant", "current_user_id", "is_service", "notify", "request_problems")

_SAID_BY_SQL = (
    *("recipient_ids", "recipients", "type", "category", "severity", "title", "body", "url", "targets"),
    *("data", "channels", "escalate_minutes"),
)
_READ, _WRITE, _ALL = "SELECT", "INSERT SELECT UPDATE", "DELETE INSERT SELECT UPDATE"
PRIVILEGES: Mapping[str, Mapping[str, str]] = {
    "tocsin_app": {
        "alembic_version": _READ,
        "tenant": "INSERT SELECT",
        "agent": _WRITE,
        "attempt": _WRITE,
        "audit": "INSERT SELECT",
        "channel": _ALL,
        "delivery": _ALL,
        "due": _ALL,
        "event": _ALL,
        "inbox": _WRITE,
        "inbox_count": _ALL,
        "mark": _ALL,
        "notification": _ALL,
        "notification_type": _WRITE,
        "preference": _ALL,
        "recipient": _ALL,
        "removal": _WRITE,
        "request": _ALL,
        "settings": _WRITE,
        "template": _ALL,
    },
    "tocsin_worker": {
        "alembic_version": _READ,
        "tenant": "INSERT SELECT",
        **dict.fromkeys((*PERSONAL, *SHARED, *SERVICE, *WORK), _ALL),
        "audit": "DELETE SELECT",
    },
    HOST_ROLE: {
        "host": _READ,
        **{f"due.{name}": "INSERT" for name in ("tenant_id", "id", "kind")},
        **{f"request.{name}": "INSERT" for name in _SAID_BY_SQL},
        **{f"request.{name}": "INSERT SELECT" for name in ("tenant_id", "id", "caller", "fingerprint")},
        "request.idempotency_key": _WRITE,
        "request.created_at": _READ,
    },
}


async def faults(connection: Connection) -> list[str]:
    """Return what is wrong with the isolation of the database, a sentence each."""
    checks = (table_faults, policy_faults, _roles, _objects, _keys, _privileges)
    return [fault for check in checks for fault in await check(connection)]


async def _roles(connection: Connection) -> list[str]:
    """Return what a role can do that a server or a worker must not; being a member counts as being it."""
    rows = await connection.fetch(
        """
        select r.rolname as role, o.rolname as as, o.rolsuper or o.rolbypassrls as bypasses,
          o.rolcreaterole or o.rolcreatedb or o.rolreplication as makes,
          exists (select from pg_shdepend where refobjid = o.oid and refclassid = 'pg_authid'::regclass
            and deptype = 'o') as owns
        from pg_roles r join pg_roles o on pg_has_role(r.oid, o.oid, 'member') where r.rolname = any($1)
        """,
        [*ROLES, HOST_ROLE],
    )
    found = {row["role"] for row in rows}
    return [
        *(f"role {name} is missing" for name in (*ROLES, HOST_ROLE) if name not in found),
        *(
            f"{HOST_ROLE} may act as {row['as']}"
            for row in rows
            if row["role"] == HOST_ROLE and row["as"] in ROLES
        ),
        *(
            f"{row['role']} as {row['as']} {column}"
            for row in rows
            for column in ("bypasses", "makes", "owns")
            if row[column]
        ),
    ]


async def _objects(connection: Connection) -> list[str]:
    views = await connection.fetch(
        "select relname from pg_class join pg_namespace n on n.oid = relnamespace where relkind = 'v'"
        " and nspname not in ('pg_catalog', 'information_schema')"
        " and not coalesce(reloptions, '{}') && array['security_invoker=true', 'security_invoker=on']"
    )
    functions = await connection.fetch(
        "select proname, prosecdef, nspname = 'tocsin' as ours from pg_proc join pg_namespace n"
        " on n.oid = pronamespace where nspname not in ('pg_catalog', 'information_schema')"
    )
    ours = sorted(row["proname"] for row in functions if row["ours"])
    return [
        *(f"view {row['relname']} acts as its owner" for row in views),
        *(f"{row['proname']} is SECURITY DEFINER" for row in functions if row["prosecdef"]),
        *([f"functions are {ours}"] if ours != list(FUNCTIONS) else []),
    ]


async def _keys(connection: Connection) -> list[str]:
    """Return keys that do not start with the tenant: these are checked past row level security."""
    indexes = await connection.fetch(
        """
        select indexrelid::regclass::text as name, attname as first from pg_index
        join pg_class c on c.oid = indrelid
        left join pg_attribute a on a.attrelid = indrelid and attnum = indkey[0]
        where (indisunique or indisexclusion) and c.relnamespace = 'tocsin'::regnamespace and c.relname <> all($1)
        """,
        list(EXEMPT),
    )
    foreign = await connection.fetch(
        """
        select conname as name, own.attname as first, conrelid::regclass || '.' || own.attname as own,
          confrelid::regclass || '.' || other.attname as other
        from pg_constraint
        join pg_attribute own on own.attrelid = conrelid and own.attnum = conkey[1]
        join pg_attribute other on other.attrelid = confrelid and other.attnum = confkey[1]
        where contype = 'f' and connamespace = 'tocsin'::regnamespace
        """
    )
    return [
        *(f"{row['name']} starts with {row['first']}" for row in indexes if row["first"] != "tenant_id"),
        *(
            f"{row['name']} refers from {row['own']} to {row['other']}"
            for row in foreign
            if row["first"] != "tenant_id"
            or row["other"].split(".")[-1] not in {"tenant_id", "id"}
            or (row["other"].endswith(".id") and row["other"] != "tocsin.tenant.id")
        ),
    ]


async def _privileges(connection: Connection) -> list[str]:
    """Return grants that differ from the frozen table, to whomever they were made."""
    rows = await connection.fetch(
        """
        select relname, coalesce(r.rolname, 'public') as role,
          string_agg(privilege_type, ' ' order by privilege_type) as granted, bool_or(is_grantable) as on
        from (
          select relname, relowner, relacl as acl from pg_class
            where relnamespace = 'tocsin'::regnamespace
          union all
          select relname || '.' || attname, relowner, attacl from pg_attribute
            join pg_class on pg_class.oid = attrelid where relnamespace = 'tocsin'::regnamespace
        ) objects
        cross join aclexplode(acl) left join pg_roles r on r.oid = grantee
        where grantee <> relowner group by 1, 2
        """
    )
    schema = await connection.fetch(
        "select role, privilege from unnest($1::text[]) role, unnest(array['CREATE', 'USAGE']) privilege"
        " where has_schema_privilege(role, 'tocsin', privilege)",
        [*ROLES, HOST_ROLE, "public"],
    )
    found = {(row["role"], row["relname"], row["granted"]) for row in rows}
    found |= {(row["role"], "schema", row["privilege"]) for row in schema}
    wanted = {(role, table, what) for role, tables in PRIVILEGES.items() for table, what in tables.items()}
    wanted |= {(role, "schema", "USAGE") for role in (*ROLES, HOST_ROLE)}
    return [f"grant {'missing' if grant in wanted else 'unwanted'}: {grant}" for grant in found ^ wanted] + [
        f"{row['role']} may pass on {row['relname']}" for row in rows if row["on"]
    ]
