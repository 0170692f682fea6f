"""Import of JSON lines: bad lines are named, good ones are stored once, whatever is killed meanwhile."""

import asyncio
import io
import json
import os
import random
import signal
from collections import Counter, defaultdict
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from db.session import Database
from resolvers.principal import Role
from tests.support import Api, Urls
from tests.tocsin.processes import (
    EVENTS,
    NEEDS_EVENTS,
    STATS,
    Running,
    Tocsin,
    fetch,
    until,
)
from tocsin.auth import sign
from tocsin.importer import Report, import_lines
from tocsin.settings import Settings

_COUNT = "select count(*) from tocsin.notification where tenant_id = $1"
_DRIFT = """
select count(*) from tocsin.inbox i join (
  select tenant_id, user_id, count(*) n, count(*) filter (where read_at is null) unread
  from tocsin.notification group by 1, 2
) rows using (tenant_id, user_id)
join (
  select tenant_id, user_id, count(*) events, max(seq) last from tocsin.event group by 1, 2
) log using (tenant_id, user_id)
where (i.total, i.unread, i.seq, log.events) is distinct from (rows.n, rows.unread, log.last, log.last)
"""
_SIZES = """
select (select count(*) from tocsin.notification), (select count(*) from tocsin.inbox),
  (select count(distinct (tenant_id, id)) from tocsin.notification)
"""


def line(tenant: str, /, **changes: Any) -> bytes:
    """Return a good line, but for the changes; None leaves a key out."""
    event = {
        "tenant": tenant,
        "recipients": ["ada"],
        "type": "t",
        "category": "c",
        "title": "Hello",
    } | changes
    return json.dumps({key: value for key, value in event.items() if value is not None}).encode()


async def imported(database: Database, *lines: bytes, end: bytes = b"\n") -> Report:
    """Import lines as a file."""
    return await import_lines(database, io.BytesIO(end.join(lines)))


_DATE = "must be RFC 3339 with a zone, in the years 1 to 9999, e.g. 2026-01-15T10:00:00Z"
_URL = "SafeUrl must be https:, mailto: or an app-relative /path."
_UNSTORABLE = "contains characters that cannot be stored."
_LENGTH = "String should have at most {} characters"
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "unknown key": ({"extra": 1}, "extra: Extra inputs are not permitted"),
    "snake case": ({"created_at": "2026-01-15T10:00:00Z"}, "created_at: Extra inputs are not permitted"),
    "escapes for the terminal": ({"\x1b[31m\n": 1}, "\\x1b[31m\\n: Extra inputs are not permitted"),
    "no title": ({"title": None}, "title: Field required"),
    "two are missing": ({"title": None, "type": None}, "type: Field required; title: Field required"),
    "title is a number": ({"title": 5}, "title: Input should be a valid string"),
    "empty title": ({"title": ""}, "title: String should have at least 1 character"),
    "recipients are a text": ({"recipients": "ada"}, "recipients: Input should be a valid tuple"),
    "script url": ({"url": "javascript:alert(1)"}, f"url: {_URL}"),
    "plain http": ({"url": "http://example.com"}, f"url: {_URL}"),
    "broken url": ({"url": "https://[::1"}, f"url: {_URL}"),
    "naive time": ({"createdAt": "2026-01-15T10:00:00"}, f"createdAt: {_DATE}"),
    "time is a number": ({"createdAt": 1_768_471_200}, f"createdAt: {_DATE}"),
    "time is digits": ({"createdAt": "1768471200"}, f"createdAt: {_DATE}"),
    "before the year 1": ({"createdAt": "0001-01-01T00:00:00+14:00"}, f"createdAt: {_DATE}"),
    "after the year 9999": ({"createdAt": "9999-12-31T23:59:59-14:00"}, f"createdAt: {_DATE}"),
    "NUL in the title": ({"title": "a\0b"}, "title: contains a NUL character"),
    "NUL in the tenant": ({"tenant": "\0"}, f"tenant: {_UNSTORABLE}"),
    "NUL in a recipient": ({"recipients": ["a", "\0"]}, f"recipients.1: {_UNSTORABLE}"),
    "NUL in a target": ({"targets": ["\0"]}, f"targets.0: {_UNSTORABLE}"),
    "lone surrogate": ({"title": "\ud800"}, "not JSON: no low surrogate in string"),
}


