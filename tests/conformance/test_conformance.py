"""The audits that the GraphQL over HTTP working group publishes."""

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from tests.conformance.server import Tokens, make_app, serving

HERE = Path(__file__).parent


async def run(*command: str) -> bytes:
    """Return what a command prints; fail with what it complains about."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=HERE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, complaint = await process.communicate()
    assert process.returncode == 0, complaint.decode()
    return output


@pytest.mark.skipif(not (shutil.which("node") and shutil.which("npm")), reason="needs node and npm")
async def test_every_audit_of_graphql_http_is_ok() -> None:
    """All 61 audits of graphql-http are ok, the recommendations included."""
    if not (HERE / "node_modules").exists():
        await run("npm", "ci", "--no-audit", "--no-fund")
    async with serving(make_app(Tokens())) as address:
        results = json.loads(await run("node", "audit.mjs", f"http://{address}/graphql"))
    assert [result for result in results if result["status"] != "ok"] == []
    assert len(results) == 61
