"""The house's rules about its own source: who imports whom, where SQL is, and how long anything may be."""

import ast
import copy
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.conftest import LONGEST

ROOT = Path(__file__).parents[1]
FunctionNode: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

# Each room and the rooms that it may import. Arrows point down only; see docs/adr.
BELOW = {
    "tocsin": {"schema", "delivery", "resolvers", "live", "db"},
    "schema": {"resolvers"},
    "delivery": {"resolvers", "live", "db"},
    "resolvers": {"live", "db"},
    "live": {"db"},
    "db": set[str](),
}
# What a room never knows, whoever else may.
NEVER = {
    "schema": {"sqlalchemy", "asyncpg", "alembic", "fastapi", "starlette"},
    "resolvers": {"strawberry", "sqlalchemy", "asyncpg", "alembic", "fastapi", "starlette"},
    "delivery": {"strawberry", "sqlalchemy", "alembic"},
    "live": {"strawberry", "sqlalchemy", "alembic", "fastapi"},
    "db": {"strawberry", "graphql", "fastapi", "starlette", "uvicorn"},
}
# One NOTIFY: a hint is not of the inbox.
SQL_ELSEWHERE = {"live/postgres.py"}
# To catch an error is not to build SQL.
ERRORS = {"sqlalchemy.exc"}

MAX_FILE, MAX_FUNCTION = 400, 40
LONG_FILES: dict[str, str] = {}
LONG_FUNCTIONS = {
    "db/migrations/versions/0001_inbox.py:upgrade": "a list of tables that is never edited again",
    "db/migrations/versions/0004_delivery.py:_create_request": "one table, as Alembic spells it",
}


@cache
def _modules(room: str) -> dict[str, ast.Module]:
    """Return the syntax trees of a room's modules by their paths."""
    return {
        path.relative_to(ROOT).as_posix(): ast.parse(path.read_text())
        for path in sorted((ROOT / room).rglob("*.py"))
    }


def _everything() -> Iterator[tuple[str, ast.Module]]:
    for room in BELOW:
        yield from _modules(room).items()


def _imports(tree: ast.AST) -> Iterator[str]:
    """Yield the full names of all modules imported, inside functions and for types only, too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide the room"
            yield node.module or ""


def _functions(tree: ast.AST) -> Iterator[FunctionNode]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _length(function: FunctionNode) -> int:
    """Return a function's lines, from its def to its end, without its docstring."""
    first = function.body[0]
    has_docstring = ast.get_docstring(function, clean=False) is not None
    docstring = (first.end_lineno or 0) - first.lineno + 1 if has_docstring else 0
    return (function.end_lineno or 0) - function.lineno + 1 - docstring


def test_the_rooms_are_there() -> None:
    """The walk sees what it is meant to see."""
    assert {room for room in BELOW if _modules(room)} == {*BELOW}
    assert {"db/session.py", "live/postgres.py", "db/migrations/env.py"} <= {
        path for path, _tree in _everything()
    }


@pytest.mark.parametrize("room", BELOW)
def test_imports_point_down(room: str) -> None:
    """A room imports itself and the rooms below it, and none of what it must never know."""
    faults = [
        f"{path} imports {name}"
        for path, tree in _modules(room).items()
        for name in _imports(tree)
        if (top := name.split(".")[0]) in {*BELOW, "tests"} - BELOW[room] - {room}
        or top in NEVER.get(room, ())
    ]
    assert faults == []


def test_the_picture_has_no_circle() -> None:
    """The rooms can be stacked so that each lies above all that it may import."""
    stacked = list(BELOW)
    for room, below in BELOW.items():
        assert below <= {*stacked[stacked.index(room) + 1 :]}, room


def test_the_compiled_path_stands_alone() -> None:
    """It knows Strawberry and graphql-core, and nothing of this application; and it is short."""
    modules = {path: tree for path, tree in _modules("schema").items() if "/compiled/" in path}
    ours = {path: {*_imports(tree)} for path, tree in modules.items()}
    known = {*sys.stdlib_module_names, "strawberry", "graphql"}
    assert {
        (path, name)
        for path, names in ours.items()
        for name in names
        if name.split(".")[0] not in known and not name.startswith("schema.compiled")
    } == set()
    code = "\n".join(ast.unparse(_without_docstrings(tree)) for tree in modules.values())
    assert 300 < sum(bool(line) for line in code.splitlines()) < 600  # however they are wrapped


def _without_docstrings(tree: ast.Module) -> ast.Module:
    found = copy.deepcopy(tree)
    for node in ast.walk(found):
        if isinstance(node, ast.Module | ast.ClassDef | FunctionNode) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return found


def test_the_check_sees_every_kind_of_import() -> None:
    """Imports in functions, under TYPE_CHECKING and of parts of packages count."""
    tree = ast.parse(
        "import db.session as s\nif x:\n    from db import tables\ndef f():\n    import sqlalchemy.orm"
    )
    assert list(_imports(tree)) == ["db.session", "db", "sqlalchemy.orm"]


_SQL = re.compile(
    r"\s*(select\s.+|insert\s+into\s|update\s+[\w.\"]+\s+set\s|delete\s+from\s|with\s+\w+\s+as\s*[(m])",
    re.IGNORECASE | re.DOTALL,
)


