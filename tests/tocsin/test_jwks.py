"""JWKS by URL: a real HTTP server that rotates, stalls, lies and dies."""

import asyncio
import json
import logging
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any, cast

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from resolvers.errors import ErrorCode, TocsinError
from tocsin.auth import Authenticator
from tocsin.jwks import MAX_AGE_SECONDS, MAX_BYTES, parse_key_set
from tocsin.settings import Settings

NOW = 1_790_000_000
KEYS = {kid: ec.generate_private_key(ec.SECP256R1()) for kid in ("k1", "k2", "k3")}
RSA_KEY = rsa.generate_private_key(65537, 2048)


class Server(ThreadingHTTPServer):
    """Answers every GET with `body` once `gate` is open and counts the requests."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int] = ("127.0.0.1", 0)) -> None:
        super().__init__(address, Handler)
        self.status = 200
        self.location: str | None = None
        self.body = b""
        self.gate = Event()
        self.gate.set()
        self.hits = 0
        Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        """The address of the key set."""
        return f"http://127.0.0.1:{self.server_port}/jwks.json"

    def publish(self, *kids: str) -> None:
        """Answer with these keys from now on."""
        self.body = key_set(*(public(kid) for kid in kids))

    def stop(self) -> None:
        """Refuse connections from now on."""
        self.gate.set()
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    """One request."""

    def do_GET(self) -> None:
        """Answer as the server is told to."""
        server = cast("Server", self.server)
        server.hits += 1
        body = server.body
        server.gate.wait(10)
        self.send_response(server.status)
        if server.location:
            self.send_header("Location", server.location)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Keep the test's output clean."""


class Clock:
    """Seconds that pass when a test says so."""

    now = 1_000.0

    def __call__(self) -> float:
        """Return the fake time."""
        return self.now


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Return a server that publishes k1."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    started = Server()
    started.publish("k1")
    yield started
    started.stop()


@pytest.fixture
def clock() -> Clock:
    """Return the clock of key ages."""
    return Clock()


@pytest.fixture
def verifier(server: Server, clock: Clock) -> Authenticator:
    """Return an ES256 authenticator of the server."""
    return authenticator(server.url, clock)


def authenticator(url: str, clock: Clock, algorithm: str = "ES256") -> Authenticator:
    """Return an authenticator whose Unix time stands still."""
    settings = Settings.model_validate({"jwt_algorithm": algorithm, "jwks_url": url})
    return Authenticator(settings, clock=lambda: NOW, monotonic=clock)


def public(kid: str, /, **changes: Any) -> dict[str, Any]:
    """Return the JWK of one of `KEYS`."""
    return {**ECAlgorithm.to_jwk(KEYS[kid].public_key(), as_dict=True), "kid": kid, **changes}


def public_rsa(key: rsa.RSAPrivateKey = RSA_KEY, **changes: Any) -> dict[str, Any]:
    """Return the JWK of an RSA key."""
    return {**RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": "r1", **changes}


def key_set(*keys: Any) -> bytes:
    """Return a JWKS document."""
    return json.dumps({"keys": keys}).encode()


def token(key: str = "k1", **header: Any) -> str:
    """Return a token signed with one of `KEYS`, which the header names unless told otherwise."""
    claims = {"iss": "tocsin", "aud": "tocsin", "sub": "ada", "tenant": "acme", "iat": NOW, "exp": NOW + 60}
    headers = {"kid": key, **header}
    return jwt.encode(claims, KEYS[key], "ES256", {k: v for k, v in headers.items() if v is not None})


async def accepted(verifier: Authenticator, text: str) -> bool:
    """Return whether the token is accepted; a refusal must be the one of all tokens."""
    try:
        await verifier.principal(text)
    except TocsinError as error:
        refusal = error
    else:
        return True
    assert refusal.code is ErrorCode.UNAUTHENTICATED
    assert str(refusal) == "A valid token is required."
    return False


async def until_hits(server: Server, hits: int) -> None:
    """Wait until the server has been asked so often."""
    async with asyncio.timeout(5):
        while server.hits < hits:  # noqa: ASYNC110 - the server is another thread
            await asyncio.sleep(0.002)


async def settled(verifier: Authenticator) -> None:
    """Wait for the fetch under way."""
    fetch = cast("Any", verifier._keys)._fetch
    if fetch is not None:
        await fetch


@asynccontextmanager
async def no_stall(seconds: float = 2.0) -> AsyncIterator[None]:
    """Assert that the event loop never pauses for longer."""
    gaps: list[float] = []

    async def measure() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.002)
            gaps.append(time.perf_counter() - before)

    task = asyncio.create_task(measure())
    try:
        yield
    finally:
        task.cancel()
    assert max(gaps) < seconds


