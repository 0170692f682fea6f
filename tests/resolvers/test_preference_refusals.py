"""What updatePreferences refuses, all or nothing, and what it says of each field."""

import random
from typing import Any
from uuid import uuid4

import pytest

import db.inbox
import db.preference
from db.session import Scope
from resolvers.errors import TocsinError
from resolvers.preference_change import Change, to_store
from tests.resolvers.preferences import TEST, UPDATE, add_template, fields_refused, picked, stored, update
from tests.support import Api


async def test_every_wrong_field_is_named(ada: Api.User) -> None:
    """All that is wrong comes back at once, and nothing of the call is stored."""
    assert await fields_refused(
        ada,
        {"category": "fine", "enabled": True},
        {"enabled": True},
        {"category": "billing", "template": TEST},
        {"category": "", "projectId": "p" * 256, "environmentId": ""},
        {"category": "c" * 256, "quietStart": "22:00"},
        {"category": "billing", "quietEnd": "22:00"},
        {"category": "build", "quietStart": "22:00", "quietEnd": "22:00"},
        {"template": "no such"},
        {"category": "fine", "channelKind": None},
    ) == [
        ("preferences.8", "is the same preference as preferences.0."),
        ("preferences.1.category", "is needed, or template."),
        ("preferences.2.template", "goes without category."),
        ("preferences.3.category", "is empty."),
        ("preferences.3.projectId", "is longer than 255 characters."),
        ("preferences.3.environmentId", "is empty."),
        ("preferences.4.category", "is longer than 255 characters."),
        ("preferences.4.quietEnd", "is needed: quiet hours have both ends."),
        ("preferences.5.quietStart", "is needed: quiet hours have both ends."),
        ("preferences.6.quietEnd", "equals quietStart."),
        ("preferences.7.template", "does not exist."),
    ]


async def test_quiet_hours_are_judged_as_they_would_be(ada: Api.User) -> None:
    """What counts is the row after the merge: an end may move, but not go alone or meet the other."""
    await update(ada, {"category": "billing", "quietStart": "22:00", "quietEnd": "07:00"})
    for wrong, field in (
        ({"quietStart": None}, "quietStart"),
        ({"quietEnd": None}, "quietEnd"),
        ({"quietEnd": "22:00"}, "quietEnd"),
        ({"quietStart": "07:00"}, "quietEnd"),
    ):
        ((named, _detail),) = await fields_refused(ada, {"category": "billing", **wrong})
        assert named == f"preferences.0.{field}"
    rows = await update(ada, {"category": "billing", "quietEnd": "08:00"})
    assert picked(rows, "quietStart", "quietEnd") == [("22:00", "08:00")]


@pytest.mark.parametrize("kind", ["IN_APP", "SLACK", "WEBHOOK", "APPRISE"])
async def test_a_digest_is_of_mail(ada: Api.User, kind: str) -> None:
    """A row about another kind of channel cannot say anything of it, not even IMMEDIATE."""
    for digest in ("IMMEDIATE", "HOURLY", "DAILY"):
        given = {"category": "billing", "channelKind": kind, "digest": digest}
        assert await fields_refused(ada, given) == [
            ("preferences.0.digest", "is for EMAIL: channelKind is neither that nor null.")
        ]


async def test_a_time_of_day_is_for_daily_digests(ada: Api.User) -> None:
    """What counts is the row after the merge: who leaves DAILY clears the time too."""
    refused = [("preferences.0.digestAt", "goes with digest DAILY only.")]
    for digest in (None, "IMMEDIATE", "HOURLY"):
        wrong = {"category": "billing", "digest": digest, "digestAt": "08:00"}
        assert await fields_refused(ada, wrong) == refused
    assert await fields_refused(ada, {"category": "billing", "digestAt": "08:00"}) == refused
    await update(ada, {"category": "billing", "digest": "DAILY", "digestAt": "08:00"})
    for digest in ("HOURLY", None):
        assert await fields_refused(ada, {"category": "billing", "digest": digest}) == refused
    rows = await update(ada, {"category": "billing", "digest": "HOURLY", "digestAt": None})
    assert picked(rows, "digest", "digestAt") == [("HOURLY", None)]


async def test_the_same_template_spelled_twice(ada: Api.User) -> None:
    """A template's id is the same in capitals."""
    assert await fields_refused(ada, {"template": TEST}, {"template": TEST.upper()}) == [
        ("preferences.1", "is the same preference as preferences.0.")
    ]


