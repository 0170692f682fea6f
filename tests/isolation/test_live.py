"""Subscriptions with each foreign name and cursor, over the socket, while those who are foreign act."""

import asyncio
from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from resolvers.principal import Role
from tests.isolation.conftest import Worlds
from tests.isolation.probe import ATTACKERS, Attacker, Probe, arguments, call, leaks, probes, shown
from tests.isolation.shape import FIELDS
from tests.isolation.world import World
from tests.rights import RootField
from tests.support import Api, Feed, Socket

LIVE = [field for field in FIELDS if field.type == "Subscription"]
Asked = tuple[Probe, str]


async def _subscribed(socket: Socket, field: RootField, world: World, asked: Sequence[Asked]) -> list[Feed]:
    feeds = []
    for probe, value in asked:
        it = call(field, probe.path, value, arguments(field, world, probe.attacker.user))
        feeds.append(await socket.subscribe(it.document, **it.variables))
    return feeds


async def _until_quiet(feeds: Sequence[Feed], heard: list[list[Any]]) -> None:
    """Note what each is told, until none of them is told anything for a second."""
    quiet = 0
    while quiet < 10:
        await asyncio.sleep(0.1)
        quiet += 1
        for feed, messages in zip(feeds, heard, strict=True):
            while not feed._queue.empty():
                quiet = 0
                message = feed._queue.get_nowait()
                messages.append({name: it for name, it in message.items() if name != "id"})


async def _act(api: Api, world: World, user: str) -> None:
    """Let somebody do in their inbox what others must not hear of."""
    caller = api.user(world.tenant, user, Role.USER)
    await caller.receive(world.canary(user, "inbox", "new"))
    await caller.data("mutation { markAllRead { marked } }")


async def _heard(
    api: Api, field: RootField, world: World, asked: Sequence[Asked], away: World
) -> list[bytes]:
    """Subscribe to all, let others act, and return what each was told."""
    attacker = asked[0][0].attacker
    async with api.user(world.tenant, attacker.user, attacker.role).socket() as socket:
        feeds = await _subscribed(socket, field, world, asked)
        heard: list[list[Any]] = [[] for _feed in feeds]
        await _until_quiet(feeds, heard)
        for other, user in ((away, "ada"), (world, "grace" if attacker.user == "ada" else "ada")):
            await _act(api, other, user)
        await _until_quiet(feeds, heard)
    return [orjson.dumps(messages) for messages in heard]


@pytest.mark.parametrize("attacker", ATTACKERS, ids=str)
@pytest.mark.parametrize("field", LIVE, ids=str)
async def test_what_is_foreign_is_absent(
    field: RootField, attacker: Attacker, api: Api, worlds: Worlds
) -> None:
    """A foreign value's messages are an absent one's, byte for byte; what others do arrives nowhere."""
    home, twin, away = worlds.home, worlds.twin, worlds.away
    mine = [it for it in probes(field, home, away) if it.attacker == attacker]
    for batch in [mine[at : at + 80] for at in range(0, len(mine), 80)]:
        foreign, absent = await asyncio.gather(
            _heard(api, field, home, [(it, it.foreign) for it in batch], away),
            _heard(api, field, twin, [(it, it.absent) for it in batch], away),
        )
        for probe, seen, expected in zip(batch, foreign, absent, strict=True):
            assert leaks(seen, attacker, home, (twin, away), probe.foreign) == set(), probe
            assert shown(seen, home, probe.foreign, worlds.made_at) == shown(
                expected, twin, probe.absent, worlds.made_at
            ), probe
