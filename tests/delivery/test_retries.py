"""Attempts by the clock: what real receivers answer, and when the next attempt is."""

import random
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from db.types import ChannelKind
from delivery.http import HttpClient
from delivery.retry import DELAYS
from delivery.webhook import WebhookSender
from tests.delivery.receiver import Authority, answer, receiving
from tests.delivery.shop import QUICK, Shop, Tenant

GIVE_UP = len(DELAYS) + 1
_SLACK = 5.0  # seconds that pass between settling and looking, on a busy machine
Attempts = list[tuple[int, int | None, str | None]]


@pytest.fixture(params=[0.0, 0.5], ids=["no jitter", "half of it"])
def chance(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> float:
    """Pin the jitter."""
    monkeypatch.setattr(random, "random", lambda: request.param)
    return float(request.param)


async def _attempts(tenant: Tenant) -> Attempts:
    return [
        tuple(it) for it in await tenant.eye.rows("number, status_code, error", "attempt", tenant.id, "1")
    ]


async def _rounds(shop: Shop, tenant: Tenant, sender: WebhookSender, seconds: list[float]) -> None:
    """Work, and let the time pass until the next attempt; check how long that is, each time."""
    async with shop.working({ChannelKind.WEBHOOK: sender}, replace(QUICK, timeout_seconds=0.3)):
        for number, wanted in enumerate(seconds):
            await tenant.settled()
            (row,) = await tenant.log()
            assert (row["status"], row["strikes"]) == ("PENDING", number + 1)
            assert wanted - _SLACK < row["seconds"] <= wanted
            await tenant.hurry()
        await tenant.settled()


async def test_500_again_and_again(shop: Shop, chance: float) -> None:
    """Ten attempts by the schedule, and then it fails for good."""
    tenant = shop.tenant()
    async with receiving(answer("500 Oops")) as peer, HttpClient(allow_private=True) as client:
        await tenant.channel(url=f"http://127.0.0.1:{peer.port}/")
        await tenant.notify("ada")
        await _rounds(shop, tenant, WebhookSender(client), [it * (1 + chance / 10) for it in DELAYS])
    said = "The receiver answered 500 Internal Server Error."
    assert await tenant.states() == [("FAILED", said)]
    assert await _attempts(tenant) == [(it + 1, 500, said) for it in range(GIVE_UP)]
    assert (len(peer.requests), await tenant.due()) == (GIVE_UP, 0)
    assert len({it.fields["webhook-id"] for it in peer.requests}) == 1


async def test_429_with_retry_after(shop: Shop, chance: float) -> None:
    """The receiver is left alone for as long as it asks."""
    tenant = shop.tenant()
    answers = [
        answer("429 Slow", "Retry-After: 600"),
        answer("503 Busy", "Retry-After: 1"),
        answer("204 Fine"),
    ]
    async with receiving(*answers) as peer, HttpClient(allow_private=True) as client:
        await tenant.channel(url=f"http://127.0.0.1:{peer.port}/")
        await tenant.notify("ada")
        await _rounds(
            shop, tenant, WebhookSender(client), [it * (1 + chance / 10) for it in (600, DELAYS[1])]
        )
    assert await tenant.states() == [("SENT", None)]
    assert [it[1] for it in await _attempts(tenant)] == [429, 503, 204]


async def test_410_switches_the_channel_off(shop: Shop) -> None:
    """Gone is gone: one attempt, and nothing leaves by this channel any more."""
    tenant = shop.tenant()
    async with receiving(answer("410 Gone")) as peer, HttpClient(allow_private=True) as client:
        await tenant.channel(url=f"http://127.0.0.1:{peer.port}/")
        await tenant.notify("ada")
        await _rounds(shop, tenant, WebhookSender(client), [])
        await tenant.notify("bob")
    assert await tenant.states() == [("FAILED", "The receiver answered 410 Gone.")]
    assert await shop.eye.rows("enabled", "channel", tenant.id, "1") == [(False,)]
    assert len(peer.requests) == 1


@asynccontextmanager
async def _redirecting(_authority: Authority) -> AsyncIterator[str]:
    async with receiving(answer("302 There", "Location: http://127.0.0.1:1/")) as peer:
        yield f"http://127.0.0.1:{peer.port}/"


@asynccontextmanager
async def _silent(_authority: Authority) -> AsyncIterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"


@asynccontextmanager
async def _refusing(_authority: Authority) -> AsyncIterator[str]:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{unheard.getsockname()[1]}/"


@asynccontextmanager
async def _expired(authority: Authority) -> AsyncIterator[str]:
    tls = authority.server("localhost", lasts=timedelta(days=-1))
    async with receiving(answer("200 OK"), tls=tls) as peer:
        yield f"https://localhost:{peer.port}/"


@pytest.mark.parametrize(
    ("peer", "code", "error"),
    [
        (_redirecting, 302, "The receiver answered 302 Found."),
        (_silent, None, "The receiver did not answer in time."),
        (_refusing, None, "The connection was refused."),
        (_expired, None, "TLS failed: the certificate is not valid."),
    ],
)
async def test_what_may_pass(
    shop: Shop,
    authority: Authority,
    chance: float,
    peer: Callable[[Authority], AbstractAsyncContextManager[str]],
    code: int | None,
    error: str,
) -> None:
    """It is tried again by the schedule, and the log says what it was in words of ours."""
    tenant = shop.tenant()
    async with peer(authority) as url, HttpClient(allow_private=True, tls=authority.trusted()) as client:
        await tenant.channel(url=url)
        await tenant.notify("ada")
        delays = [it * (1 + chance / 10) for it in DELAYS[:2]]
        await _rounds(shop, tenant, WebhookSender(client), delays)
    assert await _attempts(tenant) == [(it + 1, code, error) for it in range(3)]
    assert await tenant.states() == [("PENDING", error)]
