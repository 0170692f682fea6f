"""`tocsin dev` as somebody sees it who has just cloned the repository."""

import os
import pty
import pwd
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support import Urls, open_socket, provision
from tests.tocsin.processes import (
    ROOT,
    Running,
    Tocsin,
    badge,
    fetch,
    free_port,
    postgres_of,
    until,
)

_SYSTEM_PYTHON = "/usr/bin/python3"
_EVENT = b'{"tenant": "strawberry", "recipients": ["grace"], "type": "t", "category": "c", "title": "New"}\n'
_WHO = "{ stats { total unread } notifications(first: 1) { totalCount } }"


@pytest.fixture(scope="module")
def tocsin(tmp_path_factory: pytest.TempPathFactory) -> Tocsin:
    """Return the command line with a data dir whose path has spaces."""
    return Tocsin(tmp_path_factory.mktemp("dev") / "it's a data dir")


@pytest.fixture(scope="module")
def dev(tocsin: Tocsin) -> Iterator[Running]:
    """Run it with the demo, for tests that leave it as it is."""
    with tocsin.dev() as running:
        yield running
    tocsin.wait_for_stop()


def test_its_message_is_short_and_complete(dev: Running) -> None:
    """It says where the page and GraphiQL are, with links and tokens for two roles and two tenants."""
    assert list(dev.tokens()) == ["grace@strawberry", "ada@strawberry", "ken@graphql-ws"]
    assert dev.text().startswith(f"\nTocsin runs. Demo: {dev.url}/\nGraphiQL: {dev.url}/graphql\n")
    assert len(dev.text().splitlines()) == 14


def test_its_tokens_work(dev: Running) -> None:
    """Each token opens an inbox of its own, and only the admin's other people's settings."""
    tokens = dev.tokens()
    totals = {who: dev.ask(token, _WHO) for who, token in tokens.items()}
    assert all(0 < it["stats"]["unread"] < it["stats"]["total"] for it in totals.values())
    assert all(it["stats"]["total"] == it["notifications"]["totalCount"] for it in totals.values())
    settings = "{ preferences(user: %s) { id } }"
    assert len(dev.ask(tokens["ada@strawberry"], settings % '"grace"')["preferences"]) == 2
    assert dev.ask(tokens["grace@strawberry"], "{ channels { totalCount } }") == {
        "channels": {"totalCount": 2}
    }


def test_a_second_one_says_so(tocsin: Tocsin, dev: Running) -> None:
    """On the same data it ends with a sentence, and the first goes on."""
    done = tocsin.run("dev", "--port", str(free_port()))
    assert (done.code, done.out) == (1, "")
    assert done.err == f"`tocsin dev` is already running on {tocsin.data_dir}.\n"
    assert dev.is_ready()


def test_a_taken_port_is_named(dev: Running, tmp_path: Path) -> None:
    """Another one on the same port says what to do, before it makes a database."""
    port = dev.url.rpartition(":")[2]
    done = Tocsin(tmp_path / "other").call("dev", "--port", port)
    assert (done.code, done.err) == (1, f"Port {port} is taken: try --port. (Address already in use)\n")
    assert not (tmp_path / "other" / "postgres").exists()


async def test_other_commands_join_in(tocsin: Tocsin, dev: Running) -> None:
    """`tocsin token` prints what the running server accepts; `tocsin import` reaches open subscriptions."""
    token = tocsin.token("strawberry", "grace")

    def bring_something() -> None:
        done = tocsin.run("import", "/dev/stdin", stdin=_EVENT)
        assert done.out == "1 events: 1 notifications stored, 0 already there, 0 bad lines.\n", done.err

    before, after = await badge(dev, token, bring_something)
    assert after == before + 1


async def test_an_open_subscription_does_not_hold_it_up(tocsin: Tocsin, dev: Running, tmp_path: Path) -> None:
    """SIGTERM ends it within seconds, with exit code 0 and its Postgres, though a client does not answer."""
    own = Tocsin(tmp_path / "own")
    with own.dev("--no-demo") as running:
        token = running.tokens()["grace@strawberry"]
        async with open_socket(running.url, {"authorization": f"Bearer {token}"}) as socket:
            feed = await socket.subscribe("subscription { stats { unread } }")
            assert (await feed.next())["stats"] == {"unread": 0}
            began = time.monotonic()
            assert running.end() == 0
            assert time.monotonic() - began < 8  # of these 5 for the answer to its close
        assert not postgres_of(own.data_dir)
        assert "Traceback" not in running.text()
    assert dev.is_ready(), tocsin


