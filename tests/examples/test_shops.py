"""The example applications run as their first lines say, and their customers' bells ring."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from resolvers.principal import Role
from tests.machines import machine
from tests.support import SECRET, Api
from tests.tocsin.processes import ROOT, free_port, until

_TITLES = "{ notifications { nodes { title url } } }"
_COMMANDS = {
    "django": ["shop.py", "runserver", "{port}", "--noreload"],
    "fastapi": ["-m", "uvicorn", "shop:app", "--port", "{port}"],
}


@contextmanager
def _shop(name: str, folder: Path, **settings: str) -> Iterator[str]:
    """Run an example; yield its address."""
    port = free_port()
    command = [sys.executable, *(it.format(port=port) for it in _COMMANDS[name])]
    environ = os.environ | {"PYTHONPATH": str(ROOT), "SHOP_DATABASE": str(folder / "shop.sqlite"), **settings}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT / "examples" / name, env=environ, stdout=log, stderr=log)
        try:
            url = f"http://127.0.0.1:{port}"
            assert until(lambda: _answers(url) or process.poll() is not None), (folder / "log").read_text()
            yield url
        finally:
            process.kill()
            process.wait()


def _answers(url: str) -> bool:
    try:
        httpx.get(f"{url}/bell-token", headers={"X-User": "nobody"})
    except httpx.TransportError:
        return False
    return True


@pytest.mark.parametrize("name", _COMMANDS)
async def test_an_order_rings_the_bell(name: str, api: Api, tmp_path: Path) -> None:
    """Two orders, two notifications, read with the token that the shop gives its page."""
    admin = api.user("shop", "root", Role.ADMIN)
    key, user = (await machine(admin, name=name)).token, f"ada-{uuid4().hex[:8]}"
    settings = {"TOCSIN_URL": api.url, "TOCSIN_AGENT_KEY": key, "TOCSIN_JWT_SECRET": SECRET}

    def shopping() -> tuple[list[int], str]:
        with _shop(name, tmp_path, **settings) as url, httpx.Client(headers={"X-User": user}) as http:
            numbers = [http.post(f"{url}/orders").json()["order"] for _ in range(2)]
            token = http.get(f"{url}/bell-token").json()["token"]
            assert until(lambda: asked(token) == 2)
            return numbers, token

    def asked(token: str) -> int:
        answer = httpx.post(
            f"{api.url}/graphql",
            json={"query": "{ stats { total } }"},
            headers={"Authorization": f"Bearer {token}"},
        )
        return int(answer.json()["data"]["stats"]["total"])

    numbers, token = await asyncio.to_thread(shopping)
    bell = Api.User(api, "shop", user, token)
    nodes = (await bell.data(_TITLES))["notifications"]["nodes"]
    assert numbers == [1, 2]
    # The second request may be answered before the first one's task has run.
    assert sorted((it["title"], it["url"]) for it in nodes) == [
        ("Order 1 is placed", "/orders/1"),
        ("Order 2 is placed", "/orders/2"),
    ]
