"""`tocsin notify`: JSON lines, each said through the API's own mutation, so that the same rules hold."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, BinaryIO

from graphql import GraphQLError

from resolvers.context import Context
from resolvers.errors import TocsinError
from resolvers.inputs import text_problem
from resolvers.principal import Principal, Role
from schema import build
from tocsin import jsonl
from tocsin.errors import public, quieten_strawberry

AGENT = "tocsin-notify"
"""Who says it: an agent of each line's tenant, by this id."""
_NOTIFY = """
mutation($input: NotifyInput!, $key: String) {
  notify(input: $input, idempotencyKey: $key) { created replayed request { status } }
}
"""
_OF_THE_INPUT = re.compile(r"Variable '\$input' has invalid value(?: at \.)?:? ?")
_NEVER = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Report:
    """What became of the lines, which count from 1; a bad line stops no other.

    said: by this run, of them later: to everyone, which the worker does. created: inbox rows. replayed:
    lines that were said before.
    """

    said: int = 0
    later: int = 0
    created: int = 0
    replayed: int = 0
    bad: list[tuple[int, str]] = field(default_factory=list)


async def notify_lines(
    operation: Callable[[Principal], Context],
    file: BinaryIO,
    progress: Callable[[int], None] = lambda _bytes: None,
) -> Report:
    """Say line after line; operation makes a context for each, progress gets the bytes that are done."""
    quieten_strawberry()
    schema, report = build(), Report()
    for number, line in enumerate(jsonl.lines(file), start=1):
        if line.strip():
            try:
                tenant_id, variables = _read(line)
                context = operation(Principal(tenant_id, AGENT, frozenset({Role.AGENT}), _NEVER))
                result = await schema.execute(_NOTIFY, variables, context)
                _count(_answer(result.data, result.errors), report)
            except ValueError as error:
                report.bad.append((number, jsonl.shown(str(error))))
        progress(len(line))
    return report


def _read(line: bytes) -> tuple[str, dict[str, Any]]:
    """Return a line's tenant and the mutation's variables; without a key the line itself is its key."""
    found = jsonl.parsed(line)
    if not isinstance(found, dict):
        raise ValueError("must be an object")  # noqa: TRY004  a line is a value
    tenant_id = found.pop("tenant", None)
    if not isinstance(tenant_id, str) or text_problem(tenant_id, least=1):
        raise ValueError("tenant: must be an id of 1 to 255 characters")
    key = found.pop("idempotencyKey", None)
    if isinstance(found.get("recipients"), list):
        found["recipients"] = [{"id": it} if isinstance(it, str) else it for it in found["recipients"]]
    return tenant_id, {"input": found, "key": sha256(line.strip()).hexdigest() if key is None else key}


def _answer(data: dict[str, Any] | None, errors: list[GraphQLError] | None) -> dict[str, Any]:
    """Return the payload; ValueError for what is wrong with the line, and whatever else was raised as it is."""
    for error in errors or ():
        cause: BaseException = error
        while isinstance(cause, GraphQLError) and cause.original_error:
            cause = cause.original_error
        if not isinstance(cause, GraphQLError | TocsinError):
            raise cause
    if errors:
        said = " ".join(public(error, "").message for error in errors)
        raise ValueError(_OF_THE_INPUT.sub("", said))
    assert data is not None  # noqa: S101  there was no error
    payload: dict[str, Any] = data["notify"]
    return payload


def _count(payload: dict[str, Any], report: Report) -> None:
    if payload["replayed"]:
        report.replayed += 1
        return
    report.said += 1
    report.later += payload["request"]["status"] != "DONE"
    report.created += payload["created"]
