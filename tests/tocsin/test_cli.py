"""The command line: help, tokens, schema, migrate and the exit codes of import."""

import subprocess
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from sqlalchemy import make_url

from db import embedded
from db.migrate import upgrade
from db.revision import newest
from tests.support import Urls, provision
from tests.tocsin.processes import COMMAND, Done, Tocsin, fetch

_SECRET = "a secret that only these tests use, with 32 bytes"
_GOOD = b'{"tenant": "t", "recipients": ["ada"], "type": "t", "category": "c", "title": "New"}\n'
_SET_REVISION = "update tocsin.alembic_version set version_num = $1"


@pytest.fixture
def tocsin(tmp_path: Path) -> Tocsin:
    """Return the command line with a key and without a database."""
    return Tocsin(tmp_path / "data", {"jwt_secret": _SECRET})


@pytest.fixture
async def empty(superuser_url: str) -> AsyncIterator[Urls]:
    """Make a database that nobody has migrated."""
    async with provision(superuser_url, migrate=False) as urls:
        yield urls


def at_once(tocsin: Tocsin, *commands: list[str]) -> list[Done]:
    """Run commands two at a time: most of each is Python's start."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda arguments: tocsin.run(*arguments), commands))


def test_help_reads_well(tocsin: Tocsin) -> None:
    """Every command is listed with what it does; its own help names each option."""
    options = {
        "dev": ["--port", "--no-demo"],
        "serve": ["--host", "--port", "--workers"],
        "migrate": ["TOCSIN_OWNER_DATABASE_URL"],
        "token": ["--tenant", "--user", "--role", "--expires"],
        "import": ["JSON lines", "createdAt"],
        "notify": ["JSON lines", "idempotencyKey"],
        "rotate-keys": ["TOCSIN_SECRET_KEYS"],
        "schema": ["SDL"],
    }
    whole, bare, *each = (
        tocsin.call(*it) for it in (["--help"], [], *([name, "--help"] for name in options))
    )
    assert whole.code == 0
    assert "a self-hosted, multi-tenant notification inbox" in whole.out
    assert all(f" {name} " in whole.out for name in options)
    assert whole.out.split() == (bare.out + bare.err).split()
    for (name, named), done in zip(options.items(), each, strict=True):
        assert done.code == 0, name
        assert all(it in done.out for it in named), done.out


def test_the_schema_is_the_file(tocsin: Tocsin, repository: Path) -> None:
    """`tocsin schema` prints schema.graphql, and needs no database."""
    command, environ = [*COMMAND, "schema"], tocsin.environ()
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ((repository / "schema.graphql").read_text(), "")
    assert not tocsin.data_dir.exists()


def claims(done: Done) -> dict[str, Any]:
    """Return what a printed token says; nothing else may be printed."""
    assert (done.code, done.err) == (0, "")
    assert done.out.count("\n") == 1
    return jwt.decode(done.out.strip(), _SECRET, ["HS256"], audience="tocsin", issuer="tocsin")


def test_tokens(tocsin: Tocsin) -> None:
    """A token alone is printed, for the tenants, user, roles and time that were asked for."""
    said = claims(tocsin.run("token", "--tenant", "acme", "--user", "ada"))
    assert (said["tenant"], said["sub"], said["roles"]) == ("acme", "ada", ["user"])
    assert said["exp"] - said["iat"] == timedelta(hours=12).total_seconds()
    assert datetime.fromtimestamp(said["iat"], UTC) > datetime.now(UTC) - timedelta(minutes=1)
    roles = ["--role=user", "--role=admin"]
    said = claims(tocsin.call("token", "--tenant=a", "--tenant=b", "--user=ada", *roles, "--expires=30m"))
    assert (said["tenant"], said["roles"]) == (["a", "b"], ["user", "admin"])
    assert said["exp"] - said["iat"] == timedelta(minutes=30).total_seconds()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--tenant=acme"], "--user"),
        (["--user=ada"], "--tenant"),
        (["--tenant=acme", "--user="], "sub"),
        (["--tenant=acme", "--user=ada", "--role=god"], "--role"),
        (["--tenant=acme", "--user=ada", "--role=agent", "--role=user"], "agent"),
        (["--tenant=acme", "--user=ada", "--expires=soon"], "--expires"),
        (["--tenant=acme", "--user=ada", "--expires=0s"], "--expires"),
        (["--tenant=acme", "--user=ada", "--expires=-1h"], "--expires"),
    ],
)
def test_no_such_token(arguments: list[str], named: str, tocsin: Tocsin) -> None:
    """What no server would accept is not printed; the wrong argument is named, with exit code 2."""
    done = tocsin.call("token", *arguments)
    assert (done.code, done.out) == (2, "")
    assert named in done.err


def test_tokens_of_other_servers(tmp_path: Path) -> None:
    """Without HS256 nothing can be signed here; without a secret the data dir's key is made and kept."""
    elsewhere = Tocsin(tmp_path, {"jwt_algorithm": "RS256"}).call("token", "--tenant", "t", "--user", "u")
    assert (elsewhere.code, elsewhere.out) == (1, "")
    assert elsewhere.err == "Tokens are signed here only with HS256, not RS256.\n"
    kept = Tocsin(tmp_path / "data").token("t", "u")
    key = (tmp_path / "data" / "signing-key").read_text()
    assert jwt.decode(kept, key, ["HS256"], audience="tocsin")["sub"] == "u"


