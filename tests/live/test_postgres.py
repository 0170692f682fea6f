"""Hints between processes over the real database, whose connections break."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeAlias

import asyncpg
import orjson
import pytest

import live.postgres
from db.draft import create
from db.session import Hint, Scope, open_database
from live.hub import NOBODY, Hub
from live.postgres import PostgresRelay, postgres_hub
from tests.support import Urls, draft

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

SECONDS = 5.0


@pytest.fixture
async def watcher(own: Urls) -> AsyncIterator[Connection]:
    """Look at, and kill, the listeners of the others."""
    connection = await asyncpg.connect(own.superuser)
    yield connection
    await connection.close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reconnect at once."""
    monkeypatch.setattr(live.postgres, "_RETRY_SECONDS", 0.05)


@asynccontextmanager
async def relaying(url: str) -> AsyncIterator[PostgresRelay]:
    """Run a relay, from when it listens; it must still be running at the end, with nobody registered."""
    relay = PostgresRelay(url)
    task = asyncio.create_task(relay.run())
    async with asyncio.timeout(SECONDS):
        await relay.listening.wait()
    yield relay
    assert not task.done()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert not relay.hub._waiters


async def _listeners(watcher: Connection) -> int:
    query = (
        "select count(*) from pg_stat_activity"
        " where datname = current_database() and application_name = 'tocsin-hints'"
    )
    return int(await watcher.fetchval(query) or 0)


async def _kill_listeners(watcher: Connection) -> int:
    query = (
        "select count(pg_terminate_backend(pid)) from pg_stat_activity"
        " where datname = current_database() and application_name = 'tocsin-hints'"
    )
    return int(await watcher.fetchval(query) or 0)


async def _until(condition: Callable[[], bool | Awaitable[bool]]) -> None:
    async with asyncio.timeout(SECONDS):
        while True:
            found = condition()
            if found is True or (found is not False and await found):
                return
            await asyncio.sleep(0.01)


@asynccontextmanager
async def payloads(url: str) -> AsyncIterator[list[str]]:
    """Collect what goes over the channel."""
    heard: list[str] = []
    connection = await asyncpg.connect(url)
    await connection.add_listener("tocsin", lambda *notice: heard.append(str(notice[3])))
    yield heard
    await connection.close()


async def test_a_hint_reaches_the_other_process(own: Urls) -> None:
    """What is announced in one wakes who waits in the other, within its patience by far."""
    async with relaying(own.server) as one, relaying(own.server) as other:
        with other.hub.register("t", "ada") as waiter, other.hub.register("t", "grace") as idle:
            await _settle(waiter, idle)
            one.hub.announce([Hint("t", "ada", 7)])
            async with asyncio.timeout(SECONDS / 2):
                await waiter.moved(SECONDS)
            assert waiter._hinted == 7
            assert idle._hinted == -1


async def _settle(*waiters: Any) -> None:
    """Use up what woke the waiters so far."""
    for waiter in waiters:
        await waiter.moved(0)


async def test_a_commit_reaches_the_other_process(own: Urls) -> None:
    """From a transaction's hints to a subscription elsewhere, with the seq of its last event."""
    async with (
        relaying(own.server) as one,
        relaying(own.server) as other,
        open_database(own.server, size=1, on_commit=one.hub.announce) as database,
    ):
        with other.hub.register("live", "ada") as waiter:
            async with database.transaction(Scope("live", None)) as tx:
                await create(tx, [draft("ada"), draft("ada")])
            async with asyncio.timeout(SECONDS):
                await waiter.moved(SECONDS)
            assert waiter._hinted == 2


async def test_hints_are_coalesced(own: Urls) -> None:
    """A thousand hints at once for one inbox are one notice with the highest seq; two inboxes are two."""
    async with relaying(own.server) as relay, payloads(own.server) as heard:
        for seq in range(1, 1_001):
            relay.hub.announce([Hint("t", "ada", seq)])
        relay.hub.announce([Hint("t", "ada", 3), Hint("t", "grace", 1)])
        await _until(lambda: len(heard) == 2)
        assert not relay._pending
    assert sorted(heard) == ['["t","ada",1000]', '["t","grace",1]']


