"""Probes: a root field asked with something foreign, beside the same with something that nobody has.

Both are asked in twins, tenants with the same rows: what a mutation leaves behind is then in both.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from resolvers import cursor
from resolvers.principal import Role
from tests.isolation.shape import names, whole
from tests.isolation.world import UUID_FORM, World, named
from tests.resolvers.support import forged
from tests.rights import Call, Path, RootField


class Attacker(NamedTuple):
    """Who asks, and whether for what is ada's in their own tenant, or for what is another tenant's."""

    user: str
    role: Role
    elsewhere: bool

    def __str__(self) -> str:
        return f"{self.user} as {self.role} {'elsewhere' if self.elsewhere else 'beside ada'}"


ATTACKERS = (
    Attacker("grace", Role.USER, False),
    Attacker("bot", Role.AGENT, False),
    Attacker("root", Role.ADMIN, False),
    Attacker("ada", Role.USER, True),
    Attacker("bot", Role.AGENT, True),
    Attacker("root", Role.ADMIN, True),
)


class Probe(NamedTuple):
    """Where in a field's arguments a foreign value is put, and the absent one of the same form."""

    attacker: Attacker
    path: Path
    foreign: str
    absent: str


ONLY_STORED = {
    *("title", "body", "icon", "label", "email", "group", "titleTemplate", "bodyTemplate"),
}
"""Names of inputs that are stored and shown as they are, and never looked up: one value is enough for each."""

# What gets a call further than the least that its types want.
_FURTHER: dict[str, dict[str, Any]] = {
    "createChannel": {
        "input": {"kind": "SLACK", "name": "x", "config": {"url": "https://hooks.slack.com/services/x"}}
    },
}


def arguments(field: RootField, world: World, user: str) -> dict[str, Any]:
    """Return arguments with which a field does something, for a caller of this tenant."""
    if str(field) == "Subscription.inboxEvents" and user in {"ada", "grace", "root"}:
        return {"since": world.event_cursor(user, 0)}
    if field.name == "explainDelivery":
        # At night, when everybody here wants quiet.
        at = {"at": "2026-01-15T23:30:00.000Z"}
        return field.required | at | {"type": world.canary("all", "shared", "type")}
    return field.required | _FURTHER.get(field.name, {})


def call(field: RootField, path: Path, value: Any, given: dict[str, Any]) -> Call:
    """Return a call with a value at a path that selects all there is."""
    filled = field.placed(path, value, given) if path else given
    return field.call(filled, whole(field.field.type) if field.is_composite else "")


# -- what is foreign ---------------------------------------------------------------------------------------


