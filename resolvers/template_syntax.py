"""Whether a text is a template that can be rendered, and its syntax tree."""

from collections.abc import Iterable, Iterator
from functools import lru_cache

from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream

from resolvers.template_filters import FILTERS, TESTS

MAX_TOKENS = 2_000
"""Names, signs and pieces of text: parsing takes some 10 µs for each."""
# What renders a template recurses, and more often than what parses it.
_MAX_DEPTH = 100
_MAX_DETAIL = 200

BINARY = (nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod)
# All that a template may consist of; each has its method in resolvers/template_render.py.
ALLOWED: tuple[type[nodes.Node], ...] = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.For, nodes.Assign),
    *(nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem, nodes.Slice),
    *(nodes.List, nodes.Tuple, nodes.Dict, nodes.Pair),
    *(nodes.Filter, nodes.Test, nodes.Keyword),
    *(nodes.And, nodes.Or, nodes.Not, nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.Concat),
    *(nodes.Neg, nodes.Pos, *BINARY),
)
_NOT_ALLOWED = {
    nodes.Extends: "a template cannot use another.",
    nodes.Include: "a template cannot use another.",
    nodes.Import: "a template cannot use another.",
    nodes.FromImport: "a template cannot use another.",
    nodes.Block: "there are no blocks.",
    nodes.Macro: "there are no macros.",
    nodes.CallBlock: "there are no macros.",
    nodes.Call: "nothing can be called: use a filter.",
    nodes.FilterBlock: "write a filter after each value.",
    nodes.AssignBlock: "a block cannot be set as a value.",
    nodes.NSRef: "there are no namespaces.",
    nodes.Pow: "there is no power.",
}


class _Bounded(Extension):
    """Stops reading at MAX_TOKENS."""

    def filter_stream(self, stream: TokenStream) -> Iterable[Token]:
        return self._first(stream)

    @staticmethod
    def _first(stream: TokenStream) -> Iterator[Token]:
        for count, token in enumerate(stream):
            if count == MAX_TOKENS:
                raise TemplateSyntaxError(f"has more than {MAX_TOKENS:,} names and signs.", token.lineno)
            yield token


# It only parses: what it makes is Markdown, so there is nothing to escape.
_environment = Environment(extensions=[_Bounded], keep_trailing_newline=True)  # noqa: S701


class TemplateError(ValueError):
    """A text is no template; its message says why, with the line."""


@lru_cache(maxsize=64)
def parse(source: str) -> nodes.Template:
    """Return a template's tree, or raise TemplateError. The tree is shared: never change it."""
    try:
        tree = _environment.parse(source)
    except TemplateSyntaxError as error:
        detail = (error.message or "syntax error")[:_MAX_DETAIL]
        raise TemplateError(f"line {error.lineno}: {detail}") from None
    except RecursionError:
        raise TemplateError(f"is nested more than {_MAX_DEPTH} deep.") from None
    except ValueError:  # Python reads integers of up to 4,300 digits
        raise TemplateError("holds a number that is too long.") from None
    if problem := _tree_problem(tree):
        raise TemplateError(problem)
    return tree


def syntax_problem(source: str) -> str | None:
    """Return what is wrong with a template, with its line; or None."""
    try:
        parse(source)
    except TemplateError as error:
        return str(error)
    return None


def _tree_problem(template: nodes.Template) -> str | None:
    level: list[nodes.Node] = [template]
    for _depth in range(_MAX_DEPTH):
        if problem := next(filter(None, map(_node_problem, level)), None):
            return problem
        level = [child for node in level for child in node.iter_child_nodes()]
        if not level:
            return None
    return f"line {level[0].lineno}: nested more than {_MAX_DEPTH} deep."


def _node_problem(node: nodes.Node) -> str | None:
    problem = _wrong_name(node) if isinstance(node, ALLOWED) else _not_allowed(node)
    return f"line {node.lineno}: {problem}" if problem else None


def _not_allowed(node: nodes.Node) -> str:
    return _NOT_ALLOWED.get(type(node), f"templates have no {type(node).__name__}.")


def _wrong_name(node: nodes.Node) -> str | None:
    if isinstance(node, nodes.Filter) and node.name not in FILTERS:
        return f"there is no filter {node.name[:_MAX_DETAIL]}."
    if isinstance(node, nodes.Test) and node.name not in TESTS:
        return f"there is no test {node.name[:_MAX_DETAIL]}."
    if isinstance(node, nodes.Filter | nodes.Test) and (node.dyn_args or node.dyn_kwargs):
        return "arguments cannot be unpacked."
    if isinstance(node, nodes.For) and node.recursive:
        return "a loop cannot be recursive."
    return None
