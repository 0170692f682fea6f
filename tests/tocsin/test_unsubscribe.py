"""The unsubscribe page, over HTTP."""

import httpx
import pytest

from delivery.email import EmailSender
from delivery.parcel import Recipient
from delivery.sender import Sent
from delivery.smtp import Connections, Server
from resolvers import unsubscribe
from resolvers.unsubscribe import Link
from tests.delivery.parcels import message, parcel
from tests.delivery.post_office import post_office
from tests.resolvers.preferences import picked, stored
from tests.support import Api
from tocsin.keys import secret_vault

ONE_CLICK = {"List-Unsubscribe": "One-Click"}
OFF = ("EMAIL", False)


def path(user: Api.User, category: str = "build") -> str:
    """Return the path of a user's link."""
    vault = secret_vault(user.api.settings)
    return f"/unsubscribe/{unsubscribe.token(vault, Link(user.tenant, user.id, category))}"


async def off(user: Api.User) -> list[tuple[str, str, bool]]:
    """Return (category, kind, enabled) of what a user has stored."""
    return picked(await stored(user), "category", "channelKind", "enabled")


@pytest.fixture
async def reader(ada: Api.User) -> Api.User:
    """Somebody who was notified."""
    await ada.receive("one")
    return ada


async def test_looking_changes_nothing(reader: Api.User) -> None:
    """A GET says what would happen, and has a button for it."""
    page = await reader.api.http.get(path(reader))
    assert page.status_code == 200
    assert "You would get no more mail about “build”." in page.text
    assert page.text.count('<form method="post"><button') == 1
    assert await off(reader) == []


@pytest.mark.parametrize(
    "options", [{"data": ONE_CLICK}, {"files": {"List-Unsubscribe": (None, "One-Click")}}, {}]
)
async def test_one_click(reader: Api.User, options: dict[str, dict[str, str]]) -> None:
    """A POST unsubscribes, as a form, in parts (RFC 8058 3.1) or empty; twice says the same."""
    for _ in range(2):
        page = await reader.api.http.post(path(reader), **options)  # type: ignore[arg-type]
        assert page.status_code == 200
        assert "You get no more mail about “build”." in page.text
        assert "<form" not in page.text
        assert await off(reader) == [("build", *OFF)]


async def test_all_categories(reader: Api.User) -> None:
    """A link for all says so."""
    page = await reader.api.http.post(path(reader, "*"))
    assert "You get no more mail about anything." in page.text
    assert await off(reader) == [("*", *OFF)]


async def test_a_category_is_only_text(reader: Api.User) -> None:
    """Markup in its name is shown, not run."""
    for ask in (reader.api.http.get, reader.api.http.post):
        page = await ask(path(reader, "<b>{x}</b>"))
        assert "“&lt;b&gt;{x}&lt;/b&gt;”" in page.text


async def test_a_bad_link(reader: Api.User) -> None:
    """Whatever is wrong with it, each way of asking is answered the same, and nothing is stored."""
    good = path(reader)
    bad = [f"{good}x", good[:-1], "/unsubscribe/x", "/unsubscribe/%00", "/unsubscribe/%C3%BC.k1.x"]
    pages = [await ask(it) for it in bad for ask in (reader.api.http.get, reader.api.http.post)]
    assert {(it.status_code, it.text) for it in pages} == {(404, pages[0].text)}
    assert await off(reader) == []


async def test_somebody_unknown_is_not_told_apart(ada: Api.User, reader: Api.User) -> None:
    """A user who is gone gets the same page."""
    gone = ada.api.user(ada.tenant, "nobody")
    pages = [await reader.api.http.post(path(it)) for it in (reader, gone)]
    assert pages[0].content == pages[1].content
    assert await off(gone) == []


def security(page: httpx.Response) -> dict[str, str]:
    """Return the headers that keep a page in its place."""
    names = (
        "cache-control",
        "content-security-policy",
        "referrer-policy",
        "x-content-type-options",
        "x-robots-tag",
    )
    return {name: page.headers[name] for name in names}


async def test_the_page_keeps_to_itself(reader: Api.User) -> None:
    """It runs and loads nothing, is in no frame, cache or index, and its address goes nowhere else."""
    http, good = reader.api.http, path(reader)
    pages = [await http.get(good), await http.post(good), await http.get(f"{good}x")]
    for page in pages:
        assert security(page) == {
            "cache-control": "no-store",
            "content-security-policy": (
                "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
            ),
            "referrer-policy": "no-referrer",
            "x-content-type-options": "nosniff",
            "x-robots-tag": "noindex",
        }
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "set-cookie" not in page.headers


async def test_a_body_that_is_too_large(reader: Api.User) -> None:
    """The limit of all requests holds here, too."""
    size = reader.api.settings.max_body_bytes + 1
    assert (await reader.api.http.post(path(reader), content=b"x" * size)).status_code == 413
    assert await off(reader) == []


async def test_the_link_of_a_mail_leads_here(reader: Api.User) -> None:
    """What a mail program finds in the header works as it is."""
    it = parcel(message(), tenant_id=reader.tenant, recipient=Recipient(reader.id, "ada@example.org"))
    async with post_office() as office:
        connections = Connections(Server("127.0.0.1", office.port))
        sender = EmailSender(connections, secret_vault(reader.api.settings), reader.api.url)
        assert await sender.send(it) == Sent(250)
        sender.close()
    content = office.envelopes[0].content
    assert isinstance(content, bytes)
    url = content.split(b"List-Unsubscribe: <")[1].split(b">")[0].decode()
    assert (await reader.api.http.post(url, data=ONE_CLICK)).status_code == 200
    assert await off(reader) == [("build", *OFF)]
