"""What there is to probe is probed: read off the schema, so that something new fails here until it is."""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress

import orjson
from graphql import GraphQLEnumType

from resolvers.principal import Role
from tests.isolation.probe import ATTACKERS, arguments, call, canaries, own, probes
from tests.isolation.shape import CARRY_NOTHING, FIELDS, NAMES, answered, names, reachable
from tests.isolation.world import TABLES, Sql, World, named, renamed, stored
from tests.rights import Call, RootField
from tests.support import Api

# Fields that none of these calls has a value for, and why.
NEVER_FILLED: dict[str, str] = {}

OWNERS = (("ada", Role.USER), ("root", Role.ADMIN), ("bot", Role.AGENT))


def test_each_scalar_is_filed() -> None:
    """A new scalar is a name of something or carries nothing: the generator does not guess."""
    taken = {
        type.name
        for field in FIELDS
        for _path, type in field.leaves()
        if not isinstance(type, GraphQLEnumType)
    }
    assert taken == {*NAMES, *CARRY_NOTHING}


def test_each_table_has_rows(made: World) -> None:
    """The tenant that is copied has rows in each table, so that there is something to leak."""
    assert {table for table in TABLES if not made.rows[table]} == set()


def test_each_place_is_probed(made: World) -> None:
    """Each argument and input field that can name something is, by each caller; in all some 4,000 times."""
    home, away = renamed(made, named("home")), renamed(made, named("away"), new_ids=True)
    probed = Counter(
        (str(field), it.path, it.attacker) for field in FIELDS for it in probes(field, home, away)
    )
    places = {(str(field), path) for field in FIELDS for path, _scalar in names(field)}
    assert {(field, path) for field, path, _attacker in probed} == places
    assert {attacker for _field, _path, attacker in probed} == {*ATTACKERS}
    assert {it for it in places if sum(probed[*it, by] for by in ATTACKERS if by.elsewhere) < 3} == set()
    assert probed.total() > 3_500


# -- that there is something to see ------------------------------------------------------------------------


def _calls(field: RootField, world: World, user: str, role: Role) -> Iterator[Call]:
    """Yield calls about what is the caller's own: plain ones, and with each id that they may name."""
    given = arguments(field, world, user)
    yield call(field, (), None, given)
    for path, scalar in names(field):
        values = own(world, user, role) if scalar == "ID" else ["nobody's"]
        yield from (call(field, path, value, given) for value in values)


async def _answers(api: Api, field: RootField, world: World) -> list[bytes]:
    found = []
    for user, role in OWNERS:
        if role not in field.roles:
            continue
        caller = api.user(world.tenant, user, role)
        if field.type == "Subscription":
            found += await _events(caller, field, world)
            continue
        found += [
            (await caller.ask(it.document, **it.variables)).content for it in _calls(field, world, user, role)
        ]
    return found


async def _events(caller: Api.User, field: RootField, world: World) -> list[bytes]:
    """Return the events of one's own inbox from its first, and what comes after a restore."""
    plain = call(field, (), None, arguments(field, world, caller.id))
    since = [plain.variables]
    if "since" in plain.variables:
        since.append({"since": world.event_cursor(caller.id, 10**9)})
    found = []
    async with caller.socket() as socket:
        for feed in [await socket.subscribe(plain.document, **it) for it in since]:
            with suppress(TimeoutError):
                while True:
                    found.append(await feed.message(0.5))
    return [orjson.dumps(it["payload"]) for it in found]


async def test_what_is_ones_own_is_shown(api: Api, sql: Sql, made: World) -> None:
    """The same calls about one's own fill each field that there is, and show canaries of each audience."""
    filled: set[str] = set()
    seen: set[tuple[str, str]] = set()
    failed: set[str] = set()
    for field in FIELDS:
        world = await stored(sql, renamed(made, named("mine")))
        answers = [orjson.loads(it) for it in await _answers(api, field, world)]
        if all(it.get("errors") for it in answers):
            failed.add(str(field))
        filled |= {name for it in answers for name in answered(it["data"])}
        seen |= {whose for it in answers for whose in canaries(orjson.dumps(it).decode())}
    assert failed == set()
    assert reachable() - filled == {*NEVER_FILLED}
    assert seen >= {
        ("all", "shared"),
        *((user, audience) for user in ("ada", "root") for audience in ("inbox", "admin")),
    }
