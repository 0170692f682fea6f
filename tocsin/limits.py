"""What comes in: the size of a body, the shape of a request, the name it is logged under."""

import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any

import orjson
from graphql import DocumentNode, StringValueNode, Visitor, visit
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from strawberry.http import GraphQLRequestData
from strawberry.http.parse_content_type import parse_content_type
from strawberry.http.websocket_origin import normalize_allowed_origins

from resolvers.errors import ErrorCode, TocsinError, bad_input
from tocsin.errors import JSON, Accept, StatusError, refuse
from tocsin.settings import Settings

Settle = Callable[[Any], Any]
"""Puts the text of a document where a client gave only its id; see tocsin.trusted."""

MAX_CHARACTERS = 100_000
"""Of a document: graphql-core's lexer looks at each, in Python, before it counts a token."""
_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def guards(settings: Settings) -> list[Middleware]:
    """Return what is around an application, the outermost first: request ids, CORS, the body limit."""
    return [
        Middleware(RequestIds),
        *cors(settings),
        Middleware(BodyLimit, max_bytes=settings.max_body_bytes),
    ]


def cors(settings: Settings) -> list[Middleware]:
    """Return what lets pages of the allowed origins in, if there are any."""
    if not settings.allowed_origins:
        return []
    origins = normalize_allowed_origins(settings.allowed_origins)
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "X-Tenant-Id", "X-Request-Id"],
            # "*" and cookies together would open every user's inbox to every page.
            allow_credentials=settings.auth_cookie is not None and "*" not in origins,
            expose_headers=["X-Request-Id"],
        )
    ]


def request_id(scope: Scope) -> str:
    """Return the id that the client gave in X-Request-Id, [A-Za-z0-9_-]{1,64}, or else one made once."""
    if "tocsin.request_id" not in scope:
        given = _header(scope, b"x-request-id")
        known = given and _REQUEST_ID.fullmatch(given)
        scope["tocsin.request_id"] = given if known else secrets.token_hex(16)
    return str(scope["tocsin.request_id"])


def _header(scope: Scope, name: bytes) -> str:
    """Return the first header of a name in lower case, or ""; a view of them all would cost more."""
    for key, value in scope["headers"]:
        if key == name:
            found: str = value.decode("latin-1")
            return found
    return ""


class RequestIds:
    """ASGI middleware: every response, and the answer to a WebSocket handshake, carries X-Request-Id."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application and add the header to what it starts to answer."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return

        async def send_with_id(message: Message) -> None:
            if message["type"] in {"http.response.start", "websocket.accept"}:
                id = request_id(scope).encode()
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", id)]
            await send(message)

        await self._app(scope, receive, send_with_id)


class BodyLimit:
    """ASGI middleware: a body over `max_bytes` is answered with 413 and reaches no parser.

    The body is read ahead, so that the refusal comes before the application has begun; WebSockets and
    responses pass untouched.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application with a body that is known to be small enough."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        messages = await read_body(scope, receive, self._max_bytes)
        if messages is None:
            await too_large(scope, self._max_bytes)(scope, receive, send)
        elif messages[-1]["type"] == "http.request":  # else the client has gone
            await self._app(scope, _replay(messages, receive), send)


async def read_body(scope: Scope, receive: Receive, max_bytes: int) -> list[Message] | None:
    """Return a request's messages to the end of its body; None: it is too large, and nothing more was read."""
    declared = _header(scope, b"content-length")
    if declared.isdecimal() and int(declared) > max_bytes:
        return None
    messages: list[Message] = []
    size = 0
    while not messages or messages[-1].get("more_body", False):
        messages.append(await receive())
        size += len(messages[-1].get("body", b""))
        if size > max_bytes:
            return None
    return messages


def too_large(scope: Scope, max_bytes: int) -> Response:
    """Refuse a body.

    The connection stays open, and the server drops the rest: closing on a client that still sends would reset it
    before it has read why.
    """
    error = StatusError(413, f"The request body is larger than {max_bytes} bytes.")
    return refuse(error, Accept.of(_header(scope, b"accept") or None))


def _replay(messages: Iterable[Message], receive: Receive) -> Receive:
    rest: Iterator[Message] = iter(messages)

    async def replayed() -> Message:
        return next(rest, None) or await receive()

    return replayed


async def read_request(request: Request, settle: Settle) -> GraphQLRequestData:
    """Return the parameters of a GET, or of the JSON in a POST (GraphQL over HTTP 5).

    Raises 415 for any other content type, BAD_USER_INPUT for what is not JSON in UTF-8 or has a wrong shape.
    """
    if request.method == "GET":
        parsed = {"variables", "extensions"}
        parameters = request.query_params.items()
        return as_operation(
            settle({name: load(it) if it and name in parsed else it or None for name, it in parameters})
        )
    if not is_json(request.headers.get("content-type")):
        raise StatusError(415, "The content type of a POST must be application/json in UTF-8.")
    return as_operation(settle(load(await request.body())))


@lru_cache(maxsize=256)
def is_json(content_type: str | None) -> bool:
    """Tell JSON in UTF-8, which no page can send to another origin without asking first, from the rest."""
    media, parameters = parse_content_type(content_type or "")
    return media == JSON and parameters.get("charset", "utf-8").lower() in {"utf-8", "utf8"}


def load(text: bytes | str) -> Any:
    """Parse JSON; orjson refuses malformed UTF-8, lone surrogates and more than 1,024 levels."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise bad_input(("request", "is not valid JSON in UTF-8")) from None


def as_operation(parameters: Any) -> GraphQLRequestData:
    """Return the parameters of one operation, or raise BAD_USER_INPUT that names each wrong one."""
    if not isinstance(parameters, dict):
        raise bad_input(("request", "must be one JSON object; batches are not supported"))
    query, name = parameters.get("query"), parameters.get("operationName")
    wrong = [
        (field, "must be an object or null")
        for field in ("variables", "extensions")
        if not isinstance(parameters.get(field), dict | None)
    ]
    if not isinstance(name, str | None):
        wrong.append(("operationName", "must be a string or null"))
    if not isinstance(query, str) or not query:
        query = ""
        wrong.append(("query", "must be a GraphQL document"))
    if wrong:
        raise bad_input(*wrong)
    if len(query) > MAX_CHARACTERS:
        raise TocsinError(
            ErrorCode.QUERY_TOO_COMPLEX,
            f"The operation exceeds the limit of characters: {MAX_CHARACTERS}.",
            limit="maxCharacters",
            max=MAX_CHARACTERS,
        )
    return GraphQLRequestData(query, parameters.get("variables"), name, parameters.get("extensions"))


def literals(query: str, document: DocumentNode) -> list[str]:
    """Return the strings in a document, if one of them may hold U+0000."""
    found = _Literals()
    if "\\u" in query or "\0" in query:
        visit(document, found)
    return found.values


def holds_nul(values: Any) -> bool:
    """Tell whether a string in what JSON was parsed to has U+0000."""
    pending = [values]
    while pending:
        value = pending.pop()
        if isinstance(value, str) and "\0" in value:
            return True
        if isinstance(value, dict):
            pending += [*value, *value.values()]
        elif isinstance(value, list):
            pending += value
    return False


class _Literals(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.values: list[str] = []

    def enter_string_value(self, node: StringValueNode, *_: Any) -> None:
        self.values.append(node.value)
