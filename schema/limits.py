"""What an operation may cost, counted between parsing and validation.

The standard rules are no place for it: OverlappingFieldsCanBeMerged is quadratic, and a rule that follows
spreads walks a fragment again at each of them. Here each definition is walked once, fragments are then added
up in dependency order, and a document over a limit is never validated.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

from graphql import (
    DocumentNode,
    ExecutableDefinitionNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    validate,
)
from strawberry.extensions import SchemaExtension
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from resolvers.errors import ErrorCode
from schema.compiled import valid
from schema.compiled.documents import core
from schema.pairs import pairs

_MOST_ERRORS = 5
_MOST_GUESSED = 5_000
"""Characters of a document for whose wrong names similar ones are suggested."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that one document (tokens) or one definition in it (the rest) may hold.

    Fragments count where they are spread, as often as they are spread. Fifty directives are far beyond what
    people write (a few @skip and @include) and far below what hurts. Pairs of fields of one name are counted
    for the whole document; see schema.pairs.
    """

    max_depth: int = 16
    max_aliases: int = 30
    max_fields: int = 500
    max_directives: int = 50
    max_tokens: int = 2_000
    max_pairs: int = 10_000


class Cost(NamedTuple):
    """What a definition holds, fragments expanded; `depth` counts nested fields, a root field is 1."""

    depth: int = 0
    aliases: int = 0
    fields: int = 0
    directives: int = 0


class Outline(NamedTuple):
    """What a definition holds itself, and each spread in it with the depth of the field around it."""

    own: Cost
    spreads: list[tuple[str, int]]


def outline(definition: ExecutableDefinitionNode) -> Outline:
    """Walk a definition once, without recursion and without entering the fragments it spreads."""
    depth = aliases = fields = 0
    directives = len(definition.directives or ())
    directives += sum(len(variable.directives or ()) for variable in definition.variable_definitions or ())
    spreads: list[tuple[str, int]] = []
    stack = [(definition.selection_set, 0)]
    while stack:
        selection_set, outside = stack.pop()
        for node in selection_set.selections:
            directives += len(node.directives or ())
            if isinstance(node, FragmentSpreadNode):
                spreads.append((node.name.value, outside))
                continue
            inside = outside
            if isinstance(node, FieldNode):
                inside += 1
                depth = max(depth, inside)
                fields += 1
                aliases += node.alias is not None
            if nested := getattr(node, "selection_set", None):
                stack.append((nested, inside))
    return Outline(Cost(depth, aliases, fields, directives), spreads)


def expand(outlined: Outline, fragments: Mapping[str, Cost]) -> Cost:
    """Add the cost of the spread fragments to a definition's own; unknown ones add nothing."""
    depth, aliases, fields, directives = outlined.own
    for name, outside in outlined.spreads:
        cost = fragments.get(name, Cost())
        depth = max(depth, outside + cost.depth)
        aliases += cost.aliases
        fields += cost.fields
        directives += cost.directives
    return Cost(depth, aliases, fields, directives)


def fragment_costs(outlines: Mapping[str, Outline]) -> dict[str, Cost]:
    """Return the expanded cost of each fragment, computed once, those it spreads first.

    Eighty doublings are a sum of 80 integers. Fragments in or before a cycle are left out, for the standard
    rule NoFragmentCycles to report; what they hold themselves is still checked.
    """
    sorter = TopologicalSorter({name: {spread for spread, _ in it.spreads} for name, it in outlines.items()})
    with suppress(CycleError):  # the sorter goes on, as far as the cycles let it
        sorter.prepare()
    costs: dict[str, Cost] = {}
    while sorter.is_active():
        ready = sorter.get_ready()
        costs |= {name: expand(outlines[name], costs) for name in ready if name in outlines}
        sorter.done(*ready)
    return costs


def document_costs(document: DocumentNode) -> list[tuple[ExecutableDefinitionNode, Cost]]:
    """Return the expanded cost of each operation and each fragment, used or not: all are validated."""
    outlines = [(it, outline(it)) for it in document.definitions if isinstance(it, ExecutableDefinitionNode)]
    fragments = fragment_costs(
        {it.name.value: outlined for it, outlined in outlines if isinstance(it, FragmentDefinitionNode)}
    )
    return [(definition, expand(outlined, fragments)) for definition, outlined in outlines]


def excess(document: DocumentNode, limits: Limits) -> GraphQLError | None:
    """Return QUERY_TOO_COMPLEX for the first limit that a definition exceeds, with `limit` and `max`."""
    for definition, cost in document_costs(document):
        for noun, count in cost._asdict().items():
            most: int = getattr(limits, f"max_{noun}")
            if count > most:
                return _exceeded(noun, most, definition)
    if pairs(document) > limits.max_pairs:
        return _exceeded("pairs", limits.max_pairs)
    return None


def _exceeded(noun: str, most: int, definition: ExecutableDefinitionNode | None = None) -> GraphQLError:
    what = "pairs of fields of one name" if noun == "pairs" else noun
    error = GraphQLError(f"The operation exceeds the limit of {what}: {most}.", definition)
    error.extensions = _too_complex(noun, most)
    return error


class QueryLimits(SchemaExtension):
    """Refuse what is over the limits, before validation; name five mistakes at most.

    A factory is what Strawberry wants: `extensions=[functools.partial(QueryLimits, Limits())]`.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits

    def on_operation(self) -> Iterator[None]:
        """Hand the parser its limit; comments count as tokens."""
        self.execution_context.parse_options["max_tokens"] = self.limits.max_tokens
        yield

    def on_parse(self) -> Iterator[None]:
        """Give a parser that stopped at a limit the code of the other limits.

        Besides the tokens, graphql-core has a limit of its own: 200 nested levels in one definition.
        """
        yield
        for error in self.execution_context.pre_execution_errors or ():
            if error.message.endswith("tokens. Parsing aborted."):
                error.extensions = _too_complex("tokens", self.limits.max_tokens)
            elif error.message.endswith("nested too deeply. Parsing aborted."):
                error.extensions = _too_complex("depth", self.limits.max_depth)

    def on_validate(self) -> Iterator[None]:
        """Set the errors ahead of Strawberry, which then validates no more."""
        context = self.execution_context
        document = context.graphql_document
        if (
            document
            and not context.pre_execution_errors
            and valid(context.schema, context.query or "") is None
        ):
            error = excess(document, self.limits)
            context.pre_execution_errors = [error] if error else self._mistakes(document)
        yield

    def _mistakes(self, document: DocumentNode) -> list[GraphQLError] | None:
        """Validate as Strawberry would, but stop sooner: to guess what each wrong name meant is slow."""
        context = self.execution_context
        rules = (*context.validation_rules, MaybeNullValidationRule, OneOfInputValidationRule)
        hide = len(context.query or "") > _MOST_GUESSED
        return validate(core(context.schema), document, rules, max_errors=_MOST_ERRORS, hide_suggestions=hide)


def _too_complex(noun: str, most: int) -> dict[str, str | int]:
    return {"code": ErrorCode.QUERY_TOO_COMPLEX.value, "limit": f"max{noun.capitalize()}", "max": most}
