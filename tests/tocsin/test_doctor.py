"""`tocsin doctor`: each thing that can be wrong is broken for real, and named."""

import re
import shutil
from base64 import b64encode
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from pydantic import SecretStr
from sqlalchemy import make_url

import db.channel
import db.inbox
import db.work
from db.session import Scope, open_database
from db.types import ChannelKind, WorkKind
from resolvers.channel import secret_place
from resolvers.vault import Vault
from tests.delivery.post_office import post_office
from tests.faults.skew import LIBRARY
from tests.live.nats_server import nats_server
from tests.support import SECRET, Urls, provision, test_settings
from tests.tocsin.processes import Tocsin, fetch, free_port
from tocsin.doctor import Finding, database_finding, findings
from tocsin.settings import Settings

_KEY = b"k" * 32
_NEW_KEYS = SecretStr(f"k1:{b64encode(_KEY).decode()}")
_WELL = [
    *("settings", "database", "tocsin_app", "tocsin_worker", "connections", "clock", "migrations"),
    *("isolation", "secrets", "backlog", "hub", "mail", "tokens"),
]


@pytest.fixture
def settings(own: Urls, tmp_path: Path) -> Settings:
    """Whole settings that are well."""
    return test_settings(own, tmp_path, secret_keys=_NEW_KEYS)


async def _found(settings: Settings, **changes: object) -> list[Finding]:
    found = [it async for it in findings(settings.model_copy(update=changes))]
    text = "\n".join(map(str, found))
    secrets = (settings.database_url, settings.owner_database_url, settings.secret_keys)
    passwords = [str(make_url(it.get_secret_value()).password) for it in secrets[:2] if it]
    assert [it for it in (*passwords, SECRET, "hunter2", "hunter2%40", _KEY.decode()) if it in text] == []
    return found


async def _wrong(settings: Settings, **changes: object) -> list[str]:
    """Return the lines of what is not well, with one space between words."""
    found = await _found(settings, **changes)
    return [" ".join(str(it).split()) for it in found if it.level in {"problem", "warning"}]


async def test_all_is_well(settings: Settings) -> None:
    """Everything is looked at, each once; a mail server that is not set is skipped."""
    found = await _found(settings)
    assert [it.check for it in found] == _WELL
    assert [it.check for it in found if it.level != "ok"] == ["mail"]
    assert [it.level for it in found if it.check == "mail"] == ["skipped"]


@pytest.mark.parametrize(
    ("breaking", "mending", "line"),
    [
        (
            "alter table tocsin.notification no force row level security",
            "alter table tocsin.notification force row level security",
            "problem isolation notification does not force it.",
        ),
        (
            "alter table tocsin.channel disable row level security",
            "alter table tocsin.channel enable row level security",
            "problem isolation channel has no row level security.",
        ),
        (
            "alter policy own on tocsin.host using (true)",
            "alter policy own on tocsin.host using (role_name = current_user)",
            "problem isolation policy own of host is Policy(using='true'",
        ),
        (
            "create policy more on tocsin.inbox for select using (true)",
            "drop policy more on tocsin.inbox",
            "problem isolation policy more of inbox is Policy(",
        ),
        (
            "create table tocsin.strange (id int)",
            "drop table tocsin.strange",
            "problem isolation strange is not in",
        ),
        (
            "update tocsin.alembic_version set version_num = '0001'",
            "update tocsin.alembic_version set version_num = '{revision}'",
            "problem migrations The database is at 0001, this Tocsin needs {revision}. Run `tocsin migrate`",
        ),
        (
            "update tocsin.alembic_version set version_num = '9999'",
            "update tocsin.alembic_version set version_num = '{revision}'",
            "warning migrations The database is at 9999, which is newer",
        ),
        (
            "revoke tocsin_worker from {server}",
            "grant tocsin_worker to {server}",
            (
                'problem tocsin_worker The database cannot be used: permission denied to set role "tocsin_worker".'
                " A superuser can allow it: GRANT"
            ),
        ),
        (
            "alter role {server} bypassrls",
            "alter role {server} nobypassrls",
            "problem tocsin_app TOCSIN_DATABASE_URL: The database role {server} has BYPASSRLS",
        ),
        (
            "grant {owner} to {server}",
            "revoke {owner} from {server}",
            "problem tocsin_app TOCSIN_DATABASE_URL: The database role {server} owns Tocsin's tables",
        ),
    ],
)
async def test_what_was_done_to_the_database(
    own: Urls, settings: Settings, breaking: str, mending: str, line: str
) -> None:
    """Whatever somebody changed by hand is named."""
    ((revision,),) = await fetch(own.superuser, "select version_num from tocsin.alembic_version")
    names = {
        "server": make_url(own.server).username,
        "owner": make_url(own.owner).username,
        "revision": revision,
    }
    await fetch(own.superuser, breaking.format(**names))
    try:
        wrong = await _wrong(settings)
    finally:
        await fetch(own.superuser, mending.format(**names))
    assert wrong[0].startswith(line.format(**names)), wrong


