"""A host application that shares the database: a login of its own that calls tocsin.notify()."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import orjson
from sqlalchemy import URL, make_url

from tests.support import Urls

_TYPES = {"recipients": "text[]", "targets": "text[]", "channels": "text[]", "data": "jsonb"}


class Host:
    """A connection as the host application's role."""

    def __init__(
        self, connection: "asyncpg.Connection[asyncpg.Record]", url: URL, owner_url: str, role: str
    ) -> None:
        self.sql = connection
        self.role = role
        self._url = url
        self._owner_url = owner_url

    @classmethod
    async def connect(cls, url: URL, owner_url: str, role: str) -> "Host":
        """Connect as a role."""
        return cls(await asyncpg.connect(url.render_as_string(hide_password=False)), url, owner_url, role)

    async def again(self) -> "Host":
        """Connect once more."""
        return await self.connect(self._url, self._owner_url, self.role)

    async def tie(self, *tenants: str) -> None:
        """Let the role notify in these tenants, as the owner of Tocsin's tables."""
        owner = await asyncpg.connect(self._owner_url)
        await owner.executemany(
            "insert into tocsin.host (tenant_id, role_name) values ($1, $2)",
            [(tenant, self.role) for tenant in tenants],
        )
        await owner.close()

    async def notify(self, tenant: str | None, **given: Any) -> UUID:
        """Call tocsin.notify() with named parameters: type, title and what is given."""
        values = {"tenant_id": tenant, "type": "order.paid", "title": "Order 17 is paid"} | given
        if isinstance(values.get("data"), dict | list):
            values["data"] = orjson.dumps(values["data"]).decode()
        named = [
            f"{name} => ${n}::{_TYPES.get(name, 'text' if name != 'escalate_minutes' else 'int')}"
            for n, name in enumerate(values, start=1)
        ]
        id: UUID = await self.sql.fetchval(f"select tocsin.notify({', '.join(named)})", *values.values())
        return id


@asynccontextmanager
async def open_host(urls: Urls) -> AsyncIterator[Host]:
    """Make a role that may notify, tied to no tenant yet, and connect as it; drop it at the end."""
    role, password = f"host_{uuid4().hex[:12]}", uuid4().hex
    superuser = await asyncpg.connect(urls.superuser)
    await superuser.execute(f"create role {role} login password '{password}' in role tocsin_host")
    url = make_url(urls.superuser).set(username=role, password=password)
    host = await Host.connect(url, urls.owner, role)
    try:
        yield host
    finally:
        await host.sql.close()
        await superuser.execute("delete from tocsin.host where role_name = $1", role)
        await superuser.execute(f"drop role {role}")
        await superuser.close()
