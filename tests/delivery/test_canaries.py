"""Secrets that are looked for everywhere after everything went wrong: they are nowhere."""

import asyncio
import json
import logging
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from resolvers.principal import Role
from tests.delivery.receiver import answer, receiving
from tests.delivery.support import Eye, command
from tests.support import Api, Urls, running_server, test_settings

CREATE = "mutation($input: ChannelInput!) { createChannel(input: $input) { secret channel { id } } }"
TEST = "mutation($id: ID!) { testChannel(id: $id) { id } }"
ROTATE = "mutation($id: ID!) { rotateChannelSecret(id: $id) { secret } }"
RETRY = "mutation($id: ID!) { retryDelivery(id: $id) { id status } }"
EVERYTHING = """{
  channels(first: 50) { nodes { id kind name config lastDelivery { reason attempts { error } } } }
  deliveries(first: 100) { nodes { id status reason attempts { number statusCode error } channel { config } } }
}"""
NOTIFY = """mutation { notify(input: {
  recipients: [{id: "root", email: "root@example.com"}], type: "a.b", title: "x"}) { created } }"""

SIGNING = "whsec_" + b64encode(b"canary-signing-secret-of-32-byte").decode()
SLACK, PASSWORD = "canary-slack-path", "canary-smtp-password"
CANARIES = (SIGNING, SIGNING.removeprefix("whsec_"), "canary-", b"canary-".hex())


async def create(root: Api.User, kind: str, **config: str) -> str:
    """Make a channel and return its id."""
    input = {"kind": kind, "name": kind.lower(), "config": config}
    return str((await root.data(CREATE, input=input))["createChannel"]["channel"]["id"])


async def over(root: Api.User, count: int) -> bytes:
    """Return all that an admin sees as soon as each of so many deliveries has had an attempt."""
    async with asyncio.timeout(30):
        while True:
            seen = await root.ask(EVERYTHING)
            nodes = seen.data["deliveries"]["nodes"]
            if len(nodes) == count and all(node["attempts"] for node in nodes):
                return seen.content
            await asyncio.sleep(0.1)


async def dump(eye: Eye) -> str:
    """Return every row of every table, as text."""
    tables = await eye.sql.fetch("select tablename from pg_tables where schemaname = 'tocsin'")
    rows: list[Any] = []
    for table in tables:
        rows += await eye.sql.fetch(f"select it::text as row from tocsin.{table['tablename']} it")
    return "\n".join(row["row"] for row in rows)


async def test_they_are_nowhere(
    own_urls: Urls, own_eye: Eye, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Not in answers, logs, errors or a dump, though receivers repeat them, refuse, and break the protocol."""
    caplog.set_level(logging.DEBUG)
    echo = answer("500 Oops", f"X-Echo: {SLACK}", body=f"{SLACK} {SIGNING}".encode())
    settings = test_settings(own_urls, tmp_path, allow_private_webhooks=True)
    environment = {
        "TOCSIN_JWT_SECRET": "x" * 32,
        "TOCSIN_ALLOW_PRIVATE_WEBHOOKS": "true",
        "TOCSIN_SMTP_URL": f"smtp://canary-user:{PASSWORD}@127.0.0.1:1",
    }
    answers: list[bytes] = []
    async with (
        running_server(settings) as api,
        receiving(echo) as repeats,
        receiving(b"canary- no HTTP") as babbles,
    ):
        root = api.user("acme", "root", Role.ADMIN)
        here, there = (f"http://{it.host}:{it.port}/{SLACK}" for it in (repeats, babbles))
        ids = [
            await create(root, "WEBHOOK", url=here.removesuffix(SLACK), secret=SIGNING),
            *[await create(root, "SLACK", url=url) for url in (here, there, f"http://127.0.0.1:1/{SLACK}")],
            await create(root, "EMAIL", **{"from": "a@example.com"}),
        ]
        await root.data(ROTATE, id=ids[0])
        wrong = {"kind": "SLACK", "name": "x", "config": {"url": f"ftp://example.com/{SLACK}"}}
        answers.append((await root.ask(CREATE, input=wrong)).content)
        async with command(own_urls, tmp_path, "worker", **environment) as worker:
            await root.data(NOTIFY)
            for id in ids:
                await root.data(TEST, id=id)
            answers.append(await over(root, 2 * len(ids)))
            failed = [it["id"] for it in json.loads(answers[-1])["data"]["deliveries"]["nodes"]]
            answers += [(await root.ask(RETRY, id=id)).content for id in failed]
            worker.process.terminate()
            _code, log = await worker.end()
    everything = [*(it.decode() for it in answers), log, *worker.log, caplog.text, await dump(own_eye)]
    assert len(await own_eye.sql.fetch("select from tocsin.attempt")) >= 2 * len(ids)
    assert '"statusCode":500' in everything[1]  # the failures were seen
    found = [(canary, text[:200]) for canary in CANARIES for text in everything if canary in text]
    assert found == []
