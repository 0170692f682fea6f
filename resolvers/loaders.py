"""Nested fields in batches: one loader a key, one statement for 1 or 50 parents."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from aiodataloader import DataLoader

import db.channel
import db.delivery
import db.notification
import db.template
from db.session import Reader, Row

Fetch = Callable[[Reader, Sequence[UUID]], Awaitable[list[Row]]]


class ManyByKey(DataLoader[UUID, list[Row]]):
    """All rows whose `column` is the key, in the order they were fetched."""

    def __init__(self, reader: Reader, fetch: Fetch, column: str) -> None:
        super().__init__()
        self._reader, self._fetch, self._column = reader, fetch, column

    async def batch_load_fn(self, keys: list[UUID]) -> list[list[Row]]:
        """Fetch the rows of all keys at once and hand them out in the order of the keys."""
        found: dict[UUID, list[Row]] = defaultdict(list)
        for row in await self._fetch(self._reader, keys):
            found[row[self._column]].append(row)
        return [found[key] for key in keys]


class OneByKey(DataLoader[UUID, Row | None]):
    """The row whose `column` is the key, or None."""

    def __init__(self, reader: Reader, fetch: Fetch, column: str = "id") -> None:
        super().__init__()
        self._reader, self._fetch, self._column = reader, fetch, column

    async def batch_load_fn(self, keys: list[UUID]) -> list[Row | None]:
        """Fetch the rows of all keys at once and hand them out in the order of the keys."""
        found = {row[self._column]: row for row in await self._fetch(self._reader, keys)}
        return [found.get(key) for key in keys]


class Loaders:
    """The loaders of one operation."""

    def __init__(self, reader: Reader) -> None:
        self.attempts_by_delivery = ManyByKey(reader, db.delivery.attempts, "delivery_id")
        self.channel_by_id = OneByKey(reader, db.channel.by_ids)
        self.deliveries_by_notification = ManyByKey(reader, db.delivery.by_notification, "notification_id")
        self.last_delivery_by_channel = OneByKey(reader, db.delivery.last_by_channel, "channel_id")
        self.template_by_id = OneByKey(reader, db.template.by_ids)
        self._reader = reader
        self._notifications: dict[tuple[str, ...], OneByKey] = {}

    def notification_by_id(self, columns: tuple[str, ...]) -> OneByKey:
        """Return the loader of notifications with these columns; see resolvers.notification.columns."""
        if columns not in self._notifications:

            async def fetch(reader: Reader, ids: Sequence[UUID]) -> list[Row]:
                return await db.notification.by_ids(reader, ids, columns)

            self._notifications[columns] = OneByKey(self._reader, fetch)
        return self._notifications[columns]