async def test_the_set_is_fetched_once_and_kept(server: Server, verifier: Authenticator) -> None:
    """100 first callers share one fetch; later ones need none."""
    assert all(await asyncio.gather(*(accepted(verifier, token()) for _ in range(100))))
    assert all([await accepted(verifier, token()) for _ in range(100)])
    assert server.hits == 1


async def test_rsa_keys_work_too(server: Server, clock: Clock) -> None:
    """The set is the same for RS256, with keys of its own type."""
    server.body = key_set(public("k1"), public_rsa())
    claims = {"iss": "tocsin", "aud": "tocsin", "sub": "ada", "tenant": "acme", "iat": NOW, "exp": NOW + 60}
    verifier = authenticator(server.url, clock, "RS256")
    assert await accepted(verifier, jwt.encode(claims, RSA_KEY, "RS256", {"kid": "r1"}))
    assert await accepted(verifier, jwt.encode(claims, RSA_KEY, "RS256"))
    assert not await accepted(verifier, jwt.encode(claims, RSA_KEY, "RS256", {"kid": "k1"}))
    assert not await accepted(verifier, token())


@pytest.mark.parametrize(
    "header",
    [{"kid": "k2"}, {"kid": "../k1"}, {"kid": "k1\0"}, {"kid": ""}, {"kid": "K1"}, {"kid": "k" * 300}],
)
async def test_a_kid_that_is_not_in_the_set_is_refused(
    verifier: Authenticator, header: dict[str, Any]
) -> None:
    """The right key under another name is not the right key."""
    assert await accepted(verifier, token())
    assert not await accepted(verifier, token(**header))


async def test_a_kid_of_another_key_is_refused(server: Server, verifier: Authenticator) -> None:
    """The key of the kid verifies, no other is tried."""
    server.publish("k1", "k2")
    assert not await accepted(verifier, token("k2", kid="k1"))


async def test_without_kid_only_a_set_of_one_usable_key_answers(server: Server, clock: Clock) -> None:
    """Unusable keys do not count; two usable ones are a guess."""
    server.body = key_set(public("k1"), public("k2", use="enc"), public_rsa())
    assert await accepted(authenticator(server.url, clock), token(kid=None))
    server.publish("k1", "k2")
    assert not await accepted(authenticator(server.url, clock), token(kid=None))


async def test_headers_never_name_another_server(verifier: Authenticator) -> None:
    """`jku`, `x5u` and `jwk` are the sender's word (RFC 8725, section 3.10)."""
    other = Server()
    other.publish("k2")
    for header in ({"jku": other.url}, {"x5u": other.url}, {"jwk": public("k2")}):
        assert not await accepted(verifier, token("k2", **header))
        assert not await accepted(verifier, token("k2", kid="k1", **header))
    assert other.hits == 0
    other.stop()


async def test_another_algorithm_does_not_cause_a_fetch(server: Server, verifier: Authenticator) -> None:
    """What needs no key is checked before one is sought."""
    assert not await accepted(verifier, jwt.encode({}, "x" * 32, "HS256", {"kid": "k1"}))
    assert not await accepted(verifier, token(crit=["exp"]))
    assert server.hits == 0


@pytest.mark.usefixtures("uncollected")  # a full collection among all that tests have loaded takes a second
async def test_a_rotation_under_load_refuses_no_valid_token(
    server: Server, clock: Clock, verifier: Authenticator
) -> None:
    """40 clients go on while k2 joins, becomes the signer, and k1 leaves."""
    signer, done, refused, sent = "k1", False, 0, 0

    async def client() -> None:
        nonlocal refused, sent
        while not done:
            refused += not await accepted(verifier, token(signer))
            sent += 1
            await asyncio.sleep(0)

    async with no_stall():
        clients = [asyncio.create_task(client()) for _ in range(40)]
        for published, signs in ((("k1", "k2"), "k2"), (("k2", "k3"), "k3"), (("k3",), "k3")):
            await asyncio.sleep(0.1)
            server.publish(*published)
            signer = signs
            await asyncio.sleep(0.1)
            clock.now += MAX_AGE_SECONDS
        await asyncio.sleep(0.1)
        done = True
        await asyncio.gather(*clients)
    assert (refused, server.hits) == (0, 6)
    assert sent > 100
    assert not await accepted(verifier, token("k1"))


async def test_a_key_that_joins_during_a_fetch_is_found(
    server: Server, clock: Clock, verifier: Authenticator
) -> None:
    """A fetch that began too early is followed by another."""
    assert await accepted(verifier, token())
    clock.now += MAX_AGE_SECONDS
    server.gate.clear()
    assert await accepted(verifier, token())
    await until_hits(server, 2)
    server.publish("k1", "k2")
    waiting = asyncio.gather(*(accepted(verifier, token("k2")) for _ in range(20)))
    await asyncio.sleep(0.02)
    server.gate.set()
    assert all(await waiting)
    assert server.hits == 3


