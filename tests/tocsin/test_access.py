"""Who comes in by which token or key, and how soon access that was taken away is gone, in each process."""

import asyncio
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest
from websockets.exceptions import ConnectionClosed

import tocsin.access
import tocsin.removals
from db.pool import Pool
from db.session import Database, Reader, Row, Scope
from live.hub import Hub
from resolvers.agent_key import AgentKey
from resolvers.errors import TocsinError
from resolvers.principal import Principal, Role
from tests.machines import CREATE, REVOKE, TYPES, machine
from tests.support import Answer, Api, Urls, open_socket, running_server
from tocsin.access import Access
from tocsin.agents import AgentKeys
from tocsin.auth import Authenticator, sign
from tocsin.removals import Removals
from tocsin.settings import Settings

STATS = "{ stats { total unread } }"
REMOVE = "mutation($id: ID!) { removeRecipient(id: $id) }"


@pytest.fixture(scope="session")
async def elsewhere(settings: Settings) -> AsyncIterator[Api]:
    """Run a second server on the same database, with a hub and memories of its own."""
    async with running_server(settings) as second:
        yield second


def at(server: Api, caller: Api.User) -> Api.User:
    """Return the same caller at another server."""
    return Api.User(server, caller.tenant, caller.id, caller.token)


def signature(answer: httpx.Response) -> tuple[Any, ...]:
    """Return all of an answer that could tell one refusal from another."""
    headers = [item for item in answer.headers.items() if item[0] not in {"date", "x-request-id"}]
    return answer.status_code, answer.content, tuple(headers)


async def refused_within(caller: Api.User, seconds: float) -> Answer:
    """Ask until the caller is refused, which must be in time."""
    async with asyncio.timeout(seconds):
        while not (answer := await caller.ask("{ __typename }")).errors:
            pass
    return answer


def issued(user: Api.User, second: int) -> Api.User:
    """Return the user with a token that was issued in a Unix second."""
    token = sign(
        user.api.settings,
        tenants=[user.tenant],
        user=user.id,
        roles=[Role.USER],
        expires=timedelta(hours=1),
        clock=lambda: second,
    )
    return Api.User(user.api, user.tenant, user.id, token)


# --- Keys


def forged(real: AgentKey, other: AgentKey, revoked: str, unknown: str) -> list[str]:
    """Return forty keys, none of which is anybody's."""
    flipped = [
        real.secret[:place] + ("A" if real.secret[place] != "A" else "B") + real.secret[place + 1 :]
        for place in range(0, 42, 3)
    ]
    name = urlsafe_b64encode(real.tenant_id.encode()).decode().rstrip("=")
    tail = f"_{real.prefix}_{real.secret}"

    def named(tenant: bytes) -> str:
        return f"tocsin_{urlsafe_b64encode(tenant).decode().rstrip('=')}{tail}"

    return [
        *(real._replace(secret=secret).text for secret in flipped),
        real._replace(secret=other.secret).text,
        real._replace(prefix=other.prefix).text,
        real._replace(tenant_id=other.tenant_id).text,
        other._replace(tenant_id=real.tenant_id).text,
        real._replace(tenant_id=unknown).text,
        AgentKey.mint(real.tenant_id).text,
        AgentKey.mint(unknown).text,
        revoked,
        real.text[:-1],
        real.text + "A",
        real.text.upper(),
        real.text.replace("tocsin_", "Tocsin_"),
        real.text.replace("tocsin_", "tocsin_tocsin_"),
        f"tocsin_{name}={tail}",
        f"tocsin_{name}A{tail}",
        f"tocsin__{tail}",
        f"tocsin_{tail}",
        named(b"\xff\xfe\xfd"),
        named(b"a\0b"),
        named(b"t" * 256),
        named(b"\xed\xa0\x80"),
        "tocsin_",
        "tocsin_" + "A" * 7_000,
        f"{real.prefix}_{real.secret}",
        real.secret,
        f"tocsin_{name}_{real.prefix}_{'.' * 43}",
    ]


