"""The reference pages that are read off the code: the API, the settings, the command line and the errors.

`mkdocs build` makes them anew each time (tests/docs/hooks.py); none is committed.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    ast_from_value,
    build_schema,
    get_named_type,
    is_required_argument,
    print_ast,
)
from typer.main import get_command

from resolvers.errors import ErrorCode
from tocsin import settings
from tocsin.cli import app
from tocsin.errors import _STATUS

ROOT = Path(__file__).parents[2]
_GROUPS: tuple[tuple[str, type], ...] = (
    ("Types", GraphQLObjectType),
    ("Interfaces", GraphQLInterfaceType),
    ("Inputs", GraphQLInputObjectType),
    ("Enums", GraphQLEnumType),
    ("Scalars", GraphQLScalarType),
)
_BUILT_IN = {"Boolean", "Float", "ID", "Int", "String"}
_ERRORS = {
    ErrorCode.UNAUTHENTICATED: "There is no token, or it is not valid, or no longer.",
    ErrorCode.FORBIDDEN: "The caller's role may not do this, or access was taken away.",
    ErrorCode.TENANT_REQUIRED: "The token names several tenants, and the request none of them.",
    ErrorCode.NOT_FOUND: "It does not exist, or is somebody else's: nobody is told which.",
    ErrorCode.BAD_USER_INPUT: "Something in the input is wrong; `fields` lists each `{field, detail}`.",
    ErrorCode.INVALID_CURSOR: "A cursor that is not one, or of another inbox.",
    ErrorCode.LIMIT_OUT_OF_RANGE: "A page that is too small or too large.",
    ErrorCode.INVALID_NOTIFICATION_IDS: "`invalidIds` lists those that are absent, deleted or foreign; "
    "nothing was changed.",
    ErrorCode.INVALID_TIMEZONE: "Not the name of an IANA time zone.",
    ErrorCode.INVALID_URL: "Not an https: or mailto: URL or an app-relative path.",
    ErrorCode.IDEMPOTENCY_CONFLICT: "The `idempotencyKey` was used with another input within 24 hours.",
    ErrorCode.RATE_LIMITED: "Too much in a minute, or too many at a time; `retryAfter`, if there, is in seconds.",
    ErrorCode.PERSISTED_QUERY_NOT_FOUND: "The operation is none of the trusted ones.",
    ErrorCode.QUERY_TOO_COMPLEX: "The document is beyond `limit`, which is `max`.",
    ErrorCode.GRAPHQL_PARSE_FAILED: "The document is not GraphQL.",
    ErrorCode.GRAPHQL_VALIDATION_FAILED: "The document does not fit the schema.",
    ErrorCode.UNAVAILABLE: "The database is away. Try again; a `notify` with the same `idempotencyKey`.",
    ErrorCode.INTERNAL: "A fault of the server; its log has the traceback under `requestId`.",
}


def pages() -> dict[str, str]:
    """Return the Markdown of each page by its path below docs."""
    makers: dict[str, Callable[[], str]] = {
        "api": _api,
        "settings": _settings,
        "cli": _cli,
        "errors": _errors,
    }
    return {f"reference/{name}.md": make() for name, make in makers.items()}


# -- the API -----------------------------------------------------------------------------------------------


def _api() -> str:
    made = build_schema((ROOT / "schema.graphql").read_text())
    roots = (made.query_type, made.mutation_type, made.subscription_type)
    intro = (
        "Read off [schema.graphql](../../schema.graphql), which `tocsin schema` prints. Each root field ends with "
        "who may call it; [rights](../rights.md) is the same as a table."
    )
    parts = [f"# GraphQL API\n\n{intro}\n"]
    parts += [
        f"## {heading}\n\n{root.description or ''}\n\n{_fields(root.fields, deep=True)}"
        for heading, root in zip(("Queries", "Mutations", "Subscriptions"), roots, strict=True)
        if root
    ]
    parts += [f"## {heading}\n\n{_types(made, kind, roots)}" for heading, kind in _GROUPS]
    return "\n".join(parts)


def _types(made: GraphQLSchema, kind: type, roots: Iterable[object]) -> str:
    found = [
        it
        for name, it in sorted(made.type_map.items())
        if type(it) is kind and it not in roots and name not in _BUILT_IN and not name.startswith("__")
    ]
    return "\n".join(
        f"### {it.name} {{#{it.name}}}\n\n{it.description or ''}\n\n{_members(it)}" for it in found
    )


def _members(it: object) -> str:
    if isinstance(it, GraphQLEnumType):
        return "\n".join(f"* `{name}`" for name in it.values) + "\n"
    if isinstance(it, GraphQLInputObjectType):
        return _arguments(it.fields) + "\n"
    if isinstance(it, GraphQLObjectType | GraphQLInterfaceType):
        return _fields(it.fields, deep=False)
    return ""


def _fields(fields: dict[str, GraphQLField], *, deep: bool) -> str:
    """Return fields as sections, or as a list."""
    if deep:
        return "\n".join(
            f"### {name}\n\n`{name}` returns {_type(it.type)}. {it.description}\n\n{_arguments(it.args)}\n"
            for name, it in fields.items()
        )
    return "".join(
        f"* `{name}`{_in_brackets(it)}: {_type(it.type)}. {it.description or ''}\n"
        for name, it in fields.items()
    )


def _in_brackets(field: GraphQLField) -> str:
    given = ", ".join(f"{name}: {argument.type}{_default(argument)}" for name, argument in field.args.items())
    return f" `({given})`" if given else ""


def _arguments(arguments: dict[str, GraphQLArgument]) -> str:
    return "\n".join(
        f"* `{name}`: {_type(it.type)}"
        + (f" `{_default(it).strip()}`" if _default(it) else "")
        + (", required" if is_required_argument(it) else "")
        + (f". {it.description}" if it.description else "")
        for name, it in arguments.items()
    )


def _default(it: GraphQLArgument) -> str:
    node = ast_from_value(it.default_value, it.type) if it.default_value is not None else None
    return f" = {print_ast(node)}" if node and not is_required_argument(it) else ""


def _type(type_: object) -> str:
    """Return a type as it is written, leading to where it is described."""
    name = get_named_type(type_).name  # type: ignore[call-overload]
    return f"`{type_}`" if name in _BUILT_IN else f"[`{type_}`](#{name})"


# -- the rest ----------------------------------------------------------------------------------------------


def _settings() -> str:
    return (
        "# Settings\n\nEnvironment variables, read once when a process starts. What is wrong is said, by name, "
        f"and the process does not start.\n\n{settings.table()}\n"
    )


def _cli() -> str:
    command = get_command(app)
    context = command.make_context("tocsin", [], resilient_parsing=True)
    parts = ["# Command line\n\nEvery command reads the [settings](settings.md).\n"]
    for name in command.list_commands(context):  # type: ignore[attr-defined]
        it = command.get_command(context, name)  # type: ignore[attr-defined]
        inner = it.make_context(f"tocsin {name}", [], parent=None, resilient_parsing=True)
        rows = [
            " ".join(parameter.opts) for parameter in it.params if parameter.param_type_name == "argument"
        ]
        usage = " ".join([f"tocsin {name}", *(it.upper() for it in rows)])
        parts.append(f"## {name}\n\n```text\n{usage}\n```\n\n{it.help}\n\n{_options(it.params, inner)}")
    return "\n".join(parts)


def _options(parameters: Iterable[object], context: object) -> str:
    records = [parameter.get_help_record(context) for parameter in parameters]  # type: ignore[attr-defined]
    return "".join(f"* `{name}`: {text.strip()}\n" for name, text in filter(None, records))


def _errors() -> str:
    rows = [f"| `{code.value}` | {_STATUS.get(code, 400)} | {_ERRORS[code]} |" for code in ErrorCode]
    intro = (
        "In `errors[].extensions.code`. More may come: keep a default branch. A request that was refused as a "
        "whole has the HTTP status below. One whose document was run, or whose document is at fault and is "
        "answered in `application/json`, has 200 "
        "([GraphQL over HTTP](https://graphql.github.io/graphql-over-http/))."
    )
    table = "\n".join(["| code | HTTP status | what it says |", "|---|---|---|", *rows])
    return f"# Errors\n\n{intro}\n\n{table}\n"
