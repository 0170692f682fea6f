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
        "{% set x, y = [1, {'a': (2, 3)}] %}{{ x[:2] ~ y['a'] }}",
        "{{ " + " ~ ".join("a" * 900) + " }}",
        "{% if a %}" + "{% elif b %}" * 450 + "{% endif %}",
        "{{ 9 * 9 * 9 / 0 }}{{ x | replace(x, y) | list }}",
        "{{ a }}" * 666,
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
        ("{{ a" + "|e" * 200 + " }}", "line 1: nested more than 100 deep."),
        ("{{ a" + ".b" * 200 + " }}", "line 1: nested more than 100 deep."),
        ("\n{{ a }}" * 501, "line 501: has more than 2,000 names and signs."),
        ("{{ [" + "a," * 30_000, "line 1: has more than 2,000 names and signs."),
        ("{{ a() }}", "line 1: nothing can be called: use a filter."),
        ("{{ a.b() }}", "line 1: nothing can be called: use a filter."),
        ("{% macro m() %}{% endmacro %}", "line 1: there are no macros."),
        ("{% call m() %}{% endcall %}", "line 1: there are no macros."),
        ("{% block b %}{% endblock %}", "line 1: there are no blocks."),
        ("{% filter upper %}{% endfilter %}", "line 1: write a filter after each value."),
        ("{% set a %}{% endset %}", "line 1: a block cannot be set as a value."),
        ("{% set a.b = 1 %}", "line 1: there are no namespaces."),
        ("{{ 2 ** 3 }}", "line 1: there is no power."),
        ("{% with a = 1 %}{% endwith %}", "line 1: templates have no With."),
        ("{{ a | join(*b) }}", "line 1: arguments cannot be unpacked."),
        ("{{ a | join(**b) }}", "line 1: arguments cannot be unpacked."),
        ("{% for a in b recursive %}{% endfor %}", "line 1: a loop cannot be recursive."),
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
