"""The log of real processes: a JSON object a line, with the ids of what it is about and no value of anybody's."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support import Urls, open_socket
from tests.tocsin.processes import Tocsin, fetch
from tocsin import logs
from tocsin.settings import Settings

_SECRET = "a secret that only these tests use, with 32 bytes"
CANARY = "canary-5e1c"
PAGE = f"""query Badge($it: String!) {{
  notifications(filter: {{types: [$it, "{CANARY}-inline"]}}) {{ totalCount }} }}"""
KEYS = {"level", "logger", "message", "timestamp"}


def lines(text: str) -> list[dict[str, Any]]:
    """Return each line of a log, all of which are objects."""
    return [json.loads(line) for line in text.splitlines()]


# -- the server --------------------------------------------------------------------------------------------


async def test_what_a_server_logs(own: Urls, tmp_path: Path) -> None:
    """A fault names the request, the tenant and the operation, over HTTP and a socket; no value is there."""
    await fetch(own.superuser, "revoke select on tocsin.notification, tocsin.inbox_count from tocsin_app")
    settings = {"database_url": own.server, "jwt_secret": _SECRET}
    tocsin = Tocsin(tmp_path / "data", settings)
    token = tocsin.token("acme", "ada")
    with tocsin.serve() as running:
        body = {"query": PAGE, "variables": {"it": f"{CANARY}-variable"}, "operationName": "Badge"}
        async with httpx.AsyncClient(verify=False) as http:
            headers = {"Authorization": f"Bearer {token}", "X-Request-Id": "over-http"}
            answered = (await http.post(f"{running.url}/graphql", json=body, headers=headers)).json()
            assert answered["errors"][0]["extensions"] == {"code": "INTERNAL", "requestId": "over-http"}
            odd = {**body, "operationName": f"{CANARY} is no name"}
            await http.post(f"{running.url}/graphql", json=odd, headers=headers)
        async with open_socket(running.url, {"authorization": f"Bearer {token}"}) as socket:
            await (await socket.subscribe(PAGE, it=f"{CANARY}-variable")).message()
        assert running.end() == 0
        text = running.text()
    assert not any(secret in text for secret in (CANARY, token, "totalCount", _SECRET))
    found = lines(text)
    assert all(line.keys() >= KEYS for line in found)
    one, other = [line for line in found if "exception" in line]
    assert {name: one[name] for name in ("level", "tenant", "operation", "request_id")} == {
        "level": "error",
        "tenant": "acme",
        "operation": "Badge",
        "request_id": "over-http",
    }
    assert one["exception"].startswith("InsufficientPrivilegeError\n")
    assert other["tenant"] == "acme"
    assert other["request_id"] not in {"over-http", "none"}
    await fetch(own.superuser, "grant select on tocsin.notification, tocsin.inbox_count to tocsin_app")


# -- formats -----------------------------------------------------------------------------------------------


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """Return a logger of somebody else's; afterwards logging is as pytest had it."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield logging.getLogger("somebody.else")
    root.handlers[:] = before
    root.setLevel(level)
    logging.captureWarnings(capture=False)


def _fail() -> None:
    try:
        int(CANARY)
    except ValueError as error:
        raise RuntimeError(CANARY) from error


@pytest.mark.parametrize("format", ["json", "text"])
def test_an_exception_says_where_and_not_what(
    logger: logging.Logger, capsys: pytest.CaptureFixture[str], format: str
) -> None:
    """In either format: the types and places of it and of its cause, and not their texts."""
    logs.configure(Settings(log_format=format))
    try:
        _fail()
    except RuntimeError:
        logger.exception("It failed")
    text = capsys.readouterr().err
    assert CANARY not in text
    assert all(part in text for part in ("It failed", "RuntimeError", "ValueError", "_fail", "somebody.else"))


def test_the_level(logger: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    """What is below it is not logged."""
    logs.configure(Settings(log_format="json", log_level="warning"))
    logger.info("too little")
    logger.warning("enough")
    (line,) = lines(capsys.readouterr().err)
    assert (line["message"], line["level"], line["logger"]) == ("enough", "warning", "somebody.else")