async def test_forty_forged_keys_are_refused_alike(api: Api, admin: Api.User, stranger: Api.User) -> None:
    """Wrong, revoked, foreign, unknown and garbled keys give the same bytes as no valid token at all."""
    foreign_admin = api.user(stranger.tenant, "root", Role.ADMIN)
    keys = [AgentKey.parse((await machine(who)).token) for who in (admin, foreign_admin)]
    assert keys[0]
    assert keys[1]
    gone = await machine(admin)
    await admin.data(REVOKE, id=gone.id)
    tokens = forged(keys[0], keys[1], gone.token, f"unknown-{admin.tenant}")
    assert len(tokens) == len(set(tokens)) == 40
    answers = {signature(await ask(api, token)) for token in ["not.a.token", *tokens]}
    assert len(answers) == 1
    ((status, content, _headers),) = answers
    assert status == 401
    assert b"UNAUTHENTICATED" in content
    assert (await ask(api, keys[0].text)).status_code == 200


async def ask(api: Api, token: str) -> httpx.Response:
    """Send a query with a token."""
    return await api.http.post(
        "/graphql", json={"query": TYPES}, headers={"Authorization": f"Bearer {token}"}
    )


async def test_forged_keys_open_no_socket(api: Api, admin: Api.User) -> None:
    """A socket with a wrong, revoked or garbled key closes with 4401."""
    gone = await machine(admin)
    await admin.data(REVOKE, id=gone.id)
    for token in (gone.token, gone.token[:-1] + "A", "tocsin_", "tocsin_ключ"):
        with pytest.raises((ConnectionClosed, AssertionError)) as refusal:
            async with open_socket(api.url, {"authorization": f"Bearer {token}"}):
                pass
        assert isinstance(refusal.value, ConnectionClosed)
        assert refusal.value.rcvd is not None
        assert (refusal.value.rcvd.code, refusal.value.rcvd.reason) == (4401, "UNAUTHENTICATED")


async def test_a_key_is_for_its_tenant(api: Api, admin: Api.User, stranger: Api.User) -> None:
    """Its own tenant may be named; another one is FORBIDDEN, also while the key is remembered."""
    agent = await machine(admin)
    for tenant, status in ((admin.tenant, 200), (stranger.tenant, 403), (admin.tenant, 200), ("x", 403)):
        headers = {"Authorization": f"Bearer {agent.token}", "X-Tenant-Id": tenant}
        answer = await api.post(TYPES, headers)
        assert (answer.status, answer.codes) == (status, [] if status == 200 else ["FORBIDDEN"])


async def test_a_forged_key_learns_nothing_by_naming_a_tenant(api: Api, admin: Api.User) -> None:
    """A wrong key is UNAUTHENTICATED whatever tenant it asks for."""
    wrong = AgentKey.mint(admin.tenant).text
    for tenant in (admin.tenant, "x"):
        answer = await api.post(TYPES, {"Authorization": f"Bearer {wrong}", "X-Tenant-Id": tenant})
        assert answer.codes == ["UNAUTHENTICATED"]


async def test_the_principal_of_a_key(api: Api, admin: Api.User) -> None:
    """It is an agent only, does not expire, and carries the types it is limited to."""
    limited, free = await machine(admin, types=["a.b", "c"]), await machine(admin)
    keys = AgentKeys(api.database, Hub())
    found = await keys.principal(limited.token, None)
    assert found == Principal(
        admin.tenant,
        limited.id,
        frozenset({Role.AGENT}),
        datetime(9999, 1, 1, tzinfo=UTC),
        types=frozenset({"a.b", "c"}),
    )
    assert (await keys.principal(free.token, admin.tenant)).types is None
    await keys.close()


class Counting(Database):
    """The real database, and how often it was read."""

    reads = 0

    def reader(self, scope: Scope) -> Reader:
        """Count, and read."""
        self.reads += 1
        return super().reader(scope)


@pytest.fixture
def counting(database: Database) -> Counting:
    """Return the server's database, counted apart."""
    return Counting(database.pool, lambda _hints: None)


