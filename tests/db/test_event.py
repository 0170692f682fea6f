"""The event log: how much of it is read at a time."""

import os
from base64 import b85encode

import pytest

from db.draft import create
from db.event import After, after
from db.session import Database, Scope
from db.types import Filter
from tests.support import draft


@pytest.mark.parametrize(
    ("size", "names", "expected"), [(10, ("body",), 5), (40_000, ("body",), 1), (40_000, ("title",), 5)]
)
async def test_large_rows_are_read_a_few_at_a_time(
    database: Database, tenant: str, size: int, names: tuple[str, ...], expected: int
) -> None:
    """At least one, and no more once 32 KB are together; what is not selected does not count."""
    drafts = [draft("ada", body=b85encode(os.urandom(size * 4 // 5)).decode()) for _ in range(5)]
    async with database.transaction(Scope(tenant, None)) as tx:
        await create(tx, drafts)
    wanted = [After("ada", 0), After("ada", 3), After("grace", 0)]
    found = await after(database.reader(Scope(tenant, None)), wanted, Filter(), names, 100)
    seqs = {key: [row.event_seq for row in log.rows] for key, log in found.items()}
    assert seqs == {
        wanted[0]: [1, 2, 3, 4, 5][:expected],
        wanted[1]: [4, 5][:expected],
        wanted[2]: [],
    }
    assert found[wanted[0]].head.seq == 5