async def test_migrate_as_the_owner(empty: Urls, tmp_path: Path) -> None:
    """With the owner's URL alone it migrates, twice is harmless, and it needs neither key nor data dir."""
    tocsin = Tocsin(tmp_path / "data", {"owner_database_url": empty.owner})
    for _time in range(2):
        done = tocsin.run("migrate")
        assert (done.code, done.out, done.err) == (0, f"The database is at revision {newest()}.\n", "")
    assert await fetch(empty.owner, "select version_num from tocsin.alembic_version") == [(newest(),)]
    assert not tocsin.data_dir.exists()


async def test_a_migration_that_may_not(empty: Urls, tmp_path: Path) -> None:
    """A role without the right to migrate, or a login without the server's role, is told what to do."""
    as_server = Tocsin(tmp_path, {"database_url": empty.server})
    done = as_server.run("migrate")
    assert (done.code, done.out) == (1, "")
    database = make_url(empty.server).database
    assert done.err == (
        f"The database cannot be used: permission denied for database {database}. Migrate as the database's"
        " owner, with CREATEROLE or after a superuser's CREATE ROLE tocsin_app; CREATE ROLE tocsin_worker;"
        " CREATE ROLE tocsin_host.\n"
    )
    done = Tocsin(tmp_path, {"database_url": empty.owner}).run("dev", "--port", "1024")
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        'The database cannot be used: permission denied to set role "tocsin_app". A superuser can allow it:'
        " GRANT tocsin_app, tocsin_worker TO the role in the URL.\n"
    )


async def test_another_revision(empty: Urls, tmp_path: Path) -> None:
    """A database that is not migrated, or was by a newer version, is left alone, and the way out is named."""
    tocsin = Tocsin(
        tmp_path, {"database_url": empty.server, "owner_database_url": empty.owner, "jwt_secret": _SECRET}
    )
    behind = f"The database is not at revision {newest()}: run `tocsin migrate`."
    done = tocsin.run("import", "/dev/stdin", stdin=_GOOD)
    assert (done.code, done.out, done.err.splitlines()[-1]) == (1, "", behind)
    assert tocsin.run("migrate").code == 0
    await fetch(empty.owner, _SET_REVISION, "9999")
    newer = "The database was migrated by a newer Tocsin than this one."
    done = tocsin.run("migrate")
    assert (done.code, done.out) == (1, "")
    assert done.err == f"{newer} (Can't locate revision identified by '9999')\n"
    assert await fetch(empty.owner, "select version_num from tocsin.alembic_version") == [("9999",)]