async def test_a_key_that_left_the_set_is_refused(
    server: Server, clock: Clock, verifier: Authenticator
) -> None:
    """A fetched set replaces the old one whole; its age is what starts the fetch."""
    assert await accepted(verifier, token("k1"))
    server.publish("k2")
    clock.now += MAX_AGE_SECONDS - 1
    assert await accepted(verifier, token("k1"))
    assert server.hits == 1
    clock.now += 1
    assert await accepted(verifier, token("k1"))
    await settled(verifier)
    assert server.hits == 2
    assert not await accepted(verifier, token("k1"))
    assert await accepted(verifier, token("k2"))


@pytest.mark.usefixtures("uncollected")
async def test_a_slow_server_holds_up_only_unknown_keys(
    server: Server, clock: Clock, verifier: Authenticator
) -> None:
    """Known keys are answered in the meantime, and the loop goes on."""
    assert await accepted(verifier, token())
    clock.now += MAX_AGE_SECONDS
    server.gate.clear()
    async with no_stall():
        unknown = asyncio.create_task(accepted(verifier, token("k2")))
        await until_hits(server, 2)
        async with asyncio.timeout(3):
            for _ in range(100):
                assert await accepted(verifier, token())
                await asyncio.sleep(0.002)
        assert not unknown.done()
        server.gate.set()
        assert not await unknown
    assert server.hits == 2


async def test_a_caller_that_gives_up_does_not_stop_the_fetch(
    server: Server, verifier: Authenticator
) -> None:
    """A closed connection must not cost the others their key."""
    server.gate.clear()
    first, second = (asyncio.create_task(accepted(verifier, token())) for _ in range(2))
    await until_hits(server, 1)
    first.cancel()
    await asyncio.sleep(0.01)
    server.gate.set()
    assert await second
    assert first.cancelled()
    assert server.hits == 1


async def test_a_server_that_is_down_after_the_first_fetch_changes_nothing(
    server: Server, clock: Clock, verifier: Authenticator
) -> None:
    """Its last word counts, for hours."""
    assert await accepted(verifier, token())
    server.stop()
    for _ in range(20):
        clock.now += MAX_AGE_SECONDS
        assert await accepted(verifier, token())
        assert not await accepted(verifier, token("k2"))


async def test_a_server_that_comes_up_late_is_found(
    server: Server, clock: Clock, verifier: Authenticator
) -> None:
    """Failed fetches count, so recovery takes a minute at most."""
    server.status = 503
    assert [await accepted(verifier, token()) for _ in range(5)] == [False] * 5
    assert server.hits == 2
    server.status = 200
    clock.now += 60
    assert await accepted(verifier, token())


async def test_a_flood_of_unknown_kids_costs_two_fetches_a_minute(
    server: Server, clock: Clock, verifier: Authenticator
) -> None:
    """Ten minutes of it; valid tokens are answered all along."""
    starts: list[float] = []
    for second in range(0, 600, 5):
        clock.now = 1_000.0 + second
        flood = (accepted(verifier, token(kid=f"unknown-{second}-{n}")) for n in range(10))
        results = await asyncio.gather(accepted(verifier, token()), *flood, accepted(verifier, token()))
        assert results == [True, *[False] * 10, True]
        starts += [clock.now] * (server.hits - len(starts))
    assert all(late - early >= 60 for early, late in zip(starts, starts[2:], strict=False))
    assert 18 <= len(starts) <= 20


GARBAGE: dict[str, bytes] = {
    "nothing": b"",
    "HTML": b"<html>503</html>",
    "not UTF-8": b"\xff\xfe\xfd",
    "an array": b"[]",
    "a number": b"7",
    "no keys": b"{}",
    "keys null": b'{"keys": null}',
    "keys an object": b'{"keys": {}}',
    "an empty set": b'{"keys": []}',
    "keys of no type": b'{"keys": [1, null, "k", [], {}]}',
    "only an oct key": key_set({"kty": "oct", "kid": "k2", "k": "c2VjcmV0" * 8, "alg": "ES256"}),
    "only an RSA key": key_set(public_rsa(kid="k2")),
    "nested too deeply": b"[" * 100_000,
    "cut short": key_set(public("k2"))[:-1],
    "over 1 MiB": key_set(public("k2"), " " * MAX_BYTES),
}


