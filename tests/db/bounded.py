"""A crowd of inboxes, and a database that notes what each statement reads while it runs."""

import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

import asyncpg

import db.inbox
from db.notification import ALL_COLUMNS, PageQuery
from db.session import Database, Reader, Row, Scope, Transaction
from db.statement import Read, Statement
from db.types import Filter, Inclusion, Position, ReadState
from resolvers.context import Context, Deployment
from resolvers.principal import Principal, Role
from schema import build
from tests.db.support import literal
from tests.support import Api
from tocsin.keys import secret_vault

Plan: TypeAlias = dict[str, Any]
MODES = ("force_custom_plan", "force_generic_plan")
HEAVY = "heavy"
"""The tenant of the large inboxes."""
PERSONAL = {"notification", "inbox", "inbox_count", "event"}
PAGE = 20
UNORDERED = {"Sort", "Incremental Sort", "Bitmap Heap Scan", "Gather", "Gather Merge"}
"""Nodes of which a page in an index's order has none."""

_NEVER = datetime.max.replace(tzinfo=UTC)


# -- rows --------------------------------------------------------------------------------------------------

_INBOXES = """
with them as (select $1::text tenant_id, user_id from unnest($2::text[]) user_id),
  added as (insert into tocsin.tenant values ($1) on conflict do nothing),
  types as (insert into tocsin.notification_type (tenant_id, name, category)
    select $1, 'type-' || n, 'category-' || n % 5 from generate_series(0, 9) n on conflict do nothing)
insert into tocsin.inbox (tenant_id, user_id) select * from them
"""
# Half is read, a seventh dismissed; what is rare is of the oldest row alone.
_ROWS = """
insert into tocsin.notification (tenant_id, id, user_id, type, category, title, body, targets, team_id, unread_seq,
  read_at, dismissed_at, created_at)
select $1, gen_random_uuid(), user_id, case n when $3 then 'rare' else 'type-' || n % 10 end,
  case n when $3 then 'rare' else 'category-' || n % 5 end, 'Number ' || n, repeat('x', 100),
  array['target-' || n % 50], 'team-' || n % 20, $3 - n + 1,
  case when n % 2 = 0 then now() end, case when n % 7 = 0 then now() end, now() - n * interval '1 second'
from unnest($2::text[]) user_id, generate_series(1, $3) n
"""
_COUNTS = """
insert into tocsin.inbox_count (tenant_id, user_id, type, category, total, unread, dismissed, dismissed_unread)
select tenant_id, user_id, type, category, count(*) filter (where dismissed_at is null),
  count(*) filter (where dismissed_at is null and read_at is null),
  count(*) filter (where dismissed_at is not null),
  count(*) filter (where dismissed_at is not null and read_at is null)
from tocsin.notification group by 1, 2, 3, 4 on conflict do nothing
"""
_HEADS = """
update tocsin.inbox i set total = c.total, unread = c.unread, dismissed = c.dismissed,
  dismissed_unread = c.dismissed_unread, seq = c.total + c.dismissed
from (select tenant_id, user_id, sum(total) total, sum(unread) unread, sum(dismissed) dismissed,
  sum(dismissed_unread) dismissed_unread from tocsin.inbox_count group by 1, 2) c
where (i.tenant_id, i.user_id) = (c.tenant_id, c.user_id)
"""


