"""`tocsin rotate-keys`: after it the old key is not needed, and what no key opens is named."""

from base64 import b64encode
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

import db.channel
import db.inbox
from db.session import Database, Scope, open_database
from db.types import ChannelKind
from resolvers.channel import secret_place
from resolvers.vault import CannotOpenError, Vault
from tests.support import Urls
from tests.tocsin.processes import Tocsin, fetch
from tocsin.rotation import Report, rotate

KEYS = {name: name.encode() * 16 for name in ("k0", "k1", "k2")}
LOST, OLD, NEW = (Vault({name: key}) for name, key in KEYS.items())
BOTH = Vault({name: KEYS[name] for name in ("k2", "k1")})
_ROWS = "select id, secrets, updated_at, xmin::text from tocsin.channel order by id"


@pytest.fixture
async def own(own_urls: Urls) -> AsyncIterator[Database]:
    """Open it as a server does."""
    async with open_database(own_urls.server, size=2) as database:
        yield database


async def _add(database: Database, tenant: str, vault: Vault, **sealed: Any) -> UUID:
    """Store a webhook with a signing secret; more of its secrets may be given."""
    id = uuid4()
    secrets = {"secret": vault.seal(secret_place(tenant, id, "secret"), f"whsec_{id}")} | sealed
    async with database.transaction(Scope(tenant, None)) as tx:
        await db.inbox.add_tenant(tx)
        await db.channel.add(tx, id, ChannelKind.WEBHOOK, "A hook", {"url": "https://a.b"}, secrets=secrets)
    return id


async def _rotate_out(database: Database, tenant: str, id: UUID, vault: Vault, hours: float) -> None:
    """Let a channel have a secret that was rotated out and signs along for some hours yet."""
    until = (datetime.now(UTC) + timedelta(hours=hours)).isoformat()
    box = vault.seal(secret_place(tenant, id, "secret"), "whsec_before")
    secrets = await _secrets(database, tenant, id)
    async with database.transaction(Scope(tenant, None)) as tx:
        await db.channel.reseal(tx, id, secrets | {"previous": {"box": box, "until": until}})


async def _secrets(database: Database, tenant: str, id: UUID) -> dict[str, Any]:
    async with database.transaction(Scope(tenant, None)) as tx:
        row = await db.channel.lock(tx, id)
    assert row
    secrets: dict[str, Any] = row.secrets
    return secrets


async def _opened(database: Database, tenant: str, id: UUID, vault: Vault) -> dict[str, str]:
    """Return a channel's secrets in the clear."""
    secrets = await _secrets(database, tenant, id)
    place = secret_place(tenant, id, "secret")
    found = {"secret": vault.open(place, secrets["secret"])}
    if "previous" in secrets:
        found["previous"] = vault.open(place, secrets["previous"]["box"])
    return found


async def test_the_old_key_is_not_needed_any_more(own: Database) -> None:
    """In every tenant, also for a secret that was rotated out and still signs along."""
    ids = {tenant: await _add(own, tenant, OLD) for tenant in ("acme", "globex")}
    await _rotate_out(own, "acme", ids["acme"], OLD, hours=1)
    assert await rotate(own, BOTH) == Report(resealed=3)
    assert await _opened(own, "acme", ids["acme"], NEW) == {
        "secret": f"whsec_{ids['acme']}",
        "previous": "whsec_before",
    }
    assert await _opened(own, "globex", ids["globex"], NEW) == {"secret": f"whsec_{ids['globex']}"}
    with pytest.raises(CannotOpenError):
        await _opened(own, "acme", ids["acme"], OLD)


async def test_it_changes_only_boxes(own: Database, own_urls: Urls) -> None:
    """The time of the last update stays; what is under the first key, or has no secrets, is not written."""
    fresh = await _add(own, "acme", NEW)
    async with own.transaction(Scope("acme", None)) as tx:
        await db.channel.add(tx, uuid4(), ChannelKind.EMAIL, "Mail", {"from": "a@b.c"})
    before = await fetch(own_urls.superuser, _ROWS)
    assert await rotate(own, BOTH) == Report()
    assert await fetch(own_urls.superuser, _ROWS) == before
    stale = await _add(own, "acme", OLD)
    moments = await fetch(own_urls.superuser, "select id, updated_at from tocsin.channel order by id")
    assert await rotate(own, BOTH) == Report(resealed=1)
    assert await rotate(own, BOTH) == Report()
    assert await fetch(own_urls.superuser, "select id, updated_at from tocsin.channel order by id") == moments
    assert {(await _secrets(own, "acme", id))["secret"]["key"] for id in (fresh, stale)} == {"k2"}


async def test_what_no_key_opens_is_named_and_left(own: Database) -> None:
    """Its key is gone, or it was sealed for another place; the channel's other secret moves all the same."""
    lost = await _add(own, "acme", LOST)
    moved = await _add(own, "globex", OLD, secret=OLD.seal(("acme", "elsewhere", "secret"), "x"))
    half = await _add(own, "globex", OLD)
    await _rotate_out(own, "globex", half, LOST, hours=1)
    before = [await _secrets(own, "acme", lost), await _secrets(own, "globex", moved)]
    report = await rotate(own, BOTH)
    assert report == Report(
        resealed=1, closed={("acme", str(lost)), ("globex", str(moved)), ("globex", str(half))}
    )
    assert [await _secrets(own, "acme", lost), await _secrets(own, "globex", moved)] == before
    secrets = await _secrets(own, "globex", half)
    assert (secrets["secret"]["key"], secrets["previous"]["box"]["key"]) == ("k2", "k0")


async def test_what_no_longer_signs_is_dropped(own: Database) -> None:
    """A secret that was rotated out a day ago is not worth a key, whether or not it opens."""
    for vault in (OLD, LOST):
        id = await _add(own, "acme", NEW)
        await _rotate_out(own, "acme", id, vault, hours=-1)
        assert await rotate(own, BOTH) == Report()
        assert [*await _secrets(own, "acme", id)] == ["secret"]


def _keys(*names: str) -> str:
    return ",".join(f"{name}:{b64encode(KEYS[name]).decode()}" for name in names)


async def test_the_command(own: Database, own_urls: Urls, tmp_path: Path) -> None:
    """It prints how many, and the ids of channels that do not open, with exit code 1; never a secret."""
    id, lost = await _add(own, "acme", OLD), await _add(own, "acme", LOST)
    settings = {"database_url": own_urls.server, "owner_database_url": own_urls.owner}
    command = Tocsin(tmp_path / "data", settings | {"secret_keys": _keys("k2", "k1")})
    done = command.run("rotate-keys")
    assert (done.code, done.out) == (1, "1 secrets resealed, 1 channels cannot be opened.\n")
    assert done.err == f"channel {lost} of acme cannot be opened\n"
    async with own.transaction(Scope("acme", None)) as tx:
        await db.channel.remove(tx, lost)
    done = Tocsin(tmp_path / "data", settings | {"secret_keys": _keys("k2")}).run("rotate-keys")
    assert (done.code, done.out, done.err) == (0, "0 secrets resealed, 0 channels cannot be opened.\n", "")
    assert await _opened(own, "acme", id, NEW) == {"secret": f"whsec_{id}"}
