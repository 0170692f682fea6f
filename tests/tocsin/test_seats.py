"""How many sockets and event streams a user may have, and that each gives its seat back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from websockets.exceptions import ConnectionClosed

from tests.conformance.client import EVENTS, Site, Wire, site
from tocsin.settings import Settings

TIGHT = Settings(max_sockets_per_user=2, max_operations_per_socket=3, idle_timeout_seconds=0.3)
FOREVER = "subscription { forever }"


@pytest.fixture(scope="session")
async def tight() -> AsyncIterator[Site]:
    """Serve with two seats for each user."""
    async with site(TIGHT) as running:
        yield running


def as_(user: str) -> dict[str, str]:
    """Return the payload or the headers of a user."""
    return {"Authorization": f"Bearer {user}"}


@asynccontextmanager
async def sitting(site: Site, user: str) -> AsyncIterator[Wire]:
    """Take a seat with a socket that is not idle."""
    async with site.socket(as_(user)) as wire:
        await wire.subscribe("held", FOREVER)
        assert (await wire.hear())["type"] == "next"
        yield wire


@asynccontextmanager
async def streaming(site: Site, user: str) -> AsyncIterator[int]:
    """Take a seat with an event stream; yields the status."""
    body = {"query": FOREVER}
    async with site.client.stream("POST", "/graphql", json=body, headers=EVENTS | as_(user)) as response:
        yield response.status_code


async def refusal(site: Site, user: str) -> tuple[int, str]:
    """Return how a socket for which there is no seat is closed."""
    async with site.socket(init=False) as wire:
        await wire.say(type="connection_init", payload=as_(user))
        return await wire.closed()


async def both_are_free(site: Site, user: str) -> bool:
    """Tell whether two seats, and no third, can be had soon."""
    async with AsyncExitStack() as stack:
        for _ in range(2):
            async with asyncio.timeout(5):
                while await stack.enter_async_context(streaming(site, user)) != 200:
                    pass
        return await refusal(site, user) == (4429, "RATE_LIMITED")


async def test_sockets_and_streams_share_the_seats_of_a_user(tight: Site) -> None:
    """With one of each the next socket is closed with 4429, the next stream is 429; others are not touched."""
    async with sitting(tight, "ada"), streaming(tight, "ada") as status:
        assert status == 200
        assert await refusal(tight, "ada") == (4429, "RATE_LIMITED")
        response = await tight.post(FOREVER, EVENTS | as_("ada"))
        assert (response.status_code, response.headers["content-type"]) == (
            429,
            "application/json; charset=utf-8",
        )
        assert response.json() == {
            "errors": [
                {
                    "message": "At most 2 live connections of a user.",
                    "extensions": {"code": "RATE_LIMITED"},
                }
            ]
        }
        assert (await tight.post("{ serial }", as_("ada"))).status_code == 200
        async with sitting(tight, "grace"), tight.socket(as_("ada") | {"tenantId": "other"}):
            pass
    assert await both_are_free(tight, "ada")


async def goodbye(wire: Wire) -> None:
    """Close as clients do."""
    await wire.socket.close()


async def vanish(wire: Wire) -> None:
    """Go without a word."""
    wire.socket.transport.abort()


async def misbehave(wire: Wire) -> None:
    """Be closed with 4400."""
    await wire.say(type="made up")
    assert (await wire.closed())[0] == 4400


async def introduce_twice(wire: Wire) -> None:
    """Be closed with 4429 by a second connection_init."""
    await wire.say(type="connection_init", payload=as_("bob"))
    assert await wire.closed() == (4429, "Too many initialisation requests")


async def idle(wire: Wire) -> None:
    """Be closed with 4408."""
    await wire.say(type="complete", id="held")
    assert await wire.closed() == (4408, "Idle")


@pytest.mark.parametrize("end", [goodbye, vanish, misbehave, introduce_twice, idle])
async def test_a_socket_gives_its_seat_back(tight: Site, end: Callable[[Wire], Awaitable[None]]) -> None:
    """However it ends."""
    user = end.__name__
    async with sitting(tight, user) as one, sitting(tight, user) as other:
        await asyncio.gather(end(one), end(other))
    assert await both_are_free(tight, user)


async def test_seats_of_expired_tokens_are_free(tight: Site) -> None:
    """Sockets that closed with 4401, and streams that ended, hold none."""
    async with sitting(tight, "eve:1") as wire:
        assert (await tight.events(FOREVER, as_("eve:1")))[1:] == [
            {
                "errors": [
                    {"message": "A valid token is required.", "extensions": {"code": "UNAUTHENTICATED"}}
                ]
            },
            "complete",
        ]
        assert await wire.closed() == (4401, "UNAUTHENTICATED")
    assert await both_are_free(tight, "eve")


async def test_streams_that_never_began_hold_no_seat(tight: Site) -> None:
    """A document that is refused, and one that ends at once, leave none behind."""
    for _ in range(3):
        assert (await tight.events("subscription { refuses }", as_("uma")))[-1] == "complete"
        assert (await tight.post("subscription { nothing }", EVENTS | as_("uma"))).status_code in {200, 400}
    assert await both_are_free(tight, "uma")


async def test_the_operations_of_a_socket(tight: Site) -> None:
    """The fourth operation is refused where the setting says three."""
    async with sitting(tight, "kim") as wire:
        for id in ("second", "third"):
            await wire.subscribe(id, FOREVER)
            assert (await wire.hear())["type"] == "next"
        ((kind, errors),) = await wire.run("{ serial }")
        assert (kind, errors[0]["message"]) == ("error", "At most 3 operations at a time.")


async def test_a_socket_is_idle_only_without_operations(tight: Site) -> None:
    """One that runs is not closed; after the last has ended the time begins anew."""
    clock = asyncio.get_running_loop().time
    async with sitting(tight, "liz") as wire:
        await asyncio.sleep(0.7)
        assert (await wire.run("{ serial }"))[-1][0] == "complete"
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(wire.socket.recv(), 0.5)
        began = clock()
        await wire.say(type="complete", id="held")
        with pytest.raises(ConnectionClosed):
            await wire.hear()
        assert 0.28 < clock() - began < 20


async def test_a_socket_that_never_runs_anything_is_closed(tight: Site) -> None:
    """The time begins with the acknowledgement."""
    async with tight.socket() as wire:
        assert await wire.closed() == (4408, "Idle")
