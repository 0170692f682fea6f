"""The schema as a contract: printed, described, nullable at the root, and as it was promised."""

from pathlib import Path
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNonNull,
    GraphQLObjectType,
    build_schema,
    is_required_input_field,
    is_specified_directive,
    print_type,
)

from resolvers.errors import ErrorCode
from schema import build

SCHEMA = build()
GRAPHQL = SCHEMA._schema
OWN = {name: type for name, type in GRAPHQL.type_map.items() if not name.startswith("__")}
BUILT_IN = {"String", "Int", "Float", "Boolean", "ID"}
FIELDS = [
    (name, field)
    for name, type in OWN.items()
    if isinstance(type, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType)
    for field in type.fields
]


def test_the_printed_schema(repository: Path) -> None:
    """schema.graphql at the root is what the code prints."""
    assert (repository / "schema.graphql").read_text().strip() == SCHEMA.as_str().strip()


def test_the_printed_schema_is_whole() -> None:
    """What is printed can be read again, and says the same types."""
    again = build_schema(SCHEMA.as_str())
    for name in OWN.keys() - BUILT_IN:
        assert print_type(again.type_map[name]) == print_type(OWN[name])


@pytest.mark.parametrize("name", sorted(OWN.keys() - BUILT_IN))
def test_each_type_is_described(name: str) -> None:
    """Every type says what it is."""
    assert OWN[name].description


@pytest.mark.parametrize(("name", "field"), FIELDS)
def test_each_field_is_described(name: str, field: str) -> None:
    """Every field, and every field of an input, says what it is."""
    type: Any = OWN[name]
    assert type.fields[field].description


def test_the_roots() -> None:
    """Root fields of Query and Mutation are nullable, so that one that fails takes no sibling along."""
    assert GRAPHQL.query_type is not None
    assert GRAPHQL.mutation_type is not None
    for root in (GRAPHQL.query_type, GRAPHQL.mutation_type):
        for name, field in root.fields.items():
            assert not isinstance(field.type, GraphQLNonNull), name


def test_each_root_field_says_who_may_call_it() -> None:
    """The description of a root field names the roles, or tells that agents may not."""
    for root in (GRAPHQL.query_type, GRAPHQL.mutation_type, GRAPHQL.subscription_type):
        assert root is not None
        for name, field in root.fields.items():
            said = field.description or ""
            assert any(who in said for who in ("Users", "User tokens only", "Admins", "admins")), name


def test_no_default_is_null() -> None:
    """A null default says nothing, so none is printed."""
    assert "= null" not in SCHEMA.as_str()


def test_each_error_code_is_in_the_schema() -> None:
    """Clients find every code that the API answers with in an enum."""
    codes = OWN["ErrorCode"]
    assert isinstance(codes, GraphQLEnumType)
    assert set(codes.values) == set(ErrorCode.__members__)


def test_only_the_directives_of_the_specification() -> None:
    """The schema adds no directives of its own."""
    assert [it.name for it in GRAPHQL.directives if not is_specified_directive(it)] == []


# -- what was promised -------------------------------------------------------------------------------------

# Where the schema says something else than the contract, on purpose.
DIFFERENCES: dict[str, str] = {
    "ErrorCode": "GRAPHQL_PARSE_FAILED and GRAPHQL_VALIDATION_FAILED tell a client's own mistakes apart, and "
    "PERSISTED_QUERY_NOT_FOUND a document that is not in the manifest.",
}
# What the schema has beyond the contract: fields that clients of the contract need not know.
ADDED: dict[tuple[str, str], str] = {
    ("NotifyInput", "escalateAfterMinutes"): "other channels only for what is not read in the inbox.",
    ("Query", "auditLog"): "what admins changed.",
}
# Types that only what was added has.
ADDED_TYPES = {"AuditConnection", "AuditEdge", "AuditEntry", "AuditFilter"}
PRINTED = build_schema(SCHEMA.as_str())
CONTRACT = build_schema((Path(__file__).parent / "contract.graphql").read_text())


def signature(field: Any) -> tuple[str, dict[str, tuple[str, Any]]]:
    """Return the type of a field, and the types and defaults of its arguments."""
    arguments = {name: (str(it.type), it.default_value) for name, it in getattr(field, "args", {}).items()}
    return str(field.type), arguments


BOTH = [
    (name, field)
    for name, field in FIELDS
    if name in CONTRACT.type_map and field in getattr(CONTRACT.type_map[name], "fields", {})
]


@pytest.mark.parametrize(("name", "field"), BOTH)
def test_a_field_is_as_promised(name: str, field: str) -> None:
    """A field has the type, the arguments and the defaults of the contract."""
    types: Any = (PRINTED.type_map[name], CONTRACT.type_map[name])
    own, promised = (type.fields[field] for type in types)
    assert signature(own) == signature(promised)
    assert getattr(own, "default_value", None) == getattr(promised, "default_value", None)


def test_nothing_is_there_that_was_not_promised() -> None:
    """Every type and field is in the contract, but for those that were added since."""
    assert {name for name in OWN if name not in CONTRACT.type_map} == ADDED_TYPES
    new = {(name, field) for name, field in set(FIELDS) - set(BOTH) if name not in ADDED_TYPES}
    assert sorted(new) == sorted(ADDED)


@pytest.mark.parametrize(("name", "field"), ADDED)
def test_what_was_added_can_be_left_out(name: str, field: str) -> None:
    """A client of the contract goes on as before: an input's new field is optional."""
    type: Any = PRINTED.type_map[name]
    assert not isinstance(type, GraphQLInputObjectType) or not is_required_input_field(type.fields[field])


@pytest.mark.parametrize("name", sorted((OWN.keys() & CONTRACT.type_map.keys()) - BUILT_IN))
def test_a_type_is_as_promised(name: str) -> None:
    """A type is of the promised kind, with the promised values, interfaces and, but for roots, fields."""
    own, promised = PRINTED.type_map[name], CONTRACT.type_map[name]
    assert type(own) is type(promised)
    if isinstance(own, GraphQLEnumType) and isinstance(promised, GraphQLEnumType):
        assert (list(own.values) == list(promised.values)) is (name not in DIFFERENCES)
        assert own.values.keys() >= promised.values.keys()
    if isinstance(own, GraphQLObjectType) and isinstance(promised, GraphQLObjectType):
        assert [it.name for it in own.interfaces] == [it.name for it in promised.interfaces]
    if name not in {"Query", "Mutation"}:
        fields = [it for it in getattr(own, "fields", ()) if (name, it) not in ADDED]
        assert fields == list(getattr(promised, "fields", ()))
