"""What one operation works with: its caller, the database in the caller's scope, its loaders."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cached_property

from db.session import Database, Reader, Scope, Transaction
from live.hub import Hub
from resolvers.errors import unauthenticated
from resolvers.loaders import Loaders
from resolvers.principal import Principal
from resolvers.reads import Reads
from resolvers.vault import Vault


def untraced() -> None:
    """Return the span that is under way: there is none."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """How this server is set up: what seals its secrets, and whether web addresses may be http:.

    traceparent: returns the span that is under way, as W3C Trace Context writes it.
    """

    vault: Vault
    allow_private_webhooks: bool = False
    traceparent: Callable[[], str | None] = untraced


class Context:
    """Lives for one operation; over a socket each operation gets its own."""

    def __init__(
        self,
        principal: Principal | None,
        database: Database,
        hub: Hub,
        deployment: Deployment,
        reads: Reads | None = None,
    ) -> None:
        self._principal = principal
        self._database = database
        self.hub = hub
        self.deployment = deployment
        self.reads = reads or Reads(database)
        """What is shared with the other operations of the process."""

    @property
    def caller(self) -> Principal:
        """The verified caller, or UNAUTHENTICATED."""
        if self._principal is None:
            raise unauthenticated()
        return self._principal

    @property
    def _scope(self) -> Scope:
        return Scope(self.caller.tenant_id, self.caller.user_id)

    @property
    def reader(self) -> Reader:
        """Reads as the caller."""
        return self._database.reader(self._scope)

    @property
    def service_reader(self) -> Reader:
        """Reads as the tenant's service; only for callers whose role was checked."""
        return self._database.reader(Scope(self.caller.tenant_id, None))

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Transaction]:
        """Open the unit of work as the caller; it commits where the block ends."""
        async with self._database.transaction(self._scope) as tx:
            yield tx
        self.forget()

    @asynccontextmanager
    async def service_write(self) -> AsyncIterator[Transaction]:
        """Open the unit of work as the tenant's service; only for callers whose role was checked."""
        async with self._database.transaction(Scope(self.caller.tenant_id, None)) as tx:
            yield tx
        self.forget()

    @asynccontextmanager
    async def write_for(self, user_id: str) -> AsyncIterator[Transaction]:
        """Open the unit of work as another user, for admins: the database keeps it to that user's rows."""
        async with self._database.transaction(Scope(self.caller.tenant_id, user_id)) as tx:
            yield tx
        self.forget()

    @cached_property
    def loaders(self) -> Loaders:
        """One loader a key; what they remember is of this operation."""
        return Loaders(self.reader)

    def forget(self) -> None:
        """Drop what the loaders remember: after a write, and between the events of a subscription."""
        self.__dict__.pop("loaders", None)
