"""What is served is what the sources make, and small."""

import gzip
import hashlib
import subprocess
from pathlib import Path

import pytest

from tests.bell.browser import WEB
from tests.codegen import node
from tests.support import Api
from tocsin import bell


def test_it_was_built_from_these_sources() -> None:
    """The last line of the file names them; without node this is how one sees that it is out of date."""
    names = [
        "build.mjs",
        "package-lock.json",
        *(f"src/{it}" for it in sorted(p.name for p in WEB.glob("src/*"))),
    ]
    digest = hashlib.sha256()
    for name in names:
        digest.update(f"{name}\n".encode() + (WEB / name).read_bytes())
    assert bell.FILE.read_text().splitlines()[-1] == f"// sources: {digest.hexdigest()}", "make bell"


@pytest.mark.skipif(not node.available(), reason="needs node and npm")
def test_building_it_again_gives_the_same(tmp_path: Path) -> None:
    """The operations' types and the module, byte by byte, and the types hold."""
    node.install(WEB)
    typed = (WEB / "src" / "generated.ts").read_bytes()
    for command in (
        ["npm", "run", "generate"],
        ["npm", "run", "check"],
        ["node", "build.mjs", str(tmp_path)],
    ):
        done = subprocess.run(command, cwd=WEB, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    assert (WEB / "src" / "generated.ts").read_bytes() == typed
    for name in ("bell.js", "LICENSES.txt"):
        assert (tmp_path / name).read_bytes() == (bell.FILE.parent / name).read_bytes(), name


async def test_it_is_served_to_any_origin(api: Api) -> None:
    """Compressed where that is understood, 40 KB at most, and not at all where it has not changed."""
    plain = await api.http.get("/bell.js", headers={"Accept-Encoding": "identity"})
    packed = await api.http.get("/bell.js", headers={"Accept-Encoding": "gzip"})
    assert plain.content == packed.content == bell.FILE.read_bytes()
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) <= 40_000
    assert len(gzip.compress(plain.content)) <= 40_000
    assert packed.headers["content-type"] == "text/javascript; charset=utf-8"
    assert packed.headers["access-control-allow-origin"] == "*"
    again = await api.http.get("/bell.js", headers={"If-None-Match": plain.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