async def test_a_key_is_looked_up_once_in_five_seconds(admin: Api.User, counting: Counting) -> None:
    """Requests of one key share a read; each forged key costs one and is not remembered."""
    agent = await machine(admin)
    keys = AgentKeys(counting, Hub())
    for _ in range(50):
        await keys.principal(agent.token, None)
    assert counting.reads == 1
    for _ in range(20):
        with pytest.raises(TocsinError):
            await keys.principal(AgentKey.mint(admin.tenant).text, None)
    assert counting.reads == 21
    assert len(keys._verified) == 1
    await keys.close()


async def test_a_revoked_key_is_refused_elsewhere(admin: Api.User, elsewhere: Api) -> None:
    """Another process, which had just used the key, refuses it within 5 s."""
    agent = at(elsewhere, await machine(admin))
    assert not (await agent.ask(TYPES)).errors
    await admin.data(REVOKE, id=agent.id)
    answer = await refused_within(agent, 5)
    assert (answer.status, answer.codes) == (401, ["UNAUTHENTICATED"])


async def test_a_revoked_key_is_refused_without_any_hint(admin: Api.User, counting: Counting) -> None:
    """A process that no hint reaches forgets a verified key after 5 s."""
    agent = await machine(admin)
    keys = AgentKeys(counting, Hub())
    await keys.principal(agent.token, None)
    await admin.data(REVOKE, id=agent.id)
    await keys.principal(agent.token, None)
    assert counting.reads == 1
    await asyncio.sleep(5)
    with pytest.raises(TocsinError, match="A valid token is required"):
        await keys.principal(agent.token, None)
    await keys.close()


async def test_sockets_of_a_revoked_agent_close(admin: Api.User, elsewhere: Api) -> None:
    """Here and in another process they close with 4403; those of other agents and users stay."""
    agent, other = await machine(admin), await machine(admin)
    async with (
        agent.socket() as here,
        at(elsewhere, agent).socket() as there,
        at(elsewhere, other).socket() as others,
        admin.socket() as admins,
    ):
        await admin.data(REVOKE, id=agent.id)
        assert await here.closed(3) == (4403, "FORBIDDEN")
        assert await there.closed(3) == (4403, "FORBIDDEN")
        for socket in (others, admins):
            assert await (await socket.subscribe(TYPES)).next() == {"notificationTypes": []}


async def last_used(urls: Urls, agent: Api.User) -> datetime | None:
    """Return when the agent's key was last used, as it is stored."""
    connection = await asyncpg.connect(urls.superuser)
    found: datetime | None = await connection.fetchval(
        "select last_used_at from tocsin.agent where tenant_id = $1 and id = $2", agent.tenant, agent.id
    )
    await connection.close()
    return found


async def recorded(urls: Urls, agent: Api.User) -> datetime:
    """Wait until a use is recorded."""
    async with asyncio.timeout(5):
        while not (found := await last_used(urls, agent)):
            pass
    return found


async def test_the_last_use_is_recorded_once_a_minute(admin: Api.User, urls: Urls) -> None:
    """The first request records it; nineteen more within the minute write nothing."""
    agent = await machine(admin)
    assert await last_used(urls, agent) is None
    await agent.data(TYPES)
    first = await recorded(urls, agent)
    assert abs(datetime.now(UTC) - first) < timedelta(seconds=10)
    for _ in range(19):
        await agent.data(TYPES)
    await asyncio.sleep(0.3)
    assert await last_used(urls, agent) == first


async def test_recording_holds_no_request_up(admin: Api.User, urls: Urls) -> None:
    """While somebody holds the agent's row locked, its requests are answered all the same."""
    agent = await machine(admin)
    connection = await asyncpg.connect(urls.superuser)
    async with connection.transaction():
        await connection.execute("select from tocsin.agent where tenant_id = $1 for update", admin.tenant)
        async with asyncio.timeout(20):
            await agent.data(TYPES)
        assert await last_used(urls, agent) is None
    await recorded(urls, agent)
    await connection.close()


# --- Removed users


async def test_a_removed_users_token_is_refused_at_once_here(admin: Api.User, ada: Api.User) -> None:
    """The next request of the old token is UNAUTHENTICATED, byte-equal to a forged one; others go on."""
    await ada.receive("one")
    grace = ada.api.user(ada.tenant, "grace")
    for caller in (ada, grace):
        await caller.data(STATS)
    assert await admin.data(REMOVE, id="ada") == {"removeRecipient": "ada"}
    assert signature(await ask(ada.api, ada.token)) == signature(await ask(ada.api, "not.a.token"))
    assert (await ada.ask(STATS)).codes == ["UNAUTHENTICATED"]
    assert await grace.data(STATS) == {"stats": {"total": 0, "unread": 0}}


