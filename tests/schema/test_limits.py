"""The limits of a document: counted right, counted once, and before anything slow."""

import gc
import time
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
import strawberry
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    OperationDefinitionNode,
    SelectionSetNode,
    get_introspection_query,
    parse,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from schema.limits import Cost, Limits, QueryLimits, document_costs

GENEROUS = Limits(max_tokens=1_000_000)
MAX_CPU_SECONDS = 0.25


@strawberry.type
class Query:
    """A field of each kind."""

    a: int = 1

    @strawberry.field
    def node(self) -> "Query":
        """Go one level down."""
        return Query()

    @strawberry.field
    def sum(self, of: list[int]) -> int:
        """Add up."""
        return sum(of)


def chain(length: int, selection: str) -> str:
    """Return a query of fragments, each of which spreads the next as `selection` says."""
    links = [
        f"fragment F{i} on Query {{ {selection.replace('NEXT', f'...F{i + 1}')} }}" for i in range(length)
    ]
    return f"{{ ...F0 }} {' '.join(links)} fragment F{length} on Query {{ a }}"


def mesh(size: int) -> str:
    """Return fragments that all spread all, themselves included."""
    spreads = " ".join(f"...F{i}" for i in range(size))
    return f"{{ ...F0 }} {' '.join(f'fragment F{i} on Query {{ {spreads} }}' for i in range(size))}"


ABUSE = {
    **{f"bomb of {n} levels": chain(n, "NEXT NEXT") for n in (10, 20, 40, 80)},
    **{f"deep bomb of {n} levels": chain(n, "node { NEXT } b: node { NEXT }") for n in (10, 40, 80)},
    "wide bomb": chain(3, "NEXT " * 100),
    "1,000 aliases": "{" + " ".join(f"a{i}: a" for i in range(1_000)) + "}",
    "aliases in a fragment": "{" + "...F " * 100 + "} fragment F on Query { b: a }",
    "10,000 directives": "{ a" + " @skip(if: true)" * 10_000 + " }",
    "directives on spreads": "{" + "...F @skip(if: true) " * 60 + "} fragment F on Query { a }",
    "directives on the operation": "query" + " @x" * 60 + " { a }",
    "directives on a variable": "query ($v: Int" + " @x" * 60 + ") { a }",
    "250 repeated fields": "{" + "a " * 250 + "}",
    "250 repeated fields in a cycle of fragments": mesh(10).replace("{ ...", "{" + "a " * 25 + "..."),
    "70 repeated fields with arguments": "{" + ("sum(of: [" + "1 " * 20 + "]) ") * 70 + "}",
    "20,000 repeated fields": "{" + "a " * 20_000 + "}",
    "20,000 repeated fields in an unused fragment": "{ a } fragment F on Query {" + "a " * 20_000 + "}",
    "5,000 repeated objects": "{" + "node { a } " * 5_000 + "}",
    "depth 17": "{ node " * 16 + "{ a" + " }" * 17,
    "depth 3,000": "{ node " * 3_000 + "{ a" + " }" * 3_001,
    "inline fragments 3,000 deep": "{ ... " * 3_000 + "{ a" + " }" * 3_001,
    "depth by fragments": chain(20, "node { NEXT }"),
    "introspection loop": '{ __type(name: "Query") ' + "{ ofType " * 20 + "{ name" + " }" * 21 + " }",
    "introspection loop by fragments": chain(20, "node { __typename NEXT }"),
}

STOPPED_BY_THE_PARSER = {
    "100,000 numbers in an argument": "{ sum(of: [" + "1 " * 100_000 + "]) }",
    "lists 3,000 deep": "{ sum(of: " + "[" * 3_000 + "1" + "]" * 3_000 + ") }",
    "100,000 comments": "{ a }" + "#\n" * 100_000,
    "3,000 operations": " ".join(f"query Q{i} {{ a }}" for i in range(3_000)),
}

INVALID = {
    "a cycle of one": "{ ...F } fragment F on Query { a ...F }",
    "a cycle of eighty": chain(80, "NEXT").replace("F80 on Query { a }", "F80 on Query { ...F0 }"),
    "a mesh of cycles": mesh(20),
    "introspection of fields of types of fields": "{ __schema { types "
    + "{ fields { type " * 5
    + "{ name"
    + " } }" * 5
    + " } } }",
}


