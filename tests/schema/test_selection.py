"""Which fields a client selected, through fragments, aliases and several paths."""

from types import SimpleNamespace
from typing import Any

import pytest
from graphql import FieldNode, FragmentDefinitionNode, OperationDefinitionNode, parse

from schema.selection import selected


def info(document: str) -> Any:
    """Return an info for the first root field of a document, with all the nodes of its response name."""
    definitions = parse(document).definitions
    operation = next(it for it in definitions if isinstance(it, OperationDefinitionNode))
    nodes = [it for it in operation.selection_set.selections if isinstance(it, FieldNode)]
    fragments = {it.name.value: it for it in definitions if isinstance(it, FragmentDefinitionNode)}
    return SimpleNamespace(_raw_info=SimpleNamespace(field_nodes=nodes, fragments=fragments))


@pytest.mark.parametrize(
    ("document", "path", "expected"),
    [
        ("{ r }", (), set()),
        ("{ r { a b } }", (), {"a", "b"}),
        ("{ r { a { x } b { y } } }", (), {"a", "b"}),
        ("{ r { a { x } b { y } } }", ("a",), {"x"}),
        ("{ r { a { x { deep } } } }", ("a", "x"), {"deep"}),
        ("{ r { a { x } } }", ("nowhere",), set()),
        ("{ r { a { x } } }", ("nowhere", "x"), set()),
        ("{ r { other: a { z: x } } }", ("a",), {"x"}),
        ("{ r { one: a { x } two: a { y } } }", ("a",), {"x", "y"}),
        ("{ r { a { x } a { y } } }", ("a",), {"x", "y"}),
        ("{ r { a { x } } r { a { y } b } }", ("a",), {"x", "y"}),
        ("{ r { ... { a } ... on T { b } ... on U { c } } }", (), {"a", "b", "c"}),
        ("{ r { ... on T { n { x } } ... on U { n { y } } } }", ("n",), {"x", "y"}),
        ("{ r { ...F } } fragment F on T { a { x } ...G } fragment G on T { a { y } b }", (), {"a", "b"}),
        ("{ r { ...F } } fragment F on T { a { x } ...G } fragment G on T { a { y } b }", ("a",), {"x", "y"}),
        ("{ r { ...F a { ...F } } } fragment F on T { x }", ("a",), {"x"}),
        ("{ r { one: a { ...F } two: a { ...F } } } fragment F on T { x }", ("a",), {"x"}),
        ("{ r { a @skip(if: true) ...F @include(if: false) } } fragment F on T { b }", (), {"a", "b"}),
        ("{ r { __typename } }", (), {"__typename"}),
    ],
)
def test_what_is_selected(document: str, path: tuple[str, ...], expected: set[str]) -> None:
    """The names of the fields below a path, by whatever way they were selected."""
    assert selected(info(document), *path) == expected


def test_a_fragment_spread_everywhere_is_walked_once() -> None:
    """Fragments that spread one another over and over cost no more than their length."""
    links = " ".join(f"fragment F{i} on T {{ a{i} {f'...F{i + 1} ' * 2} }}" for i in range(60))
    document = f"{{ r {{ ...F0 }} }} {links} fragment F60 on T {{ end }}"
    assert selected(info(document)) == {"end", *(f"a{i}" for i in range(60))}
