"""What would happen, and why: the answer is what the worker does, and asking writes nothing."""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import uuid4

import pytest

import db.inbox
import db.settings
from db.session import Scope
from db.settings import Settings
from db.types import ChannelKind
from resolvers.principal import Role
from tests.resolvers.support import ABSENT, Nobody, Statements, Vault, add_channel, add_preference, change
from tests.support import Api

EXPLAIN = """query($user: ID!, $type: String!, $at: DateTime) {
  explainDelivery(user: $user, type: $type, at: $at) {
    channel { id } outcome at reason decidedBy } }"""
NOTIFY = """mutation($input: NotifyInput!) { notify(input: $input) { notifications } }"""
KNOW = "mutation($of: [RecipientInput!]!) { upsertRecipients(recipients: $of) { id } }"
TYPES = "mutation($of: [NotificationTypeInput!]!) { upsertNotificationTypes(types: $of) { name } }"
NOON, NIGHT = "2026-01-15T12:00:00Z", "2026-01-15T23:10:00Z"


async def explained(caller: Api.User, user: str = "ada", type: str = "build.done", at: Any = NOON) -> Any:
    """Return (channel, outcome, at, reason, layer) of each decision."""
    found = (await caller.data(EXPLAIN, user=user, type=type, at=at))["explainDelivery"]
    return [
        (it["channel"] and it["channel"]["id"], it["outcome"], it["at"], it["reason"], it["decidedBy"])
        for it in found
    ]


def on(channel: object, layer: str | None = "TYPE_DEFAULT") -> tuple[Any, ...]:
    """Return that it is sent because a layer says so."""
    return (channel and str(channel), "SEND", None, "It is switched on.", layer)


def off(channel: object, layer: str) -> tuple[Any, ...]:
    """Return that it is not sent because a layer says so."""
    return (channel and str(channel), "SKIP", None, "It is switched off.", layer)


async def pause(admin: Api.User) -> None:
    """Pause the tenant's notifier."""
    async with admin.api.database.transaction(Scope(admin.tenant, None)) as tx:
        await db.inbox.add_tenant(tx)
        await db.settings.store(tx, Settings(notifier_paused=True))


async def test_the_inbox_and_each_channel(admin: Api.User, agent: Api.User) -> None:
    """First the inbox, then the channels, the oldest first, those that are off too; admins and agents alike."""
    hook = await add_channel(admin)
    mute = await add_channel(admin, enabled=False)
    found = await explained(admin)
    assert found == [on(None), on(hook), (str(mute), "SKIP", None, "The channel is off.", None)]
    assert await explained(agent) == found


async def test_somebody_who_is_not_known(admin: Api.User, vault: Vault) -> None:
    """In a tenant that is new there is the inbox alone; a stranger is one without preferences and address."""
    assert await explained(admin, uuid4().hex) == [on(None)]
    mail = await add_channel(admin, ChannelKind.EMAIL, config={"from": "a@b.c"})
    before = await vault.of(admin.tenant)
    no_address = (str(mail), "SKIP", None, "The recipient has no email address.", None)
    assert await explained(admin, "nobody") == [on(None), no_address]
    assert await vault.of(admin.tenant) == before


async def test_what_was_chosen(admin: Api.User, ada: Api.User) -> None:
    """Preferences decide channel by channel, and the layer is named; another user's have no say."""
    hook, mail = await add_channel(ada), await add_channel(ada, ChannelKind.EMAIL, config={"to": "x@b.c"})
    await add_preference(ada, category="build", channel_kind="EMAIL", enabled=False)
    await add_preference(ada, category="*", channel_kind="IN_APP", enabled=False)
    await add_preference(admin, category="*", enabled=False)
    assert await explained(admin) == [
        off(None, "ALL_CATEGORIES"),
        on(hook),
        off(mail, "CATEGORY_AND_CHANNEL"),
    ]


