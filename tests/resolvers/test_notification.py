"""The inbox as its owner reads it."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from db.types import Severity
from tests.resolvers.support import DELETE, GET, add_template, change, inbox, now, seq_of, stats
from tests.support import Api

WHOLE = """query($id: ID!) { notification(id: $id) {
  id type category severity title body url icon actions { label url } targets template { id } teamId data
  userId
  read readAt unreadSeq dismissed dismissedAt createdAt updatedAt deliveries { id }
} }"""
LONG_AGO = datetime(2020, 2, 29, 12, 0, 0, 123_456, UTC)


async def test_newest_first(ada: Api.User) -> None:
    """The newest notification comes first."""
    await ada.receive("one")
    await ada.receive("two")
    found = await inbox(ada)
    assert [node["title"] for node in found["nodes"]] == ["two", "one"]
    assert (found["totalCount"], found["unreadCount"]) == (2, 2)


async def test_of_one_instant_the_highest_id_comes_first(ada: Api.User) -> None:
    """Rows of the same instant are ordered by id, descending."""
    ids = await ada.receive(*"abcde", created_at=LONG_AGO)
    assert [node["id"] for node in (await inbox(ada))["nodes"]] == sorted(ids, reverse=True)


async def test_nobody_else_sees_it(ada: Api.User, grace: Api.User, stranger: Api.User) -> None:
    """Neither another user of the tenant nor a namesake in another tenant sees a row."""
    await ada.receive("secret")
    for other in (grace, stranger):
        found = await inbox(other)
        assert (found["nodes"], found["totalCount"], found["unreadCount"]) == ([], 0, 0)


async def test_an_inbox_in_which_nothing_has_happened(ada: Api.User) -> None:
    """A user whom nobody ever notified has an empty inbox, and a cursor to go on from."""
    found = await inbox(ada)
    assert found == {
        "nodes": [],
        "edges": [],
        "pageInfo": {"hasNextPage": False, "hasPreviousPage": False, "startCursor": None, "endCursor": None},
        "totalCount": 0,
        "unreadCount": 0,
        "eventCursor": found["eventCursor"],
        "ignoredTypes": [],
    }
    assert seq_of(found["eventCursor"]) == 0


async def test_every_field_of_a_full_row(ada: Api.User) -> None:
    """What was stored comes back, each field as the contract writes it."""
    template = await add_template(ada)
    (id,) = await ada.receive(
        "*Hello*",
        type="issue.digest",
        category="issues",
        severity=Severity.CRITICAL,
        body="**world**",
        url="https://example.com/1",
        icon="flame",
        actions=[{"label": "Open", "url": "/open"}],
        targets=["x", "y"],
        template_id=template,
        team_id="blue",
        data={"n": 1, "deep": {"er": [None, "ü"]}},
        created_at=LONG_AGO,
    )
    found = (await ada.data(WHOLE, id=id))["notification"]
    assert found == {
        "id": id,
        "type": "issue.digest",
        "category": "issues",
        "severity": "CRITICAL",
        "title": "*Hello*",
        "body": "**world**",
        "url": "https://example.com/1",
        "icon": "flame",
        "actions": [{"label": "Open", "url": "/open"}],
        "targets": ["x", "y"],
        "template": {"id": str(template)},
        "teamId": "blue",
        "data": {"n": 1, "deep": {"er": [None, "ü"]}},
        "userId": "ada",
        "read": False,
        "readAt": None,
        "unreadSeq": 1,
        "dismissed": False,
        "dismissedAt": None,
        "createdAt": "2020-02-29T12:00:00.123Z",
        "updatedAt": found["updatedAt"],
        "deliveries": [],
    }


async def test_every_field_of_a_bare_row(ada: Api.User) -> None:
    """What was not stored is null or empty; the icon falls back to the bell."""
    (id,) = await ada.receive("Bare")
    found = (await ada.data(WHOLE, id=id))["notification"]
    empty = {
        name: found[name] for name in ("url", "actions", "targets", "template", "teamId", "data", "body")
    }
    assert empty == {
        "url": None,
        "actions": [],
        "targets": [],
        "template": None,
        "teamId": None,
        "data": None,
        "body": "",
    }
    assert (found["severity"], found["icon"]) == ("NORMAL", "bell")


async def test_the_icon_falls_back_to_that_of_the_type(ada: Api.User, vault: Any) -> None:
    """A row without an icon has its type's."""
    await ada.receive("plain")
    await vault.connection.execute(
        "update tocsin.notification_type set icon = 'hammer' where tenant_id = $1", ada.tenant
    )
    found = await ada.data("{ notifications { nodes { icon } } }")
    assert found["notifications"]["nodes"] == [{"icon": "hammer"}]


