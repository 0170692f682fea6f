"""A mapping that forgets what was not used for longest."""

from collections.abc import Callable
from typing import Generic, TypeVar

V = TypeVar("V")


class Cache(Generic[V]):
    """Values by the text of a document.

    It is bounded twice, by how many there are and by the characters of their documents, so that neither many
    small documents nor a few large ones take all memory.
    """

    def __init__(self, most: int, most_characters: int, make: Callable[[], V]) -> None:
        self._most = most
        self._most_characters = most_characters
        self._make = make
        self._characters = 0
        self._values: dict[str, V] = {}

    def __len__(self) -> int:
        return len(self._values)

    def get(self, text: str) -> V | None:
        """Return the value of a text, if it has one, as the newest."""
        found = self._values.pop(text, None)
        if found is not None:
            self._values[text] = found  # the newest is last
        return found

    def __getitem__(self, text: str) -> V:
        """Return the value of a text, made if it has none."""
        found = self.get(text)
        if found is None:
            found = self._values[text] = self._make()
            self._characters += len(text)
            while len(self) > self._most or self._characters > self._most_characters:
                oldest = next(iter(self._values))
                del self._values[oldest]
                self._characters -= len(oldest)
        return found
