"""A corpus of abuse: what each attack sends, and the one answer that it gets."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from resolvers.agent_key import AgentKey

MANY = 100_000


@dataclass(frozen=True)
class Attack:
    """An operation, sent over any transport: its payload, and the code of the error that answers it.

    once: the document is another one each time, so that nothing is remembered of it. None for a code: it is a
    query as good as any, and only its cost is looked at.
    """

    name: str
    payload: dict[str, Any]
    code: str | None = "QUERY_TOO_COMPLEX"

    def fresh(self) -> dict[str, Any]:
        """Return the payload with a comment that no server has seen."""
        return self.payload | {"query": f"{self.payload['query']} #{uuid4().hex}"}


@dataclass(frozen=True)
class Body:
    """A body over HTTP that is no operation, with the status that answers it in the newer media type."""

    name: str
    content: bytes
    status: int = 400


def chain(length: int, selection: str) -> str:
    """Return a query of fragments, each of which spreads the next as `selection` says."""
    links = [
        f"fragment F{i} on Query {{ {selection.replace('NEXT', f'...F{i + 1}')} }}" for i in range(length)
    ]
    return f"{{ ...F0 }} {' '.join(links)} fragment F{length} on Query {{ __typename }}"


def mesh(size: int, first: str = "") -> str:
    """Return fragments that all spread all, themselves included."""
    spreads = first + " ".join(f"...F{i}" for i in range(size))
    return f"{{ ...F0 }} {' '.join(f'fragment F{i} on Query {{ {spreads} }}' for i in range(size))}"


def too_complex() -> Iterator[tuple[str, str]]:
    """Yield documents that are over a limit."""
    for levels in (10, 20, 40, 80):
        yield f"bomb of {levels} levels", chain(levels, "NEXT NEXT")
    yield "1,000 aliases", "{" + " ".join(f"a{i}: __typename" for i in range(1_000)) + "}"
    yield "10,000 directives", "{ __typename" + " @skip(if: true)" * 10_000 + " }"
    yield "60 unknown directives", "{ __typename" + " @a" * 60 + " }"
    yield "20,000 repeated fields", "{" + "__typename " * 20_000 + "}"
    yield "250 repeated fields", "{" + "stats { unread } " * 125 + "}"
    yield "250 repeated fields in a cycle", mesh(10, "__typename " * 25)
    yield (
        "40 repeated fields with long arguments",
        ("{" + ("stats(filter: {types: [" + '"t" ' * 35 + "]}) { unread } ") * 40 + "}"),
    )
    yield "depth 3,000", "{ stats " * 3_000 + "{ unread" + " }" * 3_001
    yield "depth 199", "{ stats " * 199 + "{ unread" + " }" * 200
    yield "lists 3,000 deep", "{ channel(id: " + "[" * 3_000 + "]" * 3_000 + ") { id } }"
    yield f"{MANY:,} values", "{ channel(id: [" + "1 " * MANY + "]) { id } }"
    yield "60,000 comments", "#\n" * 60_000 + "{ __typename }"
    yield "3,000 operations", " ".join(f"query Q{i} {{ __typename }}" for i in range(3_000))
    yield "introspection loop", '{ __type(name: "Query") ' + "{ ofType " * 20 + "{ name" + " }" * 21 + " }"
    yield (
        "aliased introspections",
        "{" + " ".join(f"a{i}: __schema {{ types {{ name }} }}" for i in range(31)) + "}",
    )


def invalid() -> Iterator[tuple[str, str]]:
    """Yield documents within the limits that are not valid."""
    yield "a cycle of one", "{ ...F } fragment F on Query { __typename ...F }"
    yield (
        "a cycle of eighty",
        chain(80, "NEXT").replace("F80 on Query { __typename }", "F80 on Query { ...F0 }"),
    )
    yield "a mesh of cycles", mesh(15)
    yield "99 unknown fields", "{" + " ".join(f"notificatoin{i}" for i in range(99)) + "}"
    yield "450 unknown fields", "{" + " ".join(f"notificatoin{i}" for i in range(450)) + "}"
    yield "450 long unknown fields", "{" + " ".join(f"{'notification' * 16}{i}" for i in range(450)) + "}"
    yield (
        "180 unknown arguments",
        "{ notifications(" + " ".join(f"frist{i}: 1" for i in range(180)) + ") { totalCount } }",
    )
    yield (
        "180 unknown variables",
        "query(" + " ".join(f"$v{i}: Notificatoin{i}" for i in range(180)) + ") { __typename }",
    )
    yield "180 unknown fragments", "{" + " ".join(f"...F{i}" for i in range(180)) + "}"
    yield (
        "100 unused fragments",
        "{ __typename }" + " ".join(f"fragment F{i} on Query {{ __typename }}" for i in range(100)),
    )
    yield (
        "a chain of 180 and 45 fields",
        "{ ...F0 }"
        + " ".join(f"fragment F{i} on Query {{ ...F{i + 1} }}" for i in range(180))
        + "fragment F180 on Query {"
        + " ".join(f"f{i}" for i in range(45))
        + "}",
    )
    yield (
        "introspection of fields of types of fields",
        "{ __schema { types " + "{ fields { type " * 5 + "{ name" + " } }" * 5 + " } } }",
    )


def unwelcome() -> Iterator[Attack]:
    """Yield operations that are refused for what they ask for or bring along."""
    page = "query($n: Int) { notifications(first: $n) { totalCount } }"
    yield Attack(
        "first: 1e9", {"query": "{ notifications(first: 1000000000) { totalCount } }"}, "LIMIT_OUT_OF_RANGE"
    )
    yield Attack("first: 1e9 as a variable", {"query": page, "variables": {"n": 10**9}}, "LIMIT_OUT_OF_RANGE")
    yield Attack("first: 1e999", {"query": page, "variables": {"n": 10**30}}, "BAD_USER_INPUT")
    yield Attack("a document of 200 KB", {"query": "{ __typename }#" + "x" * 200_000})
    yield Attack("a schema", {"query": "type Query { a: Int } " * 200}, "BAD_USER_INPUT")
    inline = "{ ... " * 198 + "{ __typename" + " }" * 199
    yield Attack("inline fragments 198 deep", {"query": inline}, None)
    yield Attack("a syntax error", {"query": "{" * 150 + "("}, "GRAPHQL_PARSE_FAILED")
    yield Attack("an unclosed string", {"query": '{ a(b: "' + "x" * 90_000}, "GRAPHQL_PARSE_FAILED")
    yield Attack(
        "an unclosed block string", {"query": '{ a(b: """' + '\\"""' * 20_000}, "GRAPHQL_PARSE_FAILED"
    )
    read = "mutation($ids: [ID!]!) { read(ids: $ids) { __typename } }"
    yield Attack("20,000 ids", {"query": read, "variables": {"ids": ["x"] * 20_000}}, "LIMIT_OUT_OF_RANGE")
    yield Attack("20,000 wrong ids", {"query": read, "variables": {"ids": [{}] * 20_000}}, "BAD_USER_INPUT")
    yield Attack(
        "200 KB of an id", {"query": read, "variables": {"ids": ["x" * 200_000]}}, "INVALID_NOTIFICATION_IDS"
    )
    yield Attack("variables 500 deep", {"query": read, "variables": {"ids": nested(500)}}, "BAD_USER_INPUT")
    yield Attack(
        "10,000 unknown variables",
        {"query": "{ __typename }", "variables": dict.fromkeys(map(str, range(10_000)))},
        None,
    )
    yield Attack("a comment of 90 KB", {"query": "{ __typename }#" + "x" * 90_000}, None)
    yield Attack("the introspection of GraphiQL", {"query": INTROSPECTION}, None)


def nested(depth: int) -> Any:
    """Return lists in lists."""
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


def attacks() -> list[Attack]:
    """Return the operations, which are the same over each transport."""
    return [
        *(Attack(name, {"query": document}) for name, document in too_complex()),
        *(Attack(name, {"query": document}, "GRAPHQL_VALIDATION_FAILED") for name, document in invalid()),
        *unwelcome(),
    ]


def bodies() -> list[Body]:
    """Return what only HTTP can be sent."""
    query = json.dumps({"query": "{ __typename }"}).encode()
    return [
        Body("30 MB of blanks", b" " * 30_000_000, 413),
        Body("30 MB of a document", b'{"query": "' + b"{ a " * 7_500_000, 413),
        Body("1 MB of blanks", b" " * 1_048_576),
        Body("a batch of 10", b"[" + b",".join([query] * 10) + b"]"),
        Body("a batch of 10,000", b"[" + b",".join([query] * 10_000) + b"]"),
        Body("JSON 500,000 deep", b"[" * 500_000),
        Body("JSON 1,000 deep", b"[" * 1_000 + b"]" * 1_000),
        Body("objects 100,000 deep", b'{"a":' * 100_000),
        Body("malformed UTF-8", b'{"query": "{ \xc3\x28 }"}'),
        Body("a lone surrogate", b'{"query": "{ __typename }", "variables": {"a": "\\ud800"}}'),
        Body("1 MB of malformed UTF-8", b'{"query": "' + b"\xff" * 1_000_000 + b'"}'),
        Body(
            "a number of 1,000,000 digits",
            b'{"query": "{ a }", "variables": {"a": ' + b"9" * 1_000_000 + b"}}",
        ),
        Body("50,000 keys", json.dumps(dict.fromkeys(map(str, range(50_000)))).encode()),
        Body("nothing", b""),
        Body("null", b"null"),
        Body("a document that is a list", b'{"query": ["{ __typename }"]}'),
    ]


def messages() -> list[tuple[str, str, int]]:
    """Return texts that only a socket can be sent, with the code that closes it."""
    return [
        ("no JSON", "{" * 1_000, 4400),
        ("JSON 200,000 deep", "[" * 200_000, 4400),
        ("300 KB", " " * 300_000, 1009),
        ("a batch", json.dumps([{"type": "subscribe"}] * 1_000), 4400),
        ("no type", json.dumps({"id": "x" * 200_000}), 4400),
        ("a subscribe without payload", json.dumps({"id": "1", "type": "subscribe"}), 4400),
        ("connection_init again", json.dumps({"type": "connection_init"}), 4429),
    ]


def forged_key() -> str:
    """Return the key of no agent."""
    return AgentKey.mint("nowhere").text


INTROSPECTION = """
query { __schema { queryType { name } types { ...T } directives { name locations args { ...I } } } }
fragment T on __Type { kind name description fields(includeDeprecated: true) { name description args { ...I }
  type { ...R } isDeprecated } inputFields { ...I } interfaces { ...R }
  enumValues { name } possibleTypes { ...R } }
fragment I on __InputValue { name description type { ...R } defaultValue }
fragment R on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }
"""
