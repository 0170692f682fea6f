"""Hints between processes over real NATS servers, which stop, start, refuse, and lie."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

import live.nats
import live.pending
from db.draft import create
from db.session import OUTBOX, Hint, Scope, open_database
from live.hub import NOBODY, Waiter
from live.interests import REVOCATIONS, subject_of
from live.nats import NatsRelay, nats_hub
from live.nats_connection import Connection
from tests.delivery.post_office import certificate
from tests.live.nats_server import NatsServer, nats_server, tls_options
from tests.support import Urls, draft

SECONDS = 5.0


@pytest.fixture
async def nats() -> AsyncIterator[NatsServer]:
    """A server of the test's own."""
    with nats_server() as server:
        await server.start()
        yield server


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reconnect at once."""
    monkeypatch.setattr(live.nats, "_RETRY_SECONDS", 0.05)
    monkeypatch.setattr(live.nats, "_LONGEST_RETRY_SECONDS", 0.05)


@asynccontextmanager
async def relaying(*urls: str, connected: bool = True) -> AsyncIterator[NatsRelay]:
    """Run a relay, from when it is connected; it must still be running at the end, with nobody registered."""
    relay = NatsRelay(urls)
    task = asyncio.create_task(relay.run())
    if connected:
        await within(relay.connected.wait())
    try:
        yield relay
        assert not task.done()
        assert not relay.hub._waiters
    finally:
        task.cancel()
        await asyncio.wait([task])


async def within(waiting: object) -> None:
    """Wait no longer than the tests may."""
    await asyncio.wait_for(waiting, SECONDS)  # type: ignore[arg-type]


async def until(condition: Callable[[], object]) -> None:
    """Wait until something is so, which must be in time."""
    async with asyncio.timeout(SECONDS):
        while not condition():  # noqa: ASYNC110  nothing tells
            await asyncio.sleep(0.005)


async def ready(*waiters: Waiter) -> None:
    """Wait until hints of these arrive, and use up what said so."""
    for waiter in waiters:
        await within(waiter.moved(None))


@asynccontextmanager
async def messages(server: NatsServer) -> AsyncIterator[list[tuple[str, bytes]]]:
    """Collect what goes over the server."""
    heard: list[tuple[str, bytes]] = []

    async def hear(message: Msg) -> None:
        heard.append((message.subject, message.data))

    client = Client()
    await client.connect(server.url)
    await client.subscribe("tocsin.>", cb=hear)
    for _ in range(2):
        await client.flush()
    yield heard
    await client.close()


async def publish(server: NatsServer, subject: str, *payloads: bytes) -> None:
    """Send as anybody could."""
    client = Client()
    await client.connect(server.url)
    for payload in payloads:
        await client.publish(subject, payload)
    await client.close()


# --- Hints


async def test_a_hint_reaches_the_other_process(nats: NatsServer) -> None:
    """What is announced in one wakes who waits in the other, and nobody else."""
    async with relaying(nats.url) as one, relaying(nats.url) as other:
        with other.hub.register("t", "ada") as ada, other.hub.register("t", "grace") as grace:
            await ready(ada, grace)
            one.hub.announce([Hint("t", "ada", 7)])
            await within(ada.moved())
            assert (ada._hinted, grace._hinted) == (7, -1)


async def test_a_commit_reaches_the_other_process(nats: NatsServer, urls: Urls, tenant: str) -> None:
    """From a transaction's hints to a subscription elsewhere, with the seq of its last event."""
    async with (
        relaying(nats.url) as one,
        relaying(nats.url) as other,
        open_database(urls.server, size=1, on_commit=one.hub.announce) as database,
    ):
        with other.hub.register(tenant, "ada") as waiter:
            await ready(waiter)
            async with database.transaction(Scope(tenant, None)) as tx:
                await create(tx, [draft("ada"), draft("ada")])
            await until(lambda: waiter._hinted == 2)


