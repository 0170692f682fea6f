"""No operation that the docs show, or that GraphiQL sends by itself, is left to graphql-core as a whole."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from graphql import DocumentNode, OperationDefinitionNode, OperationType, get_introspection_query, parse

from schema import build
from schema.compiled import CompiledExecutor
from schema.compiled.plan import Plan
from tests.support import Api

ROOT = Path(__file__).parents[3]
SCHEMA = build()
_OPERATION = re.compile(r"(?:`|graphql\(`)\s*((?:query|mutation|subscription|fragment)\b[^`]*)`")


def _of_typescript(path: str) -> str:
    """Return the GraphQL in a file's template literals as one document."""
    text = (ROOT / path).read_text()
    return re.sub(r"\$\{\w+\}", "", "\n".join(_OPERATION.findall(text)))


def _documents() -> Iterator[tuple[str, str]]:
    yield from (
        (f"README.md {number}", text)
        for number, text in enumerate(
            re.findall(r"```graphql\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
        )
    )
    yield from ((path.name, path.read_text()) for path in sorted((ROOT / "docs/examples").glob("*.graphql")))
    yield "live.md", _of_typescript("docs/how-to/live.md")
    yield "app.ts", _of_typescript("tests/codegen/app.ts")
    tabs = sorted((ROOT / "web/graphiql/examples").glob("*.graphql"))
    yield from ((f"GraphiQL's tab {tab.stem}", tab.read_text()) for tab in tabs)
    yield "GraphiQL", get_introspection_query(input_value_deprecation=True, schema_description=True)


DOCUMENTS = dict(_documents())


def _operations(text: str) -> list[tuple[OperationDefinitionNode, DocumentNode]]:
    """Return each operation, and a document of it and all fragments."""
    definitions = parse(text).definitions
    fragments = [it for it in definitions if not isinstance(it, OperationDefinitionNode)]
    # Nobody gives any variables here: only those of @skip and @include would matter to a plan.
    found = [
        replace(it, variable_definitions=()) for it in definitions if isinstance(it, OperationDefinitionNode)
    ]
    return [(it, DocumentNode(definitions=(it, *fragments))) for it in found]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_documented_operation_has_a_plan(name: str) -> None:
    """Each operation is compiled, and each event of a subscription runs by the same plan."""
    operations = _operations(DOCUMENTS[name])
    assert operations
    for operation, document in operations:
        run: Any = CompiledExecutor.build(SCHEMA._schema, document)
        plan = run.plan()
        assert isinstance(plan, Plan), operation.name
        if operation.operation is OperationType.SUBSCRIPTION:
            assert run.build_per_event_executor(object()).plan() is plan


def test_what_is_documented() -> None:
    """The operations were found: all of a story, a README's, those of the clients' programs."""
    kinds = Counter(it.operation.value for text in DOCUMENTS.values() for it, _ in _operations(text))
    assert {name: len(_operations(text)) for name, text in DOCUMENTS.items()} == {
        **{f"README.md {number}": 1 for number in range(4)},
        "coder.graphql": 14,
        "ocore.graphql": 14,
        "ondi.graphql": 6,
        "owlmetry.graphql": 12,
        "live.md": 3,
        "app.ts": 3,
        "GraphiQL's tab user": 6,
        "GraphiQL's tab admin": 6,
        "GraphiQL's tab agent": 4,
        "GraphiQL": 1,
    }
    assert kinds["subscription"] == 7


async def test_the_server_asks_for_plans(ada: Api.User, monkeypatch: pytest.MonkeyPatch) -> None:
    """For each event over a WebSocket, and over HTTP for what has not run before."""
    asked: list[bool] = []
    original = CompiledExecutor.plan

    def plan(self: CompiledExecutor) -> Plan | None:
        found = original(self)
        asked.append(found is not None)
        return found

    monkeypatch.setattr(CompiledExecutor, "plan", plan)
    async with ada.socket() as socket:
        feed = await socket.subscribe("subscription { stats { unread } }")
        assert await feed.next() == {"stats": {"unread": 0}}
        await ada.receive("one")
        assert await feed.next() == {"stats": {"unread": 1}}
    new = "{ fresh: stats { unread } }"
    for _ in range(3):
        assert await ada.data(new) == {"fresh": {"unread": 1}}
    # Its first run is Strawberry's, the second asks to prepare it and to run it, the third asks nothing.
    assert asked == [True, True, True, True, True]
