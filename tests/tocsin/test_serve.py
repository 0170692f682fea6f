"""`tocsin serve`: what production runs, and what it refuses to run with."""

import asyncio
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import make_url

from db import embedded
from tests.support import Urls, open_socket
from tests.tocsin.processes import (
    Done,
    Tocsin,
    badge,
    fetch,
    free_port,
    postgres_of,
)

_SECRET = "a secret that only these tests use, with 32 bytes"
_EVENT = b'{"tenant": "acme", "recipients": ["ada"], "type": "t", "category": "c", "title": "New"}\n'


def name_of(url: str) -> str:
    """Return a URL's role."""
    return str(make_url(url).username)


async def test_it_refuses_what_is_unsafe(own: Urls, tmp_path: Path) -> None:
    """A weak key or a mighty role: one sentence that names it, exit code 1."""
    bypass = make_url(own.server).set(username=f"{name_of(own.server)}_bypass")
    role, password = bypass.username, bypass.password
    await fetch(own.superuser, f"create role {role} login bypassrls in role tocsin_app password '{password}'")
    await fetch(own.superuser, f"grant tocsin_app to {name_of(own.owner)}")
    cases = {
        "TOCSIN_JWT_SECRET: The HMAC key is 31 bytes long": {"jwt_secret": "x" * 31},
        f"TOCSIN_DATABASE_URL: The database role {role} has BYPASSRLS": {
            "database_url": bypass.render_as_string(hide_password=False)
        },
        f"TOCSIN_DATABASE_URL: The database role {name_of(own.owner)} owns ": {"database_url": own.owner},
        f"TOCSIN_DATABASE_URL: The database role {name_of(own.superuser)} is a superuser": {
            "database_url": own.superuser
        },
    }
    common = {"database_url": own.server, "jwt_secret": _SECRET}

    def refused(settings: dict[str, str]) -> Done:
        return Tocsin(tmp_path, common | settings).run("serve", "--port", str(free_port()))

    try:
        with ThreadPoolExecutor(2) as pool:
            for sentence, done in zip(cases, pool.map(refused, cases.values()), strict=True):
                assert (done.code, done.out) == (1, ""), done
                assert done.err.startswith(sentence), done
                assert len(done.err.splitlines()) == 1, done
    finally:
        await fetch(own.superuser, f"drop role {role}")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"jwt_algorithm": "none"},
            "Settings: TOCSIN_JWT_ALGORITHM: Input should be 'HS256', 'RS256' or 'ES256'",
        ),
        ({"jwt_algorithm": "ES256"}, "TOCSIN_JWT_SECRET is for HS256, not ES256."),
        ({"jwt_secret": ""}, "TOCSIN_JWT_SECRET"),
        ({"jwks_url": "http://id.example/"}, "TOCSIN_JWT_PUBLIC_KEY and TOCSIN_JWKS_URL are for"),
        ({"allowed_origins": "https://app.example"}, "Settings: TOCSIN_ALLOWED_ORIGINS: "),
        ({"allowed_origins": "[1]"}, "Settings: TOCSIN_ALLOWED_ORIGINS: "),
        ({"max_depth": "0", "max_aliases": "x"}, "Settings: TOCSIN_MAX_DEPTH: "),
    ],
)
def test_it_refuses_wrong_settings(settings: dict[str, str], sentence: str, tmp_path: Path) -> None:
    """What cannot be meant is named in one sentence, before any database is looked for."""
    common = {"database_url": "postgresql://nowhere.invalid/db", "jwt_secret": _SECRET}
    done = Tocsin(tmp_path, common | settings).call("serve")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(sentence)
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_on_a_postgres_of_ones_own(workers: str, own: Urls, tmp_path: Path) -> None:
    """One or two workers answer, see each other's writes, and end on SIGTERM with exit code 0."""
    tocsin = Tocsin(tmp_path, {"database_url": own.server, "jwt_secret": _SECRET})
    token = tocsin.token("acme", "ada")
    event = _EVENT.replace(b"New", workers.encode())
    with tocsin.serve("--workers", workers) as running:

        def bring_something() -> None:
            assert tocsin.run("import", "/dev/stdin", stdin=event).code == 0

        before, after = await badge(running, token, bring_something)
        assert after == before + 1
        assert {running.ask(token, "{ stats { unread } }")["stats"]["unread"] for _ in range(8)} == {after}
        async with open_socket(running.url, {"authorization": f"Bearer {token}"}) as socket:
            await (await socket.subscribe("subscription { stats { unread } }")).next()
            assert running.end() == 0
        assert "Traceback" not in running.text()
    assert not await asyncio.to_thread(running.is_ready)


def test_two_workers_on_the_embedded_postgres(tmp_path: Path) -> None:
    """Several workers share the data dir's database and key, and stop Postgres with Ctrl-C."""
    tocsin = Tocsin(tmp_path / "data")
    with tocsin.serve("--workers", "2") as running:
        token = tocsin.token("acme", "ada")
        for _ in range(8):
            assert running.ask(token, "{ stats { total } }") == {"stats": {"total": 0}}
        assert running.end(signal.SIGINT) == 0
        assert "Traceback" not in running.text()
    assert not postgres_of(tocsin.data_dir)


def test_a_taken_port(tmp_path: Path, own: Urls) -> None:
    """Another server's port is refused without a traceback, and the other goes on."""
    tocsin = Tocsin(tmp_path, {"database_url": own.server, "jwt_secret": _SECRET})
    with tocsin.serve() as running:
        done = tocsin.run("serve", "--port", running.url.rpartition(":")[2])
        assert (done.code, len(done.err.splitlines())) == (3, 1)
        assert "address already in use" in done.err
        assert running.is_ready()


def test_a_database_that_is_not_there(tmp_path: Path) -> None:
    """Down, unknown, refused, or not a database: one sentence without the password, exit code 1."""
    with embedded.start(tmp_path / "postgres") as postgres:
        wrong = make_url(postgres.server_url).set(password="hunter2")  # scram is asked for here
        absent = wrong.set(password=make_url(postgres.server_url).password, database="absent")
        cases = {
            wrong: 'The database cannot be used: password authentication failed for user "tocsin_server"',
            absent: 'The database cannot be used: database "absent" does not exist',
            wrong.set(port=free_port()): "The database cannot be reached: Connect call failed",
            "hunter2 is not a URL": "The database cannot be used: invalid DSN",
        }

        def refused(url: object) -> Done:
            text = url if isinstance(url, str) else url.render_as_string(hide_password=False)  # type: ignore[attr-defined]
            settings = {"database_url": text, "jwt_secret": _SECRET}
            return Tocsin(tmp_path / "data", settings).run("serve", "--port", str(free_port()))

        with ThreadPoolExecutor(2) as pool:
            for sentence, done in zip(cases.values(), pool.map(refused, cases), strict=True):
                assert (done.code, done.out) == (1, ""), done
                assert done.err.startswith(sentence), done
                assert len(done.err.splitlines()) == 1, done
                assert "hunter2" not in done.err