async def test_the_type_is_asked(admin: Api.User, ada: Api.User) -> None:
    """Its category, its default and whether it is required; one that is not known has its default category."""
    await add_preference(ada, category="ops", enabled=False)
    types: list[dict[str, Any]] = [
        {"name": "build.done", "category": "ops"},
        {"name": "build.quiet", "enabledByDefault": False},
        {"name": "build.must", "category": "ops", "required": True},
    ]
    await change(admin, TYPES, of=types)
    expected = {
        "build.done": off(None, "CATEGORY"),
        "build.quiet": off(None, "TYPE_DEFAULT"),
        "build.must": on(None, "REQUIRED_TYPE"),
        "ops.unheard-of": off(None, "CATEGORY"),
        "unheard-of": on(None),
    }
    assert {type: (await explained(admin, type=type))[0] for type in expected} == expected


async def test_quiet_hours(admin: Api.User, ada: Api.User) -> None:
    """At night it waits for the morning of the recipient's zone; the inbox does not, nor the day."""
    hook = await add_channel(admin)
    await change(admin, KNOW, of=[{"id": "ada", "timezone": "Europe/Paris"}])
    await add_preference(
        ada, category="*", quiet_start=time.fromisoformat("22:00"), quiet_end=time.fromisoformat("07:00")
    )
    waits = (str(hook), "DEFER", "2026-01-16T06:00:00.000Z", "Quiet hours.", "TYPE_DEFAULT")
    assert await explained(admin, at=NIGHT) == [on(None), waits]
    assert await explained(admin, at=NOON) == [on(None), on(hook)]


async def test_a_digest(admin: Api.User, ada: Api.User) -> None:
    """Mail waits for the digest; other kinds of channel do not."""
    mail = await add_channel(admin, ChannelKind.EMAIL, config={"to": "x@b.c"})
    hook = await add_channel(admin)
    await add_preference(
        ada, category="*", digest="DAILY", digest_at=time.fromisoformat("09:30"), timezone="Asia/Kolkata"
    )
    waits = (str(mail), "DEFER", "2026-01-16T04:00:00.000Z", "It waits for a digest.", "TYPE_DEFAULT")
    assert await explained(admin, at=NOON) == [on(None), waits, on(hook)]


async def test_a_pause(admin: Api.User) -> None:
    """While the tenant is paused channels wait without an end, and the inbox does not."""
    hook = await add_channel(admin)
    await pause(admin)
    waits = (str(hook), "DEFER", None, "The tenant has paused its notifier.", "TYPE_DEFAULT")
    assert await explained(admin) == [on(None), waits]


async def test_without_a_moment_it_is_now(admin: Api.User, ada: Api.User) -> None:
    """The next digest of each hour is the next one from the database's now."""
    await add_channel(admin, ChannelKind.EMAIL, config={"to": "x@b.c"})
    await add_preference(ada, category="*", digest="HOURLY")
    before = datetime.now(UTC)
    ((_, outcome, at, _, _),) = (await explained(admin, at=None))[1:]
    full = [
        (it + timedelta(hours=1)).replace(minute=0, second=0, microsecond=0)
        for it in (before, datetime.now(UTC))
    ]
    assert outcome == "DEFER"
    assert datetime.fromisoformat(at) in full


async def test_what_is_explained_is_what_notify_stores(admin: Api.User, ada: Api.User, vault: Vault) -> None:
    """The same channels are sent to, deferred and left out, for the same reasons and until the same moment."""
    ways = [
        await add_channel(admin),
        await add_channel(admin, ChannelKind.EMAIL, config={"to": "x@b.c"}),
        await add_channel(admin, ChannelKind.SLACK),
        await add_channel(admin, ChannelKind.EMAIL, config={"from": "a@b.c"}),
    ]
    await add_preference(ada, category="*", digest="DAILY", digest_at=time.fromisoformat("09:30"))
    await add_preference(ada, category="build", channel_kind="SLACK", enabled=False)
    said = {"type": "build.done", "title": "A build", "recipients": [{"id": "ada"}]}
    await change(admin, NOTIFY, input=said)
    statuses = {"SEND": "PENDING", "DEFER": "DEFERRED", "SKIP": "SUPPRESSED"}
    promised = {
        channel: (statuses[outcome], at, None if outcome == "SEND" else reason)
        for channel, outcome, at, reason, _layer in (await explained(admin, at=None))[1:]
    }
    query = "select tenant_id, channel_id, status, next_attempt_at, reason from tocsin.delivery"
    stored = {
        str(row["channel_id"]): (
            row["status"],
            row["next_attempt_at"] and row["next_attempt_at"].strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            row["reason"],
        )
        for row in await vault.fetch(query, admin.tenant)
    }
    assert stored == promised
    assert stored.keys() == {str(way) for way in ways}


