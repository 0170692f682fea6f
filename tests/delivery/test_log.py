"""The worker's log: a JSON object a line, with the ids of the delivery that it is about."""

import json
from pathlib import Path

from resolvers.principal import Role
from tests.delivery.receiver import answer, receiving
from tests.delivery.support import command
from tests.delivery.test_canaries import TEST, create
from tests.support import Urls, running_server, test_settings


async def test_what_a_worker_logs(own_urls: Urls, tmp_path: Path) -> None:
    """An attempt that failed names the tenant and the delivery, and what it came to, not to whom or with what."""
    settings = test_settings(own_urls, tmp_path, allow_private_webhooks=True)
    environment = {"TOCSIN_JWT_SECRET": "x" * 32, "TOCSIN_ALLOW_PRIVATE_WEBHOOKS": "true"}
    oops = answer("500 Oops", body=b"canary-answer")
    async with running_server(settings) as api, receiving(oops) as receiver:
        root = api.user("acme", "canary-root", Role.ADMIN)
        url = f"http://{receiver.host}:{receiver.port}/canary-path"
        channel = await create(root, "WEBHOOK", url=url)
        async with command(own_urls, tmp_path, "worker", **environment) as worker:
            made = await root.data(TEST, id=channel)
            await worker.line("An attempt by WEBHOOK failed")
            worker.process.terminate()
            code, rest = await worker.end()
    log = [json.loads(line) for line in ("".join(worker.log) + rest).splitlines()]
    (line,) = [it for it in log if it["message"].startswith("An attempt")]
    assert code == 0
    assert all({"level", "logger", "message", "timestamp"} <= it.keys() for it in log)
    assert (line["tenant"], line["delivery_id"]) == ("acme", made["testChannel"]["id"])
    assert (line["level"], line["logger"]) == ("info", "delivery.dispatcher")
    assert "status 500" in line["message"]
    assert "canary" not in repr(log)
