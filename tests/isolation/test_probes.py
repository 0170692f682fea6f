"""Each root field with each foreign id, name, key and cursor: nothing shows, nothing changes, nothing differs."""

import asyncio
from functools import cache

import orjson
import pytest

from tests.isolation.conftest import Worlds
from tests.isolation.probe import ATTACKERS, Attacker, Probe, arguments, call, leaks, probes, shown
from tests.isolation.shape import FIELDS
from tests.isolation.world import Sql, World, digest
from tests.rights import RootField
from tests.support import Api

ASKED = [field for field in FIELDS if field.type != "Subscription"]

# Answers that show what the caller has asked for before: it is taken back after each probe.
FORGOTTEN = {
    "updatePreferences": ("preference", "id"),
    "upsertNotificationTypes": ("notification_type", "name"),
}


async def _forget(sql: Sql, field: RootField, worlds: Worlds) -> None:
    if place := FORGOTTEN.get(field.name):
        table, key = place
        kept = [row[key] for world in (worlds.home, worlds.twin) for row in world.rows[table]]
        await sql.execute(
            f"delete from tocsin.{table} where tenant_id = any($1) and {key}::text <> all($2)",
            [worlds.home.tenant, worlds.twin.tenant],
            kept,
        )


@cache
def _caller(api: Api, world: str, attacker: Attacker) -> Api.User:
    return api.user(world, attacker.user, attacker.role)


async def _ask(api: Api, field: RootField, world: World, probe: Probe, value: str) -> bytes:
    asked = call(field, probe.path, value, arguments(field, world, probe.attacker.user))
    caller = _caller(api, world.tenant, probe.attacker)
    return (await caller.ask(asked.document, **asked.variables)).content


def _codes(content: bytes) -> set[str]:
    return {error["extensions"]["code"] for error in orjson.loads(content).get("errors", ())}


async def _faults(api: Api, sql: Sql, field: RootField, worlds: Worlds, probe: Probe) -> list[str]:
    """Ask with a foreign value at home, with an absent one in its twin; return what is wrong."""
    home, twin, away = worlds.home, worlds.twin, worlds.away
    foreign, absent = await asyncio.gather(
        _ask(api, field, home, probe, probe.foreign), _ask(api, field, twin, probe, probe.absent)
    )
    faults = sorted(leaks(foreign, probe.attacker, home, (twin, away), probe.foreign))
    faults += sorted({"INTERNAL", "GRAPHQL_VALIDATION_FAILED"} & (_codes(foreign) | _codes(absent)))
    seen = shown(foreign, home, probe.foreign, worlds.made_at)
    expected = shown(absent, twin, probe.absent, worlds.made_at)
    if seen != expected:
        faults.append(f"{seen} is not {expected}")
    await _forget(sql, field, worlds)
    return [f"{probe.attacker} at {probe.path}, {probe.foreign}: {fault}" for fault in faults]


@pytest.mark.parametrize("field", ASKED, ids=str)
async def test_what_is_foreign_is_absent(field: RootField, api: Api, sql: Sql, worlds: Worlds) -> None:
    """Nobody sees another's canary; a foreign value gets, byte for byte, an absent one's answer; no row moves."""
    ada, elsewhere = await digest(sql, worlds.home.tenant, "ada"), await digest(sql, worlds.away.tenant)
    all = list(probes(field, worlds.home, worlds.away))
    faults = [
        it
        for probe in all
        if not probe.attacker.elsewhere
        for it in await _faults(api, sql, field, worlds, probe)
    ]
    assert await digest(sql, worlds.home.tenant, "ada") == ada
    faults += [
        it
        for probe in all
        if probe.attacker.elsewhere
        for it in await _faults(api, sql, field, worlds, probe)
    ]
    assert await digest(sql, worlds.away.tenant) == elsewhere
    assert faults == []


@pytest.mark.parametrize("attacker", ATTACKERS, ids=str)
async def test_what_is_asked_plainly(attacker: Attacker, api: Api, worlds: Worlds) -> None:
    """Without anything foreign in the question, no answer holds anything foreign either."""
    home, twin, away = worlds.home, worlds.twin, worlds.away
    for field in ASKED:
        probe = Probe(attacker, (), "", "")
        content = await _ask(api, field, home, probe, "")
        assert leaks(content, attacker, home, (twin, away), "") == set(), field
