"""Twin tenants: one is filled through the API, others are copies of its rows under names of their own.

Each text in them carries a canary: whose it is, and who else may see it. `inbox`: its user alone; `admin`: its
user and the tenant's admins; `shared`: the whole tenant.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID, uuid4, uuid5

import orjson

from db.tables import metadata
from resolvers.principal import Role
from tests.resolvers.support import add_attempts, forged
from tests.support import Api

Sql = Any
PEOPLE = ("ada", "grace", "root")
# Copies of rows: those of tenants, in an order that foreign keys allow.
TABLES = [
    str(table.name) for table in metadata.sorted_tables if "tenant_id" in table.c and table.name != "host"
]
UUID_FORM = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_IN_INBOX = ("notification", "event", "mark")


def canary(tenant: str, owner: str, audience: str, what: str = "") -> str:
    """Return a text that tells whose it is and who may see it."""
    return f"canary-{tenant}-{owner}-{audience}{what and '.'}{what}"


def named(kind: str) -> str:
    """Return a new tenant's name; all of them have the same length."""
    return f"{kind:x<4}-{uuid4().hex[:8]}"


@dataclass(frozen=True)
class World:
    """A tenant, and its rows as JSON by table."""

    tenant: str
    rows: dict[str, list[dict[str, Any]]]

    def canary(self, owner: str, audience: str, what: str = "") -> str:
        """Return a text of this tenant's."""
        return canary(self.tenant, owner, audience, what)

    def of(self, table: str, **wanted: Any) -> dict[str, Any]:
        """Return the first row of a table that has these values."""
        rows = self.rows[table]
        return next(it for it in rows if all(it[name] == value for name, value in wanted.items()))

    def event_cursor(self, user: str, seq: int | None = None) -> str:
        """Return a cursor of a user's inbox, as it stands or as it stood at a seq."""
        head = self.of("inbox", user_id=user)
        return forged(self.tenant, user, head["epoch"], head["seq"] if seq is None else seq)

    @cached_property
    def owners(self) -> dict[str, tuple[str, str]]:
        """Return whose each id is, and who else may see it."""
        return {
            row["id"]: _owner(table, row)
            for table, rows in self.rows.items()
            for row in rows
            if UUID_FORM.fullmatch(str(row.get("id")))
        }


def _owner(table: str, row: dict[str, Any]) -> tuple[str, str]:
    if table == "request":
        return row["caller"], "admin"
    if (user := row.get("user_id")) is None:
        return "all", "shared"
    return user, "inbox" if table in _IN_INBOX else "admin"


async def filled(api: Api, sql: Sql) -> World:
    """Fill a tenant through the API, so that each table has rows of each user's; return what is stored."""
    tenant = named("made")
    await _shared_things(api, tenant)
    bot = api.user(tenant, "bot", Role.AGENT)
    for user in (*PEOPLE, canary(tenant, "vera", "admin")):
        await _notified(bot, user, tenant)
    await _notified(api.user(tenant, "root", Role.ADMIN), "ada", tenant)
    for user in PEOPLE:
        await _an_inbox(api.user(tenant, user), tenant)
    await _delivered(api, sql, tenant)
    return World(tenant, {table: await _rows(sql, table, tenant) for table in TABLES})


async def _shared_things(api: Api, tenant: str) -> None:
    root = api.user(tenant, "root", Role.ADMIN)
    ours = canary(tenant, "all", "shared")
    common = {"type": f"{ours}.type", "category": f"{ours}.category", "ours": ours}
    made = await root.data(
        """mutation($type: String!, $category: String!, $ours: String!, $people: [RecipientInput!]!) {
          upsertNotificationTypes(types: [{name: $type, category: $category, icon: $ours}]) { name }
          template: createTemplate(input: {name: $ours, group: $ours, method: EMAIL, titleTemplate: $ours,
            bodyTemplate: $ours, actions: [{label: $ours, url: "/x"}]}) { id }
          webhook: createChannel(input: {kind: WEBHOOK, name: $ours, categories: [$category],
            config: {url: "https://example.org"}}) {
            channel { id } }
          mail: createChannel(input: {kind: EMAIL, name: $ours, categories: [$category],
            config: {from: "a@example.org"}}) { secret }
          updateSettings(input: {inboxDays: 365}) { changed }
          createAgent(name: $ours, types: [$type]) { key }
          gone: createAgent(name: $ours) { agent { id } }
          upsertRecipients(recipients: $people) { id }
          removeRecipient(id: "gone")
        }""",
        people=[_person(tenant, user) for user in (*PEOPLE, "gone", "vera")],
        **common,
    )
    await root.data("mutation($id: ID!) { revokeAgent(id: $id) { id } }", id=made["gone"]["agent"]["id"])
    await root.data(
        "mutation($id: ID!) { rotateChannelSecret(id: $id) { secret } }", id=made["webhook"]["channel"]["id"]
    )


def _person(tenant: str, user: str) -> dict[str, str]:
    mine = canary(tenant, user, "admin")
    id = mine if user == "vera" else user
    return {"id": id, "name": mine, "email": f"{mine}@example.org", "timezone": "Europe/Paris"}