class QuietSchema(strawberry.Schema):
    """A schema that does not print what it refuses; printing costs more than refusing."""

    def process_errors(self, errors: list[GraphQLError], execution_context: Any = None) -> None:
        """Keep quiet."""


async def execute(document: str, limits: Limits) -> tuple[list[GraphQLError], float]:
    """Return the errors, and the CPU seconds that were spent beside the parser's own.

    Without garbage collections, which large documents set off at no one's expense in particular.
    """
    gc.disable()
    try:
        return await _execute(document, limits)
    finally:
        gc.enable()


async def _execute(document: str, limits: Limits) -> tuple[list[GraphQLError], float]:
    schema = QuietSchema(Query, extensions=[partial(QueryLimits, limits)])
    start = time.process_time()
    with suppress(GraphQLError):
        parse(document, max_tokens=limits.max_tokens)
    parsed = time.process_time()
    result = await schema.execute(document, root_value=Query())
    return result.errors or [], time.process_time() - parsed - (parsed - start)


@pytest.mark.parametrize("limits", [Limits(), GENEROUS], ids=["default", "any number of tokens"])
@pytest.mark.parametrize("name", ABUSE)
async def test_abuse_is_refused_before_it_costs(name: str, limits: Limits) -> None:
    """Each abuse is one QUERY_TOO_COMPLEX, found in next to no time even when the parser lets it through."""
    errors, seconds = await execute(ABUSE[name], limits)
    assert [(error.extensions or {}).get("code") for error in errors] == ["QUERY_TOO_COMPLEX"]
    assert seconds < MAX_CPU_SECONDS


@pytest.mark.parametrize("name", STOPPED_BY_THE_PARSER)
async def test_abuse_is_stopped_by_the_parser(name: str) -> None:
    """What holds no fields still holds tokens."""
    errors, seconds = await execute(STOPPED_BY_THE_PARSER[name], Limits())
    assert [(error.extensions or {}).get("code") for error in errors] == ["QUERY_TOO_COMPLEX"]
    assert seconds < MAX_CPU_SECONDS


@pytest.mark.parametrize("name", INVALID)
async def test_what_is_cheap_but_invalid_is_left_to_validation(name: str) -> None:
    """Cycles do not loop, and get the standard rules' errors."""
    errors, seconds = await execute(INVALID[name], Limits())
    assert errors
    assert all(not error.extensions for error in errors)
    assert seconds < MAX_CPU_SECONDS


@pytest.mark.parametrize(
    ("limits", "document", "limit"),
    [
        (Limits(max_depth=2), "{ node { a } }", None),
        (Limits(max_depth=2), "{ node { node { a } } }", ("maxDepth", 2)),
        (Limits(max_depth=2), "{ node { ...F } } fragment F on Query { node { a } }", ("maxDepth", 2)),
        (Limits(max_depth=2), "{ ... { ... { ... on Query { node { a } } } } }", None),
        (Limits(max_aliases=1), "{ b: a a }", None),
        (Limits(max_aliases=1), "{ b: a c: a }", ("maxAliases", 1)),
        (Limits(max_aliases=1), "{ ...F node { ...F } } fragment F on Query { b: a }", ("maxAliases", 1)),
        (Limits(max_fields=2), "{ a a }", None),
        (Limits(max_fields=2), "{ a a a }", ("maxFields", 2)),
        (Limits(max_fields=2), "query A { a a } query B { a a }", None),
        (Limits(max_directives=1), "{ a @skip(if: false) }", None),
        (Limits(max_directives=1), "{ a @skip(if: false) @include(if: true) }", ("maxDirectives", 1)),
        (Limits(max_pairs=3), "{ a a a }", None),
        (Limits(max_pairs=3), "{ a a a a }", ("maxPairs", 3)),
        (Limits(max_pairs=3), "{ a a ...F } fragment F on Query { a }", None),
        (Limits(max_pairs=3), "{ a a ...F } fragment F on Query { a a }", ("maxPairs", 3)),
        (Limits(max_pairs=3), "{ a a } fragment F on Query { a a ...F }", ("maxPairs", 3)),
        (Limits(max_pairs=3), "{ a node { a } b: a a }", None),
        (Limits(max_pairs=3), "query A { a a a } query B { b: a b: a }", ("maxPairs", 3)),
        (Limits(max_pairs=3), "{ sum(of: [1]) sum(of: [1]) }", None),
        (Limits(max_pairs=3), "{ sum(of: [1, 2, 3]) sum(of: [1, 2, 3]) }", ("maxPairs", 3)),
        (Limits(max_tokens=5), "{ a a a }", None),
        (Limits(max_tokens=5), "{ a a a a }", ("maxTokens", 5)),
    ],
)
async def test_a_limit_is_the_last_count_that_passes(
    limits: Limits, document: str, limit: tuple[str, int] | None
) -> None:
    """At the limit a document passes; one more names the limit and its value."""
    errors, _ = await execute(document, limits)
    found = [error.extensions for error in errors]
    assert found == ([{"code": "QUERY_TOO_COMPLEX", "limit": limit[0], "max": limit[1]}] if limit else [])