def _row_cursor(row: dict[str, Any]) -> str:
    at = datetime.fromisoformat(row["created_at"])
    return forged((at - cursor._EPOCH) // cursor._MICROSECOND, row["id"])


def _ids(world: World, owners: tuple[str, ...]) -> Iterator[str]:
    """Yield an id of each kind that one of these owns, and that of a deleted notification."""
    for rows in world.rows.values():
        yield from [row["id"] for row in rows if world.owners.get(str(row.get("id")), ("",))[0] in owners][:1]
    deleted = [row["id"] for row in world.rows["notification"] if row["deleted_at"]]
    yield from [id for id in deleted if world.owners[id][0] in owners][:1]


def _personal(world: World) -> dict[str, list[str]]:
    """Return what is ada's alone, by the scalar that takes it."""
    words = [world.canary("ada", "inbox", what) for what in ("target", "team", "project", "environment")]
    note = world.of("notification", user_id="ada", deleted_at=None)
    ids = [id for id in _ids(world, ("ada",)) if world.owners[id][1] == "inbox"]
    return {"ID": [*ids, *words], "String": [world.event_cursor("ada"), _row_cursor(note), words[0]]}


def _of_ada(world: World) -> dict[str, list[str]]:
    """Return what is ada's, to her and to admins."""
    personal = _personal(world)
    ids = [id for id in _ids(world, ("ada", "root")) if id not in personal["ID"]]
    words = [world.canary("ada", "admin", what) for what in ("", "project", "environment")]
    key = world.canary("root", "admin", "ada.read")
    page = _row_cursor(world.of("delivery", user_id="ada"))
    return {"ID": [*personal["ID"], *ids, *words], "String": [*personal["String"], words[0], key, page]}


def _of_tenant(world: World) -> dict[str, list[str]]:
    """Return what is a tenant's, whoever may see it there."""
    own = _of_ada(world)
    words = [world.canary("all", "shared", what) for what in ("", "type", "category")]
    ids = [id for id in _ids(world, ("all", "bot")) if id not in own["ID"]]
    pages = [_row_cursor(row) for row in world.rows["channel"][:1]]
    vera = world.canary("vera", "admin")
    return {
        "ID": [*own["ID"], *ids, *words, vera],
        "String": [*own["String"], *words, vera, world.canary("bot", "admin", "ada.read"), *pages],
    }


def own(world: World, user: str, role: Role) -> list[str]:
    """Return ids of what a caller may ask for, of each kind, and the caller's own name."""
    mine = list(_ids(world, (user,))) if role is not Role.ADMIN else list(_ids(world, ("ada", user)))
    return [*mine, *_ids(world, (user,)), *_ids(world, ("all",)), user]


def _foreign(attacker: Attacker, field: RootField, home: World, away: World) -> dict[str, list[str]]:
    """Return what a caller may not learn of, by the scalar that takes it."""
    if attacker.elsewhere:
        return _of_tenant(away)
    if attacker.role is not Role.ADMIN:
        who = [] if attacker.role is Role.AGENT else ["ada", home.canary("vera", "admin")]
        found = _of_ada(home)
        return found | {"ID": found["ID"] + who}
    # An admin's are the deliveries and preferences of all, but no inbox; and keys are each caller's own.
    keys = [home.canary("bot", "admin", "ada.read")] if field.name == "notify" else []
    return _personal(home) if Role.USER in field.roles else {"ID": [], "String": keys}


def absent(attacker: Attacker, home: World, away: World, value: str) -> str:
    """Return a value of the same form, and in order right beside it, that is nobody's."""
    if UUID_FORM.fullmatch(value):
        return value[:-1] + ("0" if value[-1] == "f" else "f")
    try:
        parts = cursor._decode(value)
    except (ValueError, TypeError):
        world = away if attacker.elsewhere else home
        nobody = named("none") if attacker.elsewhere else world.tenant
        return re.sub(r"(?<![a-z])(ada|root|vera|bot)(?![a-z])", "eve", value.replace(world.tenant, nobody))
    return forged(*(absent(attacker, home, away, it) if isinstance(it, str) else it for it in parts))


def probes(field: RootField, home: World, away: World) -> Iterator[Probe]:
    """Yield each probe of a field: the callers that it lets in with all there is, the others with one."""
    for attacker in ATTACKERS:
        foreign = _foreign(attacker, field, home, away)
        for path, scalar in names(field):
            values = list(dict.fromkeys(foreign[scalar]))
            if attacker.role not in _with_users(field) or path[-1] in ONLY_STORED:
                values = values[:1]
            for value in values:
                yield Probe(attacker, path, value, absent(attacker, home, away, value))


def _with_users(field: RootField) -> frozenset[Role]:
    return field.roles | ({Role.ADMIN} if Role.USER in field.roles else set())


# -- what an answer tells ----------------------------------------------------------------------------------

_CANARY = re.compile(r"canary-\w{4}-[0-9a-f]{8}-\w+-\w+(?:\.\w+)*")
_TOKEN = re.compile(r'"([A-Za-z0-9_-]{12,})"')
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")
_SECRETS = re.compile(r'tocsin_\w[\w-]+|whsec_[\w+/=]+|(?<="keyPrefix":")[a-z2-7]{12}')
_SEEN = {Role.USER: {"inbox", "admin"}, Role.ADMIN: {"inbox", "admin"}, Role.AGENT: set[str]()}


def _opened(text: str) -> str:
    """Spell out the cursors in an answer."""

    def spelt(token: re.Match[str]) -> str:
        try:
            return f'"cursor {orjson.dumps(cursor._decode(token[1])).decode()}"'
        except (ValueError, TypeError):
            return token[0]

    return _TOKEN.sub(spelt, text)


def leaks(content: bytes, attacker: Attacker, home: World, others: tuple[World, ...], asked: str) -> set[str]:
    """Return what is in an answer and is neither the caller's nor what was asked for."""
    text = _opened(content.decode())
    asked = _opened(f'"{asked}"')
    found = {it.tenant for it in others if it.tenant in text}
    found |= {it for it in _CANARY.findall(text) if not _is_for(attacker, home, it)}
    for id in set(UUID_FORM.findall(text)):
        if id in home.owners:
            found |= set() if _may_see(attacker, *home.owners[id]) else {id}
        elif any(id in it.owners for it in others):
            found.add(id)
    return {it for it in found if it not in asked}


def canaries(text: str) -> set[tuple[str, str]]:
    """Return whose the canaries in a text are, and who may see them."""
    return {(found[1], found[2]) for it in _CANARY.findall(text) for found in [_parts(it)]}


def _parts(text: str) -> tuple[str, str, str]:
    """Return the tenant, the owner and the audience of a canary."""
    _, kind, hex, owner, audience = text.partition(".")[0].split("-")
    return f"{kind}-{hex}", owner, audience


def _is_for(attacker: Attacker, home: World, text: str) -> bool:
    tenant, owner, audience = _parts(text)
    return tenant == home.tenant and _may_see(attacker, owner, audience)


def _may_see(attacker: Attacker, owner: str, audience: str) -> bool:
    if audience == "shared":
        return True
    if owner == attacker.user:
        return attacker.role is Role.AGENT or audience in _SEEN[attacker.role]
    return audience == "admin" and attacker.role is Role.ADMIN


def shown(content: bytes, home: World, asked: str, made_at: datetime) -> str:
    """Return an answer without what was asked, the tenant's name, and what is new: ids, instants, secrets."""
    text = content.decode()
    # A category that is not said is the type's first word.
    for it in (asked, asked.partition(".")[0]) if asked else ():
        text = re.sub(rf"(?<!\w){re.escape(it)}(?!\w)", "ASKED", text)
    text = _opened(text).replace(home.tenant, "TENANT")
    text = _SECRETS.sub("SECRET", text)
    text = re.sub(r'"[0-9a-f]{32}"', '"DIGEST"', text)  # of tenant, user and filter
    text = UUID_FORM.sub(lambda id: id[0] if id[0] in home.owners else "NEW", text)
    text = re.sub(r"\[\d{16},", lambda it: it[0] if _micros(made_at) > int(it[0][1:-1]) else "[NOW,", text)
    return _INSTANT.sub(lambda at: at[0] if datetime.fromisoformat(at[0]) < made_at else "NOW", text)


def _micros(at: datetime) -> int:
    return (at - cursor._EPOCH) // cursor._MICROSECOND