def test_kill_it_and_start_again(tmp_path: Path) -> None:
    """After kill -9 Postgres ends by itself, and the next start has the same data and key."""
    tocsin = Tocsin(tmp_path / "data")
    with tocsin.dev() as running:
        token = running.tokens()["ken@graphql-ws"]
        total = running.ask(token, _WHO)["stats"]["total"]
        running.end(signal.SIGKILL)
    with tocsin.dev() as running:
        assert running.ask(token, _WHO)["stats"]["total"] == total
        running.end(signal.SIGKILL)
    tocsin.wait_for_stop()


def test_ctrl_c_in_a_terminal(tmp_path: Path) -> None:
    """Ctrl-C is an orderly end: exit code 0, no traceback, no Postgres left."""
    tocsin = Tocsin(tmp_path / "data")
    terminal, theirs = pty.openpty()
    arguments = ["-c", "from tocsin.cli import app; app()", "dev", "--no-demo", "--port", str(free_port())]
    shown = b""
    with subprocess.Popen(
        # A session of its own with the pty as its terminal, as a login has.
        ["setsid", "--ctty", "--wait", sys.executable, *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=tocsin.environ(),
    ) as process:
        os.close(theirs)
        try:
            while b"Ctrl-C stops it." not in shown:
                assert select.select([terminal], [], [], 40)[0], shown
                shown += os.read(terminal, 65_536)
            os.write(terminal, b"\x03")
            with suppress(OSError):  # the terminal's other end is closed
                while more := os.read(terminal, 65_536):
                    shown += more
            assert process.wait(20) == 0
        finally:
            process.kill()
            os.close(terminal)
    assert b"Traceback" not in shown
    assert not postgres_of(tocsin.data_dir)


async def test_a_postgres_of_ones_own(superuser_url: str, tmp_path: Path) -> None:
    """With TOCSIN_DATABASE_URL the same demo is there, and nothing is embedded."""
    async with provision(superuser_url, migrate=False) as urls:
        tocsin = Tocsin(tmp_path / "data", {"database_url": urls.superuser})
        with tocsin.dev() as running:
            stats = running.ask(running.tokens()["ken@graphql-ws"], _WHO)["stats"]
            assert 0 < stats["unread"] < stats["total"]
            assert running.end() == 0
        assert not (tocsin.data_dir / "postgres").exists()
        await _as_two_roles(tmp_path, urls)


async def _as_two_roles(tmp_path: Path, urls: Urls) -> None:
    """Run it again with the owner and the server's login apart, on what is there already."""
    settings = {"database_url": urls.server, "owner_database_url": urls.superuser}
    counted = "select count(*) from tocsin.notification"
    before = await fetch(urls.superuser, counted)
    with Tocsin(tmp_path / "data", settings).dev() as running:
        assert running.is_ready()
        assert running.end() == 0
    assert await fetch(urls.superuser, counted) == before


@pytest.mark.parametrize("where", ["/proc/nowhere", "a file"])
def test_a_data_dir_that_cannot_be(where: str, tmp_path: Path) -> None:
    """What cannot hold the data is named, without a traceback."""
    (tmp_path / "a file").touch()
    done = Tocsin(tmp_path / where).call("dev", "--port", str(free_port()))
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"{tmp_path / where}: ")
    assert len(done.err.splitlines()) == 1


@pytest.fixture
def strangers_dir() -> Iterator[Path]:
    """Make a folder that belongs to an ordinary user."""
    folder = Path(tempfile.mkdtemp(prefix="tocsin test ", dir="/tmp"))
    os.chown(folder, pwd.getpwnam("nobody").pw_uid, -1)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def _has_our_version(python: str) -> bool:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    command = [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    with suppress(OSError):
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == version
    return False


@pytest.mark.skipif(
    os.geteuid() != 0 or not _has_our_version(_SYSTEM_PYTHON),
    reason="only root can become an ordinary user, who needs a Python outside of /root",
)
def test_as_an_ordinary_user(strangers_dir: Path) -> None:
    """Somebody without any rights has the same; what it made is theirs alone."""
    tocsin = Tocsin(strangers_dir / "data")
    packages = Path(pytest.__file__).parents[1]
    environ = tocsin.environ() | {"PYTHONPATH": f"{ROOT}:{packages}", "HOME": str(strangers_dir)}
    command = ["setpriv", "--reuid=nobody", "--clear-groups", _SYSTEM_PYTHON]
    command += ["-c", "from tocsin.cli import app; app()"]
    tocsin.data_dir.mkdir()
    os.chown(tocsin.data_dir, pwd.getpwnam("nobody").pw_uid, -1)
    with tocsin.dev(command=command, environ=environ) as running:
        assert running.ask(running.tokens()["ken@graphql-ws"], _WHO)["stats"]["total"] > 0
        assert {Path(f"/proc/{it}").owner() for it in postgres_of(tocsin.data_dir)} == {"nobody"}
        assert running.end() == 0
    assert {path.owner() for path in tocsin.data_dir.rglob("*")} == {"nobody"}
    assert until(lambda: not postgres_of(tocsin.data_dir))
