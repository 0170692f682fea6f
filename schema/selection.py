"""What a field's client selected below it, so that nothing else is read."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from graphql import FieldNode, FragmentDefinitionNode, FragmentSpreadNode, InlineFragmentNode

from schema.info import Info


def selected(info: Info, *path: str) -> frozenset[str]:
    """Return the names of the fields selected under this field, or further down a path of names.

    Fragments are followed whatever their type and directives: asking for too much is harmless.
    """
    raw: Any = info._raw_info  # noqa: SLF001  Strawberry has no other way to the nodes
    # The nodes of a compiled operation stay the same in all its runs.
    memo: dict[Any, frozenset[str]] = getattr(raw.field_nodes, "memo", {})
    if path not in memo:
        memo[path] = _selected(raw, path)
    return memo[path]


def _selected(raw: Any, path: Iterable[str]) -> frozenset[str]:
    nodes: Iterable[FieldNode] = raw.field_nodes
    for name in path:
        nodes = _children(nodes, raw.fragments)[name]
    return frozenset(_children(nodes, raw.fragments))


def _children(
    nodes: Iterable[FieldNode], fragments: Mapping[str, FragmentDefinitionNode]
) -> defaultdict[str, list[FieldNode]]:
    found: defaultdict[str, list[FieldNode]] = defaultdict(list)
    for node in nodes:
        for child in _fields(node, fragments, set()):
            found[child.name.value].append(child)
    return found


def _fields(
    parent: FieldNode | InlineFragmentNode | FragmentDefinitionNode,
    fragments: Mapping[str, FragmentDefinitionNode],
    seen: set[str],
) -> Iterator[FieldNode]:
    """Yield the fields directly below a node; each named fragment is walked once."""
    for child in parent.selection_set.selections if parent.selection_set else ():
        if isinstance(child, FieldNode):
            yield child
        elif isinstance(child, InlineFragmentNode):
            yield from _fields(child, fragments, seen)
        elif isinstance(child, FragmentSpreadNode) and child.name.value not in seen:
            seen.add(child.name.value)
            yield from _fields(fragments[child.name.value], fragments, seen)
