"""FastAPI with one path whose POSTs are answered in front of its router."""

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from tocsin.limits import guard, guards
from tocsin.settings import Settings


class EdgeApp(FastAPI):
    """An application whose every answer, by whichever way, is guarded the same.

    FastAPI's own layers cost a small request as much as its work does; and it has nothing to do here.
    """

    def __init__(self, settings: Settings, path: str, post: ASGIApp, **options: object) -> None:
        """Have POSTs to a path answered by `post`, an application that lets no exception out."""
        super().__init__(openapi_url=None, middleware=guards(settings), **options)  # type: ignore[arg-type]
        self._path, self._post = path, guard(post, settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or have FastAPI answer."""
        if scope["type"] == "http" and scope["path"] == self._path and scope["method"] == "POST":
            await self._post(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)