async def test_a_database_that_is_not_there(own: Urls, settings: Settings) -> None:
    """Down, or with a wrong password: what needs it is skipped, the rest is looked at."""
    url = make_url(own.server).set(host="127.0.0.1", port=free_port(), query={})
    found = await _found(settings, database_url=SecretStr(url.render_as_string(hide_password=False)))
    assert [(it.check, it.level.value) for it in found] == [
        *(("settings", "ok"), ("database", "problem"), ("the rest", "skipped")),
        *(("mail", "skipped"), ("tokens", "ok")),
    ]
    assert str(found[1]).startswith(
        "problem  database      The database cannot be reached: Connect call failed"
    )


async def test_a_database_that_nobody_migrated(superuser_url: str, tmp_path: Path) -> None:
    """It says what to run."""
    async with provision(superuser_url, migrate=False) as urls:
        wrong = await _wrong(test_settings(urls, tmp_path, secret_keys=_NEW_KEYS))
    assert wrong == ["problem migrations There are no tables. Run `tocsin migrate` as the owner."]


async def test_too_few_connections(settings: Settings) -> None:
    """One server that could take more than Postgres has is a problem before it is under load."""
    (line,) = await _wrong(settings, database_pool_size=900)
    assert line.startswith("problem connections ")
    assert "A server process takes up to 901, a worker 7. Raise max_connections" in line


async def test_the_connections_of_others(own: Urls, settings: Settings) -> None:
    """They take room, too, and the server's role may not look at them."""
    others = [await asyncpg.connect(own.superuser) for _ in range(5)]
    try:
        found = await _found(settings)
    finally:
        for it in others:
            await it.close()
    (said,) = (it.said for it in found if it.check == "connections")
    (taken,) = re.findall(r"open, (\d+) are", said)
    assert int(taken) >= 6


async def test_settings_that_cannot_be_meant(settings: Settings, tmp_path: Path) -> None:
    """What `serve` or `worker` refuses ends it; what is only unwise is a warning. No key is made."""
    found = await _found(settings, jwt_secret=SecretStr("x" * 31))
    assert [it.level.value for it in found] == ["problem", "skipped"]
    assert "TOCSIN_JWT_SECRET: The HMAC key is 31 bytes long" in found[0].said
    for changes, name in (
        ({"lease_seconds": 15}, "TOCSIN_LEASE_SECONDS"),
        ({"smtp_url": SecretStr("hunter2")}, "TOCSIN_SMTP_URL"),
        ({"trusted_documents": Path("nowhere.json")}, "nowhere.json"),
    ):
        assert name in (await _found(settings, **changes))[0].said
    unwise = await _wrong(settings, allow_private_webhooks=True, jwt_secret=None, secret_keys=None)
    assert [line.split()[:3] for line in unwise] == [
        ["warning", "settings", "TOCSIN_JWT_SECRET"],
        ["warning", "settings", "TOCSIN_SECRET_KEYS"],
        ["warning", "settings", "TOCSIN_ALLOW_PRIVATE_WEBHOOKS"],
    ]
    assert _files(tmp_path) == []
    (line,) = await _wrong(settings, data_dir=Path(__file__), secret_keys=None)
    assert line.startswith("problem settings TOCSIN_SECRET_KEYS is unset, and no key can be made in ")


def _files(folder: Path) -> list[Path]:
    return [*folder.iterdir()]


def test_the_embedded_database(settings: Settings, tmp_path: Path) -> None:
    """It is not made for a look, and not taken for one of production."""
    assert database_finding(settings) is None
    unset = settings.model_copy(update={"database_url": None, "owner_database_url": None})
    (tmp_path / "postgres").mkdir()
    here = database_finding(unset)
    nowhere = database_finding(unset.model_copy(update={"data_dir": tmp_path / "none"}))
    assert here
    assert nowhere
    assert (here.level, nowhere.level) == ("warning", "problem")


async def test_secrets_that_no_key_opens(own: Urls, settings: Settings) -> None:
    """A channel that was sealed with a key that is gone is named."""
    id, lost = uuid4(), Vault({"k0": b"0" * 32})
    async with open_database(own.server, size=1) as database:
        async with database.transaction(Scope("acme", None)) as tx:
            await db.inbox.add_tenant(tx)
            box = lost.seal(secret_place("acme", id, "secret"), "whsec_x")
            await db.channel.add(
                tx, id, ChannelKind.WEBHOOK, "A", {"url": "https://a.b"}, secrets={"secret": box}
            )
        (line,) = await _wrong(settings)
        async with database.transaction(Scope("acme", None)) as tx:
            await db.channel.remove(tx, id)
    assert line.startswith(f"problem secrets 1 channels have secrets that no key opens: {id} of acme.")


