"""The `<tocsin-bell>` element: one JavaScript module, built from web/bell, and how it is served."""

import gzip
import hashlib
from pathlib import Path

from fastapi import APIRouter, Request, Response

FILE = Path(__file__).parent / "bell.js"


def router() -> APIRouter:
    """Return the route of /bell.js, which pages of any origin may import."""
    plain = FILE.read_bytes()
    packed = gzip.compress(plain, mtime=0)
    tag = f'"{hashlib.sha256(plain).hexdigest()[:16]}"'
    headers = {
        "ETag": tag,
        "Cache-Control": "no-cache",  # its name never changes, so browsers ask whether theirs is the newest
        "Vary": "Accept-Encoding",
        "Access-Control-Allow-Origin": "*",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "X-Content-Type-Options": "nosniff",
    }
    routes = APIRouter(include_in_schema=False)

    @routes.get("/bell.js")
    async def bell(request: Request) -> Response:
        """Serve the element."""
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return Response(plain, media_type="text/javascript", headers=headers)
        return Response(packed, media_type="text/javascript", headers=headers | {"Content-Encoding": "gzip"})

    return routes