@pytest.mark.parametrize("options", [{}, {"input_value_deprecation": True, "specified_by_url": True}])
async def test_the_introspection_of_graphiql_passes(options: dict[str, Any]) -> None:
    """The standard introspection query fits the default limits."""
    errors, _ = await execute(get_introspection_query(**options), Limits())
    assert errors == []


def naive(document: DocumentNode) -> list[Cost]:
    """Count by copying each fragment to wherever it is spread."""
    fragments = {it.name.value: it for it in document.definitions if isinstance(it, FragmentDefinitionNode)}

    def walk(selection_set: SelectionSetNode, depth: int) -> list[Cost]:
        costs = []
        for node in selection_set.selections:
            directives = len(node.directives or ())
            if isinstance(node, FieldNode):
                costs.append(Cost(depth, int(node.alias is not None), 1, directives))
                costs += walk(node.selection_set, depth + 1) if node.selection_set else []
            elif isinstance(node, FragmentSpreadNode):
                costs.append(Cost(directives=directives))
                costs += expand(fragments[node.name.value], depth)
            else:
                costs.append(Cost(directives=directives))
                costs += walk(node.selection_set, depth)  # type: ignore[attr-defined]
        return costs

    def expand(definition: Any, depth: int) -> list[Cost]:
        holders = [definition, *(definition.variable_definitions or ())]
        directives = sum(len(holder.directives or ()) for holder in holders)
        return [Cost(directives=directives), *walk(definition.selection_set, depth)]

    totals = []
    for definition in document.definitions:
        assert isinstance(definition, FragmentDefinitionNode | OperationDefinitionNode)
        depths, *counts = zip(*expand(definition, 1), strict=True)
        totals.append(Cost(max(depths), *(sum(count) for count in counts)))
    return totals


DIRECTIVES = st.sampled_from(["", " @x", " @x @y"])
FRAGMENTS = 4


def selections(later: range) -> st.SearchStrategy[str]:
    """Return selection sets that spread only later fragments, so that there are no cycles."""
    leaf = st.builds("{}a{}".format, st.sampled_from(["", "b: "]), DIRECTIVES)
    spread = st.builds("...F{}{}".format, st.sampled_from(later), DIRECTIVES) if later else leaf

    def nested(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        head = st.sampled_from(["node", "c: node", "...", "... on Query"])
        return st.builds("{}{} {}".format, head, DIRECTIVES, group(inner))

    return group(st.recursive(leaf | spread, nested, max_leaves=5))


def group(selection: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Return selections in braces."""
    return st.lists(selection, min_size=1, max_size=3).map(lambda them: "{ " + " ".join(them) + " }")


@st.composite
def documents(draw: st.DrawFn) -> str:
    """Return a document of an operation and some fragments in any order."""
    operation = f"query($v: Int{draw(DIRECTIVES)}){draw(DIRECTIVES)} {draw(selections(range(FRAGMENTS)))}"
    fragments = [
        f"fragment F{i} on Query{draw(DIRECTIVES)} {draw(selections(range(i + 1, FRAGMENTS)))}"
        for i in range(FRAGMENTS)
    ]
    return " ".join(draw(st.permutations([operation, *fragments])))


@settings(deadline=None)
@given(documents())
def test_counting_once_is_counting_right(document: str) -> None:
    """What is remembered of a fragment adds up to what copying it would give."""
    parsed = parse(document)
    assert [cost for _, cost in document_costs(parsed)] == naive(parsed)
