"""Delivery channels and what left by them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from db.types import ChannelKind
from tests.resolvers.support import (
    ABSENT,
    DELETE,
    add_attempts,
    add_channel,
    add_deliveries,
    change,
    forged,
)
from tests.support import Api

LIST = """query($first: Int, $after: String, $kind: ChannelKind) {
  channels(first: $first, after: $after, kind: $kind) {
    nodes { id name } edges { cursor node { id } } totalCount
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}"""
GET = "query($id: ID!) { channel(id: $id) { id kind name enabled config categories createdAt updatedAt } }"
LAST = "query($id: ID!) { channel(id: $id) { lastDelivery { id status notification { id } } } }"


async def page(user: Api.User, **arguments: Any) -> Any:
    """Return a page of channels."""
    return (await user.data(LIST, **arguments))["channels"]


async def test_every_field(ada: Api.User) -> None:
    """A channel comes back as it was stored."""
    id = str(await add_channel(ada, ChannelKind.EMAIL, "Mail", {"from": "a@b.c"}, enabled=False))
    found = (await ada.data(GET, id=id))["channel"]
    assert found.pop("createdAt") == found.pop("updatedAt")
    assert found == {
        "id": id,
        "kind": "EMAIL",
        "name": "Mail",
        "enabled": False,
        "config": {"from": "a@b.c"},
        "categories": [],
    }


@pytest.mark.parametrize(
    ("kind", "config", "shown"),
    [
        (
            ChannelKind.WEBHOOK,
            {"url": "https://e.x/hook", "secret": "s3cret"},
            {"url": "https://e.x/hook", "secret": "••••••••"},
        ),
        (
            ChannelKind.SLACK,
            {"url": "https://hooks.slack/s3cret", "to": "#ops"},
            {"url": "••••••••", "to": "#ops"},
        ),
        (ChannelKind.APPRISE, {"url": "discord://s3cret"}, {"url": "••••••••"}),
        (ChannelKind.IN_APP, {}, {}),
    ],
)
async def test_secrets_are_redacted(
    ada: Api.User, admin: Api.User, agent: Api.User, kind: ChannelKind, config: dict[str, Any], shown: Any
) -> None:
    """Secrets come back redacted, to admins too, alone and in a list; the rest of the config is shown."""
    id = str(await add_channel(ada, kind, "C", config))
    for user in (ada, admin, agent):
        answer = await user.ask(
            "query($id: ID!) { channel(id: $id) { config } channels { nodes { config } } }", id=id
        )
        assert answer.data == {"channel": {"config": shown}, "channels": {"nodes": [{"config": shown}]}}
        assert b"s3cret" not in answer.content


async def test_oldest_first_page_by_page(ada: Api.User) -> None:
    """A walk gives each channel once, oldest first, and counts them all on each page."""
    ids = [str(await add_channel(ada, name=str(number))) for number in range(5)]
    seen: list[str] = []
    after, more = None, True
    while more:
        found = await page(ada, first=2, after=after)
        assert found["totalCount"] == 5
        assert found["pageInfo"]["hasPreviousPage"] == bool(seen)
        assert [edge["node"]["id"] for edge in found["edges"]] == [node["id"] for node in found["nodes"]]
        assert found["pageInfo"]["startCursor"] == found["edges"][0]["cursor"]
        seen += [node["id"] for node in found["nodes"]]
        after, more = found["pageInfo"]["endCursor"], found["pageInfo"]["hasNextPage"]
    assert seen == ids


async def test_by_kind(ada: Api.User) -> None:
    """A kind narrows the list and its total; null means any."""
    mail = str(await add_channel(ada, ChannelKind.EMAIL))
    hook = str(await add_channel(ada, ChannelKind.WEBHOOK))
    for kind, expected in ((None, [mail, hook]), ("EMAIL", [mail]), ("WEBHOOK", [hook]), ("SLACK", [])):
        found = await page(ada, kind=kind)
        assert [node["id"] for node in found["nodes"]] == expected
        assert found["totalCount"] == len(expected)


@pytest.mark.parametrize("first", [0, -1, 201])
async def test_sizes_out_of_range(ada: Api.User, first: int) -> None:
    """A page of channels has 1 to 200."""
    error = await ada.refusal(LIST, first=first)
    assert error["extensions"] == {"code": "LIMIT_OUT_OF_RANGE", "argument": "first", "min": 1, "max": 200}


@pytest.mark.parametrize("after", ["", "x", forged(1, 2)])
async def test_a_malformed_cursor(ada: Api.User, after: str) -> None:
    """Whatever is not a cursor of a list is INVALID_CURSOR."""
    assert (await ada.refusal(LIST, after=after))["extensions"] == {"code": "INVALID_CURSOR"}


@pytest.mark.parametrize("id", [ABSENT, "", "nonsense", "x" * 10_000])
async def test_an_absent_channel(ada: Api.User, id: str) -> None:
    """Whatever no channel has for an id is NOT_FOUND."""
    assert (await ada.refusal(GET, id=id))["extensions"] == {"code": "NOT_FOUND"}


async def test_the_last_delivery_is_for_admins(ada: Api.User, admin: Api.User, agent: Api.User) -> None:
    """An admin sees a channel's newest delivery, but not another user's notification; others see none."""
    channel = await add_channel(ada)
    (mine,) = await admin.receive("mine")
    (theirs,) = await ada.receive("theirs")
    await add_deliveries(ada, [(mine, channel)])
    (last,) = await add_deliveries(ada, [(theirs, channel)], status="FAILED", reason="410")
    found = (await admin.data(LAST, id=str(channel)))["channel"]["lastDelivery"]
    assert found == {"id": str(last), "status": "FAILED", "notification": None}
    (newest,) = await add_deliveries(ada, [(mine, channel)])
    found = (await admin.data(LAST, id=str(channel)))["channel"]["lastDelivery"]
    assert found == {"id": str(newest), "status": "SENT", "notification": {"id": mine}}
    for user in (ada, agent):
        assert (await user.data(LAST, id=str(channel)))["channel"] == {"lastDelivery": None}


async def test_a_channel_by_which_nothing_left(ada: Api.User, admin: Api.User) -> None:
    """Without deliveries there is no last one."""
    channel = await add_channel(ada)
    assert (await admin.data(LAST, id=str(channel)))["channel"] == {"lastDelivery": None}


async def test_every_field_of_a_delivery(ada: Api.User) -> None:
    """A delivery shows its channel, its attempts in order, and where it stands."""
    channel = await add_channel(ada)
    (id,) = await ada.receive("a")
    again = datetime(2030, 1, 1, tzinfo=UTC)
    (delivery,) = await add_deliveries(
        ada, [(id, channel)], status="PENDING", reason="503", next_attempt_at=again
    )
    await add_attempts(ada, [delivery], 2, status_code=None, error="timeout")
    await add_attempts(ada, [delivery], 1, status_code=503, error="unavailable")
    found = await ada.data(
        """query($id: ID!) { notification(id: $id) { deliveries { id status reason nextAttemptAt createdAt
        notification { id title } channel { id name }
        attempts { number at durationMs statusCode error } } } }""",
        id=id,
    )
    (it,) = found["notification"]["deliveries"]
    attempts = it.pop("attempts")
    assert it.pop("createdAt") is not None
    assert all(attempt.pop("at") for attempt in attempts)
    assert it == {
        "id": str(delivery),
        "status": "PENDING",
        "reason": "503",
        "nextAttemptAt": "2030-01-01T00:00:00.000Z",
        "notification": {"id": id, "title": "a"},
        "channel": {"id": str(channel), "name": "A channel"},
    }
    assert attempts == [
        {"number": 1, "durationMs": 12, "statusCode": 503, "error": "unavailable"},
        {"number": 2, "durationMs": 12, "statusCode": None, "error": "timeout"},
    ]


async def test_a_delivery_outlives_its_channel_and_its_notification(ada: Api.User, admin: Api.User) -> None:
    """A delivery whose channel is gone has none; one whose notification is deleted shows none."""
    gone = await add_channel(ada)
    (id,) = await admin.receive("a")
    await add_deliveries(ada, [(id, gone)])
    await admin.data("mutation($id: ID!) { deleteChannel(id: $id) }", id=str(gone))
    found = await admin.data(
        "{ notifications { nodes { deliveries { channel { id } attempts { number } } } } }"
    )
    assert found["notifications"]["nodes"] == [{"deliveries": [{"channel": None, "attempts": []}]}]
    channel = await add_channel(ada)
    await add_deliveries(ada, [(id, channel)])
    await change(admin, DELETE, id)
    found = await admin.data(
        "query($id: ID!) { channel(id: $id) { lastDelivery { notification { id } } } }", id=str(channel)
    )
    assert found["channel"] == {"lastDelivery": {"notification": None}}
