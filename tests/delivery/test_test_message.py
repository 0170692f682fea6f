"""Tests of channels on their way out: a worker sends them to a real receiver, whatever stands in the way."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from resolvers.principal import Role
from tests.delivery.receiver import OK, Receiver, answer, receiving
from tests.support import Api, Urls, running_server, test_settings
from tocsin.worker import working

CREATE = "mutation($input: ChannelInput!) { createChannel(input: $input) { secret channel { id } } }"
TEST = "mutation($id: ID!) { testChannel(id: $id) { id status } }"
TEST_ALL = "mutation { sendTestNotification { id status } }"
ROTATE = "mutation($id: ID!) { rotateChannelSecret(id: $id) { secret } }"
RETRY = "mutation($id: ID!) { retryDelivery(id: $id) { status } }"
SWITCH_ON = "mutation($id: ID!) { updateChannel(id: $id, input: {enabled: true}) { channel { id } } }"
LAST = """query($id: ID!) { channel(id: $id) { lastDelivery {
  id status reason nextAttemptAt attempts { number statusCode error } } } }"""
QUIET = """mutation { updatePreferences(preferences: [
  {category: "*", enabled: false, quietStart: "00:00", quietEnd: "23:59", timezone: "UTC"}]) { id } }"""
PAUSE = "mutation { updateSettings(input: {notifierPaused: true}) { changed } }"
NOTIFY = """mutation { notify(input: {recipients: [{id: "root"}], type: "build.done", title: "A build"}) {
  created } }"""


@pytest.fixture
async def root(own_urls: Urls, tmp_path: Path) -> AsyncIterator[Api.User]:
    """An admin of a server with a worker, in a database of the test's own."""
    settings = test_settings(own_urls, tmp_path, allow_private_webhooks=True)
    async with running_server(settings) as api, working(settings, login_too=True):
        yield api.user("acme", "root", Role.ADMIN)


async def channel(root: Api.User, receiver: Receiver, *, enabled: bool = True) -> tuple[str, str]:
    """Make a webhook that leads to a receiver; return its id and its secret."""
    url = f"http://{receiver.host}:{receiver.port}/hook"
    input = {"kind": "WEBHOOK", "name": "Ops", "config": {"url": url}, "enabled": enabled}
    payload = (await root.data(CREATE, input=input))["createChannel"]
    return payload["channel"]["id"], payload["secret"]


async def reached(root: Api.User, id: str, *statuses: str, attempts: int) -> Any:
    """Return a channel's last delivery when it has come so far."""
    async with asyncio.timeout(10):
        while True:
            last = (await root.data(LAST, id=id))["channel"]["lastDelivery"]
            if last["status"] in statuses and len(last["attempts"]) >= attempts:
                return last
            await asyncio.sleep(0.05)


async def settled(root: Api.User, id: str) -> Any:
    """Return a channel's last delivery when it is over."""
    return await reached(root, id, "SENT", "FAILED", "SUPPRESSED", "CANCELLED", attempts=0)


async def test_a_test_arrives_whatever_stands_in_the_way(root: Api.User) -> None:
    """Switched off, paused, quiet and not wanted: it is sent, and the channel's last delivery says so."""
    await root.data(QUIET)
    await root.data(PAUSE)
    async with receiving(OK) as receiver:
        id, secret = await channel(root, receiver, enabled=False)
        sent = (await root.data(TEST, id=id))["testChannel"]
        assert sent["status"] == "PENDING"
        last = await settled(root, id)
    assert last == {
        "id": sent["id"],
        "status": "SENT",
        "reason": None,
        "nextAttemptAt": None,
        "attempts": [{"number": 1, "statusCode": 200, "error": None}],
    }
    (request,) = receiver.requests
    assert request.fields["webhook-id"] == sent["id"]
    Webhook(secret).verify(request.body, request.fields)
    assert "Test from Tocsin" in json.dumps(json.loads(request.body))


async def test_a_test_is_tried_once(root: Api.User) -> None:
    """What any other delivery would try again is the answer here."""
    async with receiving(answer("503 Service Unavailable")) as receiver:
        id, _ = await channel(root, receiver)
        await root.data(TEST, id=id)
        last = await settled(root, id)
        assert len(receiver.requests) == 1
    assert (last["status"], last["nextAttemptAt"]) == ("FAILED", None)
    assert [(it["number"], it["statusCode"]) for it in last["attempts"]] == [(1, 503)]


async def test_a_test_notification_reaches_every_channel(root: Api.User) -> None:
    """One webhook gets it, the other answers badly, the third is off: each delivery says how it went."""
    async with receiving(OK) as good, receiving(answer("410 Gone")) as bad, receiving(OK) as mute:
        ids = [(await channel(root, it, enabled=it is not mute))[0] for it in (good, bad, mute)]
        assert len((await root.data(TEST_ALL))["sendTestNotification"]) == 2
        found = [(await settled(root, id))["status"] for id in ids[:2]]
        assert (await root.data(LAST, id=ids[2]))["channel"]["lastDelivery"] is None
    assert found == ["SENT", "FAILED"]
    assert [len(it.requests) for it in (good, bad, mute)] == [1, 1, 0]
    rows = (await root.data("{ notifications { nodes { title deliveries { status } } } }"))["notifications"]
    (row,) = rows["nodes"]
    assert row["title"] == "Test from Tocsin"
    assert sorted(it["status"] for it in row["deliveries"]) == ["FAILED", "SENT"]


async def test_after_a_rotation_both_secrets_verify(root: Api.User) -> None:
    """A receiver that knows the old secret and one that knows the new both believe it; an older one does not."""
    async with receiving(OK) as receiver:
        id, first = await channel(root, receiver)
        rotated = [(await root.data(ROTATE, id=id))["rotateChannelSecret"]["secret"] for _ in range(2)]
        await root.data(TEST, id=id)
        await settled(root, id)
    (request,) = receiver.requests
    assert len(request.fields["webhook-signature"].split()) == 2
    for secret in rotated:
        Webhook(secret).verify(request.body, request.fields)
    with pytest.raises(Exception, match="No matching signature found"):
        Webhook(first).verify(request.body, request.fields)


async def test_what_failed_for_good_is_sent_again(root: Api.User) -> None:
    """Gone, it is FAILED and the channel off; switched on again it is sent, and both attempts stay."""
    async with receiving(answer("410 Gone"), OK) as receiver:
        id, _ = await channel(root, receiver)
        await root.data(NOTIFY)
        failed = await settled(root, id)
        assert failed["status"] == "FAILED"
        await root.data(SWITCH_ON, id=id)
        assert (await root.data(RETRY, id=failed["id"]))["retryDelivery"]["status"] == "PENDING"
        sent = await settled(root, id)
    assert (sent["id"], sent["status"], sent["reason"]) == (failed["id"], "SENT", None)
    assert [(it["number"], it["statusCode"]) for it in sent["attempts"]] == [(1, 410), (2, 200)]


async def test_what_waits_for_its_next_attempt_is_sent_now(root: Api.User) -> None:
    """After a 503 the next attempt is seconds away; retryDelivery has it made at once."""
    async with receiving(answer("503 Service Unavailable", "Retry-After: 3600"), OK) as receiver:
        id, _ = await channel(root, receiver)
        await root.data(NOTIFY)
        last = await reached(root, id, "PENDING", attempts=1)
        await root.data(RETRY, id=last["id"])
        sent = await settled(root, id)
    assert (sent["status"], len(receiver.requests)) == ("SENT", 2)
