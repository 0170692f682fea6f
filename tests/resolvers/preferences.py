"""What the tests of preferences share."""

from typing import Any
from uuid import UUID

import db.inbox
import db.template
from db.session import Scope
from db.system_template import SYSTEM_TEMPLATES
from tests.support import Api

FIELDS = """
  id category template { id } channelKind projectId environmentId enabled quietStart quietEnd timezone
  digest digestAt createdAt updatedAt
"""
LIST = f"""
query($user: ID = "me", $category: String, $project: ID, $environment: ID) {{
  preferences(user: $user, category: $category, projectId: $project, environmentId: $environment) {{
    {FIELDS}
  }}
}}
"""
UPDATE = f"""
mutation($to: [PreferenceInput!]!, $user: ID = "me") {{
  updatePreferences(preferences: $to, user: $user) {{ {FIELDS} }}
}}
"""
TEST, ANNOUNCEMENT = (str(shipped.id) for shipped in SYSTEM_TEMPLATES[:2])


async def update(caller: Api.User, *to: dict[str, Any], **variables: Any) -> Any:
    """Store preferences; return all of the user's."""
    return (await caller.data(UPDATE, to=to, **variables))["updatePreferences"]


async def stored(caller: Api.User, **variables: Any) -> Any:
    """Return the stored preferences."""
    return (await caller.data(LIST, **variables))["preferences"]


async def fields_refused(caller: Api.User, *to: dict[str, Any]) -> list[tuple[str, str]]:
    """Try to store preferences that must be refused; return what is said of which field."""
    before = await stored(caller)
    error = await caller.refusal(UPDATE, to=to)
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert await stored(caller) == before
    return [(it["field"], it["detail"]) for it in error["extensions"]["fields"]]


def picked(rows: Any, *names: str) -> list[Any]:
    """Return only some fields of rows."""
    return [tuple(row[name] for name in names) for row in rows]


async def add_template(tx: Any, id: UUID) -> None:
    """Give the transaction's tenant a template."""
    await db.template.add(
        tx, id, name="Mine", kind="CUSTOM", group=None, title_template="", body_template="", actions=[]
    )


async def know(database: Any, tenant: str, **people: str) -> None:
    """Put people into a tenant's directory: name by id."""
    async with database.transaction(Scope(tenant, None)) as tx:
        await db.inbox.add_tenant(tx)
        for id, name in people.items():
            await tx._connection.execute(
                "insert into tocsin.recipient (tenant_id, id, name) values ($1, $2, $3)", tenant, id, name
            )
