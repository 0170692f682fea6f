"""`tocsin notify`: lines are said as the API says them, once, and bad ones are named."""

import io
import json
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

from db.session import Database, open_database
from live.hub import Hub
from resolvers.context import Context, Deployment
from tests.resolvers.support import add_template
from tests.support import Api, Urls
from tests.tocsin.processes import fetch
from tocsin.keys import secret_vault
from tocsin.notifier import Report, notify_lines

_INBOX = (
    "{ notifications { nodes { type category severity title body url data targets actions { label } } } }"
)
_REQUESTS = "select caller, status, length(idempotency_key) from tocsin.request where tenant_id = $1"


def line(tenant: str, /, **changes: Any) -> bytes:
    """Return a good line, but for the changes; None leaves a key out."""
    event = {"tenant": tenant, "recipients": ["ada"], "type": "bill.due", "title": "A bill"} | changes
    return json.dumps({key: value for key, value in event.items() if value is not None}).encode()


async def notified(
    api: Api,
    *lines: bytes,
    database: Database | None = None,
    progress: Callable[[int], None] = lambda _bytes: None,
) -> Report:
    """Notify of lines as a file."""
    hub, deployment = Hub(), Deployment(secret_vault(api.settings))
    return await notify_lines(
        lambda principal: Context(principal, database or api.database, hub, deployment),
        io.BytesIO(b"\n".join(lines)),
        progress,
    )


async def test_a_line_is_what_the_api_takes(
    api: Api, ada: Api.User, grace: Api.User, tenant: str, urls: Urls
) -> None:
    """Recipients may be ids or people; all the rest has the API's names, and reaches the inboxes."""
    said = {
        "type": "bill.due",
        "category": "billing",
        "severity": "HIGH",
        "title": "A bill",
        "body": "**5 €**",
        "url": "/bills/5",
        "data": {"bill": 5},
        "targets": ["bill-5"],
    }
    people: list[Any] = ["ada", {"id": "grace", "email": "grace@example.com", "timezone": "Europe/Paris"}]
    actions = [{"label": "Pay", "url": "/bills/5/pay"}]
    report = await notified(api, line(tenant, recipients=people, actions=actions, **said))
    assert report == Report(said=1, created=2)
    for user in (ada, grace):
        nodes = (await user.data(_INBOX))["notifications"]["nodes"]
        assert nodes == [said | {"actions": [{"label": "Pay"}]}]
    email = "select email, timezone from tocsin.recipient where tenant_id = $1 and id = 'grace'"
    assert await fetch(urls.superuser, email, tenant) == [("grace@example.com", "Europe/Paris")]
    assert await fetch(urls.superuser, _REQUESTS, tenant) == [("tocsin-notify", "DONE", 64)]


async def test_a_template_and_its_variables(api: Api, admin: Api.User, ada: Api.User, tenant: str) -> None:
    """Title and body are made from them."""
    template = await add_template(
        admin, title_template="Bill {{ number }}", body_template="{{ sum }}", name="Bill"
    )
    changes = {"title": None, "template": str(template), "variables": {"number": 5, "sum": "7 €"}}
    assert await notified(api, line(tenant, **changes)) == Report(said=1, created=1)
    (node,) = (await ada.data(_INBOX))["notifications"]["nodes"]
    assert (node["title"], node["body"]) == ("Bill 5", "7 €")


async def test_everyone_is_left_to_the_worker(api: Api, tenant: str, urls: Urls) -> None:
    """The request waits in the outbox."""
    report = await notified(api, line(tenant, recipients=None, everyone=True))
    assert report == Report(said=1, later=1)
    assert await fetch(urls.superuser, _REQUESTS, tenant) == [("tocsin-notify", "ACCEPTED", 64)]
    due = "select kind from tocsin.due where tenant_id = $1"
    assert await fetch(urls.superuser, due, tenant) == [("REQUEST",)]


async def test_a_file_that_is_run_again_does_nothing_twice(api: Api, ada: Api.User, tenant: str) -> None:
    """A line is its own key, whatever is around it; equal lines are one, and what is new is said."""
    lines = [line(tenant), line(tenant, title="Another"), line(f"{tenant}-2")]
    assert await notified(api, *lines, b"", lines[0] + b"\r") == Report(said=3, created=3, replayed=1)
    again = await notified(api, *lines, line(tenant, title="New"))
    assert again == Report(said=1, created=1, replayed=3)
    titles = [node["title"] for node in (await ada.data(_INBOX))["notifications"]["nodes"]]
    assert titles == ["New", "Another", "A bill"]