@pytest.mark.parametrize("what", BAD)
async def test_a_bad_line_is_named_and_stops_no_other(what: str, database: Database, tenant: str) -> None:
    """Its number and reason are reported on one line; the good lines around it are stored."""
    changes, reason = BAD[what]
    report = await imported(database, line(tenant), line(tenant, **changes), line(tenant, title="Bye"))
    assert report == Report(events=2, stored=2, bad=[(2, reason)])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"[1]", "line: Input should be a valid dictionary or instance of ImportedEvent"),
        (b"null", "line: Input should be a valid dictionary or instance of ImportedEvent"),
        (b"{", "not JSON: unexpected end of data"),
        (b"\xff\x00\x80\x1b", "not JSON: str is not valid UTF-8: surrogates not allowed"),
        (b"[" * 100_000, "not JSON: depth limit exceeded"),
        (b" " + b"x" * 4_194_304, "longer than 4194304 bytes"),
    ],
)
async def test_what_is_no_object_is_named(text: bytes, reason: str, database: Database, tenant: str) -> None:
    """An array, rubbish, or a line of many megabytes is one bad line; the count goes on behind it."""
    report = await imported(database, line(tenant), text, b"{}", line(tenant, title="Bye"))
    assert report.bad[0] == (2, reason)
    assert report.bad[1] == (3, report.bad[1][1])
    assert (report.events, report.stored, len(report.bad)) == (2, 2, 2)


async def test_lengths_have_limits(database: Database, tenant: str) -> None:
    """1,000 recipients, 100 targets, 255, 1,000 and 65,536 characters pass; one more does not."""
    for key, most, value in (
        ("recipients", 1000, [f"user-{n}" for n in range(1001)]),
        ("targets", 100, [f"target-{n}" for n in range(101)]),
        ("tenant", 255, "x" * 256),
        ("title", 1000, "é" * 1001),
        ("body", 65_536, "é" * 65_537),
    ):
        report = await imported(database, line(tenant, **{key: value}), line(tenant, **{key: value[:most]}))
        assert [number for number, _reason in report.bad] == [1], key
        assert f"at most {most} " in report.bad[0][1]
        assert report.stored == (1000 if key == "recipients" else 1)


async def test_a_reason_is_never_long(database: Database, tenant: str) -> None:
    """A thousand mistakes in a line do not flood the terminal."""
    report = await imported(database, line(tenant, recipients=[""] * 1000))
    assert len(report.bad[0][1]) == 303


async def test_a_recipient_named_twice_is_told_once(database: Database, tenant: str, urls: Urls) -> None:
    """Duplicates among the recipients are one notification."""
    report = await imported(database, line(tenant, recipients=["ada", "grace", "ada"]))
    assert report == Report(events=1, stored=2)
    assert await fetch(urls.superuser, _COUNT, tenant) == [(2,)]


async def test_the_same_line_is_one_event(database: Database, tenant: str) -> None:
    """Again in the same file, in the next, with another order of keys or zone: it is there already."""
    at = {"createdAt": "2026-01-15T10:00:00Z"}
    again = {"createdAt": "2026-01-15T12:00:00.000+02:00"}
    turned = json.dumps(dict(reversed(json.loads(line(tenant, **at)).items()))).encode()
    report = await imported(database, line(tenant, **at), line(tenant, **at), turned)
    assert report == Report(events=3, stored=1, already_stored=2)
    assert await imported(database, line(tenant, **again)) == Report(events=1, already_stored=1)
    other = [
        line(tenant, **at, recipients=["grace"]),
        line(f"{tenant}-2", **at),
        line(tenant, **at, body="x"),
    ]
    assert await imported(database, *other) == Report(events=3, stored=3)


