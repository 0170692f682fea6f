"""Agents: programs with a key of their own."""

from typing import Any

import strawberry

import resolvers.agent
from schema.info import Info
from schema.page import row_id
from schema.scalars import DateTime


@strawberry.type(description="A program that calls the API of one tenant with a key of its own.")
class Agent:
    """A row of the agent table."""

    id: strawberry.ID = strawberry.field(resolver=row_id, description="Its id.")
    name: str = strawberry.field(description="Its name, for people.")
    types: list[str] | None = strawberry.field(description="The only types that it may send; null: any.")
    key_prefix: str = strawberry.field(
        description="The part of its key before the secret, to tell keys apart by."
    )
    created_at: DateTime = strawberry.field(description="When it was made.")
    last_used_at: DateTime | None = strawberry.field(
        description="When its key was last used, give or take a minute; null: never."
    )
    revoked_at: DateTime | None = strawberry.field(
        description="When its access was taken away; null: it was not."
    )


@strawberry.type(description="A new agent with its key.")
class AgentPayload:
    """See resolvers.agent.AgentPayload."""

    agent: Agent = strawberry.field(description="The agent.")
    key: str = strawberry.field(description="Its bearer token. It is shown here and never again.")


@strawberry.type
class AgentMutation:
    """Root fields that change agents."""

    @strawberry.field(
        graphql_type=AgentPayload | None,
        description="The key is shown once. types: the only types it may send, 1 to 100; null: any. Admins.",
    )
    async def create_agent(self, info: Info, name: str, types: list[str] | None = None) -> Any:
        """Make an agent."""
        return await resolvers.agent.create(info.context, name, types)

    @strawberry.field(
        graphql_type=Agent | None,
        description="Its key is refused within 5 seconds, everywhere, and its open sockets close with 4403. "
        "Revoking twice changes nothing. Absent and foreign ids are the same NOT_FOUND. Admins.",
    )
    async def revoke_agent(self, info: Info, id: strawberry.ID) -> Any:
        """Take an agent's access away."""
        return await resolvers.agent.revoke(info.context, id)
