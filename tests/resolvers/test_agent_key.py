"""The form of agents' keys: each is read as it was written, and in no other spelling."""

from hypothesis import given
from hypothesis import strategies as st

from resolvers.agent_key import AgentKey, looks_like_key

TENANTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=255)


@given(TENANTS)
def test_a_key_is_read_as_it_was_minted(tenant: str) -> None:
    """Whatever a tenant is called, also with what looks like another part of a key."""
    key = AgentKey.mint(tenant)
    assert AgentKey.parse(key.text) == key
    assert looks_like_key(key.text)
    assert key.opens(key.hash)
    assert not key.opens(AgentKey.mint(tenant).hash)


@given(TENANTS, st.data())
def test_a_changed_key_is_another_or_none(tenant: str, data: st.DataObject) -> None:
    """No two texts are the same key."""
    key = AgentKey.mint(tenant)
    place = data.draw(st.integers(0, len(key.text) - 1))
    char = data.draw(st.characters().filter(lambda it: it != key.text[place]))
    assert AgentKey.parse(key.text[:place] + char + key.text[place + 1 :]) != key


@given(st.text() | st.text().map("tocsin_".__add__))
def test_no_text_breaks_the_reading(text: str) -> None:
    """Any text is a key, spelled as it is, or none."""
    key = AgentKey.parse(text)
    assert key is None or key.text == text


def test_the_longest_tenant_fits() -> None:
    """A tenant of 127 characters of four bytes, the most that fit, has a key shorter than any JWT may be."""
    key = AgentKey.mint("𐍈" * 127)
    assert AgentKey.parse(key.text) == key
    assert len(key.text) == 742
