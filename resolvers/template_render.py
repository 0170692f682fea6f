"""Renders a template with a caller's variables, in time and memory that have a bound.

Templates are Jinja's language, and their authors are admins of tenants, whom the host need not trust. Jinja would
compile a template to Python and run that, in a sandbox that limits what can be reached, but not what it costs.
Here the parsed template is walked instead. So there is nothing to escape from: values are JSON, a dot looks up a
key and never an attribute, and nothing can be called but what resolvers/template_filters.py holds. And nothing is
exhausted: each step, and each piece of a value that a step looks at, is paid for from one budget.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, NamedTuple

from jinja2 import nodes

from resolvers.errors import bad_input
from resolvers.inputs import MAX_LIST, text_problem
from resolvers.template import MAX_BODY, MAX_TITLE
from resolvers.template_expression import STEP, Evaluator, MissingError
from resolvers.template_filters import Absent, TooMuchError, bounded
from resolvers.template_syntax import TemplateError, parse

_MAX_PATH = 200


class Rendered(NamedTuple):
    """What a template and its variables make; both are Markdown."""

    title: str
    body: str


def render(title_template: str, body_template: str, variables: Mapping[str, Any]) -> Rendered:
    """Render both templates; white space around the title is dropped.

    variables: JSON of up to 64 KiB. What prints: None as nothing, true and lists as Python writes them.
    BAD_USER_INPUT names the variables, up to 100, that were needed where the templates got to: not one in a
    branch that was not taken, nor one with a default. It also says where a template cannot be rendered with these
    variables, and what is wrong with the title or the body that they make; it repeats no value.
    """
    title, body = _Rendering("title", variables), _Rendering("body", variables)
    title.run(title_template)
    body.run(body_template)
    if problems := [*dict.fromkeys(title.problems + body.problems)]:
        raise bad_input(*problems[:MAX_LIST])
    made = Rendered(title.text.strip(), body.text)
    checks = {"title": text_problem(made.title, 1, MAX_TITLE), "body": text_problem(made.body, 0, MAX_BODY)}
    if faults := [("variables", f"the {part} that they make {it}") for part, it in checks.items() if it]:
        raise bad_input(*faults)
    return made


class _Rendering:
    """One template being rendered: what it has printed so far, and what was wrong."""

    def __init__(self, part: str, variables: Mapping[str, Any]) -> None:
        self.problems: list[tuple[str, str]] = []
        self._part = part
        self._at = Evaluator(variables)
        self._pieces: list[str] = []
        self._length = 0

    @property
    def text(self) -> str:
        """What has been printed."""
        return "".join(self._pieces)

    def run(self, source: str) -> None:
        """Print all that can be printed, and note what is wrong."""
        try:
            self._statement(parse(source))
        except TemplateError as error:
            self._fail(str(error))
        except TooMuchError as error:
            self._fail(f"line {self._at.line}: {error}")
        except RecursionError:
            self._fail(f"line {self._at.line}: a value is nested too deep.")
        except (TypeError, ValueError, ArithmeticError, LookupError):
            self._fail(f"line {self._at.line}: a value is not of the kind that is needed.")

    def _fail(self, detail: str) -> None:
        self.problems.append(("variables", f"the {self._part} cannot be rendered with them: {detail}"))

    def _miss(self, absent: Absent) -> None:
        """Note what is missing: by its name, if it is a part of the variables, else by where it is needed."""
        needed = "is missing: the template needs it."
        path = absent.path[:_MAX_PATH] if absent.path else "a value"
        where = f"line {absent.line} of the {self._part}: {path} {needed}"
        self.problems.append((f"variables.{path}", needed) if absent.is_variable else ("variables", where))

    def _statements(self, found: Iterable[nodes.Node]) -> None:
        self._each(self._statement, found)

    def _each(self, run: Callable[[Any], None], found: Iterable[nodes.Node]) -> None:
        """Run one after the other. What needs a missing value is left out, so that the next one is found too."""
        for node in found:
            try:
                run(node)
            except MissingError as error:
                self._miss(error.absent)

    def _statement(self, node: nodes.Node) -> None:
        self._at.spend(STEP)
        self._at.line = node.lineno
        self._STATEMENTS[type(node)](self, node)

    def _template(self, node: nodes.Template) -> None:
        self._statements(node.body)

    def _output(self, node: nodes.Output) -> None:
        self._each(self._print, node.nodes)

    def _print(self, node: nodes.Expr) -> None:
        piece = self._at.text(self._at.value(node))
        self._length += len(piece)
        bounded(self._length)
        self._pieces.append(piece)

    def _if(self, node: nodes.If) -> None:
        for branch in (node, *node.elif_):
            self._at.spend(STEP)
            if self._at.value(branch.test):
                return self._statements(branch.body)
        return self._statements(node.else_)

    def _assign(self, node: nodes.Assign) -> None:
        value = self._at.value(node.node)
        self._at.locals |= self._named(node.target, value)

    def _for(self, node: nodes.For) -> None:
        """Run the body with names of its own for each item; what it sets is forgotten after each."""
        outside = self._at.locals
        found = self._at.items(self._at.value(node.iter))
        try:
            if node.test is not None:
                found = [it for it in found if self._holds(node.test, outside, self._named(node.target, it))]
            for index, it in enumerate(found):
                self._enter(outside, self._named(node.target, it) | {"loop": _loop(index, len(found))})
                self._statements(node.body)
        finally:
            self._at.locals = outside
        if not found:
            self._statements(node.else_)

    def _holds(self, test: nodes.Node, outside: dict[str, Any], own: dict[str, Any]) -> bool:
        self._enter(outside, own)
        return bool(self._at.value(test))

    def _enter(self, outside: dict[str, Any], own: dict[str, Any]) -> None:
        self._at.spend(STEP + len(outside))
        self._at.locals = outside | own

    def _named(self, target: nodes.Node, value: Any) -> dict[str, Any]:
        """Return the names that a loop or an assignment gives to a value, or to its items."""
        if isinstance(target, nodes.Name):
            return {target.name: value}
        names: dict[str, Any] = {}
        for it, part in zip(target.iter_child_nodes(), self._at.items(value), strict=True):
            names |= self._named(it, part)
        return names

    _STATEMENTS: ClassVar[Mapping[type[nodes.Node], Callable[..., None]]] = {
        nodes.Template: _template,
        nodes.Output: _output,
        nodes.If: _if,
        nodes.For: _for,
        nodes.Assign: _assign,
    }


def _loop(index: int, length: int) -> dict[str, Any]:
    """Return what a loop's body knows of the loop, as in Jinja."""
    return {
        "index": index + 1,
        "index0": index,
        "revindex": length - index,
        "revindex0": length - index - 1,
        "first": index == 0,
        "last": index == length - 1,
        "length": length,
    }
