"""Layers against a model that looks identities up, in an order written out, instead of sorting rows."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import time
from itertools import product
from typing import Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from db.types import ChannelKind
from resolvers.layers import ALL_CATEGORIES, Choices, Decision, PreferenceLayer, Subject, decide

Identity = tuple[str | None, UUID | None, str | None, str | None, str | None]
"""(category, template_id, channel_kind, project_id, environment_id): unique, null equal to null."""

TEMPLATES = (UUID(int=1), UUID(int=2))
CATEGORIES = ("billing", "build")
KINDS = (ChannelKind.EMAIL, ChannelKind.SLACK)
PLACES = ("1", "2")


@dataclass
class Row:
    """A stored preference."""

    category: str | None
    template_id: UUID | None
    channel_kind: str | None
    project_id: str | None
    environment_id: str | None
    enabled: bool | None = None
    quiet_start: time | None = None
    quiet_end: time | None = None
    timezone: str | None = None
    digest: str | None = None
    digest_at: time | None = None

    @property
    def identity(self) -> Identity:
        """What no other row of the user may have too."""
        return (self.category, self.template_id, self.channel_kind, self.project_id, self.environment_id)


# -- the model ---------------------------------------------------------------------------------------------


def lookups(subject: Subject) -> Iterator[tuple[PreferenceLayer, Identity]]:
    """Yield the identities that may say something of a subject, the first to be heard first."""
    kind, project, environment = subject.channel_kind.value, subject.project_id, subject.environment_id
    if subject.template_id:
        for channel, env, proj in product((kind, None), (environment, None), (project, None)):
            yield PreferenceLayer.TEMPLATE, (None, subject.template_id, channel, proj, env)
    about = (subject.category, ALL_CATEGORIES)
    if environment:
        for channel, category, proj in product((kind, None), about, (project, None)):
            yield PreferenceLayer.ENVIRONMENT, (category, None, channel, proj, environment)
    if project:
        for channel, category in product((kind, None), about):
            yield PreferenceLayer.PROJECT, (category, None, channel, project, None)
    yield PreferenceLayer.CATEGORY_AND_CHANNEL, (subject.category, None, kind, None, None)
    yield PreferenceLayer.CATEGORY, (subject.category, None, None, None, None)
    yield PreferenceLayer.ALL_CATEGORIES, (ALL_CATEGORIES, None, kind, None, None)
    yield PreferenceLayer.ALL_CATEGORIES, (ALL_CATEGORIES, None, None, None, None)


def model(rows: Sequence[Row], subject: Subject) -> Decision:
    """Decide by looking up one identity after the other."""
    stored = {row.identity: row for row in rows}
    heard = [(layer, stored[identity]) for layer, identity in lookups(subject) if identity in stored]
    quiet = [row for _layer, row in heard if row.quiet_start is not None]
    digests = [row for _layer, row in heard if row.digest is not None]
    said = [(row.enabled, layer, row) for layer, row in heard if row.enabled is not None]
    default = (subject.enabled_by_default, PreferenceLayer.TYPE_DEFAULT, None)
    enabled, layer, row = (
        (True, PreferenceLayer.REQUIRED_TYPE, None) if subject.required else [*said, default][0]
    )
    return Decision(enabled, layer, row, [*quiet, None][0], [*digests, None][0])


# -- cases -------------------------------------------------------------------------------------------------

_ABOUT = [(category, None) for category in (*CATEGORIES, ALL_CATEGORIES)] + [(None, id) for id in TEMPLATES]
_IDENTITIES = list(product(_ABOUT, (None, *KINDS), (None, *PLACES), (None, *PLACES)))
_QUIET = [(None, None), (time(22), time(7)), (time(12), time(13))]
_DIGESTS = [(None, None), ("IMMEDIATE", None), ("HOURLY", None), ("DAILY", None), ("DAILY", time(9))]


def row_of(identity: Any, enabled: bool | None, quiet: Any, digest: Any) -> Row:
    """Return a row with one of the identities."""
    (category, template_id), channel, project, environment = identity
    row = Row(category, template_id, channel, project, environment, enabled, *quiet)
    return replace(row, digest=digest[0], digest_at=digest[1])


def random_rows(dice: random.Random) -> list[Row]:
    """Return up to 40 rows with identities of their own."""
    return [
        row_of(identity, dice.choice((None, True, False)), dice.choice(_QUIET), dice.choice(_DIGESTS))
        for identity in dice.sample(_IDENTITIES, dice.randint(0, 40))
    ]


def random_subject(dice: random.Random) -> Subject:
    """Return something to be sent; one in five is of a required type."""
    return Subject(
        dice.choice((*CATEGORIES, "unheard-of")),
        dice.choice(KINDS),
        dice.choice((None, *TEMPLATES)),
        dice.choice((None, *PLACES)),
        dice.choice((None, *PLACES)),
        dice.random() < 0.2,
        dice.random() < 0.5,
    )


def test_ten_thousand_cases() -> None:
    """In 10,000 cases the model says the same, whether all rows are looked at or the indexed ones."""
    dice, differing, layers = random.Random(0), 0, set()
    for _ in range(10_000):
        rows, subject = random_rows(dice), random_subject(dice)
        expected = model(rows, subject)
        differing += decide(rows, subject) != expected
        differing += decide(Choices(rows).about(subject), subject) != expected
        layers.add(expected.decided_by)
    assert (differing, layers) == (0, set(PreferenceLayer))


_rows = st.lists(
    st.builds(
        row_of,
        st.sampled_from(_IDENTITIES),
        st.sampled_from((None, True, False)),
        st.sampled_from(_QUIET),
        st.sampled_from(_DIGESTS),
    ),
    unique_by=lambda row: row.identity,
    max_size=12,
)
_subjects = st.builds(
    Subject,
    category=st.sampled_from((*CATEGORIES, "unheard-of")),
    channel_kind=st.sampled_from(KINDS),
    template_id=st.sampled_from((None, *TEMPLATES)),
    project_id=st.sampled_from((None, *PLACES)),
    environment_id=st.sampled_from((None, *PLACES)),
    required=st.booleans(),
    enabled_by_default=st.booleans(),
)


@settings(max_examples=500, deadline=None, derandomize=True, database=None)
@given(_rows, _subjects)
def test_smallest_differences(rows: list[Row], subject: Subject) -> None:
    """The model says the same; hypothesis would show the smallest case in which it does not."""
    assert decide(rows, subject) == model(rows, subject)


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(_rows, _subjects, st.randoms())
def test_the_order_of_rows_does_not_matter(rows: list[Row], subject: Subject, dice: random.Random) -> None:
    """Rows come in any order from the database, and the decision is the same."""
    shuffled = dice.sample(rows, len(rows))
    assert decide(shuffled, subject) == decide(rows, subject)


# -- what people do ----------------------------------------------------------------------------------------

BILL = Subject("billing", ChannelKind.EMAIL)


def said(category: str, enabled: bool | None = None, timezone: str | None = None) -> Row:
    """Return a row for every channel, with no quiet hours."""
    return Row(category, None, None, None, None, enabled, timezone=timezone)


def night(category: str, enabled: bool | None = None, timezone: str | None = None) -> Row:
    """Return a row for every channel, quiet at night."""
    return replace(said(category, enabled, timezone), quiet_start=time(22), quiet_end=time(7))


def test_quiet_hours_leave_enabled_to_the_others() -> None:
    """A row with quiet hours alone is heard for these; the next that speaks of enabled decides that."""
    quiet, off = night("billing"), said("*", enabled=False)
    assert decide([off, quiet], BILL) == Decision(False, PreferenceLayer.ALL_CATEGORIES, off, quiet)


def test_a_required_type_is_still_quiet_at_night() -> None:
    """Nobody switches a required type off, but it waits for the end of the quiet hours."""
    row = night("billing", enabled=False)
    required = Subject("billing", ChannelKind.EMAIL, required=True)
    assert decide([row], required) == Decision(True, PreferenceLayer.REQUIRED_TYPE, None, row)


def test_a_digest_leaves_enabled_and_quiet_hours_to_the_others() -> None:
    """Each of the three is decided by the first row that speaks of it."""
    daily, quiet = replace(said("billing"), digest="DAILY"), night("*", enabled=False)
    expected = Decision(False, PreferenceLayer.ALL_CATEGORIES, quiet, quiet, daily)
    assert decide([quiet, daily], BILL) == expected


def test_the_zone_of_a_digest() -> None:
    """The zone is that of the row with the digest, whatever that of the quiet hours is."""
    own = replace(said("billing", timezone="Asia/Tokyo"), digest="DAILY")
    both = decide([own, night("*", timezone="Europe/Paris")], BILL)
    assert (both.digest_timezone(None), both.timezone(None)) == ("Asia/Tokyo", "Europe/Paris")
    plain = decide([replace(own, timezone=None)], BILL)
    assert [plain.digest_timezone(it) for it in ("Asia/Kolkata", None)] == ["Asia/Kolkata", "UTC"]


def test_the_zone_of_quiet_hours() -> None:
    """The zone is the row's own, else the recipient's, else UTC; without quiet hours no row has a say."""
    own, plain, zoned = (
        night("billing", timezone="Asia/Tokyo"),
        night("billing"),
        said("*", timezone="Asia/Tokyo"),
    )
    cases: list[tuple[list[Row], str | None]] = [
        ([own], "Europe/Paris"),
        ([plain], "Europe/Paris"),
        ([plain], None),
        ([zoned], "Europe/Paris"),
        ([plain, zoned], None),
        ([], None),
    ]
    zones = [decide(rows, BILL).timezone(recipient) for rows, recipient in cases]
    assert zones == ["Asia/Tokyo", "Europe/Paris", "UTC", "Europe/Paris", "UTC", "UTC"]


def test_a_zone_that_is_no_more() -> None:
    """A stored zone that the time zone database has dropped is UTC, in what is said and in what is done."""
    decision = decide([night("billing", timezone="Mars/Olympus")], BILL)
    window = decision.quiet_hours("Europe/Paris")
    assert window
    assert (decision.timezone("Europe/Paris"), window.zone.key) == ("UTC", "UTC")


def test_the_window_of_a_decision() -> None:
    """What the worker asks for: the window that holds, in its zone, or none."""
    window = decide([night("billing", timezone="Asia/Tokyo")], BILL).quiet_hours("Europe/Paris")
    assert window
    assert (window.start, window.end, window.zone.key) == (time(22), time(7), "Asia/Tokyo")
    assert decide([said("billing", enabled=True)], BILL).quiet_hours("Europe/Paris") is None
