"""Each block of code in the README and in docs/ is what it says it is, and each GraphQL one runs."""

import ast
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from graphql import OperationDefinitionNode, OperationType, build_schema, parse, validate
from pglast import parse_sql

from resolvers.principal import Role
from tests.docs.blocks import ROOT, Block, blocks_of, pages
from tests.support import Api
from tests.test_examples import answer

BLOCKS = [block for page in pages() for block in blocks_of(page)]
GRAPHQL = [it for it in BLOCKS if it.language == "graphql"]
PAGES = sorted({it.page for it in GRAPHQL})
EXAMPLES = ROOT / "web/graphiql/examples"
_RULES = re.compile(r"(?:[^{}]+\{(?:\s*[\w-]+:[^:;{}]+;)+\s*\})+\s*")
SCHEMA = build_schema((ROOT / "schema.graphql").read_text())


def _graphql(text: str) -> None:
    assert validate(SCHEMA, parse(text)) == []


def _json(text: str) -> None:
    """One value, or one a line."""
    try:
        json.loads(text)
    except json.JSONDecodeError:
        for line in text.splitlines():
            json.loads(line)


def _sh(text: str) -> None:
    subprocess.run(["bash", "-n"], input=text.encode(), check=True, capture_output=True)


def _js(text: str) -> None:
    if node := shutil.which("node"):
        command = [node, "--input-type=module", "--check", "-"]
        subprocess.run(command, input=text.encode(), check=True, capture_output=True)


def _css(text: str) -> None:
    """Rules of declarations; nothing nested."""
    assert _RULES.fullmatch(text)


def _elsewhere(_text: str) -> None:
    """Run by another test."""


CHECKS: dict[str, Callable[[str], object]] = {
    "": _elsewhere,  # pictures
    "css": _css,
    "graphql": _graphql,
    "html": _elsewhere,  # tests/docs/test_tutorial.py
    "js": _js,
    "json": _json,
    "python": ast.parse,
    "sh": _sh,
    "sql": parse_sql,
    "text": _elsewhere,  # what is printed
    "ts": _elsewhere,  # tests/clients
    "yaml": _elsewhere,  # tests/codegen
}


def test_no_block_goes_unread() -> None:
    """There are as many blocks as pairs of fences, and a check for the language of each."""
    fences = sum(
        line.lstrip().startswith("```") for page in pages() for line in (ROOT / page).read_text().splitlines()
    )
    assert len(BLOCKS) * 2 == fences
    assert {it.language for it in BLOCKS} - CHECKS.keys() == set()
    assert {it.page for it in BLOCKS if it.language == "ts"} == {"docs/how-to/live.md"}


@pytest.mark.parametrize("block", [it for it in BLOCKS if CHECKS.get(it.language) is not _elsewhere], ids=str)
def test_a_block_is_well_formed(block: Block) -> None:
    """GraphQL fits the schema; the rest can be parsed."""
    CHECKS[block.language](block.text)


# -- running GraphQL ---------------------------------------------------------------------------------------


class Reader:
    """An admin who runs the blocks of a page one after the other, as somebody would who reads it."""

    def __init__(self, api: Api) -> None:
        self._admin = api.user(f"reader-{uuid4().hex[:12]}", "ada", Role.ADMIN)
        # What a block says in capitals stands for a value in an answer above it.
        self._answered: dict[str, str] = {}

    async def run(self, text: str) -> None:
        """Run a document of one operation; a subscription until its first event."""
        for name, value in self._answered.items():
            text = text.replace(f'"{name}"', json.dumps(value))
        (operation,) = (it for it in parse(text).definitions if isinstance(it, OperationDefinitionNode))
        is_live = operation.operation is OperationType.SUBSCRIPTION
        data = await (self._first_event(text) if is_live else self._admin.data(text))
        assert None not in data.values()
        self._answered |= _values(data)

    async def _first_event(self, text: str) -> Any:
        async with self._admin.socket() as socket:
            feed = await socket.subscribe(text)
            if "inboxEvents" in text:
                await feed.silent(0.2)
                await self.receive()
            return await feed.next()

    async def receive(self) -> None:
        """Get a notification."""
        await self._admin.receive("Order 17 is paid", category="orders")


def _values(data: Any) -> Iterator[tuple[str, str]]:
    if isinstance(data, list):
        for it in data:
            yield from _values(it)
    elif isinstance(data, dict):
        for name, value in data.items():
            if name == "eventCursor":
                yield "EVENT_CURSOR", value
            elif name == "channel" and value and "id" in value:
                yield "CHANNEL_ID", value["id"]
            yield from _values(value)


@pytest.mark.parametrize("page", PAGES)
async def test_graphql_runs(api: Api, page: str) -> None:
    """The blocks of a page in turn, without an error, against a running server."""
    reader = Reader(api)
    await reader.receive()
    for block in GRAPHQL:
        if block.page == page:
            await reader.run(block.text)


# -- GraphiQL's tabs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", Role)
async def test_ready_examples_run(api: Api, role: Role) -> None:
    """Each operation of a role's tab, by somebody with this role and no other."""
    caller = api.user(f"examples-{uuid4().hex[:12]}", "grace", role)
    text = (EXAMPLES / f"{role.value}.graphql").read_text()
    for operation in parse(text).definitions:
        assert isinstance(operation, OperationDefinitionNode)
        assert operation.name
        body = {"query": text, "operationName": operation.name.value}
        if operation.operation is OperationType.SUBSCRIPTION:
            async with caller.socket() as socket:
                feed = await socket.start(body)
                await feed.silent(0.2)
                await caller.receive("A build")
                assert (await feed.next())["inboxEvents"]["notification"]["title"] == "A build"
        else:
            assert "errors" not in await answer(caller, body), operation.name.value


def test_the_ready_examples_are_those_that_are_served() -> None:
    """They lie beside the bundle as they were written, one for each role."""
    written, served = _texts(EXAMPLES), _texts(ROOT / "tocsin/graphiql/assets/examples")
    assert written == served
    assert {*written} == {f"{role.value}.graphql" for role in Role}


def _texts(folder: Path) -> dict[str, str]:
    return {it.name: it.read_text() for it in folder.iterdir()}
