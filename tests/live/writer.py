"""Users and agents who change everything; each write is a call of the API at one server or the other."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from resolvers.principal import Role
from tests.live.two_servers import ask
from tests.support import Answer, Api

KINDS = (
    *("create", "create", "create", "read", "read", "read", "unread", "dismiss", "restore", "delete"),
    *("create", "create", "notify", "read", "read", "unread", "dismiss", "restore", "delete"),
    *("mark all read", "mark a type read", "mark read up to"),
)
"""What each write is, one after the other, from the first again after the last."""

_NOTIFY = "mutation($input: NotifyInput!) { notify(input: $input) { notifications } }"
_READ = "mutation($ids: [ID!]!, $on: Boolean!) { read(ids: $ids, read: $on) { changed } }"
_DISMISS = "mutation($ids: [ID!]!, $on: Boolean!) { dismiss(ids: $ids, dismissed: $on) { changed } }"
_DELETE = "mutation($ids: [ID!]!) { delete(ids: $ids) { ids } }"
_MARK_ALL_READ = """mutation($filter: NotificationFilter, $upTo: String) {
  markAllRead(filter: $filter, upTo: $upTo) { marked } }"""
_TYPES = ("soak.one", "soak.two", "soak.three")
_AT_ONCE = 5


class Writer:
    """Knows the rows of each user, and changes some of them."""

    def __init__(
        self, users: Sequence[Api.User], servers: Sequence[Api], cursor: Callable[[Api.User], str | None]
    ) -> None:
        self.done = Counter[str]()
        """Writes that were acknowledged, by kind."""
        self._rows: dict[Api.User, list[str]] = {user: [] for user in users}
        self._servers = servers
        self._cursor = cursor
        self._tenants: dict[str, list[Api.User]] = {}
        for user in users:
            self._tenants.setdefault(user.tenant, []).append(user)
        self._agents = {it: servers[0].user(it, "bot", Role.AGENT) for it in self._tenants}

    async def fill(self, rows: int) -> None:
        """Give each user so many rows."""
        for users in self._tenants.values():
            for _ in range(rows):
                await self._notify(users)

    async def write(self, number: int) -> None:
        """Do the write of this number to somebody: anew with other rows if some were deleted just then."""
        kind = KINDS[number % len(KINDS)]
        while not await self._change(kind, random.choice(list(self._rows))):
            pass
        self.done[kind] += 1

    async def _change(self, kind: str, user: Api.User) -> bool:
        match kind:
            case "create":
                return await self._notify([user])
            case "notify":
                users = self._tenants[user.tenant]
                return await self._notify(random.sample(users, min(_AT_ONCE, len(users))))
            case "mark all read":
                return await self._ask(user, _MARK_ALL_READ)
            case "mark a type read":
                return await self._ask(user, _MARK_ALL_READ, filter={"types": [random.choice(_TYPES)]})
            case "mark read up to":
                return await self._ask(user, _MARK_ALL_READ, upTo=self._cursor(user))
            case _:
                return await self._change_some(kind, user)

    async def _change_some(self, kind: str, user: Api.User) -> bool:
        rows = self._rows[user]
        ids = random.sample(rows, min(len(rows), random.randint(1, _AT_ONCE)))
        if not ids:
            return False
        if kind == "delete":
            self._rows[user] = [id for id in rows if id not in ids]
            return await self._ask(user, _DELETE, ids=ids)
        document = _READ if kind in {"read", "unread"} else _DISMISS
        return await self._ask(user, document, ids=ids, on=kind in {"read", "dismiss"})

    async def _notify(self, users: Sequence[Api.User]) -> bool:
        people = sorted(users, key=lambda user: user.id)
        said = {
            "recipients": [{"id": user.id} for user in people],
            "type": random.choice(_TYPES),
            "title": "Something happened",
            "body": "",
        }
        answer = await self._answer(self._agents[people[0].tenant], _NOTIFY, input=said)
        for user, id in zip(people, answer.data["notify"]["notifications"], strict=True):
            self._rows[user].append(id)
        return True

    async def _ask(self, user: Api.User, document: str, **variables: Any) -> bool:
        answer = await self._answer(user, document, **variables)
        if answer.codes == ["INVALID_NOTIFICATION_IDS"]:
            return False
        assert not answer.codes, answer
        return True

    async def _answer(self, user: Api.User, document: str, **variables: Any) -> Answer:
        return await ask(replace(user, api=random.choice(self._servers)), document, **variables)