def test_what_postgres_cannot_hold() -> None:
    """NUL and lone surrogates never reach the database, though the edge would stop them before."""
    with pytest.raises(TocsinError) as caught:
        to_store([Change(category="\x00"), Change(category="c", project_id="\ud800")], {}, set())
    detail = "contains characters that cannot be stored."
    assert caught.value.extensions["fields"] == [
        {"field": "preferences.0.category", "detail": detail},
        {"field": "preferences.1.projectId", "detail": detail},
    ]


@pytest.mark.parametrize("count", [0, 201])
async def test_one_to_two_hundred(ada: Api.User, count: int) -> None:
    """None, or more than 200, are refused with the limits."""
    error = await ada.refusal(UPDATE, to=[{"category": f"category-{number}"} for number in range(count)])
    assert error["extensions"] == {
        "code": "LIMIT_OUT_OF_RANGE", "argument": "preferences", "min": 1, "max": 200
    }  # fmt: skip
    assert await stored(ada) == []


async def test_two_hundred(ada: Api.User) -> None:
    """200 are stored in one call."""
    assert len(await update(ada, *({"category": f"category-{number}"} for number in range(200)))) == 200


async def test_templates_that_are_not_here(ada: Api.User, stranger: Api.User, database: Any) -> None:
    """An absent template, another tenant's, and an id that cannot be one are answered byte for byte alike."""
    foreign = uuid4()
    async with database.transaction(Scope(stranger.tenant, None)) as tx:
        await db.inbox.add_tenant(tx)
        await add_template(tx, foreign)
    wrong = (str(uuid4()), str(foreign), "no such", "x" * 10_000, TEST.replace("-", ""))
    answers = {(await ada.ask(UPDATE, to=[{"template": id, "enabled": False}])).content for id in wrong}
    assert len(answers) == 1
    assert await fields_refused(ada, {"template": str(foreign)}) == [
        ("preferences.0.template", "does not exist.")
    ]
    assert len(await update(stranger, {"template": str(foreign), "enabled": False})) == 1


@pytest.mark.parametrize("zone", ["Mars/Olympus", "europe/paris", "localtime", "+02:00", "../etc/passwd", ""])
async def test_zones_that_are_none(ada: Api.User, zone: str) -> None:
    """A name that IANA does not have is INVALID_TIMEZONE, whatever the host knows."""
    error = await ada.refusal(UPDATE, to=[{"category": "billing", "timezone": zone}])
    assert error["extensions"]["code"] == "INVALID_TIMEZONE"
    assert await stored(ada) == []


@pytest.mark.parametrize("wall", ["24:00", "7:00", "07:5", "07:00:00", "١٢:٣٠", "07:00Z", "", 7])
async def test_times_that_are_none(ada: Api.User, wall: object) -> None:
    """A wall clock is HH:MM in 24 hours and nothing else."""
    error = await ada.refusal(UPDATE, to=[{"category": "billing", "quietStart": wall, "quietEnd": "08:00"}])
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert await stored(ada) == []


async def test_ids_that_are_too_long_in_bytes(api: Api) -> None:
    """Ids short in characters may be too long in bytes; the longest that may be fit an index row together."""
    dice = random.Random(0)
    emoji = ["".join(chr(dice.randrange(0x1F300, 0x1F600)) for _ in range(255)) for _ in range(5)]
    names = ("category", "projectId", "environmentId")
    user = api.user(emoji[3][:127], emoji[4][:127])
    assert await fields_refused(user, dict(zip(names, emoji, strict=False))) == [
        (f"preferences.0.{name}", "is longer than 510 bytes.") for name in names
    ]
    fits = {name: text[:127] for name, text in zip(names, emoji, strict=False)}
    assert picked(await update(user, fits), *fits) == [tuple(fits.values())]


async def test_no_more_than_two_thousand(ada: Api.User, database: Any) -> None:
    """Beyond 2,000 those that say nothing make room; if there are none, what is new is refused."""
    await update(ada, {"category": "empty"}, {"category": "first", "enabled": True})
    rows = [
        {**dict.fromkeys((*db.preference.IDENTITY, *db.preference.SAID)), "id": uuid4(), "enabled": True}
        | {"category": f"category-{number}"}
        for number in range(1_998)
    ]
    async with database.transaction(Scope(ada.tenant, ada.id)) as tx:
        await db.preference.store(tx, ada.id, rows)
    grown = await update(ada, {"category": "one more", "enabled": True})
    assert (len(grown), "empty" in {row["category"] for row in grown}) == (2_000, False)
    assert await fields_refused(ada, {"category": "too many", "enabled": True}) == [
        ("preferences", "would be more than 2,000 in all: clear some first.")
    ]
    changed = await update(
        ada, {"category": "first", "enabled": None}, {"category": "instead", "enabled": True}
    )
    assert (len(changed), "first" in {row["category"] for row in changed}) == (2_000, False)
