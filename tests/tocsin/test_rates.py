"""What a caller may ask for in a minute, however he asks and whichever server."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import orjson
import pytest

import tocsin.agents
from live.hub import Hub
from resolvers.agent_key import AgentKey
from resolvers.principal import Role
from tests.conformance.client import EVENTS, NEWER
from tests.live.nats_server import nats_server, shared_or
from tests.live.two_servers import two_servers
from tests.machines import machine
from tests.support import Answer, Api, Urls, running_server, test_settings
from tests.tocsin.test_access import at
from tocsin.rates import Payer, Rates

ONE = "{ __typename }"
PAGES = "{" + " ".join(f"p{i}: notifications(first: 200) {{ totalCount }}" for i in range(20)) + "}"
PRICE = 220
"""What PAGES cost once they are known."""


@pytest.fixture(scope="module")
async def limited(urls: Urls, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    """A server where everybody has 1,300 points, which knows both documents."""
    settings = test_settings(urls, tmp_path_factory.mktemp("limited"), rate_limit=1_300)
    async with running_server(settings) as api:
        for document in (ONE, PAGES):
            await api.user("nowhere", "nobody").data(document)
        yield api


async def exhausted(caller: Api.User, document: str = PAGES) -> int:
    """Ask until it is refused, and return how often it was not."""
    times = 0
    while not (answer := await caller.ask(document)).errors:
        times += 1
    assert answer.codes == ["RATE_LIMITED"]
    return times


@pytest.fixture
def ada(limited: Api, tenant: str) -> Api.User:
    """A user who has spent nothing."""
    return limited.user(tenant, "ada")


async def test_exactly_the_budget_passes(ada: Api.User) -> None:
    """Five of 220 points pass; the sixth is refused with when it will pass, and passes then."""
    assert await exhausted(ada) == 5
    response = await ada.api.http.post(
        "/graphql", json={"query": PAGES}, headers={"Authorization": f"Bearer {ada.token}"}
    )
    assert (response.status_code, response.headers["retry-after"]) == (429, "1")
    assert response.json() == {
        "errors": [
            {
                "message": "You have asked for too much in the last minute.",
                "extensions": {"code": "RATE_LIMITED", "retryAfter": 1},
            }
        ]
    }
    await asyncio.sleep(1)
    assert not (await ada.ask(PAGES)).errors


async def test_refused_is_429_in_either_media_type(ada: Api.User) -> None:
    """As for all that is refused before it is tried."""
    await exhausted(ada)
    headers = {"Authorization": f"Bearer {ada.token}"} | NEWER
    response = await ada.api.http.post("/graphql", json={"query": PAGES}, headers=headers)
    assert response.status_code == 429
    assert response.headers["content-type"].startswith(NEWER["Accept"])


async def test_a_budget_is_of_one_user_in_one_tenant(ada: Api.User, tenant: str) -> None:
    """Another user, the same id in another tenant, and an agent of that id have all of theirs."""
    assert await exhausted(ada) == 5
    others = [
        ada.api.user(tenant, "grace"),
        ada.api.user(f"other-{tenant}", "ada"),
        ada.api.user(tenant, "ada", Role.AGENT),
    ]
    for other in others:
        assert not (await other.ask(ONE)).errors
    assert await exhausted(others[0]) == 5


async def test_a_key_has_a_budget_of_its_own(limited: Api, tenant: str) -> None:
    """An agent pays for what it asks, and its tenant's admin does not."""
    admin = limited.user(tenant, "root", Role.ADMIN)
    agent = await machine(admin)
    notify = "mutation($input: NotifyInput!) { notify(input: $input) { __typename } }"
    to = {"type": "t.t", "title": "", "recipients": [{"id": f"user-{i}"} for i in range(1_000)]}
    first = 5 + len(notify) / 5 + 50
    passed, began = 0, time.monotonic()
    while (await agent.ask(notify, input=to)).codes != ["RATE_LIMITED"]:
        passed += 1
    # More than the budget only as far as it came back meanwhile.
    back = (time.monotonic() - began) * 1_300 / 60
    assert 1 + (1_300 - first) // 55 <= passed <= 1 + (1_300 - first + back) // 55
    assert not (await admin.ask(ONE)).errors


async def test_a_new_document_costs_by_its_length(ada: Api.User) -> None:
    """Whoever sends a new one each time is soon refused, valid or not."""
    comment = "#" * 1_000
    asked = 0
    while not {"RATE_LIMITED"} & set((await ada.ask(f"{{ wrong }}{comment}{uuid4().hex}")).codes):
        asked += 1
    assert asked == 1_300 // (5 + (9 + 1_000 + 32) / 5)


async def test_who_is_nobody_shares_a_budget(limited: Api) -> None:
    """Without a token all are one caller."""
    codes: list[str] = []
    while not codes:
        codes = [code for code in (await limited.post(PAGES)).codes if code != "UNAUTHENTICATED"]
    assert codes == ["RATE_LIMITED"]


