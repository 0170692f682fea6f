"""What a server's first answers cost, and what it keeps of documents: `python -m bench.cold [documents]`.

A real `tocsin serve` on an embedded Postgres; CPU of its threads and resident memory are the kernel's figures.
docs/benchmarks.md has figures.
"""

import json
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import NamedTuple

import httpx

from bench.process import cpu_ms, kilobytes
from tests.tocsin.processes import Running, Tocsin

ROUNDS = 5
ROWS = 20
_WARM = 200
_PAGE = """query Page%(n)s { notifications(first: 20) { totalCount unreadCount pageInfo { hasNextPage endCursor }
  nodes { id title body type category severity read createdAt url icon actions { label url } } } }"""
_BADGE = "query Badge%(n)s { stats { unread } }"
_MUTATION = "mutation ReadAll%(n)s { markAllRead { marked stats { unread } } }"
TYPICAL = (_PAGE, _BADGE, _MUTATION)
"""What a frontend sends, in equal parts."""


class First(NamedTuple):
    """Milliseconds of CPU of a server that has just started, by answer."""

    page: float
    badge: float
    another_page: float
    known_page: float


class Client:
    """Somebody with rows, who asks one server."""

    def __init__(self, running: Running, token: str) -> None:
        self.pid = running.process.pid
        headers = {"Authorization": f"Bearer {token}"}
        self._http = httpx.Client(base_url=running.url, headers=headers, verify=False, timeout=30)

    def ask(self, text: str) -> float:
        """Return the milliseconds of CPU that an answer took in the server."""
        before = cpu_ms(self.pid)
        answer = self._http.post("/graphql", json={"query": text})
        assert "errors" not in answer.json(), answer.text
        return cpu_ms(self.pid) - before


def _first(tocsin: Tocsin, token: str) -> First:
    with tocsin.serve() as running:
        client = Client(running, token)
        page, badge, another = (client.ask(text % {"n": n}) for n, text in enumerate((_PAGE, _BADGE, _PAGE)))
        known = [client.ask(_PAGE % {"n": 0}) for _ in range(_WARM)]
        running.end()
    return First(page, badge, another, median(known))


def _growth(tocsin: Tocsin, token: str, many: int, kinds: tuple[str, ...]) -> dict[int, int]:
    """Return the KB that a server holds after a tenth of the documents and after all, beyond those before any."""
    with tocsin.serve() as running:
        client = Client(running, token)
        for text in kinds:
            for _ in range(_WARM):
                client.ask(text % {"n": ""})
        before, held = kilobytes(client.pid), {0: 0}
        for number in range(1, many + 1):
            client.ask(kinds[number % len(kinds)] % {"n": number})
            if number % (many // 10) == 0:
                held[number] = kilobytes(client.pid) - before
        running.end()
    return held


def main() -> None:
    """Print what was measured."""
    many = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory() as folder:
        tocsin = Tocsin(Path(folder) / "data", afresh=True)
        line = {"tenant": "acme", "recipients": ["ada"], "type": "a", "category": "a", "body": "b" * 100}
        lines = [json.dumps(line | {"title": f"Number {n}"}) for n in range(ROWS)]
        assert tocsin.run("import", "/dev/stdin", stdin="\n".join(lines).encode()).code == 0
        token = tocsin.token("acme", "ada")
        rounds = [_first(tocsin, token) for _ in range(ROUNDS)]
        for name, values in zip(First._fields, zip(*rounds, strict=True), strict=True):
            told = ", ".join(f"{it:.1f}" for it in values)
            print(f"{name}: {median(values):.1f} ms of CPU ({told})")  # noqa: T201
        for kinds, documents in ((TYPICAL, many), ((_PAGE,), many // 10), ((_BADGE,), many // 10)):
            held = _growth(tocsin, token, documents, kinds)
            told = ", ".join(f"{n:,}: {kb:,} KB" for n, kb in held.items())
            print(f"{len(kinds)} kinds of documents: {told}")  # noqa: T201


if __name__ == "__main__":
    main()
