"""What those who write specifications publish: audits of GraphQL over HTTP, and a reader of webhooks."""

import asyncio
import json
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import pytest

from delivery.http import HttpClient
from delivery.webhook import WebhookSender
from tests.codegen import node
from tests.conformance.server import Tokens, make_app, serving
from tests.delivery.receiver import OK, receiving
from tests.delivery.test_webhook import PREVIOUS, SECRET, parcel

HERE = Path(__file__).parent

needs_node = pytest.mark.skipif(not node.available(), reason="needs node and npm")


async def run(*command: str, given: object = None) -> bytes:
    """Return what a command prints that is given JSON; fail with what it complains about."""
    process = await asyncio.create_subprocess_exec(*command, cwd=HERE, stdin=PIPE, stdout=PIPE, stderr=PIPE)
    output, complaint = await process.communicate(json.dumps(given).encode())
    assert process.returncode == 0, complaint.decode()
    return output


@needs_node
async def test_every_audit_of_graphql_http_is_ok() -> None:
    """All 61 audits of graphql-http are ok, the recommendations included."""
    node.install(HERE)
    async with serving(make_app(Tokens())) as address:
        results = json.loads(await run("node", "audit.mjs", f"http://{address}/graphql"))
    assert [result for result in results if result["status"] != "ok"] == []
    assert len(results) == 61


@needs_node
async def test_webhooks_are_read_in_javascript() -> None:
    """The npm package standardwebhooks reads what was sent, with either secret; nothing that was changed."""
    node.install(HERE)
    async with receiving(OK) as receiver, HttpClient(allow_private=True) as client:
        url = f"http://127.0.0.1:{receiver.port}/"
        await WebhookSender(client).send(parcel(url, previous=(PREVIOUS,)))
    (request,) = receiver.requests
    good: dict[str, Any] = {"secret": SECRET, "headers": request.fields, "body": request.body.decode()}
    later = request.fields | {"webhook-timestamp": str(int(request.fields["webhook-timestamp"]) + 1)}
    attempts = [
        good,
        good | {"secret": PREVIOUS},
        good | {"secret": "whsec_" + "A" * 44},
        good | {"body": good["body"] + " "},
        good | {"headers": request.fields | {"webhook-id": "another"}},
        good | {"headers": later},
    ]
    results = json.loads(await run("node", "verify.mjs", given=attempts))
    assert results == [json.loads(request.body)] * 2 + ["No matching signature found"] * 4