async def test_what_import_says(empty: Urls, tmp_path: Path) -> None:
    """The summary on stdout, bad lines with their numbers on stderr; 0 if there are none, 1 if there are."""
    tocsin = Tocsin(tmp_path / "data", {"database_url": empty.server, "owner_database_url": empty.owner})
    assert tocsin.run("migrate").code == 0
    mixed, nothing, rubbish = (tmp_path / name for name in ("mixed", "nothing", "rubbish"))
    mixed.write_bytes(_GOOD + b"[]\n" + _GOOD + _GOOD.replace(b"category", b"data"))
    nothing.touch()
    rubbish.write_bytes(bytes(range(256)) * 40)
    done, empty_file, binary = at_once(
        tocsin, ["import", str(mixed)], ["import", str(nothing)], ["import", str(rubbish)]
    )
    folder, absent = (tocsin.call("import", str(it)) for it in (tmp_path, tmp_path / "absent"))
    summary = "2 events: 1 notifications stored, 1 already there, 2 bad lines.\n"
    assert (done.code, done.out) == (1, summary)
    assert done.err.splitlines() == [
        "Importing",
        "line 2: line: Input should be a valid dictionary or instance of ImportedEvent",
        "line 4: category: Field required; data: Extra inputs are not permitted",
    ]
    assert empty_file == Done(
        0, "0 events: 0 notifications stored, 0 already there, 0 bad lines.\n", "Importing\n"
    )
    assert (binary.code, binary.out.partition(":")[0]) == (1, "0 events")
    assert (folder.code, absent.code) == (2, 2)
    assert "is a directory" in folder.err
    assert "does not exist" in absent.err
    assert not tocsin.data_dir.exists()


async def test_what_notify_says(empty: Urls, tmp_path: Path) -> None:
    """The summary on stdout, bad lines with their numbers on stderr; run again nothing is said twice."""
    tocsin = Tocsin(tmp_path / "data", {"database_url": empty.server, "owner_database_url": empty.owner})
    assert tocsin.run("migrate").code == 0
    file = tmp_path / "lines"
    good = _GOOD.replace(b"}", b', "severity": "HIGH"}')
    everyone = good.replace(b'"recipients": ["ada"]', b'"everyone": true')
    file.write_bytes(good + b"[]\n" + everyone + good.replace(b"category", b"categories"))
    done = tocsin.run("notify", str(file))
    said = "2 lines said: 1 notifications stored, 1 left to the worker, 0 lines said before, 2 bad lines.\n"
    assert (done.code, done.out) == (1, said)
    assert done.err.splitlines() == [
        "Notifying",
        "line 2: must be an object",
        (
            "line 4: Expected value of type 'NotifyInput' not to include unknown field 'categories'."
            " Did you mean 'category'?"
        ),
    ]
    file.write_bytes(good + everyone)
    done = tocsin.run("notify", str(file))
    said = "0 lines said: 0 notifications stored, 0 left to the worker, 2 lines said before, 0 bad lines.\n"
    assert (done.code, done.out) == (0, said)
    assert await fetch(empty.superuser, "select count(*) from tocsin.notification") == [(1,)]


async def test_an_upgrade_that_may_not_make_the_role(tmp_path: Path) -> None:
    """In a cluster without tocsin_host, an owner who may make no roles is told; then it goes on from there."""
    with embedded.start(tmp_path / "postgres") as postgres:
        async with provision(postgres.superuser_url, migrate=False) as urls:
            await upgrade(urls.owner, "0004")
            await fetch(urls.superuser, "drop role tocsin_host")
            tocsin = Tocsin(tmp_path / "data", {"owner_database_url": urls.owner})
            done = tocsin.run("migrate")
            assert (done.code, done.out) == (1, "")
            assert done.err == (
                "The database cannot be used: permission denied to create role. Migrate as the database's"
                " owner, with CREATEROLE or after a superuser's CREATE ROLE tocsin_app; CREATE ROLE"
                " tocsin_worker; CREATE ROLE tocsin_host.\n"
            )
            await fetch(urls.superuser, "create role tocsin_host")
            assert tocsin.run("migrate").code == 0
