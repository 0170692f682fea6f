"""Who may call a root field, declared where it is answered."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar, cast

from resolvers.context import Context
from resolvers.principal import Role

_P = ParamSpec("_P")
_R = TypeVar("_R")
_Resolver = Callable[Concatenate[Context, _P], _R]


def allow(*roles: Role) -> Callable[[_Resolver[_P, _R]], _Resolver[_P, _R]]:
    """Let only callers with one of these roles in; nobody gets UNAUTHENTICATED, others FORBIDDEN."""

    def declare(resolver: _Resolver[_P, _R]) -> _Resolver[_P, _R]:
        @wraps(resolver)
        def guarded(ctx: Context, *args: _P.args, **kwargs: _P.kwargs) -> _R:
            ctx.caller.require(*roles)
            return resolver(ctx, *args, **kwargs)

        return cast("_Resolver[_P, _R]", guarded)

    return declare