async def test_operations_of_a_socket_cost_the_same(ada: Api.User) -> None:
    """A refused one gets an error message; the socket stays and what runs on it goes on."""
    async with ada.socket() as socket:
        badge = await socket.subscribe("subscription { stats { unread } }")
        await badge.next()
        for _ in range(5):
            await (await socket.subscribe(PAGES)).next()
        # The subscription was a new document.
        message = await (await socket.subscribe(PAGES)).message()
        assert (message["type"], message["payload"]) == (
            "error",
            [
                {
                    "message": "You have asked for too much in the last minute.",
                    "extensions": {"code": "RATE_LIMITED", "retryAfter": 2},
                }
            ],
        )
        assert (await ada.ask(PAGES)).codes == ["RATE_LIMITED"]
        await asyncio.sleep(2)
        assert await (await socket.subscribe(PAGES)).next()
        assert await badge.silent(0.1)


async def test_streams_cost_the_same(ada: Api.User) -> None:
    """A stream that cannot be paid for is 429 and no stream."""
    headers = {"Authorization": f"Bearer {ada.token}"} | EVENTS
    statuses = [
        (await ada.api.http.post("/graphql", json={"query": PAGES}, headers=headers)).status_code
        for _ in range(6)
    ]
    assert statuses == [200] * 5 + [429]


@pytest.mark.parametrize("way", ["postgres", "nats"])
async def test_servers_share_what_was_spent(way: str, urls: Urls, tmp_path: Path, tenant: str) -> None:
    """Who spent all at one server process is refused at the other a second later, and nobody else is."""
    with nats_server() as own:
        if way == "nats":
            await own.start()
        hub = {"hub": shared_or(own)} if way == "nats" else {}
        async with two_servers(urls, tmp_path, None, rate_limit="60", **hub) as (one, other):
            ada, grace = one.user(tenant, "ada"), one.user(tenant, "grace")
            for server in (one, other):
                await server.user("nowhere", "nobody").data(ONE)
            assert await exhausted(ada, ONE) in {60, 61}
            await asyncio.sleep(1)
            # A point comes back each second.
            assert await exhausted(at(other, ada), ONE) <= 3
            assert await exhausted(at(other, grace), ONE) in {60, 61}


@pytest.mark.parametrize(
    "note",
    [
        "",
        "{}",
        "[]",
        "[1, 2, 3, 4]",
        '["t", "ada", false]',
        '["t", "ada", false, -5]',
        '["t", "ada", false, "x"]',
        '["t", "ada", false, true]',
        '["t", "ada", false, 1e999]',
        '["t", "ada", false, null]',
        "[" * 5_000,
    ],
)
def test_notes_that_are_none_are_dropped(note: str) -> None:
    """Whoever may send notes could send anything."""
    rates = Rates(60)
    rates.heard(note)
    assert len(rates.budgets) == 0
    rates.heard('["t", "ada", false, 5]')
    assert rates.budgets.spend(Payer("t", "ada", False), 56) == 1


async def test_two_hundred_who_spent_most_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one go, each as a note of its own."""
    told: list[str] = []
    rates = Rates(60)
    for number in range(300):
        rates.budgets.spend(Payer("t", f"u{number}", False), 1 + number / 10)
    monkeypatch.setattr("tocsin.rates.TELL_SECONDS", 0.01)
    task = asyncio.create_task(rates.keep_telling(Hub(tell=told.extend)))
    await asyncio.sleep(0.1)
    task.cancel()
    assert len(told) == 200
    assert orjson.loads(told[0]) == ["t", "u299", False, 30.9]
    assert max(map(len, told)) < 7_000


async def test_forged_keys_are_looked_up_so_often_and_no_more(
    urls: Urls, tmp_path: Path, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then any key that is not known to be good is refused with 429; one that is, and tokens, come in."""
    monkeypatch.setattr(tocsin.agents, "FAILURES_A_MINUTE", 5)
    monkeypatch.setattr(tocsin.agents, "VERIFIED_SECONDS", 0)
    async with running_server(test_settings(urls, tmp_path)) as api:
        admin = api.user(tenant, "root", Role.ADMIN)
        known, fresh = await machine(admin, name="known"), await machine(admin, name="fresh")
        for _ in range(10):
            assert not (await known.ask(ONE)).errors
        forged = [await _forged(api, tenant) for _ in range(7)]
        assert [answer.codes for answer in forged] == [["UNAUTHENTICATED"]] * 5 + [["RATE_LIMITED"]] * 2
        assert [answer.status for answer in forged[-2:]] == [429, 429]
        assert forged[-1].errors[0]["extensions"]["retryAfter"] in {11, 12}
        assert [(await it.ask(ONE)).codes for it in (known, fresh, admin)] == [[], ["RATE_LIMITED"], []]


async def _forged(api: Api, tenant: str) -> Answer:
    return await api.post(ONE, {"Authorization": f"Bearer {AgentKey.mint(tenant).text}"})
