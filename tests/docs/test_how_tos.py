"""What the how-tos show about other people's tokens and our webhooks, with real keys and a real receiver."""

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest

from resolvers.principal import Role
from tests.delivery.test_webhook import MESSAGE, PREVIOUS, SECRET, received
from tests.docs.blocks import titled
from tests.tocsin.test_jwks import RSA_KEY, Server, key_set, public_rsa
from tocsin.auth import Authenticator
from tocsin.settings import Settings

AUTHENTICATION, WEBHOOKS = "docs/how-to/authentication.md", "docs/how-to/webhooks.md"
_EXPORT = re.compile(r"^export TOCSIN_(\w+)=(\S+)$", re.MULTILINE)


@pytest.fixture
def issuer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server that publishes an RSA key."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    started = Server()
    started.body = key_set(public_rsa())
    yield started
    started.stop()


@pytest.mark.parametrize(
    ("provider", "tenant", "roles"),
    [("Auth0", "org_acme", {Role.USER, Role.ADMIN}), ("Keycloak", "acme", {Role.USER})],
)
async def test_a_providers_token(issuer: Server, provider: str, tenant: str, roles: set[Role]) -> None:
    """With the page's settings, a token with the page's claims is accepted; one for another audience is not."""
    shown = titled(AUTHENTICATION, provider)
    given = {name.lower(): value for name, value in _EXPORT.findall(shown["sh"])}
    settings = Settings.model_validate({**given, "jwks_url": issuer.url})
    claims = json.loads(shown["json"]) | {"iat": int(time.time()), "exp": int(time.time()) + 60}
    authenticator = Authenticator(settings)

    async def principal(**changes: Any) -> Any:
        token = jwt.encode({**claims, **changes}, RSA_KEY, "RS256", {"kid": "r1"})
        return await authenticator.principal(token)

    found = await principal()
    assert (found.user_id, found.tenant_id, set(found.roles)) == (claims["sub"], tenant, roles)
    with pytest.raises(Exception, match="A valid token is required"):
        await principal(aud="another")


_RUN_PYTHON = """
import json, sys
from verify import verify
said = json.load(sys.stdin)
print(json.dumps(verify(said["secret"], said["headers"], said["body"].encode())))
"""
_RUN_NODE = """
import { readFileSync } from "node:fs";
import { verify } from "./verify.mjs";
const { secret, headers, body } = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify(verify(secret, headers, Buffer.from(body))));
"""
_COMMANDS = {
    "verify.py": [sys.executable, "-c", _RUN_PYTHON],
    "verify.mjs": ["node", "--input-type=module", "-e", _RUN_NODE],
}


@pytest.mark.parametrize(("name", "language"), [("verify.py", "python"), ("verify.mjs", "js")])
async def test_a_webhook_is_verified(tmp_path: Path, name: str, language: str) -> None:
    """What really arrived, with the new secret and with the old one; not with a letter more, nor late."""
    if not shutil.which(_COMMANDS[name][0]):
        pytest.skip("needs node")
    (tmp_path / name).write_text(titled(WEBHOOKS, name)[language])
    headers, raw = await received(MESSAGE, previous=(PREVIOUS,))
    body = raw.decode()

    def verified(**said: object) -> "subprocess.CompletedProcess[str]":
        given = json.dumps({"secret": SECRET, "headers": headers, "body": body} | said)
        return subprocess.run(
            _COMMANDS[name], input=given, cwd=tmp_path, text=True, capture_output=True, check=False
        )

    for secret in (SECRET, PREVIOUS):
        assert json.loads(verified(secret=secret).stdout) == json.loads(body)
    old = headers | {"webhook-timestamp": str(int(headers["webhook-timestamp"]) - 301)}
    assert [(it.returncode, it.stdout) for it in (verified(body=body + " "), verified(headers=old))] == [
        (1, "")
    ] * 2


def test_the_body_that_is_shown() -> None:
    """It has the keys of one that is sent."""
    shown = json.loads(titled(WEBHOOKS, "body")["json"])
    assert shown.keys() == {"type", "timestamp", "data"}
    assert len(shown["data"]) == 12