async def test_a_hint_says_ids_and_a_seq_only(own: Urls) -> None:
    """Any role may LISTEN, so nothing of what happened goes over the channel, whatever ids look like."""
    odd = Hint("t\"',\n", "ünï\\codé\x01", 2)
    async with relaying(own.server) as relay, payloads(own.server) as heard:
        with relay.hub.register(odd.tenant_id, odd.user_id) as waiter:
            relay.hub.announce([odd])
            await _until(lambda: bool(heard))
            assert waiter._hinted == 2
    assert [orjson.loads(payload) for payload in heard] == [list(odd)]


async def test_the_longest_ids_fit(own: Urls) -> None:
    """Two ids of 255 characters, each as long as JSON can make it, stay below NOTIFY's 8,000 bytes."""
    hint = Hint("\x01" * 255, "\x02" * 255, 2**63 - 1)
    async with relaying(own.server) as one, relaying(own.server) as other:
        with other.hub.register(hint.tenant_id, hint.user_id) as waiter:
            one.hub.announce([hint])
            await _until(lambda: waiter._hinted == hint.seq)


async def test_a_killed_listener_reconnects_and_wants_a_sweep(
    own: Urls, watcher: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    """Who missed a hint cannot be known, so all is looked at; the log says so without any detail."""
    async with relaying(own.server) as relay, relaying(own.server) as other:
        with relay.hub.register("t", "ada") as ada, relay.hub.register("u", NOBODY) as access:
            await _settle(ada, access)
            relay.hub.missed.clear()
            assert await _kill_listeners(watcher) == 2
            async with asyncio.timeout(SECONDS / 2):
                await access.moved(SECONDS)
                await relay.hub.missed.wait()
            await _until(lambda: relay.listening.is_set() and other.listening.is_set())
            assert await _listeners(watcher) == 2
            other.hub.announce([Hint("t", "ada", 1)])
            await _until(lambda: ada._hinted == 1)
    assert own.server not in caplog.text


async def test_hints_announced_while_it_is_down_are_sent_later(
    own: Urls, watcher: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could not be sent stays pending and goes out with the next connection, without a new hint."""
    async with payloads(own.server) as heard, relaying(own.server) as relay:
        monkeypatch.setattr(live.postgres, "_RETRY_SECONDS", 0.3)
        await _kill_listeners(watcher)
        await _until(lambda: not relay.listening.is_set())
        relay.hub.announce([Hint("t", "ada", 4)])
        relay.hub.announce([Hint("t", "ada", 5)])
        assert heard == []
        await _until(lambda: bool(heard))
    assert heard == ['["t","ada",5]']


async def test_what_could_not_be_sent_stays_pending(own: Urls) -> None:
    """A connection that fails in the middle of sending takes no hint with it."""
    relay = PostgresRelay(own.server)
    relay.hub.announce([Hint("t", "ada", 4), Hint("t", "grace", 2)])
    connection = await asyncpg.connect(own.server)
    async with payloads(own.server) as heard:
        closed = await asyncpg.connect(own.server)
        await closed.close()
        with pytest.raises(asyncpg.InterfaceError):
            await relay.flush(closed)
        assert relay._pending == {("t", "ada"): 4, ("t", "grace"): 2}
        await relay.flush(connection)
        await _until(lambda: len(heard) == 2)
    assert not relay._pending
    await connection.close()


async def test_a_hint_during_sending_is_sent_next(own: Urls) -> None:
    """Only what was sent is no longer pending: a newer seq that came meanwhile still is."""
    relay = PostgresRelay(own.server)
    relay.hub.announce([Hint("t", "ada", 4), Hint("t", "grace", 2)])
    connection = await asyncpg.connect(own.server)
    sending = asyncio.create_task(relay.flush(connection))
    await asyncio.sleep(0)
    relay.hub.announce([Hint("t", "ada", 5)])
    await sending
    assert relay._pending == {("t", "ada"): 5}
    await connection.close()


async def test_a_relay_survives_kills_at_any_moment(own: Urls, watcher: Connection) -> None:
    """Killed forty times while hints are sent without a pause, it runs on and the last hint arrives."""
    async with relaying(own.server) as relay, payloads(own.server) as heard:
        seq = 0
        for _ in range(40):
            killing = asyncio.create_task(_kill_listeners(watcher))
            while not (killing.done() and relay.listening.is_set()):
                seq += 1
                relay.hub.announce([Hint("t", "ada", seq)])
                await asyncio.sleep(0)
            await killing
        await _until(lambda: bool(heard) and orjson.loads(heard[-1])[2] == seq)


async def test_what_a_dying_connection_raises_is_no_end(
    own: Urls, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A killed backend may show as an InternalClientError of the driver: reconnect after that, too."""
    flush, failures = PostgresRelay.flush, [asyncpg.InternalClientError("cannot switch to state 12")]

    async def fail_once(relay: PostgresRelay, connection: Any) -> None:
        if failures:
            raise failures.pop()
        await flush(relay, connection)

    monkeypatch.setattr(PostgresRelay, "flush", fail_once)
    async with relaying(own.server) as relay, payloads(own.server) as heard:
        relay.hub.announce([Hint("t", "ada", 9)])
        await _until(lambda: bool(heard))
    assert heard == ['["t","ada",9]']
    assert "InternalClientError" in caplog.text


GARBAGE = (
    "",
    "x",
    "null",
    "[]",
    "{}",
    "[1]",
    '"abc"',
    '["t","ada"]',
    '["t","ada",null]',
    '["t","ada",true]',
    '["t","ada","3"]',
    '["t","ada",9e99]',
    '["t","ada",1,2]',
    '[["t"],"ada",1]',
    '{"t":1,"ada":2,"c":3}',
    "[" * 2_000,
)


async def test_garbage_is_ignored(own: Urls, watcher: Connection, caplog: pytest.LogCaptureFixture) -> None:
    """Any role may NOTIFY: what is no hint wakes nobody, breaks nothing, and drowns out no later hint."""
    async with relaying(own.server) as relay, payloads(own.server) as heard:
        with relay.hub.register("t", "ada") as waiter:
            await _settle(waiter)
            for payload in GARBAGE:
                await watcher.execute("select pg_notify('tocsin', $1)", payload)
            await _until(lambda: len(heard) == len(GARBAGE))
            assert not waiter._woken.is_set()
            assert waiter._hinted == -1
            await watcher.execute("select pg_notify('tocsin', $1)", '["t","ada",1]')
            await _until(lambda: waiter._hinted == 1)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_the_hub_sends_the_last_hints_on_its_way_out(own: Urls, watcher: Connection) -> None:
    """A command that writes and ends at once still tells the servers, and leaves no connection behind."""
    async with payloads(own.server) as heard:
        async with postgres_hub(own.server) as hub:
            hub.announce([Hint("t", "ada", 3)])
        await _until(lambda: bool(heard))
        assert heard == ['["t","ada",3]']

    async def gone() -> bool:
        return await _listeners(watcher) == 0

    await _until(gone)


async def test_without_a_database_it_keeps_trying(own: Urls, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody there, or a wrong password, is no end either; and leaving does not fail or hang."""
    for url in ("postgresql://nobody@127.0.0.1:1/none", own.server.replace("_server:", "_server_x:")):
        caplog.clear()
        async with asyncio.timeout(SECONDS):
            async with postgres_hub(url) as hub:
                with hub.register("t", "ada") as waiter:
                    hub.announce([Hint("t", "ada", 1)])
                    await waiter.moved(SECONDS)
                await asyncio.sleep(0.2)
                assert isinstance(hub, Hub)
        assert len([it for it in caplog.records if "hints are down" in it.message]) > 1
        assert url not in caplog.text
