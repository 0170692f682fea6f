"""Where the links in mails lead: a page that asks, and the POST of its button or of a mail program."""

import html
from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Response

from resolvers.layers import ALL_CATEGORIES
from resolvers.unsubscribe import Link

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",  # the address is all that it takes to unsubscribe
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}
_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><title>{title}</title></head>
<body><h1>{title}</h1>
<p>{text}</p>
{form}</body></html>
"""
_FORM = """<form method="post"><button name="List-Unsubscribe" value="One-Click">Unsubscribe</button></form>
"""


def router(read: Callable[[str], Link | None], unsubscribe: Callable[[Link], Awaitable[None]]) -> APIRouter:
    """Return the two routes. read: what a token stands for; unsubscribe: does it.

    Who has the token may unsubscribe, so a POST needs nothing in its body (RFC 8058 says what is in it).
    """
    routes = APIRouter(include_in_schema=False)

    @routes.get("/unsubscribe/{token}")
    async def ask(token: str) -> Response:
        """Say what would happen, and change nothing: programs that check mails for bad links come here, too."""
        link = read(token)
        if link is None:
            return _unknown()
        return _page("Unsubscribe", f"You would get no more mail about {_what(link)}.", form=_FORM)

    @routes.post("/unsubscribe/{token}")
    async def act(token: str) -> Response:
        """Unsubscribe."""
        link = read(token)
        if link is None:
            return _unknown()
        await unsubscribe(link)
        return _page("Unsubscribed", f"You get no more mail about {_what(link)}.")

    return routes


def _what(link: Link) -> str:
    return "anything" if link.category == ALL_CATEGORIES else f"“{html.escape(link.category)}”"


def _unknown() -> Response:
    return _page("Not found", "This link does not work, or no longer.", 404)


def _page(title: str, text: str, status: int = 200, *, form: str = "") -> Response:
    return Response(_PAGE.format(title=title, text=text, form=form), status, _HEADERS, "text/html")
