"""What has survived a full collection is not looked at again, and sockets go without one."""

import asyncio
import gc
from typing import Any
from weakref import ReferenceType, ref

import pytest

import tocsin.garbage
from schema.compiled.executor import CompiledExecutor
from tests.support import Api
from tocsin.garbage import frozen_survivors
from tocsin.protocols import HttpProtocol, WebSocketProtocol
from tocsin.socket import Socket

_KINDS = (Socket, WebSocketProtocol, HttpProtocol, CompiledExecutor)


class _Kept:
    pass


def _is_watched(it: object) -> bool:
    return any(it is other for other in gc.get_objects())


async def test_survivors_are_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full collection that takes long is the last that visits them, until the block ends."""
    kept = _Kept()
    with frozen_survivors():
        monkeypatch.setattr(tocsin.garbage, "SLOW_SECONDS", 60)
        gc.collect()
        await asyncio.sleep(0.01)
        assert _is_watched(kept)
        monkeypatch.setattr(tocsin.garbage, "SLOW_SECONDS", 0)
        gc.collect(1)
        await asyncio.sleep(0.01)
        assert _is_watched(kept)
        gc.collect()
        await asyncio.sleep(0.01)
        assert not _is_watched(kept)
    assert _is_watched(kept)


def _alive() -> list[Any]:
    return [it for it in gc.get_objects() if type(it) in _KINDS]


async def _use(user: Api.User, *, politely: bool) -> list[ReferenceType[Any]]:
    """Use a socket, and return what is there for it, or was left behind, just before it closes."""
    before = _alive()
    async with user.socket() as socket:
        stats = await socket.subscribe("subscription { stats { unread } }")
        await stats.next()
        page = await (await socket.subscribe("{ notifications { eventCursor } }")).next()
        since = page["notifications"]["eventCursor"]
        await user.receive("A build")
        events = await socket.subscribe(
            "subscription($since: String) { inboxEvents(since: $since) { cursor } }", since=since
        )
        await events.next()
        found = [it for it in _alive() if not any(it is other for other in before)]
        assert {*map(type, found)} >= {Socket, WebSocketProtocol, CompiledExecutor}
        if not politely:
            socket.abort()
    return [ref(it) for it in found]


@pytest.mark.parametrize("politely", [True, False])
@pytest.mark.usefixtures("uncollected")
async def test_sockets_are_no_garbage(ada: Api.User, *, politely: bool) -> None:
    """A socket that has closed is gone, whoever closed it: frozen, it could not be collected."""
    found = await _use(ada, politely=politely)
    async with asyncio.timeout(10):
        while any(it() for it in found):  # noqa: ASYNC110  nothing tells of it
            await asyncio.sleep(0.05)