@pytest.mark.parametrize("body", GARBAGE.values(), ids=GARBAGE)
async def test_garbage_keeps_the_old_set(
    server: Server, clock: Clock, verifier: Authenticator, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """A broken answer is logged once and is no reason to log anyone out."""
    assert await accepted(verifier, token())
    server.body = body
    clock.now += MAX_AGE_SECONDS
    with caplog.at_level(logging.WARNING):
        assert not await accepted(verifier, token("k2"))
    assert await accepted(verifier, token())
    await settled(verifier)
    assert server.hits == 3
    assert "stays as it was" in caplog.records[0].getMessage()


@pytest.mark.parametrize("status", [204, 400, 404, 429, 500, 503])
async def test_an_error_keeps_the_old_set(
    server: Server, clock: Clock, verifier: Authenticator, status: int
) -> None:
    """A body that comes with an error is not read."""
    assert await accepted(verifier, token())
    server.status = status
    server.publish("k2")
    clock.now += MAX_AGE_SECONDS
    assert not await accepted(verifier, token("k2"))
    assert await accepted(verifier, token())


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("target", ["http", "file:///etc/hostname", "ftp://127.0.0.1/", "data:,x"])
async def test_redirects_are_not_followed(
    server: Server, verifier: Authenticator, status: int, target: str
) -> None:
    """Not even to the same scheme: the configured address is the one that is trusted."""
    other = Server()
    other.publish("k1")
    server.status, server.location = status, other.url if target == "http" else target
    assert not await accepted(verifier, token())
    assert (server.hits, other.hits) == (1, 0)
    other.stop()


async def test_a_server_that_hangs_up_is_an_error_like_any_other(clock: Clock) -> None:
    """Nothing but the one refusal reaches the client."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            connection, _ = listener.accept()
            connection.sendall(b"nonsense\r\n\r\n")
            connection.close()

        Thread(target=hang_up, daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        assert not await accepted(authenticator(url, clock), token())


async def test_a_trickle_ends(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole answer has a time limit, not only each read."""
    monkeypatch.setattr("tocsin.jwks.TIMEOUT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def trickle() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
                for _ in range(100):
                    try:
                        connection.sendall(b" ")
                    except OSError:
                        return
                    time.sleep(0.02)

        thread = Thread(target=trickle, daemon=True)
        thread.start()
        verifier = authenticator(f"http://127.0.0.1:{listener.getsockname()[1]}/", clock)
        started = time.perf_counter()
        assert not await accepted(verifier, token())
        await settled(verifier)
        assert time.perf_counter() - started < 1
        thread.join(3)


UNUSABLE: dict[str, Any] = {
    "oct": {"kty": "oct", "kid": "bad", "k": "c2VjcmV0" * 8},
    "oct that says ES256": {"kty": "oct", "kid": "bad", "k": "c2VjcmV0" * 8, "alg": "ES256", "use": "sig"},
    "RSA": public_rsa(kid="bad"),
    "another curve": {
        **ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP384R1()).public_key(), as_dict=True),
        "kid": "bad",
    },
    "the curve misnamed": public("k2", kid="bad", crv="P-384"),
    "another algorithm": public("k2", kid="bad", alg="ES384"),
    "algorithm null": public("k2", kid="bad", alg=None),
    "for encryption": public("k2", kid="bad", use="enc"),
    "for other operations": public("k2", kid="bad", key_ops=["encrypt"]),
    "operations of no type": public("k2", kid="bad", key_ops=7),
    "kid of no type": public("k2", kid=["bad"]),
    "not on the curve": public("k2", kid="bad", x=public("k3")["x"]),
    "coordinates of no type": public("k2", kid="bad", x=7),
    "coordinates not base64": public("k2", kid="bad", x="\ud800"),
    "private": {**ECAlgorithm.to_jwk(KEYS["k2"], as_dict=True), "kid": "bad"},
    "kty of no type": public("k2", kid="bad", kty=["EC"]),
    "a string": "bad",
}


@pytest.mark.parametrize("jwk", UNUSABLE.values(), ids=UNUSABLE)
def test_an_unusable_key_is_left_out(jwk: Any) -> None:
    """The rest of the set still counts."""
    good = public("k1", alg="ES256", use="sig", key_ops=["verify"])
    assert [kid for kid, _ in parse_key_set(key_set(jwk, good), "ES256")] == ["k1"]
    with pytest.raises(ValueError, match="no key for ES256"):
        parse_key_set(key_set(jwk), "ES256")


@pytest.mark.parametrize(
    "jwk",
    [
        public("k1"),
        public_rsa(alg="RS512"),
        public_rsa(rsa.generate_private_key(65537, 1024)),
        public_rsa(n="AQ"),
        public_rsa(e=None),
        {**RSAAlgorithm.to_jwk(RSA_KEY, as_dict=True), "kid": "r1"},
    ],
)
def test_an_unusable_rsa_key_is_left_out(jwk: dict[str, Any]) -> None:
    """Short keys too (RFC 7518, section 3.3)."""
    assert len(parse_key_set(key_set(jwk, public_rsa()), "RS256")) == 1
    with pytest.raises(ValueError, match="no key for RS256"):
        parse_key_set(key_set(jwk), "RS256")
