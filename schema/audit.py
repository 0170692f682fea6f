"""The audit log: who changed what."""

from typing import Any

import strawberry

import resolvers.audit
from schema.given import given
from schema.info import Info
from schema.page import PageInfo, row_id
from schema.scalars import DateTime
from schema.selection import selected


@strawberry.type(description="That an admin changed something.")
class AuditEntry:
    """A row of the audit table."""

    id: strawberry.ID = strawberry.field(resolver=row_id, description="Its id.")
    admin: strawberry.ID = strawberry.field(description="Who did it: the id of a user.")
    action: str = strawberry.field(description="The mutation that was called, such as createChannel.")
    subject: strawberry.ID | None = strawberry.field(
        description="What was changed: an id, the name of a notification type, or null where there is only one."
    )
    subject_name: str | None = strawberry.field(
        description="What it was called then; null if it has only an id."
    )
    changed: list[str] = strawberry.field(
        description="The names of the fields that became different, never what is in them; empty for what was "
        "made, removed or sent."
    )
    created_at: DateTime = strawberry.field(description="When it was done.")


@strawberry.type(description="An entry of the audit log in a page.")
class AuditEdge:
    """See resolvers.page.Edge."""

    node: AuditEntry = strawberry.field(description="The entry.")
    cursor: str = strawberry.field(description="Continue after it with this.")


@strawberry.type(description="A page of the audit log, newest first.")
class AuditConnection:
    """See resolvers.page.CountedPage."""

    edges: list[AuditEdge] = strawberry.field(description="The entries with their cursors.")
    nodes: list[AuditEntry] = strawberry.field(description="The entries.")
    page_info: PageInfo = strawberry.field(description="Where the page lies.")
    total_count: int = strawberry.field(description="Entries that match; counted only when selected.")


@strawberry.input(
    description="Which entries: fields AND together. What does not exist matches nothing; an empty list is no "
    "restriction."
)
class AuditFilter:
    """See db.audit.LISTING."""

    admin: strawberry.ID | None = strawberry.field(default=None, description="Done by this user.")
    subject: strawberry.ID | None = strawberry.field(
        default=None, description="Done to what has this id or name."
    )
    action: list[str] | None = strawberry.field(default=None, description="Done by any of these mutations.")


@strawberry.type
class AuditQuery:
    """The root field of the audit log."""

    @strawberry.field(
        graphql_type=AuditConnection | None,
        description="What admins changed, newest first: an entry for each mutation that only admins may call and "
        "that changed or sent something. Entries go after TOCSIN_AUDIT_DAYS. first: 20 unless given, 1 to 200. "
        "Admins.",
    )
    async def audit_log(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        filter: AuditFilter | None = None,
    ) -> Any:
        """List what the tenant's admins changed."""
        return await resolvers.audit.log(
            info.context,
            first,
            after,
            given(filter) if filter else {},
            with_total="totalCount" in selected(info),
        )
