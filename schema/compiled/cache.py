"""A mapping that forgets what was not used for longest."""

from collections.abc import Callable
from typing import Generic, TypeVar

V = TypeVar("V")


class Cache(Generic[V]):
    """Values by the text of a document and what else tells them apart.

    It is bounded twice, by how many there are and by the characters of their documents, so that neither many
    small documents nor a few large ones take all memory.
    """

    def __init__(self, most: int, most_characters: int) -> None:
        self._most = most
        self._most_characters = most_characters
        self._characters = 0
        self._values: dict[tuple[str, str | None], V] = {}

    def __len__(self) -> int:
        return len(self._values)

    def get(self, text: str, name: str | None, make: Callable[[], V]) -> V:
        """Return the value of a document and a name, made if it is not there."""
        key = (text, name)
        found = self._values.pop(key, None)
        if found is None:
            found = make()
            self._characters += len(text)
        self._values[key] = found  # the newest is last
        while len(self._values) > self._most or self._characters > self._most_characters:
            oldest = next(iter(self._values))
            del self._values[oldest]
            self._characters -= len(oldest[0])
        return found
