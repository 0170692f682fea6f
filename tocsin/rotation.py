"""`tocsin rotate-keys`: the secrets of all channels, put under the first of the keys."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import db.channel
import db.tenant
from db.session import Database, Row, Scope
from resolvers.channel import secret_place
from resolvers.vault import Box, CannotOpenError, Vault

_PREVIOUS = "previous"
"""Where a channel keeps the signing secret that was rotated out, sealed as `secret`, and until when."""


@dataclass(slots=True)
class Report:
    """How many secrets were put under the first key; channels (tenant, id) with some that do not open."""

    resealed: int = 0
    closed: set[tuple[str, str]] = field(default_factory=set)


async def rotate(database: Database, vault: Vault) -> Report:
    """Reseal what is not under the first key yet, a transaction a tenant; what does not open stays."""
    report = Report()
    for tenant_id in await db.tenant.ids(database):
        async with database.transaction(Scope(tenant_id, None)) as tx:
            for row in await db.channel.lock_sealed(tx):
                secrets = _resealed(tenant_id, row, vault, report)
                if secrets != row.secrets:
                    await db.channel.reseal(tx, row.id, secrets)
    return report


async def closed(database: Database, vault: Vault) -> set[tuple[str, str]]:
    """Return the channels (tenant, id) with secrets that do not open; nothing is changed."""
    report = Report()
    for tenant_id in await db.tenant.ids(database):
        for row in await db.channel.sealed(database.reader(Scope(tenant_id, None))):
            _resealed(tenant_id, row, vault, report)
    return report.closed


def _resealed(tenant_id: str, row: Row, vault: Vault, report: Report) -> dict[str, Any]:
    """Return a channel's secrets, without one that was rotated out and no longer signs along."""

    def reseal(name: str, box: Box) -> Box:
        try:
            new = vault.reseal(secret_place(tenant_id, row.id, name), box)
        except CannotOpenError:
            report.closed.add((tenant_id, str(row.id)))
            return box
        report.resealed += new != box
        return new

    secrets: dict[str, Any] = {}
    for name, value in row.secrets.items():
        if name != _PREVIOUS:
            secrets[name] = reseal(name, value)
        elif datetime.fromisoformat(value["until"]) > row.now:
            secrets[name] = value | {"box": reseal("secret", value["box"])}
    return secrets
