"""Selections as generated functions: one builds the dict of an object, with each field's work written out.

A plain value of a plain type costs a read and a comparison. Whatever else turns up is completed the general
way, and an exception becomes the error that graphql-core would have made of it.
"""

from collections.abc import Iterator
from typing import Any

from graphql import GraphQLLeafType, Undefined, is_leaf_type, is_non_null_type
from graphql.pyutils import Path, inspect

from schema.compiled.complete import Pending, Select, Selector, gathered, placer, settled
from schema.compiled.fields import Field, Run
from schema.compiled.leaf import PLAIN, SHOWN, leaf

_FUNCTION = """\
def select(run, source, above):
    pending = []
    try:
{body}
    except Exception:
        if pending:
            run.settle_in_background([it for _, it in pending])
        raise
    shown = {{{shown}}}
    return gathered(shown, pending) if pending else shown
"""
_FIELD = """\
        try:
            {v} = {read}
{show}
        except Exception as error:
            {v} = fail_{v}(run, error, above)
"""
_LEAF = """\
            if {known}:
                {shown}
            elif {wanted}:
                {v} = complete_{v}(run, above, {v}, pending)"""
_OTHER = "            {v} = complete_{v}(run, above, {v}, pending)"


def selector(run: Run, fields: list[Field], select: Select) -> Selector:
    """Return the function that selects these fields of an object."""
    names: dict[str, Any] = {"gathered": gathered, "PLAIN": PLAIN, "SHOWN": SHOWN}
    body = "".join(_field(run, field, f"v{number}", names, select) for number, field in enumerate(fields))
    shown = ", ".join(f"{field.key!r}: v{number}" for number, field in enumerate(fields))
    exec(compile(_FUNCTION.format(body=body or "        pass", shown=shown), "<selection>", "exec"), names)  # noqa: S102  ours
    function: Selector = names["select"]
    return function


def _field(run: Run, field: Field, v: str, names: dict[str, Any], select: Select) -> str:
    """Return the lines for a field; what they refer to goes into names."""
    if field.name == "__typename":
        return f"        {v} = {field.parent.name!r}\n"
    names[f"fail_{v}"] = field.fail
    names[f"complete_{v}"] = _general(field, select)
    return _FIELD.format(v=v, read=_read(run, field, v, names), show=_show(field, v, names))


def _read(run: Run, field: Field, v: str, names: dict[str, Any]) -> str:
    """Return the expression for a field's value: an attribute, a call of its resolver, or graphql-core's way."""
    if attribute := field.attribute():
        return f"source.{attribute}"
    function = field.function(run)
    if function is None:
        names[f"resolve_{v}"] = field.resolve
        return f"resolve_{v}(run, source, above)"
    names[f"call_{v}"] = function
    return f"call_{v}({', '.join(_arguments(run, field, v, names))})"


def _arguments(run: Run, field: Field, v: str, names: dict[str, Any]) -> Iterator[str]:
    """Yield what a resolver is called with: its object, its info and its arguments."""
    resolver: Any = field.strawberry and field.strawberry.base_resolver
    if resolver.self_parameter:
        yield "source"
    yield from (
        f"{name}=source"
        for name in {it.name for it in (resolver.parent_parameter, resolver.root_parameter) if it}
    )
    if resolver.info_parameter:
        names[f"info_{v}"] = field.strawberry_info
        yield f"{resolver.info_parameter.name}=info_{v}(run, above)"
    constants = field.constants(run)
    if constants is None:
        names[f"arguments_{v}"] = field.converted
        yield f"**arguments_{v}(run, above)"
    else:
        names |= {f"{name}_{v}": value for name, value in constants.items()}
        yield from (f"{name}={name}_{v}" for name in constants)


def _show(field: Field, v: str, names: dict[str, Any]) -> str:
    nullable = not is_non_null_type(field.type)
    type: Any = field.type
    type = type if nullable else type.of_type
    if not is_leaf_type(type):
        return _OTHER.format(v=v)
    names[f"show_{v}"] = _scalar(field, type)
    known, shown = leaf(type, v, names)
    wanted = f"{v} is not None" if nullable else "True"
    return _LEAF.format(v=v, known=known, shown=shown or "pass", wanted=wanted)


def _general(field: Field, select: Select) -> Any:
    place = placer(field, field.type, select)

    def complete_field(run: Run, above: Path | None, value: Any, pending: Pending) -> Any:
        return place(run, Path(above, field.key, field.parent.name), value, pending)

    return complete_field


def _scalar(field: Field, type: GraphQLLeafType) -> Any:
    """Return what shows a value that is neither null nor awaitable, whatever the scalar makes of it."""

    def show(run: Run, above: Path | None, value: Any, pending: Pending) -> Any:
        shown: Any = type.coerce_output_value(value)
        if shown.__class__ in SHOWN:
            return shown
        if shown is None or shown is Undefined:
            raise TypeError(
                f"Expected `{inspect(type)}.coerce_output_value({inspect(value)})` to return non-nullable value, "
                f"returned: {inspect(shown)}"
            )
        if run.is_awaitable(shown):
            pending.append((field.key, settled(run, field, field.type, field.path(above), shown)))
        return shown

    return show