async def test_a_removed_users_token_is_refused_elsewhere(
    admin: Api.User, ada: Api.User, elsewhere: Api
) -> None:
    """Another process, which had just let the token in, refuses it within 5 s."""
    await ada.receive("one")
    there = at(elsewhere, ada)
    await there.data(STATS)
    await admin.data(REMOVE, id="ada")
    assert (await refused_within(there, 5)).codes == ["UNAUTHENTICATED"]


async def test_a_later_token_finds_an_empty_inbox(admin: Api.User, ada: Api.User, elsewhere: Api) -> None:
    """A token of the very second of the removal is an old one; one of the next second works everywhere."""
    await ada.receive("one")
    await admin.data(REMOVE, id="ada")
    second = await removal_second(ada)
    assert (await issued(ada, second).ask(STATS)).codes == ["UNAUTHENTICATED"]
    await asyncio.sleep(second + 1.01 - time.time())
    back = issued(ada, second + 1)
    for caller in (back, at(elsewhere, back)):
        assert await caller.data(STATS) == {"stats": {"total": 0, "unread": 0}}
    assert (await ada.ask(STATS)).codes == ["UNAUTHENTICATED"]


async def removal_second(user: Api.User) -> int:
    """Return the Unix second of a user's removal."""
    async with user.api.database.transaction(Scope(user.tenant, None)) as tx:
        value = await tx._connection.fetchval("select at from tocsin.removal where user_id = $1", user.id)
    return int(value.timestamp())


async def test_namesakes_elsewhere_keep_their_access(
    admin: Api.User, ada: Api.User, stranger: Api.User
) -> None:
    """A token for several tenants is refused only in the one where its user was removed."""
    await ada.receive("one")
    token = ada.api.token([ada.tenant, stranger.tenant], "ada")
    await admin.data(REMOVE, id="ada")
    codes = {}
    for tenant in (ada.tenant, stranger.tenant):
        headers = {"Authorization": f"Bearer {token}", "X-Tenant-Id": tenant}
        codes[tenant] = (await ada.api.post(STATS, headers)).codes
    assert codes == {ada.tenant: ["UNAUTHENTICATED"], stranger.tenant: []}
    assert not (await stranger.ask(STATS)).errors


async def test_sockets_of_a_removed_user_close(
    admin: Api.User, ada: Api.User, grace: Api.User, stranger: Api.User, elsewhere: Api
) -> None:
    """Each of them closes with 4403, idle or not, here and elsewhere; other users' and tenants' stay."""
    await ada.receive("one")
    async with (
        ada.socket() as here,
        ada.socket() as idle,
        at(elsewhere, ada).socket() as there,
        at(elsewhere, grace).socket() as others,
        stranger.socket() as namesake,
    ):
        for socket in (here, there):
            feed = await socket.subscribe("subscription { stats { unread } }")
            assert await feed.next() == {"stats": {"unread": 1}}
        await admin.data(REMOVE, id="ada")
        for socket in (here, idle, there):
            assert await socket.closed(3) == (4403, "FORBIDDEN")
        for socket in (others, namesake):
            feed = await socket.subscribe("subscription { stats { unread } }")
            assert await feed.next() == {"stats": {"unread": 0}}


async def test_streams_of_a_removed_user_end(admin: Api.User, ada: Api.User) -> None:
    """An event stream says FORBIDDEN, once, and completes."""
    await ada.receive("one")
    headers = {"Authorization": f"Bearer {ada.token}", "Accept": "text/event-stream"}
    query = {"query": "subscription { stats { unread } }"}
    lines = []
    async with (
        asyncio.timeout(5),
        ada.api.http.stream("POST", "/graphql", json=query, headers=headers) as events,
    ):
        async for line in events.aiter_lines():
            lines += [line] if line.startswith(("data:", "event:")) else []
            if line.startswith("data:") and '"unread":1' in line:
                await admin.data(REMOVE, id="ada")
    assert [line for line in lines if line.startswith("event:")] == ["event: next"] * 2 + ["event: complete"]
    assert "FORBIDDEN" in lines[3]


