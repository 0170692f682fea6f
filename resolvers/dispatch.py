"""By which methods this deployment can deliver."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from db.types import ChannelKind
from resolvers.context import Context
from resolvers.principal import Role
from resolvers.rights import allow


@dataclass(frozen=True, slots=True)
class DispatchMethods:
    """The kinds that can be used, and the one that is used where nobody chose."""

    available: Sequence[ChannelKind]
    default: ChannelKind


@allow(Role.USER, Role.AGENT)
async def methods(_ctx: Context) -> DispatchMethods:
    """Return all kinds, but for APPRISE where its package is not installed."""
    missing = set() if find_spec("apprise") else {ChannelKind.APPRISE}
    return DispatchMethods([kind for kind in ChannelKind if kind not in missing], ChannelKind.IN_APP)