async def test_work_reaches_the_workers(nats: NatsServer) -> None:
    """The hint that there is work in whichever tenant wakes each time, for its seq is always 0."""
    async with relaying(nats.url) as server, relaying(nats.url) as worker:
        with worker.hub.register(OUTBOX.tenant_id, OUTBOX.user_id) as waiter:
            await ready(waiter)
            for _ in range(3):
                server.hub.announce([OUTBOX])
                await within(waiter.moved())


async def test_a_revocation_is_heard_whoever_waits(nats: NatsServer) -> None:
    """Who waits in that tenant is woken; where nobody does, what the process remembers is stale all the same."""
    async with relaying(nats.url) as one, relaying(nats.url) as other, relaying(nats.url) as idle:
        with other.hub.register("t", NOBODY) as access, other.hub.register("u", NOBODY) as elsewhere:
            revisions = [it.hub.revision for it in (other, idle)]
            one.hub.revoke("t")
            await within(access.moved())
            await until(lambda: idle.hub.revision == revisions[1] + 1)
            assert other.hub.revision == revisions[0] + 1
            assert not elsewhere._woken.is_set()


async def test_hints_are_coalesced_and_say_a_seq_only(nats: NatsServer) -> None:
    """A thousand hints at once for one inbox are one message with the highest seq; two inboxes are two."""
    async with relaying(nats.url) as relay, messages(nats) as heard:
        relay.hub.announce([Hint("t", "ada", seq) for seq in range(1, 1_001)])
        relay.hub.announce([Hint("t", "ada", 3), Hint("t", "grace", 1)])
        await until(lambda: len(heard) == 2 and not relay._pending)
    assert heard == [(subject_of(("t", "ada")), b"1000"), (subject_of(("t", "grace")), b"1")]


@pytest.mark.parametrize(
    "hint", [Hint("t.*>\"',\r\n ", "ünï\\codé\x01", 2), Hint("ж" * 255, "\x02" * 255, 2**63 - 1)]
)
async def test_any_id_will_do(nats: NatsServer, hint: Hint) -> None:
    """Whatever ids hold, and as long as they may be; small letters are not capitals."""
    async with relaying(nats.url) as one, relaying(nats.url) as other:
        with (
            other.hub.register(hint.tenant_id, hint.user_id) as waiter,
            other.hub.register(hint.tenant_id.upper(), hint.user_id) as capital,
        ):
            await ready(waiter, capital)
            one.hub.announce([hint])
            await until(lambda: waiter._hinted == hint.seq)
            assert capital._hinted == -1