async def test_no_worker_runs(own: Urls, settings: Settings) -> None:
    """What has been due for more than a minute tells that nobody does it."""
    async with open_database(own.server, size=1) as database:
        async with database.transaction(Scope("acme", None)) as tx:
            await db.inbox.add_tenant(tx)
            await db.work.add(tx, uuid4(), WorkKind.DELIVERY)
        assert await _wrong(settings) == []
        await fetch(own.superuser, "update tocsin.due set due_at = now() - interval '2 minutes'")
        (line,) = await _wrong(settings)
        async with database.transaction(Scope("acme", None)) as tx:
            await db.work.add(tx, held := uuid4(), WorkKind.DELIVERY)
        await fetch(
            own.superuser,
            "update tocsin.due set lease = id, due_at = now() + interval '1 minute' where id = $1",
            held,
        )
        (slow,) = await _wrong(settings)
        await fetch(own.superuser, "delete from tocsin.due")
    assert slow.startswith("warning backlog 1 things are due, the oldest for 12")
    assert line.startswith("problem backlog 1 things are due, the oldest for 12")
    assert line.endswith("start `tocsin worker`.")


async def test_nats(settings: Settings) -> None:
    """A hint goes round over it; stopped, or with the wrong password, it is a problem with a reason."""
    with nats_server("--user", "bell", "--pass", "hunter2") as nats:
        right, wrong = (SecretStr(nats.url.replace("://", f"://bell:{it}@")) for it in ("hunter2", "hunter3"))
        await nats.start()
        assert await _wrong(settings, hub=right) == []
        (refused,) = await _wrong(settings, hub=wrong)
        nats.stop()
        (stopped,) = await _wrong(settings, hub=right)
    assert "the server refuses the credentials" in refused
    assert stopped.startswith("problem hub No hint came back over NATS: hints are down, retrying: ")
    assert stopped.endswith(" Check TOCSIN_HUB.")


async def test_mail(settings: Settings) -> None:
    """The mail server is asked whether it takes us, and gets no mail."""
    async with post_office(auth_require_tls=False) as office:
        for password, wrong in (
            ("hunter2%40", []),
            ("hunter3", ["refused our credentials. (It answered 535.)"]),
        ):
            url = SecretStr(f"smtp://bell:{password}@127.0.0.1:{office.port}")
            found = await _wrong(settings, smtp_url=url, public_url="https://tocsin.example")
            assert [text in line for text, line in zip(wrong, found, strict=True)] == [True] * len(wrong)
        assert (office.envelopes, "MAIL" in office.commands) == ([], False)
    (line,) = await _wrong(
        settings, smtp_url=SecretStr(f"smtp://127.0.0.1:{free_port()}"), public_url="https://tocsin.example"
    )
    assert line.startswith("problem mail The mail server could not be reached. Check TOCSIN_SMTP_URL")


async def test_keys_that_cannot_be_fetched(settings: Settings) -> None:
    """Without them nobody is let in."""
    url = f"http://127.0.0.1:{free_port()}/keys"
    (line,) = await _wrong(settings, jwt_algorithm="ES256", jwt_secret=None, jwks_url=url)
    assert line.startswith("problem tokens The keys cannot be fetched: URLError: ")


async def test_the_command_and_a_clock_that_is_wrong(own: Urls, tmp_path: Path) -> None:
    """It reads the settings of `serve`; a host that is 90 s ahead is a problem, and the exit code 1."""
    tocsin = Tocsin(
        tmp_path / "data",
        {"database_url": own.server, "jwt_secret": SECRET, "secret_keys": _NEW_KEYS.get_secret_value()},
    )
    library = tmp_path / "faketime.so"
    shutil.copyfile(LIBRARY, library)
    faked = {"LD_PRELOAD": str(library), "FAKETIME": "+90", "DONT_FAKE_MONOTONIC": "1"}
    with tocsin.start("doctor", environ=tocsin.environ() | faked) as running:
        assert running.process.wait(30) == 1
        lines = running.text().splitlines()
    assert [line.split()[1] for line in lines] == _WELL
    # The question takes its time on a busy machine.
    assert re.match(
        r"problem  clock         This host's is (89\.\d|90\.0) s ahead of Postgres's\. Run NTP on both",
        next(line for line in lines if not line.startswith("ok ")),
    )
