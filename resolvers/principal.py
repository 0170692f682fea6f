"""Who is asking: the verified caller of one request or socket."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from resolvers.errors import forbidden


class Role(StrEnum):
    """What a caller may do. A person is USER and may be ADMIN too; a machine is AGENT only."""

    USER = "user"
    ADMIN = "admin"
    AGENT = "agent"


@dataclass(frozen=True, slots=True)
class Principal:
    """A verified caller in one tenant. `expires_at` and `issued_at` are in UTC.

    issued_at is None for an agent's key, which is revoked rather than outlived. types None: any type may
    be sent.
    """

    tenant_id: str
    user_id: str
    roles: frozenset[Role]
    expires_at: datetime
    issued_at: datetime | None = None
    types: frozenset[str] | None = None

    def require(self, *allowed: Role) -> None:
        """Raise FORBIDDEN unless the caller has one of these roles."""
        if self.roles.isdisjoint(allowed):
            raise forbidden()