async def test_garbage_is_ignored(nats: NatsServer, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever may publish could send anything: what is no seq wakes nobody and drowns out no later hint."""
    garbage = (
        b"",
        b"x",
        b"-1",
        b"1.0",
        b"1_0",
        b" 1",
        "\u0661".encode(),
        b"9" * 20,
        b"\xff",
        b"[]",
        b"9" * 9_999,
    )
    async with relaying(nats.url) as relay:
        with relay.hub.register("t", "ada") as waiter:
            await ready(waiter)
            await publish(nats, subject_of(("t", "ada")), *garbage)
            await publish(nats, REVOCATIONS.replace("*", "ж"), b"garbage")
            await publish(nats, subject_of(("t", "ada")), b"1")
            await within(waiter.moved())
            assert waiter._hinted == 1
    assert caplog.records == []


# --- Subscriptions


async def test_only_what_somebody_waits_for_is_delivered(nats: NatsServer) -> None:
    """Of the hints of a hundred inboxes one arrives; revocations are the only other subject."""
    async with relaying(nats.url) as one, relaying(nats.url) as other:
        with other.hub.register("t", "ada") as first, other.hub.register("t", "ada"):
            await ready(first)
            subjects = sorted([REVOCATIONS, REVOCATIONS, subject_of(("t", "ada"))])
            assert await nats.subjects() == subjects
            one.hub.announce([Hint("t", f"user-{number}", 1) for number in range(99)])
            one.hub.announce([Hint("t", "ada", 1)])
            await within(first.moved())
            assert sorted(it["out_msgs"] for it in await nats.connections()) == [0, 1]  # type: ignore[type-var]


async def test_who_waits_looks_again_once_hints_arrive(nats: NatsServer) -> None:
    """What was committed between their first read and the subscription is read; the next tab need not."""
    async with relaying(nats.url) as relay:
        with relay.hub.register("t", "ada") as first:
            await within(first.moved())
            assert first._hinted == -1
            with relay.hub.register("t", "ada") as second:
                await relay_idle(relay)
                assert not first._woken.is_set()
                assert not second._woken.is_set()


async def relay_idle(relay: NatsRelay) -> None:
    """Wait until a hint announced now has gone out, and with it all before."""
    relay.hub.announce([Hint("nobody's", "idle", 1)])
    await until(lambda: not relay._pending)


async def test_many_registrations_are_one_round_trip(
    nats: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four hundred at once wait for the server once."""
    settle, settled = Connection.settle, list[int]()

    async def counting(connection: Connection) -> None:
        settled.append(1)
        await settle(connection)

    async with relaying(nats.url) as relay:
        monkeypatch.setattr(Connection, "settle", counting)
        with ExitStack() as stack:
            await ready(*(stack.enter_context(relay.hub.register("t", str(it))) for it in range(400)))
            assert len(settled) == 1


async def test_a_settled_subscription_misses_nothing(nats: NatsServer) -> None:
    """After `settle` the server knows: two hundred subscriptions, each told of at once by somebody else."""

    class Ear:
        heard_of: list[str] = []  # noqa: RUF012  one test's

        def heard(self, subject: str, _payload: bytes) -> None:
            self.heard_of.append(subject)

        def lost(self) -> None:
            pass

        def failed(self, error: Exception) -> None:
            raise error

    ear = Ear()
    here, there = Connection(ear), Connection(ear)
    await here.join(nats.url)
    await there.join(nats.url)
    subjects = [f"tocsin.x.{number}" for number in range(200)]
    for subject in subjects:
        await here.listen(subject)
        await here.settle()
        await there.publish(subject, b"1")
        await there.settle()
    await here.settle()
    assert ear.heard_of == subjects
    await here.leave()
    await there.leave()


async def test_a_tab_that_returns_costs_nothing(nats: NatsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A subscription outlives its last waiter for a beat or two, then it ends; who returns later has a new one."""
    monkeypatch.setattr(live.nats, "_BEAT_SECONDS", 0.1)
    async with relaying(nats.url) as relay:
        with relay.hub.register("t", "ada") as waiter:
            await ready(waiter)
        with relay.hub.register("t", "ada") as returned:
            await relay_idle(relay)
            assert not returned._woken.is_set()
            await asyncio.sleep(0.4)  # beats pass
            assert subject_of(("t", "ada")) in await nats.subjects()
        await nats.comes_to(REVOCATIONS)
        with relay.hub.register("t", "ada") as late:
            await ready(late)
            await publish(nats, subject_of(("t", "ada")), b"3")
            await within(late.moved())
            assert late._hinted == 3


async def test_nothing_is_left_behind(nats: NatsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five thousand inboxes waited for, half of them too shortly to be told of: no subscription, no memory."""
    monkeypatch.setattr(live.nats, "_BEAT_SECONDS", 0.1)
    async with relaying(nats.url) as relay:
        for start in range(0, 5_000, 1_000):
            with ExitStack() as stack:
                waiters = [
                    stack.enter_context(relay.hub.register("t", str(start + it))) for it in range(1_000)
                ]
                await ready(*waiters[:500])
        await nats.comes_to(REVOCATIONS)
        interests = relay._interests
        left = (interests._waited, interests._subscribed, interests._new, interests._idle, interests._leaving)
        assert [len(it) for it in left] == [0] * 5


# --- Outages


async def test_after_a_restart_everything_arrives(nats: NatsServer, caplog: pytest.LogCaptureFixture) -> None:
    """A sweep is wanted, who waits for access looks again, and hints from the time without NATS arrive."""
    async with relaying(nats.url) as one, relaying(nats.url) as other:
        with other.hub.register("t", "ada") as ada, other.hub.register("u", NOBODY) as access:
            await ready(ada)
            other.hub.missed.clear()
            nats.stop()
            await until(lambda: not (one.connected.is_set() or other.connected.is_set()))
            one.hub.announce([Hint("t", "ada", 4)])
            one.hub.announce([Hint("t", "ada", 5)])
            with other.hub.register("t", "grace") as grace:
                await asyncio.sleep(0.2)
                assert not other.hub.missed.is_set()
                await nats.start()
                await within(other.hub.missed.wait())
                await within(access.moved())
                await until(lambda: one.connected.is_set() and not one._pending)
                one.hub.announce([Hint("t", "ada", 6), Hint("t", "grace", 1)])
                await until(lambda: (ada._hinted, grace._hinted) == (6, 1))
            assert await nats.subjects() == sorted(
                [REVOCATIONS, REVOCATIONS, *(subject_of(("t", it)) for it in ("ada", "grace"))]
            )
    assert len([it for it in caplog.records if "hints are down" in it.message]) == 2
    assert nats.url not in caplog.text


async def test_one_server_of_several_is_enough(nats: NatsServer) -> None:
    """Of the URLs in the setting another is tried where one does not answer."""
    async with messages(nats) as heard, nats_hub(f"nats://127.0.0.1:1,{nats.url}") as hub:
        hub.announce([Hint("t", "ada", 5)])
        await until(lambda: heard == [(subject_of(("t", "ada")), b"5")])


async def test_announcing_without_nats_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """It never waits nor raises, and holds the newest inboxes only."""
    monkeypatch.setattr(live.pending, "MOST", 10)
    async with relaying("nats://127.0.0.1:1", connected=False) as relay:
        with relay.hub.register("t", "u99") as here:
            relay.hub.announce([Hint("t", f"u{number}", 1) for number in range(100)])
            assert here._hinted == 1
        assert [user_id for _tenant_id, user_id in relay._pending] == [
            f"u{number}" for number in range(90, 100)
        ]


async def test_it_starts_without_nats(caplog: pytest.LogCaptureFixture) -> None:
    """It serves, retries, and warns once in a while, without any address or password; later it connects."""
    with nats_server("--user", "ada", "--pass", "p@ss w0rd") as nats:
        url = f"nats://ada:p%40ss%20w0rd@127.0.0.1:{nats.port}"
        async with relaying(url, connected=False) as relay:
            with relay.hub.register("t", "ada") as waiter:
                await asyncio.sleep(0.3)
                assert not waiter._woken.is_set()
                await nats.start()
                await ready(waiter)
    assert [it.message for it in caplog.records] == ["hints are down, retrying: ConnectionRefusedError"]


async def test_a_silent_server_is_left(
    nats: NatsServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One that keeps the connection open and no longer answers is noticed by the beat."""
    monkeypatch.setattr(live.nats, "_BEAT_SECONDS", 0.1)
    monkeypatch.setattr("live.nats_connection.PATIENCE_SECONDS", 0.3)
    async with relaying(nats.url) as relay:
        nats.pause()
        await until(lambda: not relay.connected.is_set())
        nats.resume()
        await within(relay.connected.wait())
    # The library may say for itself that the answer came too late.
    said = [it.message for it in caplog.records if it.name == "live.nats"]
    assert said == ["hints are down, retrying: TimeoutError"]


async def test_the_hub_sends_the_last_hints_on_its_way_out(nats: NatsServer) -> None:
    """A command that writes and ends at once still tells the servers, connected or not yet."""
    async with messages(nats) as heard:
        for seq, pause in ((1, 0.2), (2, 0.0)):
            async with nats_hub(nats.url) as hub:
                await asyncio.sleep(pause)
                hub.announce([Hint("t", "ada", seq)])
            await until(lambda seq=seq: heard[-1:] == [(subject_of(("t", "ada")), b"%d" % seq)])  # type: ignore[misc]
        assert len(await nats.connections()) == 1


async def test_leaving_at_any_moment_ends(nats: NatsServer) -> None:
    """A hundred hubs, each left while it connects, subscribes or sends: none hangs, no connection stays."""
    for number in range(100):
        async with asyncio.timeout(SECONDS):
            async with nats_hub(nats.url) as hub:
                with hub.register("t", "ada"):
                    hub.announce([Hint("t", "ada", number)])
                    await asyncio.sleep(number / 20_000)
    await nats.comes_to()
    assert await nats.connections() == []


async def test_a_swallowed_cancellation_counts(nats: NatsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that comes as nats-py gets its answer, and that its wait_for drops, ends the relay all the same."""
    join = Connection.join

    async def swallow(connection: Connection, url: str) -> None:
        await join(connection, url)
        asyncio.current_task().cancel()  # type: ignore[union-attr]
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0)

    monkeypatch.setattr(Connection, "join", swallow)
    task = asyncio.create_task(NatsRelay([nats.url]).run())
    await asyncio.wait([task], timeout=SECONDS)
    assert task.cancelled()


# --- Credentials and TLS


@pytest.mark.parametrize(
    ("options", "right"), [(("--user", "a", "--pass", "b:/"), "a:b%3A%2F"), (("--auth", "t@k"), "t%40k")]
)
async def test_credentials(options: tuple[str, ...], right: str, caplog: pytest.LogCaptureFixture) -> None:
    """A user and password, or a token, percent-encoded; wrong ones are refused, and the log says so."""
    with nats_server(*options) as nats:
        await nats.start()
        async with relaying(f"nats://{right}@127.0.0.1:{nats.port}"):
            assert caplog.records == []
        async with relaying(f"nats://x:secret@127.0.0.1:{nats.port}", connected=False) as relay:
            await until(lambda: caplog.records)
            assert not relay.connected.is_set()
    assert "the server refuses the credentials" in caplog.text
    assert "secret" not in caplog.text


async def test_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A server whose certificate the machine trusts is used, and another is not."""
    _context, root = certificate(tmp_path, "127.0.0.1")
    with nats_server(*tls_options(tmp_path), "--auth", "token") as nats:
        await nats.start()
        url = f"tls://token@127.0.0.1:{nats.port}"
        async with relaying(url, connected=False) as relay:
            await until(lambda: caplog.records)
            assert not relay.connected.is_set()
        monkeypatch.setenv("SSL_CERT_FILE", str(root))
        async with relaying(url) as one, relaying(url) as other:
            with other.hub.register("t", "ada") as waiter:
                await ready(waiter)
                one.hub.announce([Hint("t", "ada", 1)])
                await within(waiter.moved())
    said = [it.message for it in caplog.records if it.name == "live.nats"]
    assert said == ["hints are down, retrying: SSLCertVerificationError"]


async def test_tls_is_never_given_up(caplog: pytest.LogCaptureFixture) -> None:
    """A tls:// server that offers none, as somebody in between could make it seem, gets no password."""
    said = list[bytes]()

    async def pretend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"version":"2.9.10","max_payload":1048576,"auth_required":true}\r\n')
        with contextlib.suppress(ConnectionError):
            said.append(await reader.read())
        writer.close()

    async with await asyncio.start_server(pretend, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with relaying(f"tls://ada:secret@127.0.0.1:{port}", connected=False):
            await until(lambda: len(said) > 1)
    assert set(said) == {b""}
    assert [it.message for it in caplog.records] == ["hints are down, retrying: the server offers no TLS"]
