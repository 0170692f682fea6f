"""What the tests of the resolvers see beside the API: what is stored, which statements ran, who waits."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from db.session import Reader, Transaction
from live.hub import Hub
from resolvers.principal import Role
from tests.resolvers.support import Nobody, Statements, Vault
from tests.support import Api, Urls


@pytest.fixture(scope="session")
async def superuser(urls: Urls) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """Connect as a role that row level security does not bind."""
    connection = await asyncpg.connect(urls.superuser)
    yield connection
    await connection.close()


@pytest.fixture
def vault(superuser: "asyncpg.Connection[asyncpg.Record]") -> Vault:
    """Return what is really stored."""
    return Vault(superuser)


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> Statements:
    """Note each statement from here on, on its way to the database."""
    noted = Statements()
    noted.listen(monkeypatch, Reader, "fetch")
    noted.listen(monkeypatch, Transaction, "fetch")
    noted.listen(monkeypatch, Transaction, "many")
    return noted


@pytest.fixture
def hub(api: Api) -> Hub:
    """Return the hub of the running server: the database announces each commit to it."""
    found = api.database._on_commit.__self__  # type: ignore[attr-defined]
    assert isinstance(found, Hub)
    return found


@pytest.fixture
def nobody(api: Api) -> Nobody:
    """Return a caller without a token."""
    return Nobody(api)


@pytest.fixture
def rival(api: Api, stranger: Api.User) -> Api.User:
    """Return an admin of another tenant with the same id as `admin`."""
    return api.user(stranger.tenant, "root", Role.ADMIN)
