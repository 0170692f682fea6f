"""A mapping that forgets what was not used for longest."""

from collections.abc import Hashable
from typing import Generic, TypeVar

V = TypeVar("V")


class Cache(Generic[V]):
    """Values of documents.

    It is bounded twice, by how many there are and by the characters of their documents, so that neither many
    small documents nor a few large ones take all memory.
    """

    def __init__(self, most: int, most_characters: int) -> None:
        self._most = most
        self._most_characters = most_characters
        self._characters = 0
        self._values: dict[Hashable, tuple[V, int]] = {}

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: Hashable) -> V | None:
        """Return the value of a key, if it has one, as the newest."""
        found = self._values.pop(key, None)
        if found is None:
            return None
        self._values[key] = found  # the newest is last
        return found[0]

    def put(self, key: Hashable, value: V, text: str) -> V:
        """Keep a value that belongs to the text of a document, unless that is very long, and return it."""
        if len(text) > self._most_characters // 8:  # it would push out too many others
            return value
        self._values[key] = value, len(text)
        self._characters += len(text)
        while len(self) > self._most or self._characters > self._most_characters:
            _, characters = self._values.pop(next(iter(self._values)))
            self._characters -= characters
        return value