class Crowd(NamedTuple):
    """Inboxes of many tenants, of `rows` each, and beside them large ones by their users."""

    tenants: int
    users: int
    rows: int
    large: Mapping[str, int]

    @classmethod
    def of(cls, rows: int) -> "Crowd":
        """Return a crowd of so many rows, a tenth of them of one user."""
        tenants, users = max(40, rows // 5_000), min(45, max(10, rows // 20_000))
        return cls(tenants, users, rows * 9 // 10 // (tenants * users), {"ada": rows // 10})


async def fill(superuser_url: str, crowd: Crowd) -> None:
    """Store a crowd, and let Postgres know it as autovacuum would."""
    connection = await asyncpg.connect(superuser_url)
    try:
        for number in range(crowd.tenants):
            users = [f"user-{it}" for it in range(crowd.users)]
            await connection.execute(_INBOXES, f"crowd-{number}", users)
            await connection.execute(_ROWS, f"crowd-{number}", users, crowd.rows)
        for user, rows in crowd.large.items():
            await connection.execute(_INBOXES, HEAVY, [user])
            await connection.execute(_ROWS, HEAVY, [user], rows, timeout=600)
        await connection.execute(_COUNTS, timeout=600)
        await connection.execute(_HEADS)
        await connection.execute("vacuum analyze", timeout=600)
    finally:
        await connection.close()


# -- watching ----------------------------------------------------------------------------------------------


@dataclass
class Watch:
    """The plans of what ran, with what they read; by a plan for these values, or one for all."""

    mode: str = MODES[0]
    plans: list[Plan] = field(default_factory=list)

    async def note(self, connection: Any, statement: Statement, arguments: Sequence[Any]) -> None:
        """Run a statement to see what it reads, and undo it."""
        transaction = connection.transaction()
        await transaction.start()
        try:
            await connection.execute(f"set local plan_cache_mode = {self.mode}")
            await connection.execute(f"prepare it as {statement.text}")
            values = f"({', '.join(map(literal, arguments))})" if arguments else ""
            said = await connection.fetchval(f"explain (analyze, buffers, format json) execute it{values}")
            self.plans.append(json.loads(said)[0]["Plan"])
        finally:
            await transaction.rollback()
            await connection.execute("deallocate it")

    @property
    def buffers(self) -> int:
        """How many pages were read, from memory or not."""
        return sum(int(it["Shared Hit Blocks"] + it["Shared Read Blocks"]) for it in self.plans)

    @property
    def kinds(self) -> Counter[str]:
        """How often each kind of node stands in the plans; a sequential scan with its table."""
        return Counter(
            f"Seq Scan on {it['Relation Name']}" if it["Node Type"] == "Seq Scan" else it["Node Type"]
            for it in self._nodes()
            if it["Node Type"] != "Seq Scan" or it["Relation Name"] in PERSONAL
        )

    @property
    def most_rows(self) -> int:
        """The most notifications that one scan looked at."""
        scans = [it for it in self._nodes() if it.get("Relation Name") == "notification"]
        return max((_looked_at(it) for it in scans), default=0)

    def _nodes(self) -> Iterator[Plan]:
        pending = list(self.plans)
        while pending:
            yield (node := pending.pop())
            pending += node.get("Plans", ())


def _looked_at(scan: Plan) -> int:
    removed = ("Rows Removed by Filter", "Rows Removed by Index Recheck")
    each: float = scan["Actual Rows"] + sum(scan.get(it, 0) for it in removed)
    loops: int = scan["Actual Loops"]
    return round(each * loops)


class _Reader(Reader):
    def __init__(self, pool: Any, scope: Scope, watch: Watch) -> None:
        super().__init__(pool, scope)
        self._watch = watch

    async def fetch(self, statement: Read, **values: Any) -> list[Row]:
        async with self._pool.acquire() as connection:
            arguments = statement.arguments({**values, **self.scope.binds})
            await self._watch.note(connection, statement, arguments)
        return await super().fetch(statement, **values)


class _Transaction(Transaction):
    def __init__(self, connection: Any, scope: Scope, watch: Watch) -> None:
        super().__init__(connection, scope)
        self._watch = watch

    async def fetch(self, statement: Statement, **values: Any) -> list[Row]:
        arguments = statement.arguments({**values, **self.scope.binds})
        await self._watch.note(self._connection, statement, arguments)
        return await super().fetch(statement, **values)


class Watched(Database):
    """The same database, watched; nobody is told of what is changed."""

    def __init__(self, database: Database, watch: Watch) -> None:
        super().__init__(database.pool, lambda _hints: None)
        self._watch = watch

    def reader(self, scope: Scope) -> Reader:
        """Return what notes each read."""
        return _Reader(self.pool, scope, self._watch)

    @asynccontextmanager
    async def transaction(self, scope: Scope) -> AsyncIterator[Transaction]:
        """Open a transaction that notes each statement."""
        async with super().transaction(scope) as tx:
            yield _Transaction(tx._connection, scope, self._watch)


# -- what is asked -----------------------------------------------------------------------------------------

_SOME_TIME = datetime(2026, 1, 1, tzinfo=UTC)
IN_ORDER = {
    "no filter": Filter(),
    "unread": Filter(read_state=ReadState.UNREAD),
    "read": Filter(read_state=ReadState.READ),
    "dismissed only": Filter(dismissed=Inclusion.ONLY),
    "dismissed too": Filter(dismissed=Inclusion.INCLUDE),
    "a type": Filter(types=("type-3",)),
    "a category": Filter(categories=("category-3",)),
}
"""Filters whose pages are read in the order of an index."""
OTHERS = {
    "a rare type": Filter(types=("rare",)),
    "no such category": Filter(categories=("nothing",)),
    "types": Filter(types=("type-1", "type-2")),
    "a target": Filter(targets=("target-3",)),
    "a team": Filter(teams=("team-3",)),
    "a template": Filter(templates=(UUID(int=1),)),
    "since": Filter(created_after=_SOME_TIME),
    "until": Filter(created_before=_SOME_TIME),
    "all at once": Filter(
        ReadState.UNREAD,
        Inclusion.ONLY,
        ("type-1",),
        ("category-1",),
        (UUID(int=1),),
        ("target-1",),
        ("team-1",),
        _SOME_TIME,
        datetime.max.replace(tzinfo=UTC),
    ),
}
"""Filters that cost a user's rows at most."""


def pages(filter: Filter, middle: Position) -> dict[str, PageQuery]:
    """Return the ways to page through an inbox, one of whose rows is in the middle."""
    first = PageQuery(filter, PAGE, ALL_COLUMNS)
    return {
        "first": first,
        "last": first._replace(backwards=True),
        "after": first._replace(position=middle),
        "before": first._replace(position=middle, backwards=True),
    }


async def middle(database: Database, scope: Scope, rows: int) -> Position:
    """Return the place of an unread row that is not dismissed, well inside an inbox."""
    async with database.transaction(scope) as tx:
        row = await tx._connection.fetchrow(
            "select created_at, id from tocsin.notification where tenant_id = $1 and user_id = $2"
            " and read_at is null and dismissed_at is null order by created_at desc offset $3 limit 1",
            *(scope.tenant_id, scope.user_id, rows // 5),
        )
    assert row
    return Position(row["created_at"], row["id"])


OPERATIONS = {
    "badge": "{ stats { unread } }",
    "groups": "{ stats { total unread byType { key unread } byCategory { key unread } } }",
    "page": """{ notifications(first: 20) { totalCount unreadCount pageInfo { hasNextPage endCursor }
        nodes { id title body type category severity read createdAt url icon actions { label url } } } }""",
    "read": "mutation($ids: [ID!]!) { read(ids: $ids) { changed stats { unread } } }",
    "markAllRead": "mutation { markAllRead { marked stats { unread } } }",
}
"""What must cost the same in every inbox."""
_SCHEMA = build()


async def buffers(api: Api, name: str, user: str) -> int:
    """Return how many pages of memory an operation reads, once what it writes to has grown to its size."""
    runs = 1 if name == "markAllRead" else 2  # a second one would have nothing to do
    return min([(await cost(api, name, user)).buffers for _ in range(runs)])


async def cost(api: Api, name: str, user: str) -> Watch:
    """Run an operation in a large inbox; return what its statements read."""
    watch = Watch()
    database: Any = Watched(api.database, watch)
    hub: Any = api.database._on_commit
    principal = Principal(HEAVY, user, frozenset({Role.USER}), _NEVER)
    context = Context(principal, database, hub.__self__, Deployment(secret_vault(api.settings)))
    place = await middle(api.database, Scope(HEAVY, user), await _rows(api, user))
    result = await _SCHEMA.execute(
        OPERATIONS[name], variable_values={"ids": [str(place.id)]}, context_value=context
    )
    assert not result.errors, result.errors
    return watch


async def _rows(api: Api, user: str) -> int:
    head: Any = await api.database.reader(Scope(HEAVY, user)).one(db.inbox._HEAD)
    return int(head["inbox_total"])