async def test_a_key_of_the_lines_own(api: Api, tenant: str) -> None:
    """It holds across lines: the same input is a replay, and another one a bad line."""
    key = {"idempotencyKey": "bill-5"}
    report = await notified(
        api, line(tenant, **key), line(tenant, targets=[], **key), line(tenant), line(tenant, **key)
    )
    conflict = "This idempotencyKey was used with another input within 24 hours."
    assert report == Report(said=2, created=2, replayed=1, bad=[(2, conflict)])


_TENANT = "tenant: must be an id of 1 to 255 characters"
_INPUT = "Expected value of type 'NotifyInput'"
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no tenant": ({"tenant": None}, _TENANT),
    "empty tenant": ({"tenant": ""}, _TENANT),
    "tenant is a number": ({"tenant": 5}, _TENANT),
    "NUL in the tenant": ({"tenant": "\0"}, _TENANT),
    "no type": ({"type": None}, f"{_INPUT} to include required field 'type'"),
    "unknown name": (
        {"titel": "x"},
        f"{_INPUT} not to include unknown field 'titel'. Did you mean 'title' or 'type'?",
    ),
    "snake case": (
        {"team_id": "x"},
        f"{_INPUT} not to include unknown field 'team_id'. Did you mean 'teamId'?",
    ),
    "title is a number": ({"title": 5}, "title: String cannot represent a non string value"),
    "no title": ({"title": None}, "title: is missing: give a title, or a template."),
    "nobody": ({"recipients": None}, "recipients: give either recipients or everyone: true."),
    "both": ({"everyone": True}, "recipients: give either recipients or everyone: true."),
    "no recipients": ({"recipients": []}, "recipients must be from 1 to 1000."),
    "twice": ({"recipients": ["ada", {"id": "ada"}]}, "recipients.1.id: is given twice."),
    "recipient is a number": (
        {"recipients": ["ada", 5.5]},
        "recipients[1]: Expected value of type 'RecipientInput' to be an object",
    ),
    "script": ({"url": "javascript:x"}, "SafeUrl must be https:, mailto: or an app-relative /path."),
    "no such template": ({"title": None, "template": "x"}, "Template not found."),
    "key is a number": (
        {"idempotencyKey": 5},
        "Variable '$key' has invalid value: String cannot represent a non string value",
    ),
    "empty key": ({"idempotencyKey": ""}, "idempotencyKey: is empty."),
    "escapes for the terminal": (
        {"\x1b[31m\n": 1},
        f"{_INPUT} not to include unknown field '\\x1b[31m\\n'",
    ),
}


@pytest.mark.parametrize("what", BAD)
async def test_a_bad_line_is_named_and_stops_no_other(
    what: str, api: Api, ada: Api.User, tenant: str
) -> None:
    """Its number and reason are reported; the good lines around it are said."""
    changes, reason = BAD[what]
    report = await notified(api, line(tenant), line(tenant, **changes), line(tenant, title="Bye"))
    assert report == Report(said=2, created=2, bad=[(2, reason)])
    assert len((await ada.data(_INBOX))["notifications"]["nodes"]) == 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"[1]", "must be an object"),
        (b"null", "must be an object"),
        (b"{", "not JSON: unexpected end of data"),
        (b"\xff\x00", "not JSON: str is not valid UTF-8: surrogates not allowed"),
        (b" " + b"x" * 4_194_304, "longer than 4194304 bytes"),
    ],
)
async def test_what_is_no_object_is_named(text: bytes, reason: str, api: Api, tenant: str) -> None:
    """Rubbish is one bad line, and the count goes on behind it."""
    report = await notified(api, text, line(tenant), b"5")
    assert report == Report(said=1, created=1, bad=[(1, reason), (3, "must be an object")])


async def test_progress_is_the_bytes_that_are_done(api: Api, tenant: str) -> None:
    """Line by line, bad and empty ones included."""
    done: list[int] = []
    good = line(tenant)
    await notified(api, good, b"", b"{", good, progress=done.append)
    assert done == [len(good) + 1, 1, 2, len(good)]


async def test_without_a_database_no_line_is_bad(api: Api, urls: Urls, tenant: str) -> None:
    """What is no fault of the line ends the run, which can be begun again."""
    async with open_database(urls.server, size=1) as closed:
        pass
    with pytest.raises(asyncpg.InterfaceError, match="pool is closed"):
        await notified(api, line(tenant), database=closed)
