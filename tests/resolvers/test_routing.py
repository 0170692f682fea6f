"""What happens on each channel, and why: a table. The first reason that holds is the one that is given."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time
from typing import Any
from uuid import UUID, uuid4

import pytest

from db.types import ChannelKind, Severity
from resolvers.layers import Choices, PreferenceLayer
from resolvers.routing import Outcome, Person, Route, Saying, off_limits, to_channel, to_inbox
from tests.resolvers.test_layers import Row

NOON, NIGHT = datetime(2026, 1, 15, 12, tzinfo=UTC), datetime(2026, 1, 15, 23, 10, tzinfo=UTC)
MORNING = datetime(2026, 1, 16, 7, tzinfo=UTC)
OFF = "The channel is off."
OTHER_KINDS = "It was sent to other kinds of channel only."
OTHER_CATEGORIES = "The channel takes other categories only."
NO_ADDRESS = "The recipient has no email address."
SWITCHED_OFF = "It is switched off."
PAUSED = "The tenant has paused its notifier."
CRITICAL = "It is critical, so nothing defers it."
QUIET = "Quiet hours."
DIGEST = "It waits for a digest."
SEND = "It is switched on."
DEFAULT = PreferenceLayer.TYPE_DEFAULT


@dataclass
class Channel:
    """A row of the channel table."""

    kind: str = "EMAIL"
    enabled: bool = True
    config: Mapping[str, Any] = field(default_factory=dict)
    categories: Sequence[str] = ()
    id: UUID = field(default_factory=uuid4)


def row(**said: Any) -> Row:
    """Return a preference about all categories and channels."""
    return Row(**{**dict.fromkeys(("template_id", "channel_kind", "project_id", "environment_id")),
                  "category": "*", **said})  # fmt: skip


def person(*rows: Row, email: str | None = "ada@example.com", timezone: str | None = None) -> Person:
    """Return somebody who chose these."""
    return Person(Choices(rows), timezone, email)


BILL = Saying("billing")
NIGHTS = row(quiet_start=time(22), quiet_end=time(7))
DAILY = row(digest="DAILY", digest_at=time(9, 30))
NOT_AT_ALL = row(enabled=False)


# -- which reason comes first ------------------------------------------------------------------------------

# Each step takes away what stood in the way so far, and so the next reason shows. The preferences of the last
# steps stay: what comes earlier wins although what comes later holds too.
ALL_WRONG = Saying("billing", kinds=frozenset({ChannelKind.SLACK}))
CLOSED = Channel(enabled=False, categories=("ops",))
STEPS: list[tuple[str, Saying, Channel, Person, dict[str, bool], Route]] = [
    (
        *("off", ALL_WRONG, CLOSED, person(NOT_AT_ALL, email=None), {"paused": True}),
        Route(Outcome.SKIP, OFF),
    ),
    (
        *(
            "kinds",
            ALL_WRONG,
            replace(CLOSED, enabled=True),
            person(NOT_AT_ALL, email=None),
            {"paused": True},
        ),
        Route(Outcome.SKIP, OTHER_KINDS),
    ),
    (
        *(
            "categories",
            BILL,
            replace(CLOSED, enabled=True),
            person(NOT_AT_ALL, email=None),
            {"paused": True},
        ),
        Route(Outcome.SKIP, OTHER_CATEGORIES),
    ),
    (
        *("address", BILL, Channel(), person(NOT_AT_ALL, email=None), {"paused": True}),
        Route(Outcome.SKIP, NO_ADDRESS),
    ),
    (
        *("preference", BILL, Channel(), person(NOT_AT_ALL), {"paused": True}),
        Route(Outcome.SKIP, SWITCHED_OFF, None, PreferenceLayer.ALL_CATEGORIES),
    ),
    (
        *("pause", replace(BILL, severity=Severity.CRITICAL), Channel(), person(NIGHTS), {"paused": True}),
        Route(Outcome.DEFER, PAUSED, None, DEFAULT),
    ),
    (
        *("critical", replace(BILL, severity=Severity.CRITICAL), Channel()),
        *(person(replace(NIGHTS, digest="DAILY")), {}, Route(Outcome.SEND, CRITICAL, None, DEFAULT)),
    ),
    (
        *("quiet", BILL, Channel(), person(replace(NIGHTS, digest="DAILY")), {}),
        Route(Outcome.DEFER, QUIET, MORNING, DEFAULT),
    ),
    (
        *("digest", BILL, Channel(), person(DAILY), {}),
        Route(Outcome.DEFER, DIGEST, datetime(2026, 1, 16, 9, 30, tzinfo=UTC), DEFAULT, in_digest=True),
    ),
    (
        *("gathered", BILL, Channel(), person(DAILY), {"gathered": True}),
        Route(Outcome.SEND, SEND, None, DEFAULT),
    ),
    (*("nothing", BILL, Channel(), person(), {}), Route(Outcome.SEND, SEND, None, DEFAULT)),
]


@pytest.mark.parametrize(
    ("saying", "way", "who", "state", "expected"),
    [step[1:] for step in STEPS],
    ids=[step[0] for step in STEPS],
)
def test_the_first_reason_that_holds(
    saying: Saying, way: Channel, who: Person, state: dict[str, bool], expected: Route
) -> None:
    """At night, with more and more out of the way."""
    assert to_channel(saying, who, way, NIGHT, **state) == expected


def test_gathered_mail_still_waits_for_the_end_of_quiet_hours() -> None:
    """A digest that has come due at night is not sent then, and needs no digest again."""
    who = person(replace(NIGHTS, digest="HOURLY"))
    expected = Route(Outcome.DEFER, QUIET, MORNING, DEFAULT)
    assert to_channel(BILL, who, Channel(), NIGHT, gathered=True) == expected
    assert to_channel(BILL, who, Channel(), MORNING, gathered=True).outcome is Outcome.SEND


# -- one by one --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("way", "kinds", "fault"),
    [
        (Channel(), None, None),
        (Channel(), {ChannelKind.EMAIL, ChannelKind.SLACK}, None),
        (Channel(), {ChannelKind.IN_APP}, OTHER_KINDS),
        (Channel(), set(), OTHER_KINDS),
        (Channel(categories=("ops", "billing")), None, None),
        (Channel(categories=("ops",)), None, OTHER_CATEGORIES),
        (Channel(categories=("Billing",)), None, OTHER_CATEGORIES),
        (Channel(enabled=False), None, OFF),
    ],
)
def test_off_limits(way: Channel, kinds: set[ChannelKind] | None, fault: str | None) -> None:
    """A switch, kinds and categories: whoever it is for."""
    saying = replace(BILL, kinds=None if kinds is None else frozenset(kinds))
    assert off_limits(saying, way) == fault


@pytest.mark.parametrize(
    ("kind", "config", "email", "reason"),
    [
        ("EMAIL", {"from": "a@b.c"}, "ada@example.com", SEND),
        ("EMAIL", {"from": "a@b.c"}, None, NO_ADDRESS),
        ("EMAIL", {"from": "a@b.c"}, "", NO_ADDRESS),
        ("EMAIL", {"from": "a@b.c", "to": "ops@b.c"}, None, SEND),
        ("EMAIL", {"from": "a@b.c", "to": ""}, None, NO_ADDRESS),
        ("WEBHOOK", {"url": "https://a.b"}, None, SEND),
        ("SLACK", {}, None, SEND),
        ("APPRISE", {}, None, SEND),
    ],
)
def test_mail_needs_an_address(kind: str, config: dict[str, str], email: str | None, reason: str) -> None:
    """The recipient's, or the channel's fixed one; other kinds need none."""
    assert to_channel(BILL, person(email=email), Channel(kind, config=config), NOON).reason == reason


@pytest.mark.parametrize(
    ("kind", "reason"), [("EMAIL", DIGEST), ("WEBHOOK", SEND), ("SLACK", SEND), ("APPRISE", SEND)]
)
def test_only_mail_is_gathered(kind: str, reason: str) -> None:
    """A preference for every channel says digest; others than mail are sent at once."""
    assert to_channel(BILL, person(DAILY), Channel(kind), NOON).reason == reason


@pytest.mark.parametrize(
    ("rows", "timezone", "at"),
    [
        ([row(digest="HOURLY")], None, datetime(2026, 1, 15, 13, tzinfo=UTC)),
        ([row(digest="HOURLY")], "Asia/Kolkata", datetime(2026, 1, 15, 12, 30, tzinfo=UTC)),
        ([row(digest="DAILY")], None, datetime(2026, 1, 16, 8, tzinfo=UTC)),
        ([row(digest="DAILY")], "Asia/Tokyo", datetime(2026, 1, 15, 23, tzinfo=UTC)),
        ([row(digest="DAILY", timezone="Europe/Paris")], "Asia/Tokyo", datetime(2026, 1, 16, 7, tzinfo=UTC)),
        ([DAILY], "Asia/Tokyo", datetime(2026, 1, 16, 0, 30, tzinfo=UTC)),
        ([DAILY, row(category="billing", digest="IMMEDIATE")], None, None),
        ([DAILY, row(category="billing", enabled=True)], None, datetime(2026, 1, 16, 9, 30, tzinfo=UTC)),
        ([DAILY, row(channel_kind="EMAIL", digest="HOURLY")], None, datetime(2026, 1, 15, 13, tzinfo=UTC)),
        (
            [DAILY, row(channel_kind="SLACK", digest="IMMEDIATE")],
            None,
            datetime(2026, 1, 16, 9, 30, tzinfo=UTC),
        ),
    ],
)
def test_when_a_digest_leaves(rows: list[Row], timezone: str | None, at: datetime | None) -> None:
    """The first row that says something of it does, in its own zone, else the recipient's, else UTC."""
    route = to_channel(BILL, person(*rows, timezone=timezone), Channel(), NOON)
    assert (route.at, route.in_digest) == (at, at is not None)