async def test_a_socket_looks_again_without_any_hint(
    api: Api, admin: Api.User, ada: Api.User, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that no hint reaches finds out by itself, in a multiple of its patience."""
    monkeypatch.setattr(tocsin.access, "PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(tocsin.removals, "READ_SECONDS", 0.3)
    await ada.receive("one")
    agent = await machine(admin)
    access = Access(Authenticator(settings), api.database, Hub())
    waiting = [
        asyncio.create_task(access.lost(await access.principal(it.token, None))) for it in (ada, agent, admin)
    ]
    await asyncio.sleep(0.5)
    assert [task.done() for task in waiting] == [False, False, False]
    await admin.data(REMOVE, id="ada")
    await admin.data(REVOKE, id=agent.id)
    await asyncio.wait(waiting[:2], timeout=2)
    assert [task.done() for task in waiting] == [True, True, False]
    waiting[2].cancel()
    await access.close()


async def test_a_database_that_is_down_closes_no_socket(
    ada: Api.User, settings: Settings, urls: Urls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be looked up is not taken for lost."""
    monkeypatch.setattr(tocsin.access, "PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(tocsin.removals, "READ_SECONDS", 0.01)
    pool = await asyncpg.create_pool(urls.server, min_size=1, max_size=1, record_class=Row)
    access = Access(Authenticator(settings), Database(Pool(pool), lambda _hints: None), Hub())
    principal = await Authenticator(settings).principal(ada.token)
    await pool.close()
    waiting = asyncio.create_task(access.lost(principal))
    await asyncio.sleep(0.4)
    assert not waiting.done()
    waiting.cancel()


async def test_a_tenants_removals_are_read_once_for_all(counting: Counting, tenant: str) -> None:
    """Two hundred users at once cost one read; a hint makes it stale, and costs one more."""
    hub = Hub()
    removals = Removals(counting, hub)
    now = datetime.now(UTC)

    async def look() -> set[bool]:
        return set(await asyncio.gather(*(removals.include(tenant, f"u{it}", now) for it in range(200))))

    assert await look() == {False}
    assert await look() == {False}
    assert counting.reads == 1
    hub.revoke(tenant)
    assert await look() == {False}
    assert counting.reads == 2


async def test_removals_older_than_the_newest_count_too(
    counting: Counting, tenant: str, urls: Urls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the newest are kept; a token older than those is looked up, with the same answer."""
    monkeypatch.setattr(tocsin.removals, "NEWEST", 2)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    connection = await asyncpg.connect(urls.superuser)
    await connection.execute("insert into tocsin.tenant values ($1)", tenant)
    await connection.executemany(
        "insert into tocsin.removal (tenant_id, user_id, at) values ($1, $2, $3)",
        [(tenant, f"u{hour}", start + timedelta(hours=hour)) for hour in range(4)],
    )
    await connection.close()
    removals = Removals(counting, Hub())

    async def refused(user: str, hours: float) -> bool:
        return await removals.include(tenant, user, start + timedelta(hours=hours))

    assert [await refused("u3", it) for it in (2.9, 3, 3.1)] == [True, True, False]
    assert await refused("u0", 2.1) is False
    assert counting.reads == 1
    assert [await refused("u0", it) for it in (-1, 0, 0.1)] == [True, True, False]
    assert [await refused("u9", it) for it in (-1, 2)] == [False, False]
    assert counting.reads == 6


async def test_one_tenants_revocation_is_no_other_tenants(admin: Api.User, stranger: Api.User) -> None:
    """An agent of a namesake's tenant stays when one here is revoked."""
    foreign = await machine(stranger.api.user(stranger.tenant, "root", Role.ADMIN))
    made = (await admin.data(CREATE, name="ci"))["createAgent"]
    async with foreign.socket() as socket:
        await admin.data(REVOKE, id=made["agent"]["id"])
        assert await (await socket.subscribe(TYPES)).next() == {"notificationTypes": []}
    assert not (await foreign.ask(TYPES)).errors
