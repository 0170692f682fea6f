"""Which database role a process of ours may work as."""

from db.safety import unsafe_role
from db.session import Database
from tocsin.keys import ConfigurationError


async def require_safe_role(database: Database, *, login_too: bool = True) -> None:
    """Raise ConfigurationError if the database role could get around row level security."""
    if reason := await unsafe_role(database, login_too=login_too):
        raise ConfigurationError(f"TOCSIN_DATABASE_URL: {reason}")
