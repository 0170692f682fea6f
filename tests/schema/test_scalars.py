"""What each scalar reads and writes, and what it refuses."""

from datetime import UTC, datetime, time, timedelta, timezone
from typing import Any

import pytest
from graphql import GraphQLError, GraphQLScalarType
from hypothesis import given
from hypothesis import strategies as st

from resolvers.errors import ErrorCode, TocsinError
from schema import build
from tests.support import Api

_TYPES = build()._schema.type_map


def scalar(name: str) -> GraphQLScalarType:
    """Return a scalar of the schema."""
    found = _TYPES[name]
    assert isinstance(found, GraphQLScalarType)
    return found


def read(name: str, value: object) -> Any:
    """Return what a scalar makes of an input."""
    return scalar(name).parse_value(value)


def show(name: str, value: object) -> Any:
    """Return what a scalar writes."""
    return scalar(name).serialize(value)


# -- DateTime ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2026-01-15T10:00:00.000Z", "2026-01-15T10:00:00.000Z"),
        ("2026-01-15T10:00:00Z", "2026-01-15T10:00:00.000Z"),
        ("2026-01-15t10:00:00z", "2026-01-15T10:00:00.000Z"),
        ("2026-01-15 10:00:00Z", "2026-01-15T10:00:00.000Z"),
        ("2026-01-15T10:00:00.1Z", "2026-01-15T10:00:00.100Z"),
        ("2026-01-15T10:00:00.123456789Z", "2026-01-15T10:00:00.123Z"),
        ("2026-01-15T10:00:00+02:00", "2026-01-15T08:00:00.000Z"),
        ("2026-01-01T00:30:00+05:45", "2025-12-31T18:45:00.000Z"),
        ("2026-01-15T10:00:00-00:00", "2026-01-15T10:00:00.000Z"),
        ("2024-02-29T23:59:59.999Z", "2024-02-29T23:59:59.999Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59.000Z"),
    ],
)
def test_an_instant(text: str, shown: str) -> None:
    """RFC 3339 in any zone is read, and written in UTC with milliseconds."""
    assert show("DateTime", read("DateTime", text)) == shown


@pytest.mark.parametrize(
    "value",
    [
        "",
        "now",
        "2026-01-15",
        "2026-01-15T10:00:00",
        "2026-01-15T10:00Z",
        "2026-01-15T10Z",
        "20260115T100000Z",
        "2026-W03-4T10:00:00Z",
        "2026-015T10:00:00Z",
        "2026-02-29T10:00:00Z",
        "2026-13-01T10:00:00Z",
        "2026-01-15T24:00:00Z",
        "2026-01-15T10:60:00Z",
        "2026-01-15T10:00:60Z",
        "2026-01-15T10:00:00,5Z",
        "2026-01-15T10:00:00.Z",
        "2026-01-15T10:00:00+0200",
        "2026-01-15T10:00:00+02",
        "2026-01-15T10:00:00+24:00",
        "2026-01-15T10:00:00+01:00:30",
        "2026-01-15x10:00:00Z",
        " 2026-01-15T10:00:00Z",
        "2026-01-15T10:00:00Z\n",
        "\u0662\u0660\u0662\u0666-01-15T10:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "10000-01-01T00:00:00Z",
        "2026-01-15T10:00:00[Europe/Paris]",
        1_768_471_200,
        1.5,
        True,
        None,
        [],
        {},
    ],
)
def test_what_is_no_instant(value: object) -> None:
    """Any other spelling, or an instant that no calendar has, is refused."""
    with pytest.raises(GraphQLError, match="DateTime must be RFC 3339 with a zone"):
        read("DateTime", value)


ZONES = st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(
    lambda it: timezone(timedelta(minutes=it // timedelta(minutes=1)))
)


INSTANTS = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=ZONES)  # noqa: DTZ001


@given(INSTANTS, st.sampled_from((None, 0, 1, 1_000, 999_999)))
def test_an_instant_is_shown_as_iso_8601_has_it(instant: datetime, microsecond: int | None) -> None:
    """With three digits of the second, in UTC."""
    if microsecond is not None:
        instant = instant.replace(microsecond=microsecond)
    iso = instant.astimezone(UTC).isoformat(timespec="milliseconds")
    assert show("DateTime", instant) == iso.removesuffix("+00:00") + "Z"


@given(INSTANTS)
def test_an_instant_survives_the_way_there_and_back(instant: datetime) -> None:
    """What is written is read as the same instant, to the millisecond."""
    back = read("DateTime", show("DateTime", instant))
    assert back.tzinfo == UTC
    assert timedelta(0) <= instant - back < timedelta(milliseconds=1)
    assert show("DateTime", back) == show("DateTime", instant)


async def test_a_refused_instant_over_the_api(ada: Api.User) -> None:
    """A DateTime that is none is BAD_USER_INPUT as a variable, and does not validate as a literal."""
    document = "query($at: DateTime) { stats(filter: {createdAfter: $at}) { total } }"
    assert (await ada.ask(document, at="yesterday")).codes == ["BAD_USER_INPUT"]
    literal = '{ stats(filter: {createdAfter: "yesterday"}) { total } }'
    assert (await ada.ask(literal)).codes == ["GRAPHQL_VALIDATION_FAILED"]
    assert (await ada.ask(document, at="2026-01-15T10:00:00Z")).data == {"stats": {"total": 0}}


# -- LocalTime ---------------------------------------------------------------------------------------------


@given(st.times())
def test_a_wall_clock_survives_the_way_there_and_back(value: time) -> None:
    """What is written is read as the same hour and minute."""
    assert read("LocalTime", show("LocalTime", value)) == time(value.hour, value.minute)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "24:00",
        "9:05",
        "09:5",
        "09:60",
        "0905",
        "09:05:00",
        "09:05Z",
        " 09:05",
        "09:05\n",
        "\u0660\u0669:\u0660\u0665",
        "9 pm",
    ],
)
def test_what_is_no_wall_clock(value: str) -> None:
    """Anything but HH:MM from 00:00 to 23:59 is refused."""
    with pytest.raises(GraphQLError, match="LocalTime must be HH:MM"):
        read("LocalTime", value)


