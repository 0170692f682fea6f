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

    def is_older_than(self, removed_at: datetime) -> bool:
        """Tell whether the token was issued before a moment, or in the same second: iat has no finer time."""
        issued_at = self.issued_at
        return issued_at is not None and issued_at.replace(microsecond=0) <= removed_at.replace(microsecond=0)

    def require(self, *allowed: Role) -> None:
        """Raise FORBIDDEN unless the caller has one of these roles."""
        if self.roles.isdisjoint(allowed):
            raise forbidden()
