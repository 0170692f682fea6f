"""What callers may ask for in a minute, at all servers together: see docs/adr/0013."""

import asyncio
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from live.hub import Hub
from resolvers.errors import rate_limited
from resolvers.principal import Principal, Role
from schema.price import Prices
from tocsin.budget import Budgets

TELL_SECONDS = 0.25
_MOST_NOTES = 200


class Payer(NamedTuple):
    """Who pays: a user or an agent of a tenant. Who is nobody pays together with all who are."""

    tenant_id: str
    id: str
    is_agent: bool


_NOBODY = Payer("", "", False)


class Rates:
    """The budgets of callers; one per process."""

    def __init__(self, points_a_minute: int) -> None:
        self.budgets = Budgets[Payer](points_a_minute)

    def charge(
        self,
        prices: Prices,
        principal: Principal | None,
        text: str,
        variables: Mapping[str, Any] | None,
        name: str | None,
    ) -> None:
        """Take what an operation costs, or raise RATE_LIMITED."""
        if not self.budgets.a_minute:
            return
        seconds = self.budgets.spend(_payer(principal), prices.of(text, variables, name))
        if seconds:
            raise rate_limited("You have asked for too much in the last minute.", seconds)

    async def keep_telling(self, hub: Hub) -> None:
        """Tell the other servers, every quarter of a second, who spent a notable part; until cancelled."""
        while self.budgets.a_minute:
            await asyncio.sleep(TELL_SECONDS)
            if notable := self.budgets.notable():
                notable.sort(key=lambda spent: -spent[1])
                hub.tell([orjson.dumps([*payer, points]).decode() for payer, points in notable[:_MOST_NOTES]])

    def heard(self, note: str) -> None:
        """Count what another server was asked for; anybody in the database may send anything."""
        try:
            tenant_id, id, is_agent, points = orjson.loads(note)
        except (ValueError, TypeError):
            return
        types = (type(tenant_id), type(id), type(is_agent))
        if types == (str, str, bool) and type(points) in {int, float} and 0 < points < math.inf:
            self.budgets.hear(Payer(tenant_id, id, is_agent), points)


def _payer(principal: Principal | None) -> Payer:
    if principal is None:
        return _NOBODY
    return Payer(principal.tenant_id, principal.user_id, Role.AGENT in principal.roles)