@pytest.mark.parametrize("severity", list(Severity))
def test_only_critical_passes(severity: Severity) -> None:
    """Quiet hours and digests hold for all but CRITICAL; a switch holds for that too."""
    saying, passes = replace(BILL, severity=severity), severity is Severity.CRITICAL
    for who in (person(NIGHTS), person(DAILY)):
        assert (to_channel(saying, who, Channel(), NIGHT).outcome is Outcome.SEND) is passes
    assert to_channel(saying, person(NOT_AT_ALL), Channel(), NIGHT).reason == SWITCHED_OFF


def test_a_required_type() -> None:
    """Nobody switches it off; it is quiet at night and gathered like all others."""
    saying = replace(BILL, required=True)
    layer = PreferenceLayer.REQUIRED_TYPE
    assert to_channel(saying, person(NOT_AT_ALL), Channel(), NOON) == Route(Outcome.SEND, SEND, None, layer)
    assert to_channel(saying, person(NIGHTS), Channel(), NIGHT) == Route(Outcome.DEFER, QUIET, MORNING, layer)
    assert to_inbox(saying, person(NOT_AT_ALL)) == Route(Outcome.SEND, SEND, None, layer)


def test_a_type_that_is_off_by_default() -> None:
    """Without a preference it goes nowhere, with one it does."""
    saying = replace(BILL, enabled_by_default=False)
    assert to_channel(saying, person(), Channel(), NOON) == Route(Outcome.SKIP, SWITCHED_OFF, None, DEFAULT)
    wanted = person(row(category="billing", enabled=True))
    layer = PreferenceLayer.CATEGORY
    assert to_channel(saying, wanted, Channel(), NOON) == Route(Outcome.SEND, SEND, None, layer)


