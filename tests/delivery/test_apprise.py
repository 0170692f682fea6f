"""Channels through Apprise, against a real HTTP server."""

import asyncio
import json
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from delivery.apprise import AppriseSender
from delivery.sender import Rejected, Result, Retry, Sent
from tests.delivery.parcels import message, parcel

# A module of the standard library that Apprise loads where there still is one.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

REFUSED = Rejected("This service is not allowed here.")


class Receiver:
    """What was posted to it; answers with a status, after a pause."""

    def __init__(self) -> None:
        self.port = 0
        self.bodies: list[dict[str, str]] = []
        self.status = 200
        self.pause = 0.0

    async def got_one(self) -> None:
        """Wait until something was posted."""
        async with asyncio.timeout(10):
            while not self.bodies:  # noqa: ASYNC110  nothing tells
                await asyncio.sleep(0.01)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one request."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.split("content-length: ")[1].split("\r\n")[0])
        self.bodies.append(json.loads(await reader.readexactly(length)))
        await asyncio.sleep(self.pause)
        writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % self.status)
        writer.close()


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """Run a receiver on a free port."""
    receiver = Receiver()
    server = await asyncio.start_server(receiver.answer, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    yield receiver
    server.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """An HTTP server that takes Apprise's JSON."""
    async with receiving() as receiver:
        yield receiver


async def send(url: str, *services: str) -> Result:
    """Send a parcel to a URL where these services are allowed."""
    return await AppriseSender(services).send(parcel(config={"url": url}))


async def test_sent(receiver: Receiver) -> None:
    """The service gets the title in plain text, and the Markdown with its links."""
    url = f"json://127.0.0.1:{receiver.port}/secret"
    it = parcel(message(url="https://ci.example/42"), config={"url": url})
    assert await AppriseSender(["json"]).send(it) == Sent()
    (body,) = receiver.bodies
    assert body["title"] == "Build 42 failed"
    assert body["message"] == "See the [log](https://ci.example/42).\n\n- <https://ci.example/42>"


async def test_not_taken(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    """A service that answers with an error, or is away, may take it later; nothing of the URL is logged."""
    url = f"json://127.0.0.1:{receiver.port}/secret?retry=3&wait=0"
    receiver.status = 500
    with caplog.at_level(logging.DEBUG):
        assert await send(url, "json") == Retry("The service did not take it.")
        assert await send("json://127.0.0.1:1/secret", "json") == Retry("The service did not take it.")
    assert len(receiver.bodies) == 1
    assert [it for it in caplog.records if it.name == "apprise"] == []


@pytest.mark.parametrize("services", [[], ["ntfys"], ["jsons"], ["json://"]])
async def test_not_allowed(receiver: Receiver, services: list[str]) -> None:
    """A schema that the operator has not listed reaches nothing."""
    assert await send(f"json://127.0.0.1:{receiver.port}/", *services) == REFUSED
    assert receiver.bodies == []


async def test_the_schema_counts_in_any_case(receiver: Receiver) -> None:
    """As Apprise reads it."""
    assert await send(f"JSON://127.0.0.1:{receiver.port}/", "json") == Sent()
    assert await send(f"json://127.0.0.1:{receiver.port}/", "Json") == Sent()


@pytest.mark.parametrize("between", [",", " ", ";", "\n", ", "])
async def test_no_second_url_comes_along(receiver: Receiver, between: str) -> None:
    """What Apprise would take for a list of URLs is one, so that its first schema vouches for no other."""
    async with receiving() as other:
        urls = (f"json://127.0.0.1:{receiver.port}/a", f"form://127.0.0.1:{other.port}/b")
        await send(between.join(urls), "json")
    assert other.bodies == []


@pytest.mark.parametrize("url", ["discord://", "json://", "json"])
async def test_what_apprise_cannot_read(url: str) -> None:
    """A URL of an allowed service that is none is never tried again."""
    refusal = Rejected("The URL is none that Apprise understands.")
    assert await send(url, "discord", "json") == refusal


async def test_cancelled(receiver: Receiver) -> None:
    """It is not waited for: the thread ends by itself, and the next parcel goes out."""
    receiver.pause = 0.5
    url = f"json://127.0.0.1:{receiver.port}/?rto=600"
    sending = asyncio.create_task(send(url, "json"))
    await receiver.got_one()
    sending.cancel()
    await asyncio.wait([sending])
    assert sending.cancelled()
    receiver.pause = 0
    assert await send(url, "json") == Sent()
    assert len(receiver.bodies) == 2


async def test_the_loop_goes_on_meanwhile(receiver: Receiver) -> None:
    """Apprise waits in a thread of its own."""
    receiver.pause = 0.2
    sending = asyncio.create_task(send(f"json://127.0.0.1:{receiver.port}/", "json"))
    await receiver.got_one()
    assert not sending.done()
    assert await sending == Sent()


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """The module is importable, and its sender says what is missing."""
    monkeypatch.setitem(sys.modules, "apprise", None)
    monkeypatch.delitem(sys.modules, "delivery.apprise")
    from delivery.apprise import AppriseSender as Fresh  # noqa: PLC0415

    with pytest.raises(RuntimeError, match=r"^Apprise is not installed\.$"):
        Fresh(["json"])