async def test_what_was_deleted_stays_deleted(database: Database, ada: Api.User) -> None:
    """An import that is run again does not bring back what its reader threw away, nor unread it."""
    lines = [line(ada.tenant), line(ada.tenant, title="Bye")]
    await imported(database, *lines)
    ids = [
        it["id"] for it in (await ada.data("{ notifications { nodes { id } } }"))["notifications"]["nodes"]
    ]
    await ada.data("mutation($ids: [ID!]!) { delete(ids: $ids) { ids } }", ids=ids[:1])
    await ada.data("mutation($ids: [ID!]!) { read(ids: $ids) { changed } }", ids=ids[1:])
    assert await imported(database, *lines) == Report(events=2, already_stored=2)
    assert (await ada.data("{ stats { total unread } }"))["stats"] == {"total": 1, "unread": 0}


async def test_all_of_a_line_arrives(database: Database, ada: Api.User) -> None:
    """Each key is a field of the notification."""
    event = {
        "body": "Two\nlines, 🍓",
        "url": "https://example.com/ü",
        "targets": ["b", "a"],
        "createdAt": "2026-01-15T12:00:00+02:00",
    }
    await imported(database, line(ada.tenant, **event))
    fields = "type category severity title body url icon createdAt readAt"
    page = await ada.data(f"{{ notifications {{ nodes {{ {fields} }} }} }}")
    assert page["notifications"]["nodes"] == [
        {
            "type": "t",
            "category": "c",
            "severity": "NORMAL",
            "title": "Hello",
            "body": "Two\nlines, 🍓",
            "url": "https://example.com/ü",
            "icon": "bell",
            "createdAt": "2026-01-15T10:00:00.000Z",
            "readAt": None,
        }
    ]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\n\n  \n", b"\n\n\n\n\n"])
async def test_lines_end_as_they_like(end: bytes, database: Database, tenant: str) -> None:
    """Windows' ends, blank lines and a missing last end are no mistakes, and are counted."""
    report = await imported(database, line(tenant), line(tenant, title="2"), b"x", end=end)
    assert (report.events, report.stored) == (2, 2)
    assert [number for number, _reason in report.bad] == [1 + 2 * end.count(b"\n")]


async def test_no_file_is_too_much_at_once(database: Database, tenant: str, urls: Urls) -> None:
    """Lines for many recipients are stored in several transactions, all of them once."""
    everybody = [f"user-{n:04}" for n in range(1000)]
    lines = [line(tenant, title=str(n), recipients=everybody) for n in range(3)]
    assert await imported(database, *lines) == Report(events=3, stored=3000)
    assert await fetch(urls.superuser, _COUNT, tenant) == [(3000,)]


async def test_progress_adds_up(database: Database, tenant: str) -> None:
    """The bytes reported as done are the file's, bad lines included."""
    content = b"\n".join([line(tenant, title=str(n)) for n in range(600)] + [b"bad"])
    done: list[int] = []
    await import_lines(database, io.BytesIO(content), done.append)
    assert len(done) == 2
    assert sum(done) == len(content)


async def test_memory_has_a_limit(database: Database, tenant: str) -> None:
    """Many long lines are held a few at a time, and what is too long is not held at all."""
    done: list[int] = []
    content = b"\n".join([b"x" * 6_000_000] * 8 + [line(tenant)])
    report = await import_lines(database, io.BytesIO(content), done.append)
    assert (report.stored, [number for number, _reason in report.bad]) == (1, list(range(1, 9)))
    assert max(done) < 13_000_000


async def test_two_imports_at_once(database: Database, tenant: str, urls: Urls) -> None:
    """The same file imported by several at the same moment is stored once, without a deadlock."""
    users = [f"user-{n}" for n in range(20)]
    lines = [line(tenant, title=str(n), type=f"t{n % 7}", recipients=users[n % 5 :]) for n in range(60)]
    reports = await asyncio.gather(*(imported(database, *lines) for _ in range(3)))
    expected = sum(len(users[n % 5 :]) for n in range(60))
    assert sum(report.stored for report in reports) == expected
    assert await fetch(urls.superuser, _COUNT, tenant) == [(expected,)]


