"""Scalars as a client writes them, in the document and in variables."""

import pytest
from graphql import GraphQLError

from schema.scalars import JSON, SCALARS
from tests.support import Api

WRONG = {
    "LocalTime": ('"7:00"', 'updatePreferences(preferences: [{ category: "x", quietStart: %s }]) { id }'),
    "TimeZone": ('"Mars"', 'updatePreferences(preferences: [{ category: "x", timezone: %s }]) { id }'),
    "DateTime": ('"yesterday"', "markAllRead(filter: { createdAfter: %s }) { marked }"),
}


@pytest.mark.parametrize("scalar", WRONG)
async def test_a_mistake_is_the_clients(ada: Api.User, scalar: str) -> None:
    """A value that a scalar refuses is never an internal error, whether it is a literal or a variable."""
    value, field = WRONG[scalar]
    literal = await ada.refusal(f"mutation {{ {field % value} }}")
    variable = await ada.refusal(f"mutation($it: {scalar}) {{ {field % '$it'} }}", it=value.strip('"'))
    codes = (literal["extensions"]["code"], variable["extensions"]["code"])
    plain = ("GRAPHQL_VALIDATION_FAILED", "BAD_USER_INPUT")
    assert codes == (("INVALID_TIMEZONE",) * 2 if scalar == "TimeZone" else plain)
    assert f"{scalar} must be" in literal["message"]
    assert f"{scalar} must be" in variable["message"]


@pytest.mark.parametrize("value", [{"a": 2**64}, {"a": "\ud800"}, {"a": "x" * 65_536}, ["a"], "a", None])
def test_json_that_cannot_be_stored(value: object) -> None:
    """What is no object, is too large or cannot be written as JSON is refused as the client's mistake."""
    parse = SCALARS[JSON].parse_value
    assert parse
    with pytest.raises(GraphQLError, match=r"^JSON must "):
        parse(value)