async def test_fields_of_a_page_and_of_its_edges_are_those_of_the_row(ada: Api.User) -> None:
    """What is selected of a row is there, be it in nodes, in edges, in a fragment or by an alias."""
    await ada.receive("T", body="B", team_id="blue", targets=["x"])
    found = await ada.data(
        """{ notifications {
          nodes { title ...Rest }
          edges { node { team: teamId ... on Notification { targets } } }
        } }
        fragment Rest on Notification { body ...Type } fragment Type on Notification { type read }"""
    )
    assert found["notifications"] == {
        "nodes": [{"title": "T", "body": "B", "type": "build.done", "read": False}],
        "edges": [{"node": {"team": "blue", "targets": ["x"]}}],
    }


async def test_one_notification_by_id(ada: Api.User) -> None:
    """An id, in whatever case, brings its row."""
    id, _other = await ada.receive("this", "other")
    assert (await ada.data(GET, id=id))["notification"]["title"] == "this"
    assert (await ada.data(GET, id=id.upper()))["notification"]["title"] == "this"


@pytest.mark.parametrize(
    "id", [str(uuid4()), "", "1", "{}", "x" * 10_000, "urn:uuid:" + str(uuid4()), uuid4().hex]
)
async def test_an_absent_or_malformed_id_is_not_found(ada: Api.User, id: str) -> None:
    """Whatever no row has for an id is NOT_FOUND, and the answer does not repeat it."""
    error = await ada.refusal(GET, id=id)
    assert (error["message"], error["extensions"]) == ("Notification not found.", {"code": "NOT_FOUND"})


async def test_other_spellings_of_a_uuid_are_not_its_id(ada: Api.User) -> None:
    """One row has one id: without hyphens, in braces or as a URN it is that of nothing."""
    (id,) = await ada.receive("this")
    for spelling in (id.replace("-", ""), f"{{{id}}}", f"urn:uuid:{id}"):
        assert (await ada.refusal(GET, id=spelling))["extensions"]["code"] == "NOT_FOUND"


async def test_a_deleted_row_is_not_found(ada: Api.User) -> None:
    """Deleted and absent ids give the same bytes."""
    (id,) = await ada.receive("gone")
    await change(ada, DELETE, id)
    assert (await ada.ask(GET, id=id)).content == (await ada.ask(GET, id=str(uuid4()))).content


async def test_the_badge_of_a_page_ignores_its_filter(ada: Api.User) -> None:
    """UnreadCount is stats.unread without a filter; totalCount is that of the filter."""
    await ada.receive("a", "b", type="deploy")
    await ada.receive("c", type="issue")
    found = await inbox(ada, filter={"types": ["issue"], "readState": "UNREAD"})
    assert (found["totalCount"], found["unreadCount"], (await stats(ada))["unread"]) == (1, 3, 3)


async def test_the_event_cursor_moves_by_one_with_each_change(ada: Api.User) -> None:
    """Three rows and a deletion are four events."""
    ids = await ada.receive("a", "b", "c")
    assert seq_of(await now(ada)) == 3
    await change(ada, DELETE, ids[0])
    assert seq_of(await now(ada)) == 4
