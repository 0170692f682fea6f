"""Values as the answer shows them: the specification's "value completion", with each type looked at once.

A completer takes the run, the path and a value that is neither null, nor an exception, nor awaitable, and returns
what is shown or an awaitable of it. It raises what graphql-core's would: what cannot be told ahead is left to
graphql-core's own methods on the run.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from types import CoroutineType
from typing import Any

from graphql import (
    GraphQLAbstractType,
    GraphQLList,
    GraphQLObjectType,
    Undefined,
    is_abstract_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)
from graphql.execution.executor import invalid_return_type_error
from graphql.pyutils import Path, gather_with_cancel

from schema.compiled.fields import Field, Run
from schema.compiled.leaf import SHOWN

Completer = Callable[[Run, Path, Any], Any]
Selector = Callable[[Run, Path | None, Any], Any]
Select = Callable[[Run, GraphQLObjectType, Field], Selector]
"""Compiles what is selected below a field of an object type."""

new_path: Callable[[tuple[Path | None, str | int, str | None]], Path] = partial(tuple.__new__, Path)
"""A path as its own constructor makes it, which is written in Python."""

Pending = list[tuple[Any, Awaitable[Any]]]
"""Keys or indices of what must be awaited yet."""


class Place:
    """Completes any value of a type, that of a field or one inside it, at a path.

    An error makes it null or goes further up, as the type has it; what is still to come goes into pending.
    """

    def __init__(self, field: Field, type: Any, select: Select) -> None:
        self._field = field
        self._type = type
        self._nullable = not is_non_null_type(type)
        named = type if self._nullable else type.of_type
        self._complete, self._select = _completer(field, named, select), select
        self._object = named if is_object_type(named) and not named.is_type_of else None
        self._plain: set[Any] = set()

    def __call__(self, run: Run, path: Path, value: Any, pending: Pending) -> Any:
        """Return what is shown, or None and a note in pending."""
        try:
            if value.__class__ in self._plain:
                shown = self._complete(run, path, value)
            elif run.is_awaitable(value):
                pending.append((path.key, self._awaited(run, path, value)))
                return None
            else:
                shown = self._any(run, path, value)
        except Exception as error:  # noqa: BLE001  that of a resolver may be any
            return self._fail(run, path, error)
        return shown if shown.__class__ in SHOWN else self.shown(run, path, shown, pending)

    def shown(self, run: Run, path: Path, shown: Any, pending: Pending) -> Any:
        """Return what is shown unless it must be awaited yet."""
        if not run.is_awaitable(shown):
            return shown
        pending.append((path.key, self._awaited(run, path, shown, completed=True)))
        return None

    def _any(self, run: Run, path: Path, value: Any) -> Any:
        if value is None or value is Undefined:
            if self._nullable:
                return None
            raise TypeError(
                f"Cannot return null for non-nullable field {self._field.parent}.{self._field.name}."
            )
        if isinstance(value, Exception):
            raise value
        if self._object and not self._plain:  # selects now, as graphql-core collects fields then
            self._complete = self._select(run, self._object, self._field)
        if not (isinstance(value, BaseException) or hasattr(value.__class__, "__await__")):
            self._plain.add(value.__class__)
        return self._complete(run, path, value)

    def _fail(self, run: Run, path: Path, error: Exception) -> None:
        run.handle_field_error(error, self._type, self._field.details, path)

    async def _awaited(self, run: Run, path: Path, value: Awaitable[Any], *, completed: bool = False) -> Any:
        try:
            shown = await value if completed else self._any(run, path, await value)
            return await shown if run.is_awaitable(shown) else shown
        except Exception as error:  # noqa: BLE001
            return self._fail(run, path, error)


def _completer(field: Field, type: Any, select: Select) -> Completer:
    if is_list_type(type):
        return _list(field, type, Place(field, type.of_type, select))
    if is_abstract_type(type):
        return _abstract(field, type, select)
    if is_object_type(type):
        return _object(field, type, select)
    return lambda run, _path, value: run.complete_leaf_value(type, value)


def _list(field: Field, type: GraphQLList[Any], place: Place) -> Completer:
    def complete_list(run: Run, path: Path, value: Any) -> Any:
        if value.__class__ is not list and value.__class__ is not tuple:
            info = field.info(run, path)
            return run.complete_list_value(type, field.details, info, path, value, None)
        shown: list[Any] = []
        pending: Pending = []
        try:
            for index, item in enumerate(value):
                shown.append(place(run, new_path((path, index, None)), item, pending))
        except Exception:
            left = [it for it in value[len(shown) + 1 :] if run.is_awaitable(it)]
            if left or pending:
                run.settle_in_background([it for _, it in pending] + left)
            raise
        return gathered(shown, pending) if pending else shown

    return complete_list


async def gathered(shown: Any, pending: Pending) -> Any:
    """Return a list or dict when all that was pending in it is there."""
    if len(pending) == 1:
        key, awaitable = pending[0]
        shown[key] = await awaitable
    else:
        values = await gather_with_cancel(*(it for _, it in pending))
        for (key, _), value in zip(pending, values, strict=True):
            shown[key] = value
    return shown


def _object(field: Field, type: GraphQLObjectType, select: Select) -> Completer:
    selector: Selector | None = None

    def selected(run: Run, path: Path, value: Any) -> Any:
        nonlocal selector
        if selector is None:  # compiled when the first object is there, as graphql-core collects fields then
            selector = select(run, type, field)
        return selector(run, path, value)

    def complete_object(run: Run, path: Path, value: Any) -> Any:
        is_it = type.is_type_of(value, field.info(run, path))  # type: ignore[misc]
        if run.is_awaitable(is_it):
            return when(run, path, value, is_it)
        if not is_it:
            raise invalid_return_type_error(type, value, field.details)
        return selected(run, path, value)

    async def when(run: Run, path: Path, value: Any, is_it: Any) -> Any:
        if not await is_it:
            raise invalid_return_type_error(type, value, field.details)
        shown = selected(run, path, value)
        return await shown if shown.__class__ is CoroutineType else shown

    return complete_object if type.is_type_of else selected


def _abstract(field: Field, type: GraphQLAbstractType, select: Select) -> Completer:
    completers: dict[str, Completer] = {}

    def complete_abstract(run: Run, path: Path, value: Any) -> Any:
        info = field.info(run, path)
        name = (type.resolve_type or run.type_resolver)(value, info, type)
        if run.is_awaitable(name):
            return when(run, path, value, name, info)
        return of(run, name, info, value)(run, path, value)

    def of(run: Run, name: Any, info: Any, value: Any) -> Completer:
        found = completers.get(name) if isinstance(name, str) else None
        if found is None:
            runtime_type = run.ensure_valid_runtime_type(name, type, field.details, info, value)
            found = completers[name] = _object(field, runtime_type, select)
        return found

    async def when(run: Run, path: Path, value: Any, name: Any, info: Any) -> Any:
        shown = of(run, await name, info, value)(run, path, value)
        return await shown if run.is_awaitable(shown) else shown

    return complete_abstract
