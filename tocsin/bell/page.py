"""The demo's page at /, in `tocsin dev` alone: two users of any tenants, side by side, each with a bell."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, JSONResponse

from resolvers.principal import Role

Sign: TypeAlias = Callable[[str, str, Role], str]
"""Return a token for a tenant's user with a role."""

_SITE = Path(__file__).parent / "site"
_FILES = {"/": "index.html", "/demo/page.css": "page.css", "/demo/page.js": "page.js"}
# As strict as a page with a bell may be.
_HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data: https:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
# Whoever reads the tokens may act as anybody in the demo. So no name that somebody else's DNS gives is
# answered, and no page of another origin, whichever TOCSIN_ALLOWED_ORIGINS lets in.
_THIS_MACHINE = {"127.0.0.1", "localhost"}
_THIS_PAGE = {"same-origin", "none"}


def router(people: Mapping[str, Mapping[str, str]], sign: Sign) -> APIRouter:
    """Return the routes of the page. people: names by user ids, by tenants."""
    routes = APIRouter(include_in_schema=False)
    for path, name in _FILES.items():
        routes.add_api_route(path, _sender(_SITE / name))

    @routes.get("/demo/tenants.json")
    async def tenants(request: Request) -> Response:
        """Give the page a token for everybody, and one of each tenant that may notify."""
        site = request.headers.get("sec-fetch-site", "none")
        if request.url.hostname not in _THIS_MACHINE or site not in _THIS_PAGE:
            return Response(status_code=403, headers=_HEADERS)
        found = [
            {
                "tenant": tenant,
                "sender": sign(tenant, "demo-page", Role.AGENT),
                "people": [
                    {"id": user, "name": name, "token": sign(tenant, user, Role.USER)}
                    for user, name in users.items()
                ],
            }
            for tenant, users in people.items()
        ]
        return JSONResponse(found, headers=_HEADERS | {"Cache-Control": "no-store"})

    return routes


def _sender(path: Path) -> Callable[[], FileResponse]:
    def send() -> FileResponse:
        return FileResponse(path, headers=_HEADERS)

    return send
