"""A restore as docs/how-to/restore.md says: no client goes on from a future that was lost."""

import asyncio
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from db import embedded
from db.draft import create
from db.session import Scope, open_database
from tests.resolvers.support import WATCH_EVENTS, now
from tests.support import SECRET, Api, Urls, draft, running_server, test_settings
from tests.tocsin.processes import Tocsin, fetch

DOC = Path(__file__).parents[2] / "docs" / "how-to" / "restore.md"
_BLOCKS = re.findall(r"```(?:sql|sh)\n(.*?)```", DOC.read_text(), flags=re.DOTALL)
_ROLE, _DUMP, _RESTORE, _NEW_EPOCH = _BLOCKS
RESTORED = ("ResyncRequired", "The inbox was restored since.")


@pytest.fixture
async def own(own_urls: Urls, superuser_url: str) -> AsyncIterator[Urls]:
    """Make the role that backs up a database of the test's own."""
    await fetch(superuser_url, _ROLE.replace("…", "backup"))
    yield own_urls
    await fetch(superuser_url, "drop role tocsin_backup")


class Operator:
    """Somebody with a shell and all the rights."""

    def __init__(self, own: Urls, folder: Path) -> None:
        self._own, self._folder = own, folder
        self._tocsin = Tocsin(folder / "data", {"owner_database_url": own.owner})

    async def run(self, script: str) -> str:
        """Run commands, which must succeed; return what they print."""
        backup = make_url(self._own.superuser).set(username="tocsin_backup", password="backup")
        # pg_restore says what an older server does not know, so dump and restore are of the server's own version.
        tools = [] if os.environ.get("TOCSIN_TEST_DATABASE_URL") else [str(embedded._binaries())]
        path = (*tools, str(Path(sys.executable).parent), os.environ["PATH"])
        own = {
            "PATH": os.pathsep.join(path),
            "BACKUP_URL": backup.render_as_string(hide_password=False),
            "SUPERUSER_URL": self._own.superuser,
        }
        shell = await asyncio.create_subprocess_exec(
            *("bash", "-ec", script),
            cwd=self._folder,
            env=self._tocsin.environ() | own,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, complaint = await shell.communicate()
        assert (shell.returncode, complaint.decode()) == (0, "")
        return output.decode()

    async def empty(self, superuser_url: str) -> None:
        """Make the database anew."""
        name, owner = make_url(self._own.owner).database, make_url(self._own.owner).username
        await fetch(superuser_url, f"drop database {name} with (force)")
        await fetch(superuser_url, f"create database {name} owner {owner}")


async def told(user: Api.User, since: str) -> tuple[str, str]:
    """Return the first event after a cursor, with what it says."""
    async with user.socket() as socket:
        event = (await (await socket.subscribe(WATCH_EVENTS, since=since)).next())["inboxEvents"]
    return event["__typename"], event.get("reason") or event["notification"]["title"]


@pytest.mark.skipif(
    "TOCSIN_TEST_DATABASE_URL" in os.environ and not shutil.which("pg_restore"), reason="needs pg_restore"
)
async def test_a_dump_and_its_restore(own: Urls, superuser_url: str, tmp_path: Path) -> None:
    """Who has a cursor of the lost future reads anew, even where the inbox was not there or has moved on."""
    operator, settings = Operator(own, tmp_path), test_settings(own, tmp_path / "data")
    async with running_server(settings) as api:
        ada, grace = api.user("acme", "ada"), api.user("globex", "grace")
        await ada.receive("kept", "kept too")
        await operator.run(_DUMP)
        await ada.receive("lost")
        await grace.receive("lost", "lost too")
        lost = {"ada": await now(ada), "grace": await now(grace)}
    await operator.empty(superuser_url)
    await operator.run(_RESTORE)
    assert "1 inboxes of 1 tenants are in a new epoch.\n" in await operator.run(_NEW_EPOCH)
    async with running_server(settings) as api:
        ada, grace = api.user("acme", "ada"), api.user("globex", "grace")
        before = await now(grace)
        await ada.receive("another", "and another")
        await grace.receive("another", "and another", "and one more")
        assert await told(ada, lost["ada"]) == RESTORED
        assert await told(grace, lost["grace"]) == RESTORED
        assert await told(grace, before) == ("NotificationCreated", "another")


async def test_open_subscriptions_hear_of_it(own: Urls, tmp_path: Path) -> None:
    """Where servers run meanwhile, the sweep finds the new epoch; the next event is told as ever."""
    operator = Operator(own, tmp_path)
    async with running_server(test_settings(own, tmp_path / "data")) as api:
        ada = api.user("acme", "ada")
        await ada.receive("one")
        async with ada.socket() as socket:
            feed = await socket.subscribe(WATCH_EVENTS, since=await now(ada))
            await operator.run("tocsin new-epoch")
            resync = (await feed.next(10))["inboxEvents"]
            assert (resync["__typename"], resync["reason"]) == RESTORED
            assert resync["cursor"] == await now(ada)
            await ada.receive("two")
            assert (await feed.next())["inboxEvents"]["__typename"] == "NotificationCreated"


async def test_an_epoch_never_comes_twice(own: Urls, tmp_path: Path) -> None:
    """It is the minutes since 1970 or, in the same minute again, one more; of all inboxes of all tenants."""
    operator = Operator(own, tmp_path)
    async with open_database(own.server, size=1) as database:
        for tenant in ("acme", "globex"):
            async with database.transaction(Scope(tenant, None)) as tx:
                await create(tx, [draft("ada"), draft("grace")])
    (minutes,) = (await fetch(own.superuser, "select (extract(epoch from now()) / 60)::int"))[0]
    last = minutes - 1
    for _time in range(3):
        said = await operator.run("tocsin new-epoch")
        assert said == "4 inboxes of 2 tenants are in a new epoch.\n"
        epochs = [it for (it,) in await fetch(own.superuser, "select epoch from tocsin.inbox")]
        assert len(epochs) == 4
        assert len({*epochs}) == 1
        assert epochs[0] > last
        last = epochs[0]
    assert last <= minutes + 5


async def test_only_the_owner_may(own: Urls, tmp_path: Path) -> None:
    """The server's login is refused, and nothing has changed."""
    done = Tocsin(tmp_path / "data", {"database_url": own.server, "jwt_secret": SECRET}).run("new-epoch")
    assert (done.code, done.out) == (1, "")
    assert "must be owner of table inbox" in done.err
