"""Whether a text is a template that can be rendered, without rendering it."""

from jinja2 import TemplateSyntaxError, nodes
from jinja2.sandbox import SandboxedEnvironment

_environment = SandboxedEnvironment()  # only parses here: what it makes is Markdown, so nothing to escape
# What renders a template recurses, and more often than what parses it.
_MAX_DEPTH = 100
_MAX_DETAIL = 200
# They name other templates, and there is nothing to load those from.
_LOADING = (nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport)


def syntax_problem(source: str) -> str | None:
    """Return what is wrong with a template, with its line; or None."""
    try:
        return _tree_problem(_environment.parse(source))
    except TemplateSyntaxError as error:
        return f"line {error.lineno}: {(error.message or 'syntax error')[:_MAX_DETAIL]}"
    except RecursionError:
        return f"is nested more than {_MAX_DEPTH} deep."
    except ValueError:  # Python reads integers of up to 4,300 digits
        return "holds a number that is too long."


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
    if isinstance(node, nodes.Filter) and node.name not in _environment.filters:
        return f"line {node.lineno}: there is no filter {node.name[:_MAX_DETAIL]}."
    if isinstance(node, nodes.Test) and node.name not in _environment.tests:
        return f"line {node.lineno}: there is no test {node.name[:_MAX_DETAIL]}."
    if isinstance(node, _LOADING):
        return f"line {node.lineno}: a template cannot use another."
    return None
