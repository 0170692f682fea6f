"""docs/coverage.md: each row of the four seeds is answered by the schema, and proven by a test that is there."""

import ast
import re
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from schema import build

ROOT = Path(__file__).parents[1]
TYPES = build()._schema.type_map

# A row that goes missing is as much of a change as a row that comes to be.
ROWS = {"oCore": 77, "Owlmetry": 61, "Coder": 73, "Ondi": 40}

_COORDINATE = re.compile(r"([A-Z][A-Za-z]*)(?:\.(\w+)(?:\((\w+):\))?)?")
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
_REQUEST = re.compile(r"(?:GET|PUT|POST|PATCH|DELETE) /[\w/{}:-]+")


class Line(NamedTuple):
    """A row of a table."""

    said: str
    answer: str
    proof: str
    difference: str


def _tables() -> dict[str, list[Line]]:
    """Return the rows below each heading."""
    found: dict[str, list[Line]] = {}
    for section in (ROOT / "docs/coverage.md").read_text().split("\n## ")[1:]:
        name, _, rest = section.partition("\n")
        lines = [line for line in rest.splitlines() if line.startswith("|")][2:]
        found[name] = [Line(*(cell.strip() for cell in line.split("|")[1:-1])) for line in lines]
    return found


TABLES = _tables()
LINES = [(name, line) for name, lines in TABLES.items() for line in lines]


def test_each_seed_has_its_rows() -> None:
    """Four tables, with as many rows as were read out of the seeds."""
    assert {name: len(lines) for name, lines in TABLES.items()} == ROWS


def test_no_row_leaves_anything_open() -> None:
    """What the seed says, what answers it, and the proof stand in every row."""
    assert [line for _, line in LINES if not (line.said and line.answer and line.proof)] == []


def test_nothing_is_without_a_test() -> None:
    """Every proof is tests, and nothing else."""
    assert [line for _, line in LINES if _TEST.sub("", line.proof).replace(", ", "")] == []


@pytest.mark.parametrize("name", ROWS)
def test_the_tests_are_there(name: str) -> None:
    """Each named test is a function of the named file."""
    named = {match for line in TABLES[name] for match in _TEST.findall(line.proof)}
    assert named
    assert {(path, test) for path, test in named if test not in _tests_of(path)} == set()


@pytest.mark.parametrize("name", ROWS)
def test_the_schema_answers(name: str) -> None:
    """Each type, field, argument and value that is said to answer is in the schema."""
    named = {
        match.groups()
        for line in TABLES[name]
        for quoted in re.findall(r"`([^`]+)`", line.answer)
        if (match := _COORDINATE.fullmatch(quoted))
    }
    assert len(named) > 10
    assert {coordinate for coordinate in named if not _exists(*coordinate)} == set()


@pytest.mark.parametrize("name", ROWS)
def test_the_examples_tell_of_each_request(name: str) -> None:
    """Each request that a table names stands above an operation of the example, and no other does."""
    table = {it for line in TABLES[name] for it in _REQUEST.findall(line.said)}
    example = (ROOT / f"docs/examples/{name.lower()}.graphql").read_text()
    assert set(_REQUEST.findall(example)) == table


@pytest.mark.parametrize(
    "wrong", ["Nothing", "Query.nothing", "Query.notifications(nothing:)", "ReadState.NOTHING"]
)
def test_the_check_sees_what_is_not_in_the_schema(wrong: str) -> None:
    """An unknown type, field, argument or value is noticed."""
    match = _COORDINATE.fullmatch(wrong)
    assert match
    assert not _exists(*match.groups())


@cache
def _tests_of(path: str) -> set[str]:
    """Return the names of the tests of a file; none if it is not there."""
    file = ROOT / path
    body = ast.parse(file.read_text()).body if file.exists() else []
    return {it.name for it in body if isinstance(it, ast.FunctionDef | ast.AsyncFunctionDef)}


def _exists(type: str, member: str | None, argument: str | None) -> bool:
    """Tell whether a schema coordinate names something."""
    found: Any = TYPES.get(type)
    if not found or not member:
        return bool(found)
    field = {**getattr(found, "fields", {}), **getattr(found, "values", {})}.get(member)
    return field is not None and (argument is None or argument in field.args)
