"""All forged tokens, then keys that rotate while their server stalls, lies and dies: `make soak`."""

import asyncio
import gc
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import count
from typing import NamedTuple

from resolvers.errors import TocsinError
from tests.figures import report
from tests.tocsin.test_auth import ACCEPTED, FORGED, SETTINGS
from tests.tocsin.test_auth import NOW as AUTH_NOW
from tests.tocsin.test_jwks import NOW, Server, accepted, token
from tocsin.auth import Authenticator
from tocsin.settings import Settings

_CLIENTS, _FLOODERS = 20, 10
# A request comes to the server a little after it is counted.
_MOST_FETCHES, _MINUTE = 2, 59.0
_MOST_STALL, _MOST_PAUSE = 0.05, 1.0


async def _is_accepted(alg: str, text: str) -> bool:
    with suppress(TocsinError):
        await Authenticator(SETTINGS[alg], clock=lambda: AUTH_NOW).principal(text)
        return True
    return False


async def forgeries() -> bool:
    """Show every token of the tests once more, to the authenticator that it is for."""
    wrong = [name for name, (alg, text) in FORGED.items() if await _is_accepted(alg, text)]
    missed = [name for name, (alg, text, _) in ACCEPTED.items() if not await _is_accepted(alg, text)]
    figures = (
        f"{len(FORGED)} forged tokens, {len(wrong)} accepted{wrong or ''};"
        f" {len(ACCEPTED)} valid ones, {len(missed)} refused{missed or ''}"
    )
    return report("Forged tokens", figures, holds=not wrong and not missed)


class _Run:
    """What has happened so far while keys rotate."""

    def __init__(self, server: Server, verifier: Authenticator) -> None:
        self.server, self._verifier = server, verifier
        self.signer, self.over = "k1", False
        self.valid = self.refused = self.unknown = self.forged = 0
        self.stall = self.pause = 0.0
        self.fetches: list[float] = []

    async def client(self) -> None:
        """Show valid tokens."""
        while not self.over:
            self.refused += not await accepted(self._verifier, token(self.signer))
            self.valid += 1
            await asyncio.sleep(0.01)

    async def flooder(self, name: int) -> None:
        """Show tokens of keys that nobody has."""
        for number in count():
            if self.over:
                return
            self.forged += await accepted(self._verifier, token(kid=f"{name}-{number}"))
            self.unknown += 1
            await asyncio.sleep(0.01)

    async def watch(self) -> None:
        """Note how long the loop halts, and when the server is asked.

        Two times: what the loop itself did without a pause, and the clock's, which a busy machine draws out.
        """
        while not self.over:
            before, worked = time.perf_counter(), time.thread_time()
            await asyncio.sleep(0.002)
            self.stall = max(self.stall, time.thread_time() - worked)
            self.pause = max(self.pause, time.perf_counter() - before - 0.002)
            self.fetches += [time.monotonic()] * (self.server.hits - len(self.fetches))

    def most_a_minute(self) -> int:
        """Return the most fetches in any minute."""
        return max(sum(0 <= other - one < _MINUTE for other in self.fetches) for one in self.fetches)


class _Stage(NamedTuple):
    at: float
    what: Callable[[_Run], object]


def _publish(*kids: str) -> Callable[[_Run], object]:
    return lambda run: run.server.publish(*kids)


def _sign_with(kid: str) -> Callable[[_Run], object]:
    return lambda run: setattr(run, "signer", kid)


def _lie(body: bytes) -> Callable[[_Run], object]:
    return lambda run: setattr(run.server, "body", body)


# In seconds. A key is published a minute before it signs, as issuers do.
_STAGES = (
    _Stage(5, _publish("k1", "k2")),
    _Stage(70, _sign_with("k2")),
    _Stage(72, lambda run: run.server.gate.clear()),
    _Stage(85, lambda run: run.server.gate.set()),
    _Stage(86, _lie(b"<html>503</html>")),
    _Stage(120, _publish("k2", "k3")),
    _Stage(121, lambda run: setattr(run.server, "status", 503)),
    _Stage(150, lambda run: setattr(run.server, "status", 200)),
    _Stage(215, _sign_with("k3")),
    _Stage(216, lambda run: run.server.stop()),
    _Stage(230, lambda run: setattr(run, "over", True)),
)


async def _direct(run: _Run) -> None:
    began = time.monotonic()
    for stage in _STAGES:
        await asyncio.sleep(began + stage.at - time.monotonic())
        stage.what(run)


async def rotation() -> bool:
    """Rotate keys for some minutes under load; valid tokens must pass all along."""
    server = Server()
    server.publish("k1")
    settings = Settings.model_validate({"jwt_algorithm": "ES256", "jwks_url": server.url})
    run = _Run(server, Authenticator(settings, clock=lambda: NOW))
    tasks: list[Awaitable[None]] = [_direct(run), run.watch()]
    tasks += [run.client() for _ in range(_CLIENTS)]
    tasks += [run.flooder(number) for number in range(_FLOODERS)]
    await asyncio.gather(*tasks)
    return report(
        "Keys rotate, their server stalls, lies and dies, unknown keys flood",
        f"{run.valid:,} valid tokens, {run.refused} refused; {run.unknown:,} of unknown keys,"
        f" {run.forged} accepted; at most {run.most_a_minute()} fetches a minute; the loop halted for"
        f" {run.stall * 1000:.0f} ms of CPU, {run.pause * 1000:.0f} ms in all",
        holds=not (run.refused or run.forged)
        and run.most_a_minute() <= _MOST_FETCHES
        and run.stall <= _MOST_STALL
        and run.pause <= _MOST_PAUSE,
    )


async def _main() -> bool:
    gc.collect()
    gc.freeze()  # what was imported, as a server has it
    return all([await forgeries(), await rotation()])


if __name__ == "__main__":
    sys.exit(not asyncio.run(_main()))