def _docstrings(tree: ast.AST) -> set[int]:
    """Return the identities of the nodes that are docstrings: prose, whatever its first word is."""
    owners = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    bodies = (node.body for node in ast.walk(tree) if isinstance(node, owners))
    return {
        id(body[0].value)
        for body in bodies
        if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
    }


def _sql(tree: ast.AST) -> list[str]:
    """Return the literals (parts of f-strings, too) that begin like SQL."""
    prose = _docstrings(tree)
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in prose
        and _SQL.match(node.value)
    ]


def test_sql_is_in_db_only() -> None:
    """No module outside db/ has SQL in a literal or builds any, but for the one that is listed."""
    found = {
        path
        for path, tree in _everything()
        if not path.startswith("db/")
        and (_sql(tree) or any(name.split(".")[0] == "sqlalchemy" for name in {*_imports(tree)} - ERRORS))
    }
    assert found == SQL_ELSEWHERE


@pytest.mark.parametrize(
    "literal",
    [
        "select 1",
        "SELECT * FROM x",
        "\n  insert into t values (1)",
        "update t set a = 1",
        "delete from t",
        "with x as (select 1) select * from x",
        "with x as materialized (select 1) table x",
    ],
)
def test_the_check_knows_sql_when_it_sees_it(literal: str) -> None:
    """In a plain literal and at the head of an f-string."""
    assert _sql(ast.parse(repr(literal) + "\nx = " + repr(literal)))
    assert _sql(ast.parse(f"x = f{literal + '{y}'!r}"))


def test_the_context_is_set_in_one_module() -> None:
    """Only db/statement.py names set_config, in code or in SQL text."""
    found = set()
    for path, tree in _everything():
        prose = _docstrings(tree)
        names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        texts = [
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose
        ]
        if "set_config" in names or any("set_config" in text for text in texts):
            found.add(path)
    assert found == {"db/statement.py"}


def _calls(tree: ast.AST, method: str) -> Iterator[str]:
    """Yield what a method of this name is called on."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == method:
            yield ast.unparse(node.func.value)


def test_transactions_are_opened_in_one_place() -> None:
    """A connection's transaction is begun once, in db/session.py; all others come from a Database."""
    opened = [(path, on) for path, tree in _everything() for on in _calls(tree, "transaction")]
    on_connections = [(path, on) for path, on in opened if not on.endswith("database")]
    assert on_connections == [("db/session.py", "connection")]


def test_nobody_commits_by_hand() -> None:
    """Transactions commit where their block ends, so nothing can be committed half-way."""
    by_hand = [
        (path, method)
        for path, tree in _everything()
        for method in ("commit", "rollback", "start")
        for _on in _calls(tree, method)
        if not path.startswith("db/embedded") and method != "start"
    ]
    assert by_hand == []


def test_the_pool_is_used_in_db_only() -> None:
    """What runs on a connection without a scope is db's business alone."""
    found = {
        path
        for path, tree in _everything()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in {"pool", "_pool", "acquire"}
    }
    assert found == {
        f"db/{it}.py"
        for it in ("checkup", "epoch", "migrate", "pool", "revision", "safety", "session", "tenant", "work")
    }


def test_time_is_the_databases() -> None:
    """A host's clock may go wrong: tokens, signatures, a metric and Retry-After without a Date go by it.

    And `tocsin doctor` compares it.
    """
    found = {
        path
        for path, tree in _everything()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and (node.attr in {"utcnow", "today"} or ast.unparse(node) in {"time.time", "datetime.now"})
    }
    assert found == {
        *("delivery/http.py", "delivery/metrics.py", "delivery/webhook.py"),
        *("tocsin/auth.py", "tocsin/connection.py", "tocsin/doctor/database.py"),
    }


def test_no_file_is_too_long() -> None:
    """At most 400 lines; what is longer is split by noun."""
    lengths = {path: len((ROOT / path).read_text().splitlines()) for path, _tree in _everything()}
    assert {
        path: lines for path, lines in lengths.items() if lines > MAX_FILE and path not in LONG_FILES
    } == {}
    assert [path for path in LONG_FILES if lengths.get(path, 0) <= MAX_FILE] == []


def test_no_function_is_too_long() -> None:
    """At most 40 lines without the docstring."""
    lengths = {
        f"{path}:{function.name}": _length(function)
        for path, tree in _everything()
        for function in _functions(tree)
    }
    long = {name: lines for name, lines in lengths.items() if lines > MAX_FUNCTION}
    assert {name: lines for name, lines in long.items() if name not in LONG_FUNCTIONS} == {}
    assert [name for name in LONG_FUNCTIONS if name not in long] == []


def test_the_longest_tests_are_there() -> None:
    """What is to begin first is found by its name; a file that is renamed takes its place in the order along."""
    assert [name for name in LONGEST if not (ROOT / "tests" / name).exists()] == []


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="asks git")
def test_nothing_that_is_tracked_is_ignored() -> None:
    """The wheel leaves out what .gitignore names, also where git was told to keep it."""
    command = ["git", "ls-files", "--cached", "--ignored", "--exclude-standard"]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout == ""
