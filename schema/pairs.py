"""How many pairs of fields the rule OverlappingFieldsCanBeMerged may compare: 1,000 take it about a millisecond.

It compares fields of one response name with each other, so 250 equal ones are 31,000 pairs. Those of all fragments
are counted as if each operation spread them once: that is linear, and a cycle changes nothing.
"""

from collections import Counter
from collections.abc import Iterable

from graphql import (
    ArgumentNode,
    DocumentNode,
    ExecutableDefinitionNode,
    FieldNode,
    FragmentDefinitionNode,
)


class Names:
    """How many fields have each response name, and how much there is to compare in them."""

    def __init__(self, definitions: Iterable[ExecutableDefinitionNode]) -> None:
        self.count: Counter[str] = Counter()
        self.weight: Counter[str] = Counter()
        for definition in definitions:
            self._add(definition)

    def _add(self, definition: ExecutableDefinitionNode) -> None:
        stack = [definition.selection_set]
        while stack:
            for node in stack.pop().selections:
                if isinstance(node, FieldNode):
                    name = (node.alias or node.name).value
                    self.count[name] += 1
                    self.weight[name] += 1 + _values(node.arguments)
                if nested := getattr(node, "selection_set", None):
                    stack.append(nested)

    def pairs_with(self, others: "Names") -> int:
        """Return the pairs among these fields, and of them with others, each weighed by its arguments."""
        found = 0
        for name, count in self.count.items():
            own, other = self.weight[name], others.weight[name]
            found += own * (count - 1) // 2 + (own * others.count[name] + count * other) // 2
        return found


def pairs(document: DocumentNode) -> int:
    """Return the pairs among all fragments, and those that each operation adds."""
    definitions = [it for it in document.definitions if isinstance(it, ExecutableDefinitionNode)]
    fragments = Names(it for it in definitions if isinstance(it, FragmentDefinitionNode))
    operations = [Names([it]) for it in definitions if not isinstance(it, FragmentDefinitionNode)]
    return fragments.pairs_with(Names([])) + sum(it.pairs_with(fragments) for it in operations)


def _values(arguments: Iterable[ArgumentNode] | None) -> int:
    """Count the values in arguments, those in lists and objects included."""
    count, stack = 0, [it.value for it in arguments or ()]
    while stack:
        value = stack.pop()
        count += 1
        stack += getattr(value, "values", ())
        stack += [it.value for it in getattr(value, "fields", ())]
    return count
