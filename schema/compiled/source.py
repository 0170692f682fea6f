"""Selections as generated functions: one builds the dict of an object, with each field's work written out.

A plain value of a plain type costs a read and a comparison. Whatever else turns up is completed the general
way, and an exception becomes the error that graphql-core would have made of it.
"""

from collections.abc import Iterator
from typing import Any, cast

from graphql import is_leaf_type, is_non_null_type
from graphql.pyutils import Path

from schema.compiled.complete import Place, Select, Selector, gathered
from schema.compiled.fields import Field, Run
from schema.compiled.leaf import PLAIN, SHOWN, checked, leaf

_FUNCTION = """\
def select(run, above, source):
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
                {v} = place_{v}(run, {path}, {v}, pending)"""
_SCALAR = """\
given = {v}
                {v} = coerce_{v}(given)
                if {v}.__class__ not in SHOWN:
                    {v} = place_{v}.shown(run, {path}, checked(type_{v}, given, {v}), pending)"""
_OTHER = "            {v} = place_{v}(run, {path}, {v}, pending)"
_NAMES = {
    "Path": Path,
    "PLAIN": PLAIN,
    "SHOWN": SHOWN,
    "gathered": gathered,
    "checked": checked,
}


def selector(run: Run, fields: list[Field], select: Select) -> Selector:
    """Return the function that selects these fields of an object."""
    names: dict[str, Any] = dict(_NAMES)
    body = "".join(_field(run, field, f"v{number}", names, select) for number, field in enumerate(fields))
    shown = ", ".join(f"{field.key!r}: v{number}" for number, field in enumerate(fields))
    source = _FUNCTION.format(body=body or "        pass", shown=shown)
    # All that is written out are names of the schema, response names and our own.
    exec(compile(source, "<selection>", "exec"), names)  # noqa: S102
    return cast(Selector, names.pop("select"))  # among its own globals it would keep itself alive


def _field(run: Run, field: Field, v: str, names: dict[str, Any], select: Select) -> str:
    """Return the lines for a field; what they refer to goes into names."""
    if field.name == "__typename":
        return f"        {v} = {field.parent.name!r}\n"
    names[f"fail_{v}"] = field.fail
    names[f"place_{v}"] = Place(field, field.type, select)
    return _FIELD.format(v=v, read=_read(run, field, v, names), show=_show(field, v, names))


def _show(field: Field, v: str, names: dict[str, Any]) -> str:
    path = f"Path(above, {field.key!r}, {field.parent.name!r})"
    nullable = not is_non_null_type(field.type)
    type: Any = field.type
    type = type if nullable else type.of_type
    if not is_leaf_type(type):
        return _OTHER.format(v=v, path=path)
    known, shown = leaf(type, v, names)
    if shown is None:
        names |= {f"type_{v}": type, f"coerce_{v}": type.coerce_output_value}
        shown = _SCALAR.format(v=v, path=path)
    wanted = f"{v} is not None" if nullable else "True"
    return _LEAF.format(v=v, known=known, shown=shown, wanted=wanted, path=path)


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
    ours = {it.name for it in (resolver.parent_parameter, resolver.root_parameter) if it}
    yield from (f"{name}=source" for name in ours)
    if resolver.info_parameter:
        names[f"info_{v}"] = field.strawberry_info
        yield f"{resolver.info_parameter.name}=info_{v}(run, above)"
    constants = field.constants(run)
    if constants is None:
        names[f"given_{v}"] = field.given
        yield f"**given_{v}(run, above)"
    else:
        names |= {f"given_{name}_{v}": value for name, value in constants.items()}
        yield from (f"{name}=given_{name}_{v}" for name in constants)
