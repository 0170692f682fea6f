"""Whether a text is a template, without rendering it."""

import pytest

from resolvers.template_syntax import syntax_problem


@pytest.mark.parametrize(
    "source",
    [
        "",
        "No variables",
        "{{ name }} and {{ user.name | upper | default('x') }}",
        "{% if n == 1 %}one{% elif n is odd %}odd{% else %}{{ n }}{% endif %}",
        "{% for it in items %}\n- {{ it }}\n{% endfor %}",
        "{# a comment #}{% raw %}{{ as it is }}{% endraw %}",
        "{% set x = [1, {'a': (2, 3)}] %}{% macro m(a) %}{{ a }}{% endmacro %}{{ m(x) }}",
        "{{ " + " ~ ".join("a" * 5_000) + " }}",
        "{% if a %}" + "{% elif b %}" * 5_000 + "{% endif %}",
        "{{ 9 ** 9 ** 9 ** 9 }}{{ range(10 ** 18) | list }}",
        "{{ a }}" * 9_362,
    ],
)
def test_a_template(source: str) -> None:
    """Jinja's syntax; it is not rendered, so what would take for ever takes no time."""
    assert syntax_problem(source) is None


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("{{ name", "line 1: unexpected end of template, expected 'end of print statement'."),
        ("one\ntwo {% if %}", "line 2: Expected an expression, got 'end of statement block'"),
        ("{% for a in b %}", "line 1: Unexpected end of template."),
        ("{{ }}", "line 1: Expected an expression, got 'end of print statement'"),
        ("\n\n{% nonsense %}", "line 3: Encountered unknown tag 'nonsense'."),
        ("{{ a | nosuch }}", "line 1: there is no filter nosuch."),
        ("a\n{% if a is nosuch %}{% endif %}", "line 2: there is no test nosuch."),
        ("{% include 'x' %}", "line 1: a template cannot use another."),
        ("{% extends 'x' %}", "line 1: a template cannot use another."),
        ("{% import 'x' as x %}", "line 1: a template cannot use another."),
        ("{% from 'x' import y %}", "line 1: a template cannot use another."),
        ("{% if a %}\n{% include 'x' %}{% endif %}", "line 2: a template cannot use another."),
        ("{{ " + "(" * 5_000, "is nested more than 100 deep."),
        ("{{ " + "-" * 60_000 + "1 }}", "is nested more than 100 deep."),
        ("{{ a" + "|e" * 30_000 + " }}", "line 1: nested more than 100 deep."),
        ("{{ a" + ".b" * 200 + " }}", "line 1: nested more than 100 deep."),
        ("{{ " + "1" * 5_000 + " }}", "holds a number that is too long."),
    ],
)
def test_not_a_template(source: str, problem: str) -> None:
    """The first fault, with its line: what would fail whenever it was rendered."""
    found = syntax_problem(source)
    assert found is not None
    assert found.startswith(problem)


def test_a_fault_is_told_in_short() -> None:
    """What is wrong may be 60,000 characters long; the answer is not."""
    found = syntax_problem("{% " + "x" * 60_000 + " %}")
    assert found is not None
    assert len(found) < 250
