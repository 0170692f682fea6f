"""Databases broken on purpose: each policy and each table, in each way that would let something through."""

from collections.abc import Iterator

from db.isolation import POLICIES, Policy
from tests.db.support import HOST, PERSONAL, SERVICE, SHARED, WORK

_TENANT = "tenant_id = (select tocsin.current_tenant())"


def generated() -> dict[str, str]:
    """Return the SQL of each mutant by what it does."""
    tables = (*PERSONAL, *SHARED, *SERVICE, *WORK, *HOST)
    return {
        **{f"{table}: {what}": sql for table in tables for what, sql in _of_table(table)},
        **{
            f"{name} of {table}: {what}": sql
            for (table, name), policy in POLICIES.items()
            for what, sql in _of_policy(table, name, policy)
        },
    }


def _of_table(table: str) -> Iterator[tuple[str, str]]:
    yield "disabled", f"alter table tocsin.{table} disable row level security"
    forced = "no force" if table not in HOST else "force"
    yield forced, f"alter table tocsin.{table} {forced} row level security"
    yield "one more policy", f"create policy extra on tocsin.{table} for select using (true)"


def _of_policy(table: str, name: str, policy: Policy) -> Iterator[tuple[str, str]]:
    of = f"policy {name} on tocsin.{table}"
    yield "dropped", f"drop {of}"
    if policy.roles != ("public",):
        yield "for all roles", f"alter {of} to public"
    for clause, condition in (("using", policy.using), ("with check", policy.check)):
        if condition is None:
            continue
        if condition != "true":
            yield f"{clause} true", f"alter {of} {clause} (true)"
        yield f"{clause} negated", f"alter {of} {clause} (not ({condition}))"
        if _TENANT in condition:
            yield f"{clause} other tenants", f"alter {of} {clause} ({_flipped(condition)})"
            yield f"{clause} any tenant", f"alter {of} {clause} ({condition.replace(_TENANT, 'true')})"


def _flipped(condition: str) -> str:
    return condition.replace(_TENANT, _TENANT.replace("=", "<>"))