async def _notified(sender: Api.User, user: str, tenant: str) -> None:
    """Let something be said to a user, three times, with all that can be said."""
    mine, ours = (
        canary(tenant, user.split("-")[-2] if "-" in user else user, "inbox"),
        canary(tenant, "all", "shared"),
    )
    common = {
        "type": f"{ours}.type",
        "body": mine,
        "url": f"/{mine}",
        "icon": mine,
        "actions": [{"label": mine, "url": f"/{mine}"}],
        "targets": [f"{mine}.target"],
        "teamId": f"{mine}.team",
        "projectId": f"{mine}.project",
        "environmentId": f"{mine}.environment",
        "data": {"said": mine},
        "recipients": [{"id": user}],
    }
    template = (await sender.data("{ templates(kind: CUSTOM) { id } }"))["templates"][0]["id"]
    made = {name: it for name, it in common.items() if name != "body"} | {"template": template}
    await sender.data("mutation($input: NotifyInput!) { notify(input: $input) { created } }", input=made)
    for what in ("read", "dismissed", "deleted", "left"):
        await sender.data(
            """mutation($input: NotifyInput!, $key: String) {
              notify(input: $input, idempotencyKey: $key) { created } }""",
            input=common | {"title": f"{mine}.{what}"},
            key=f"canary-{tenant}-{sender.id}-admin.{user}.{what}",
        )


async def _an_inbox(user: Api.User, tenant: str) -> None:
    """Let a user do all that can be done in an inbox, and choose what to be told."""
    page = (await user.data("{ notifications { eventCursor nodes { id title } } }"))["notifications"]
    ids = {node["title"].rpartition(".")[2]: node["id"] for node in page["nodes"]}
    mine = canary(tenant, user.id, "admin")
    template = (await user.data("{ templates(kind: CUSTOM) { id } }"))["templates"][0]["id"]
    await user.data(
        """mutation($read: ID!, $dismissed: ID!, $deleted: ID!, $left: ID!, $preferences: [PreferenceInput!]!) {
          read(ids: [$read]) { changed }
          dismiss(ids: [$dismissed]) { changed }
          delete(ids: [$deleted]) { ids }
          markAllRead { marked }
          unread: read(ids: [$left], read: false) { changed }
          filtered: markAllRead(filter: {dismissed: INCLUDE, readState: UNREAD}) { marked }
          again: read(ids: [$left], read: false) { changed }
          updatePreferences(preferences: $preferences) { id }
        }""",
        **ids,
        preferences=[
            {
                "category": mine,
                "channelKind": "EMAIL",
                "projectId": f"{mine}.project",
                "environmentId": f"{mine}.environment",
                "enabled": True,
                "quietStart": "22:00",
                "quietEnd": "06:00",
                "timezone": "Europe/Paris",
                "digest": "DAILY",
                "digestAt": "09:00",
            },
            {
                "category": "*",
                "quietStart": "22:00",
                "quietEnd": "06:00",
                "digest": "DAILY",
                "digestAt": "09:00",
            },
            {"template": template, "enabled": True},
        ],
    )


async def _delivered(api: Api, sql: Sql, tenant: str) -> None:
    """Give each delivery what a worker would, attempts and a reason, and each agent a last use."""
    for user in PEOPLE:
        mine = canary(tenant, user, "admin")
        rows = await sql.fetch(
            "update tocsin.delivery set reason = $3, status = 'FAILED', next_attempt_at = now()"
            " where tenant_id = $1 and user_id = $2 returning id",
            *(tenant, user, mine),
        )
        assert rows, "nothing is delivered"
        await add_attempts(api.user(tenant, user), [row["id"] for row in rows], 1, error=mine)
    await sql.execute("update tocsin.agent set last_used_at = now() where tenant_id = $1", tenant)


async def _rows(sql: Sql, table: str, tenant: str) -> list[dict[str, Any]]:
    found = await sql.fetch(
        f"select to_jsonb(t)::text as row from tocsin.{table} t where tenant_id = $1"
        # First what every mutation can be about: WEBHOOK, which has a secret, and not SYSTEM, which is read-only.
        " order by to_jsonb(t) ->> 'kind' = 'SYSTEM', to_jsonb(t) ->> 'kind' desc, ctid",
        tenant,
    )
    return [orjson.loads(row["row"]) for row in found]


def renamed(world: World, tenant: str, *, new_ids: bool = False) -> World:
    """Return a copy of a tenant under another name, with the same ids or with ids of its own."""
    text = orjson.dumps(world.rows).decode().replace(world.tenant, tenant)
    if new_ids:
        text = UUID_FORM.sub(lambda id: str(uuid5(UUID(id[0]), tenant)), text)
    return World(tenant, orjson.loads(text))


async def stored(sql: Sql, world: World) -> World:
    """Store a tenant's rows, and return it."""
    await sql.execute("insert into tocsin.tenant (id) values ($1)", world.tenant)
    for table, rows in world.rows.items():
        await sql.execute(
            f"insert into tocsin.{table} select * from jsonb_populate_recordset(null::tocsin.{table}, $1::jsonb)",
            orjson.dumps(rows).decode(),
        )
    return world


async def digest(sql: Sql, tenant: str, user: str | None = None) -> dict[str, str | None]:
    """Return a digest of each table's rows of a tenant, or of those of one of its users."""
    return {
        table: await sql.fetchval(
            f"select md5(string_agg(t::text, '|' order by t::text)) from tocsin.{table} t"
            f" where tenant_id = $1 {'and user_id = $2' if user else ''}",
            *([tenant, user] if user else [tenant]),
        )
        for table in TABLES
        if not user or "user_id" in metadata.tables[f"tocsin.{table}"].c
    }
