"""docs/tutorial.md, followed to the letter in an empty folder."""

import asyncio
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
from playwright.async_api import expect

from tests.bell.browser import NEEDS_CHROMIUM, chromium
from tests.docs.blocks import ROOT, Block, blocks_of
from tests.tocsin.processes import Tocsin, free_port, until

BLOCKS = [*blocks_of("docs/tutorial.md")]
_NOTES = {"run", "run until the end", "run again", "printed"}
_PORT = re.compile(r"localhost:(\d+)|--port (\d+)|http\.server (\d+)")


class Follower:
    """Somebody with a folder, who types what the page says. Its address and ports are this machine's."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self._tocsin = Tocsin(folder / ".tocsin")
        self._stack = stack
        ports = {next(filter(None, found)) for block in BLOCKS for found in _PORT.findall(block.text)}
        self.ports = {port: str(free_port()) for port in sorted(ports)}
        self._last = self._printed = ""

    def follow(self, block: Block) -> None:
        """Do what a block is for."""
        assert {*block.notes} <= _NOTES, block
        if block.title:
            (self.folder / block.title).write_text(self.here(block.text))
        if "run" in block.notes:
            self._run(self.here(block.text))
        if "run again" in block.notes:
            self._run(self._last)
        if "run until the end" in block.notes:
            self._leave_running(self.here(block.text))
        if "printed" in block.notes:
            assert json.loads(self._printed) == json.loads(block.text), block

    def say_another(self) -> None:
        """Notify Ada of one more, with the page's own program."""
        program = (self.folder / "notify.py").read_text()
        (self.folder / "another.py").write_text(re.sub(r"(rder.)18", r"\g<1>19", program))
        self._run("tocsin/.venv/bin/python another.py")

    def here(self, text: str) -> str:
        """Return a text with this checkout's address and ports that are free."""
        for port, free in self.ports.items():
            text = re.sub(rf"(localhost:|--port |http\.server ){port}\b", rf"\g<1>{free}", text)
        return text.replace("REPOSITORY", shlex.quote(str(ROOT)))

    def _run(self, script: str) -> None:
        if "make" in script:
            self._install()
        done = subprocess.run(
            ["bash", "-euc", script],
            cwd=self.folder,
            env=self._environ(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        self._last, self._printed = script, done.stdout

    def _install(self) -> None:
        """Spare `make install` the downloads: the environment is that of the tests."""
        for file in (".venv/.synced", ".uv/bin/uv"):
            path = self.folder / "tocsin" / file
            path.parent.mkdir(parents=True)
            path.touch()
        for name in ("bin", "lib", "pyvenv.cfg"):
            (self.folder / "tocsin/.venv" / name).symlink_to(Path(sys.prefix) / name)

    def _leave_running(self, script: str) -> None:
        log = self.folder / f"{len(list(self.folder.glob('*.log')))}.log"
        process = self._stack.enter_context(
            _running(["bash", "-euc", script], log, self.folder, self._environ())
        )
        (port,) = (it for it in self.ports.values() if f"--port {it}" in script or f"server {it}" in script)
        path = "readyz" if "tocsin" in script else ""
        assert until(lambda: process.poll() is not None or _answers(f"http://localhost:{port}/{path}"), 40)
        assert process.poll() is None, log.read_text()

    def _environ(self) -> dict[str, str]:
        here = self._tocsin.environ()
        return {name: value for name, value in here.items() if not name.startswith("TOCSIN_")}


@contextmanager
def _running(
    command: list[str], log: Path, folder: Path, environ: dict[str, str]
) -> Iterator["subprocess.Popen[bytes]"]:
    with (
        log.open("wb") as out,
        subprocess.Popen(
            command, cwd=folder, env=environ, stdout=out, stderr=out, start_new_session=True
        ) as process,
    ):
        try:
            yield process
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(20)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def follower(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Follower]:
    """Somebody who has followed every step, with the processes still running."""
    folder = tmp_path_factory.mktemp("tutorial")
    with ExitStack() as stack:
        follower = Follower(folder, stack)
        for block in BLOCKS:
            follower.follow(block)
        yield follower
    Tocsin(folder / ".tocsin").wait_for_stop()


def test_every_step_works(follower: Follower) -> None:
    """Each block is written or run, what is printed is what the page says, and Ada has two notifications."""
    assert [it for it in BLOCKS if not it.title and not it.notes] == []
    token = (follower.folder / "web/ada.token").read_text().strip()
    answer = httpx.post(
        f"http://localhost:{follower.ports['8000']}/graphql",
        json={"query": "{ notifications { unreadCount nodes { title } } }"},
        headers={"Authorization": f"Bearer {token}"},
    )
    assert answer.json()["data"]["notifications"] == {
        "unreadCount": 2,
        "nodes": [{"title": f"Order {number} is on its way"} for number in (18, 17)],
    }


def test_the_page_is_allowed_to_ask(follower: Follower) -> None:
    """The page is served, and the API takes questions from its origin and from no other."""
    page = httpx.get(f"http://localhost:{follower.ports['3000']}/").text
    assert f"http://localhost:{follower.ports['8000']}/graphql" in page
    for port, allowed in ((follower.ports["3000"], True), ("1", False)):
        asked = httpx.options(
            f"http://localhost:{follower.ports['8000']}/graphql",
            headers={
                "Origin": f"http://localhost:{port}",
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "authorization,content-type",
            },
        )
        assert ("access-control-allow-origin" in asked.headers) is allowed


@NEEDS_CHROMIUM
async def test_the_bell_counts(follower: Follower) -> None:
    """The page shows Ada's two, and a third one within moments."""
    async with chromium() as browser:
        page = await browser.new_page()
        await page.goto(f"http://localhost:{follower.ports['3000']}/")
        badge = page.locator("tocsin-bell").locator(".badge")
        await expect(badge).to_have_text("2")
        await asyncio.to_thread(follower.say_another)
        await expect(badge).to_have_text("3", timeout=2_000)
