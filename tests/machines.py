"""Agents with real keys, for tests."""

from typing import Any

from tests.support import Api

CREATE = """mutation($name: String!, $types: [String!]) {
  createAgent(name: $name, types: $types) {
    key agent { id name types keyPrefix createdAt lastUsedAt revokedAt }
  }
}"""
REVOKE = "mutation($id: ID!) { revokeAgent(id: $id) { id name types keyPrefix createdAt revokedAt } }"
TYPES = "{ notificationTypes { name category icon enabledByDefault required } }"


async def machine(admin: Api.User, **variables: Any) -> Api.User:
    """Return a new agent of the admin's tenant, as a caller with its key."""
    made = (await admin.data(CREATE, **{"name": "ci", **variables}))["createAgent"]
    return Api.User(admin.api, admin.tenant, made["agent"]["id"], made["key"])
