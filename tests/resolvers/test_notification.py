"""The inbox: listing it and changing it, as its owner, as another user and as another tenant."""

from tests.support import Api

LIST = "query($f: NotificationFilter) { notifications(filter: $f) { totalCount unreadCount nodes { id title } } }"
READ = "mutation($ids: [ID!]!, $read: Boolean) { read(ids: $ids, read: $read) { changed stats { total unread } } }"


async def test_newest_first(ada: Api.User) -> None:
    """The newest notification comes first."""
    await ada.receive("one")
    await ada.receive("two")
    found = (await ada.data(LIST))["notifications"]
    assert [node["title"] for node in found["nodes"]] == ["two", "one"]
    assert (found["totalCount"], found["unreadCount"]) == (2, 2)


async def test_nobody_else_sees_it(ada: Api.User, grace: Api.User, stranger: Api.User) -> None:
    """Neither another user of the tenant nor a namesake in another tenant sees a row."""
    await ada.receive("secret")
    empty = {"notifications": {"totalCount": 0, "unreadCount": 0, "nodes": []}}
    assert await grace.data(LIST) == empty
    assert await stranger.data(LIST) == empty


async def test_reading_and_dismissing_can_be_undone(ada: Api.User) -> None:
    """Marked unread or restored, a row counts as it did before."""
    ids = await ada.receive("one", "two")
    dismiss = "mutation($ids: [ID!]!, $to: Boolean) { dismiss(ids: $ids, dismissed: $to) { changed } }"
    for document, argument in ((READ, "read"), (dismiss, "to")):
        for value in (True, False):
            answer = await ada.data(document, ids=ids[:1], **{argument: value})
            assert next(iter(answer.values()))["changed"] == 1
        found = await ada.data("{ stats { total unread dismissed } }")
        assert found["stats"] == {"total": 2, "unread": 2, "dismissed": 0}
