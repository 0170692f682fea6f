"""What subscriptions read when they are woken: a process reads it once for all who want it then.

These reads are the tenant's service's, for they answer several users at once; each names its users.
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple

import db.event
import db.inbox
import db.stats
from db.event import After, Log
from db.inbox import Head
from db.session import Database, Reader, Scope
from db.types import Counters, Filter
from resolvers.batch import Batches
from resolvers.filter import known_types_only

BATCH = 100
"""Events of one inbox that are read at a time."""
_LOGS = 100


class LogLane(NamedTuple):
    """Subscriptions that can be read for together: they want the same of their events."""

    tenant_id: str
    filter: Filter | None
    columns: tuple[str, ...]


class CountLane(NamedTuple):
    """Badges that are the same badge."""

    tenant_id: str
    user_id: str
    filter: Filter


Groups = list[tuple[str, str, Counters]]


class Reads:
    """The reads of one process that its subscriptions share."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.heads = Batches[str, str, Head](self._read_heads)
        self.logs = Batches[LogLane, After, Log](self._read_logs, _LOGS)
        self.groups = Batches[CountLane, None, Groups](self._read_groups)

    def _service(self, tenant_id: str) -> Reader:
        return self._database.reader(Scope(tenant_id, None))

    async def _read_heads(self, tenant_id: str, users: Collection[str]) -> Mapping[str, Head]:
        return await db.inbox.heads(self._service(tenant_id), users)

    async def _read_logs(self, lane: LogLane, wanted: Collection[After]) -> Mapping[After, Log]:
        reader = self._service(lane.tenant_id)
        # Each time anew, for types become known meanwhile.
        filter = (await known_types_only(reader, lane.filter)).filter
        return await db.event.after(reader, wanted, filter, lane.columns, BATCH)

    async def _read_groups(self, lane: CountLane, _one: Collection[None]) -> Mapping[None, Groups]:
        reader = self._database.reader(Scope(lane.tenant_id, lane.user_id))
        return {None: await db.stats.groups(reader, lane.filter)}
