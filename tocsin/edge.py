"""FastAPI with one path whose POSTs are answered in front of its router."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from tocsin.errors import Json
from tocsin.limits import RequestIds, cors, guards, read_body, request_id, too_large
from tocsin.settings import Settings


class Post(Request):
    """A POST with its whole body. Its headers are a plain dict, in lower case, and the first of a name counts."""

    def __init__(self, scope: Scope, content: bytes) -> None:
        super().__init__(scope)
        self.content = content
        self._said = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(scope["headers"])
        }

    @property
    def headers(self) -> Mapping[str, str]:  # type: ignore[override]
        """Return the headers; Starlette's view of them would be searched anew for each."""
        return self._said

    @property
    def cookies(self) -> dict[str, str]:
        """Return the cookies, of all headers that have some."""
        return Request(self.scope).cookies

    async def body(self) -> bytes:
        """Return the body."""
        return self.content


Answer = Callable[[Post], Awaitable[Response]]


class Edge:
    """ASGI application: answers POSTs whose bodies are small enough, each with its request id."""

    def __init__(self, answer: Answer, max_bytes: int) -> None:
        self._answer = answer
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a POST."""
        messages = await read_body(scope, receive, self._max_bytes)
        if messages is None:
            response = too_large(scope, self._max_bytes)
        elif messages[-1]["type"] == "http.request":
            response = await self._answer(Post(scope, b"".join(it.get("body", b"") for it in messages)))
        else:  # the client has gone
            return
        if response.__class__ is Json:
            response.raw_headers.append((b"x-request-id", request_id(scope).encode()))
            await response(scope, receive, send)
        else:
            await RequestIds(response)(scope, receive, send)


class EdgeApp(FastAPI):
    """An application whose every answer, by whichever way, is guarded the same.

    FastAPI's own layers cost a small request as much as its work does; and it has nothing to do here.
    """

    def __init__(self, settings: Settings, path: str, answer: Answer, **options: Any) -> None:
        """Have POSTs to a path answered by `answer`, which lets no exception out."""
        super().__init__(openapi_url=None, middleware=guards(settings), **options)
        self._path = path
        self._post: ASGIApp = Edge(answer, settings.max_body_bytes)
        for middleware in cors(settings):
            self._post = middleware.cls(self._post, *middleware.args, **middleware.kwargs)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or have FastAPI answer."""
        if scope["type"] == "http" and scope["path"] == self._path and scope["method"] == "POST":
            await self._post(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)