async def test_it_reads_each_thing_once(admin: Api.User, ada: Api.User, statements: Statements) -> None:
    """With one channel and no preference or with ten and twenty: five statements."""
    counts = []
    for more in (0, 20):
        for number in range(more):
            await add_preference(ada, category=f"category-{number}", enabled=False)
            await add_channel(admin)
        statements.of(admin.tenant)
        await admin.data(EXPLAIN, user="ada", type="build.done")
        counts.append(len(statements.of(admin.tenant)))
    assert counts == [5, 5]


# -- what is refused ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        ({"user": ""}, ["user"]),
        ({"user": "x" * 256, "type": ""}, ["user", "type"]),
        ({"type": "x" * 256}, ["type"]),
        ({"at": "1969-12-31T23:59:59Z"}, ["at"]),
        ({"at": "9999-12-31T23:59:59Z"}, ["at"]),
    ],
)
async def test_what_cannot_be(admin: Api.User, given: dict[str, Any], fields: Sequence[str]) -> None:
    """A user, a type or a moment that cannot be is named."""
    error = await admin.refusal(EXPLAIN, **{"user": "ada", "type": "build.done", **given})
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert [it["field"] for it in error["extensions"]["fields"]] == fields


@pytest.mark.parametrize("at", ["1970-01-01T00:00:00Z", "2199-12-31T23:59:59Z"])
async def test_the_first_and_the_last_moment(admin: Api.User, ada: Api.User, at: str) -> None:
    """Between them nothing overflows, in any zone."""
    await add_channel(admin, ChannelKind.EMAIL, config={"to": "x@b.c"})
    await add_preference(ada, category="*", digest="DAILY", timezone="Pacific/Kiritimati")
    assert (await explained(admin, at=at))[1][1] == "DEFER"


async def test_an_agents_own_types(api: Api, admin: Api.User) -> None:
    """An agent that may send one type may ask about that one, and no other, known or not."""
    key = (await change(admin, 'mutation { createAgent(name: "ci", types: ["build.done"]) { key } }'))["key"]
    ci = api.User(api, admin.tenant, "ci", key)
    assert await explained(ci) == [on(None)]
    for type in ("build.other", "unheard-of"):
        assert (await ci.refusal(EXPLAIN, user="ada", type=type))["extensions"] == {"code": "FORBIDDEN"}


# -- who may -----------------------------------------------------------------------------------------------


async def test_users_may_not(ada: Api.User, nobody: Nobody) -> None:
    """Not even about themselves; nobody is UNAUTHENTICATED. Neither learns what else is wrong."""
    for user in ("ada", "grace", ""):
        assert (await ada.refusal(EXPLAIN, user=user, type=""))["extensions"] == {"code": "FORBIDDEN"}
        assert (await nobody.ask(EXPLAIN, user=user, type="")).codes == ["UNAUTHENTICATED"]


async def test_a_foreign_user_is_an_absent_one(
    api: Api, ada: Api.User, stranger: Api.User, rival: Api.User
) -> None:
    """Whatever a namesake elsewhere chose, and whatever channels are there, the answer is the same."""
    own = await add_channel(rival)
    before = (await rival.ask(EXPLAIN, user="ada", type="build.done", at=NOON)).content
    await add_channel(ada)
    await add_preference(ada, category="*", enabled=False)
    await change(
        api.user(ada.tenant, "root", Role.ADMIN), TYPES, of=[{"name": "build.done", "category": "ops"}]
    )
    assert (await rival.ask(EXPLAIN, user="ada", type="build.done", at=NOON)).content == before
    assert (await rival.ask(EXPLAIN, user=ABSENT, type="build.done", at=NOON)).content == before
    await add_preference(stranger, category="*", enabled=False)
    assert await explained(rival) == [off(None, "ALL_CATEGORIES"), off(own, "ALL_CATEGORIES")]