def test_where_and_from_what() -> None:
    """The template, the environment and the project of what is said are what preferences are asked about."""
    template = uuid4()
    saying = replace(BILL, template_id=template, project_id="p", environment_id="e")
    rows = {
        PreferenceLayer.PROJECT: row(project_id="p", enabled=False),
        PreferenceLayer.ENVIRONMENT: row(environment_id="e", enabled=False),
        PreferenceLayer.TEMPLATE: row(category=None, template_id=template, enabled=False),
    }
    for layer, it in rows.items():
        expected = Route(Outcome.SKIP, SWITCHED_OFF, None, layer)
        assert to_channel(saying, person(it), Channel(), NOON) == to_inbox(saying, person(it)) == expected
        assert to_channel(BILL, person(it), Channel(), NOON).outcome is Outcome.SEND


# -- the inbox ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("saying", "rows", "expected"),
    [
        (BILL, [], Route(Outcome.SEND, SEND, None, DEFAULT)),
        (BILL, [NIGHTS, DAILY], Route(Outcome.SEND, SEND, None, DEFAULT)),
        (BILL, [NOT_AT_ALL], Route(Outcome.SKIP, SWITCHED_OFF, None, PreferenceLayer.ALL_CATEGORIES)),
        (
            BILL,
            [row(category="billing", channel_kind="IN_APP", enabled=False)],
            Route(Outcome.SKIP, SWITCHED_OFF, None, PreferenceLayer.CATEGORY_AND_CHANNEL),
        ),
        (
            BILL,
            [row(category="billing", channel_kind="EMAIL", enabled=False)],
            Route(Outcome.SEND, SEND, None, DEFAULT),
        ),
        (replace(BILL, kinds=frozenset({ChannelKind.EMAIL})), [], Route(Outcome.SKIP, OTHER_KINDS)),
        (
            replace(BILL, kinds=frozenset({ChannelKind.IN_APP})),
            [],
            Route(Outcome.SEND, SEND, None, DEFAULT),
        ),
    ],
)
def test_the_inbox_waits_for_nothing(saying: Saying, rows: list[Row], expected: Route) -> None:
    """Kinds and the switch decide; quiet hours and digests do not."""
    assert to_inbox(saying, person(*rows)) == expected