# -- real processes ----------------------------------------------------------------------------------------


def expected_stats(events: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """Count the file with nothing but the standard library, as `stats` should have it."""
    types: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    categories: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    with events.open(encoding="utf-8") as lines:
        for text in lines:
            event = json.loads(text)
            for user in event["recipients"]:
                types[event["tenant"], user][event["type"]] += 1
                categories[event["tenant"], user][event["category"]] += 1
    return {
        inbox: {
            "total": types[inbox].total(),
            "unread": types[inbox].total(),
            "read": 0,
            "dismissed": 0,
            "byType": grouped(types[inbox]),
            "byCategory": grouped(categories[inbox]),
        }
        for inbox in types
    }


def grouped(counts: Counter[str]) -> list[dict[str, Any]]:
    """Return counts as the API groups them."""
    return [{"key": key, "total": count, "unread": count} for key, count in sorted(counts.items())]


def by_key(stats: dict[str, Any]) -> dict[str, Any]:
    """Return stats with their groups in the order of their keys."""
    groups = {name: sorted(stats[name], key=lambda it: it["key"]) for name in ("byType", "byCategory")}
    return stats | groups


def kill(*running: Running) -> None:
    """Kill them as nobody expects."""
    for it in running:
        os.kill(it.process.pid, signal.SIGKILL)
    for it in running:
        it.process.wait(10)


def stored(tocsin: Tocsin) -> int:
    """Return how many notifications are committed."""
    return int(tocsin.rows("select count(*) from tocsin.notification")[0][0])


def interrupt(tocsin: Tocsin, importing: Running, *victims: Running) -> None:
    """Kill somebody at a random moment of an import."""
    enough = stored(tocsin) + random.randint(1, 500)
    assert until(lambda: stored(tocsin) >= enough), importing.text()
    kill(*victims)


@NEEDS_EVENTS
def test_kill_the_import_and_dev_at_any_moment(tmp_path: Path) -> None:
    """Import, dev, or both may be killed halfway: imported again, all is there, nothing is there twice."""
    tocsin, events = Tocsin(tmp_path / "its own data"), tmp_path / "every-third.jsonl"
    events.write_text("".join(EVENTS.read_text().splitlines(keepends=True)[::3]))
    with ExitStack() as running:
        dev = running.enter_context(tocsin.dev("--no-demo"))
        for victims in ("import", "dev", "both"):
            importing = running.enter_context(tocsin.start("import", str(events)))
            interrupt(
                tocsin, importing, *{"import": [importing], "dev": [dev]}.get(victims, [importing, dev])
            )
            if victims == "dev":
                assert importing.process.wait(30) == 0, importing.text()  # it has its own hold on Postgres
                assert stored(tocsin) == 2_625
                tocsin.rows("truncate tocsin.tenant cascade")
            if victims != "import":
                dev = running.enter_context(tocsin.dev("--no-demo"))
        before = stored(tocsin)
        done = tocsin.run("import", str(events))
        summary = f"1298 events: {2625 - before} notifications stored, {before} already there, 0 bad lines.\n"
        assert (done.code, done.out) == (0, summary)
        assert tocsin.rows(_SIZES) == [(2_625, 102, 2_625)]
        assert tocsin.rows(_DRIFT) == [(0,)]
        _compare_stats(dev, Settings(data_dir=tocsin.data_dir), events)


def _compare_stats(dev: Running, settings: Settings, events: Path) -> None:
    expected = expected_stats(events)
    assert len(expected) == 102
    for (tenant, user), stats in expected.items():
        token = sign(settings, tenants=[tenant], user=user, roles=[Role.USER], expires=timedelta(hours=1))
        assert by_key(dev.ask(token, STATS)["stats"]) == stats, (tenant, user)
