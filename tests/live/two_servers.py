"""Two servers as processes of their own on one database, with hints or without."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import httpx

import live.sweep
from db.session import Hint
from live.hub import Hub
from tests.delivery.site import Program
from tests.forked import run_command
from tests.support import SECRET, Answer, Api, Urls, test_settings
from tests.tocsin.processes import Tocsin, free_port

_PATIENCE_SECONDS = 600.0
"""What is right is looked at here, and not how soon: a thousand tabs may begin at once on a busy machine."""


def _announce_nothing(_hub: Hub, _hints: Sequence[Hint]) -> None:
    """Announce nothing."""


def serve_silently(port: int, sweep: float) -> None:
    """Be a `tocsin serve` that tells nobody, here or elsewhere, what was committed: the sweep alone finds it."""
    live.sweep.SECONDS = sweep
    Hub.announce = _announce_nothing  # type: ignore[assignment]
    run_command("serve", "--port", str(port))


@asynccontextmanager
async def two_servers(
    urls: Urls, folder: Path, silent: float | None, **settings: str
) -> AsyncIterator[Sequence[Api]]:
    """Run two servers as processes of their own; silent: without hints, with a sweep so often."""
    whole = {"database_url": urls.server, "jwt_secret": SECRET, **settings}
    environ = Tocsin(folder / "data", whole).environ()
    async with AsyncExitStack() as stack:
        ports = [free_port(), free_port()]
        for port in ports:
            serve = partial(run_command, "serve", "--port", str(port))
            command = serve if silent is None else partial(serve_silently, port, silent)
            stack.callback(Program(command, environ, folder / f"{port}.log").kill)
        yield [await _ready(stack, urls, folder, port) for port in ports]


async def _ready(stack: AsyncExitStack, urls: Urls, folder: Path, port: int) -> Api:
    """Return a server when it answers."""
    url = f"http://127.0.0.1:{port}"
    http = httpx.AsyncClient(base_url=url, timeout=_PATIENCE_SECONDS, limits=httpx.Limits(keepalive_expiry=2))
    await stack.enter_async_context(http)
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while True:
            with suppress(httpx.TransportError):
                if (await http.get("/readyz")).is_success:
                    # Nobody here looks into its database.
                    api = Api(url, test_settings(urls, folder), None, http)  # type: ignore[arg-type]
                    stack.callback(api.wire.close)
                    return api
            await asyncio.sleep(0.05)


async def ask(user: Api.User, document: str, **variables: Any) -> Answer:
    """Run an operation; once more if an idle connection was closed before somebody busy could see it."""
    try:
        return await user.ask(document, **variables)
    except OSError:
        return await user.ask(document, **variables)