@pytest.mark.parametrize("value", [None, 905, 9.5, True, []])
def test_a_wall_clock_is_a_string(value: object) -> None:
    """What is no string is refused."""
    with pytest.raises(GraphQLError, match="LocalTime must be HH:MM"):
        read("LocalTime", value)


# -- TimeZone ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["UTC", "Europe/Paris", "America/Argentina/Buenos_Aires", "Asia/Kolkata"])
def test_a_zone(name: str) -> None:
    """An IANA zone is read and written as it is."""
    assert show("TimeZone", read("TimeZone", name)) == name


@pytest.mark.parametrize(
    "value",
    ["", "Europe", "europe/paris", "Europe/Paris ", "+02:00", "../etc/passwd", "/etc/passwd", "Mars/Base"],
)
def test_what_is_no_zone(value: str) -> None:
    """Any other text is INVALID_TIMEZONE."""
    with pytest.raises(TocsinError) as refused:
        read("TimeZone", value)
    assert refused.value.code is ErrorCode.INVALID_TIMEZONE


@pytest.mark.parametrize("value", [None, 1, ["UTC"], {"UTC": 1}])
def test_a_zone_is_a_string(value: object) -> None:
    """What is no string is INVALID_TIMEZONE."""
    with pytest.raises(TocsinError) as refused:
        read("TimeZone", value)
    assert refused.value.code is ErrorCode.INVALID_TIMEZONE


# -- JSON --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [{}, {"a": [1, None, {"b": "ü"}]}, {"x" * 100: 1.5}])
def test_an_object(value: dict[str, Any]) -> None:
    """An object is read and written as it is."""
    assert show("JSON", read("JSON", value)) == value


@pytest.mark.parametrize("value", [None, [], [{}], "{}", 1, 1.5, True])
def test_what_is_no_object(value: object) -> None:
    """Anything but an object is refused."""
    with pytest.raises(GraphQLError, match="JSON must be an object"):
        read("JSON", value)


def test_the_size_of_an_object() -> None:
    """64 KiB, as UTF-8, is the most."""
    assert read("JSON", {"k": "x" * (65_536 - 8)})
    for big in ({"k": "x" * (65_536 - 7)}, {"k": "ü" * 32_768}):
        with pytest.raises(GraphQLError, match="at most 64 KiB"):
            read("JSON", big)


def test_numbers_that_are_too_large() -> None:
    """An integer over 64 bits, which not every reader of JSON can take, is refused."""
    assert read("JSON", {"n": 2**63})
    with pytest.raises(GraphQLError, match="JSON must hold only what can be stored"):
        read("JSON", {"n": 2**64})


# -- SafeUrl -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "https://example.com:8443/a/b?c=d&e=%20#f",
        "HTTPS://EXAMPLE.COM/",
        "https://user@example.com/",
        "https://[::1]/",
        "https://exämple.com/ü",
        "mailto:ada@example.com",
        "mailto:ada@example.com?subject=Hello",
        "/",
        "/issues/1?tab=log#L3",
        "/a//b",
        "/javascript:alert(1)",
        "https://e.x/" + "a" * (2_048 - 12),
    ],
)
def test_a_safe_url(url: str) -> None:
    """https:, mailto: and app-relative paths are read and written as they are."""
    assert show("SafeUrl", read("SafeUrl", url)) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        " ",
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        " javascript:alert(1)",
        "java\tscript:alert(1)",
        "java\nscript:alert(1)",
        "\x01javascript:alert(1)",
        "javascript://example.com/%0aalert(1)",
        "javascript&colon;alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "data:text/html;base64,PHNjcmlwdD4=",
        "vbscript:msgbox(1)",
        "file:///etc/passwd",
        "blob:https://example.com/1",
        "about:blank",
        "view-source:https://example.com",
        "http://example.com",
        "ftp://example.com",
        "ws://example.com",
        "tel:+4912345",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "\\/evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        " https://example.com",
        "https://example.com ",
        "https://exa mple.com",
        "\thttps://example.com",
        "https://example.com/\n",
        "https://example.com/\x00",
        "https://example.com/\x7f",
        "https://example.com/\u202egnp.exe",
        "https://example.com/\u200b",
        "https://example.com/\ud800",
        "https:",
        "https:/",
        "https://",
        "https:///path",
        "https:example.com",
        "https:/example.com",
        "https:\\\\example.com",
        "https://good.example\\@evil.example",
        "https://?query",
        "https://[::1",
        "https://example.com:port",
        "https://example.com:99999",
        "mailto:",
        "mailto:nobody",
        "example.com",
        "path",
        "./path",
        "../path",
        "?query",
        "#fragment",
        "https://e.x/" + "a" * (2_048 - 11),
    ],
)
def test_an_unsafe_url(url: str) -> None:
    """Whatever could run, lead elsewhere than it seems, or be no link is INVALID_URL."""
    with pytest.raises(TocsinError) as refused:
        read("SafeUrl", url)
    assert refused.value.code is ErrorCode.INVALID_URL


@pytest.mark.parametrize("value", [None, 1, True, [], {}, b"https://example.com"])
def test_a_url_is_a_string(value: object) -> None:
    """What is no string is INVALID_URL."""
    with pytest.raises(TocsinError) as refused:
        read("SafeUrl", value)
    assert refused.value.code is ErrorCode.INVALID_URL
