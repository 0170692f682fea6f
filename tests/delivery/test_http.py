"""The HTTP client against real receivers on this machine."""

import asyncio
import gc
import ssl
from datetime import timedelta

import pytest

from delivery import http
from delivery.http import HttpClient, HttpError, Response
from tests.delivery.receiver import OK, Authority, Internet, Names, Receiver, answer, receiving

BODY = b'{"hello": "world"}'
HEADERS = {"Content-Type": "application/json", "User-Agent": "Tests"}


def url(receiver: Receiver, path: str = "/") -> str:
    """Return the receiver's address in plain HTTP."""
    return f"http://{receiver.host}:{receiver.port}{path}"


async def failure(client: HttpClient, address: str) -> str:
    """Post, which must fail for now only; return what is said."""
    with pytest.raises(HttpError) as caught:
        await client.post(address, HEADERS, BODY)
    assert (str(caught.value), caught.value.final) == (caught.value.error, False)
    assert (caught.value.__cause__, caught.value.__suppress_context__) == (None, True)
    return caught.value.error


# -- what is sent, and what comes back ---------------------------------------------------------------------


async def test_a_post_as_it_arrives() -> None:
    """The line, the fields, nothing else, and the body."""
    async with receiving(OK) as receiver, HttpClient(allow_private=True) as client:
        response = await client.post(url(receiver, "/in/ü?room=1"), HEADERS, BODY)
    assert response == Response(200, None)
    (request,) = receiver.requests
    assert (request.line, request.body) == ("POST /in/%C3%BC?room=1 HTTP/1.1", BODY)
    assert request.fields == {
        "host": f"127.0.0.1:{receiver.port}",
        "content-type": "application/json",
        "user-agent": "Tests",
        "content-length": str(len(BODY)),
    }


@pytest.mark.parametrize(
    ("status", "fields", "response"),
    [
        ("200 OK", (), Response(200)),
        ("204 No Content", (), Response(204)),
        ("299 Fine", (), Response(299)),
        ("302 Found", ("Location: /elsewhere",), Response(302)),
        ("410 Gone", (), Response(410)),
        ("429 Too Many Requests", ("Retry-After: 120",), Response(429, 120)),
        ("503 Service Unavailable", ("rEtRy-AfTeR:  7 ",), Response(503, 7)),
        ("503 Service Unavailable", ("Retry-After: Fri, 31 Dec 2100 23:59:59 GMT",), Response(503, 86_400)),
        (
            "503 Service Unavailable",
            ("Date: Fri, 31 Dec 2100 23:59:00 GMT", "Retry-After: Fri, 31 Dec 2100 23:59:59 GMT"),
            Response(503, 59),
        ),
        ("503 Service Unavailable", ("Date: now", "Retry-After: 3"), Response(503, 3)),
        ("503 Service Unavailable", ("Retry-After: soon",), Response(503)),
        ("503 Service Unavailable", ("Retry-After: caf\xe9",), Response(503)),
        ("503 Service Unavailable", ("Retry-After: 1", "Retry-After: 2"), Response(503, 1)),
        ("599 Whatever", (), Response(599)),
        ("999 Beyond", (), Response(999)),
    ],
)
async def test_every_status_is_an_answer(status: str, fields: tuple[str, ...], response: Response) -> None:
    """Whether it is good news is the caller's to say; Retry-After is read where there is one."""
    raw = answer(status, *fields).decode().encode("latin-1")
    async with receiving(raw, hangs_up=True) as receiver, HttpClient(allow_private=True) as client:
        assert await client.post(url(receiver), HEADERS, BODY) == response


@pytest.mark.parametrize(
    "interim", [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n" * 3]
)
async def test_interim_answers_are_passed_over(interim: bytes) -> None:
    """1xx is not the answer."""
    async with receiving(interim + OK) as receiver, HttpClient(allow_private=True) as client:
        assert await client.post(url(receiver), HEADERS, BODY) == Response(200)


# -- bodies ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "connections"),
    [
        pytest.param(answer("200 OK", body=b"x" * 65_536), 1, id="as long as allowed"),
        pytest.param(answer("200 OK", body=b"x" * 65_537), 2, id="longer"),
        pytest.param(answer("200 OK", body=b"x" * 5_000_000), 2, id="5 MB"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"5\r\nhello\r\n" * 3 + b"0\r\n\r\n",
            1,
            id="in chunks",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n", 2, id="in broken chunks"
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nshort", 2, id="that never ends"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nbad", 1, id="not gzip"
        ),
    ],
)
async def test_a_body_changes_nothing(
    first: bytes, connections: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The status counts; a short, whole body leaves the connection for the next request, others end it."""
    monkeypatch.setattr(http, "_BODY_SECONDS", 0.2)
    async with receiving(first, OK) as receiver, HttpClient(allow_private=True) as client:
        assert await client.post(url(receiver), HEADERS, BODY) == Response(200)
        assert await client.post(url(receiver), HEADERS, BODY) == Response(200)
        assert receiver.connections == connections
    gc.collect()


async def test_a_huge_body_is_not_read() -> None:
    """Of 200 MB the receiver gets rid of what fits the cap and the buffers between."""
    sent = 0

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 200000000\r\n\r\n")
        try:
            for _ in range(2_000):
                writer.write(bytes(100_000))
                await writer.drain()
                sent += 100_000
        except ConnectionError:
            writer.close()

    server = await asyncio.start_server(pour, "127.0.0.1", 0)
    async with server, HttpClient(allow_private=True) as client:
        port = server.sockets[0].getsockname()[1]
        assert await client.post(f"http://127.0.0.1:{port}/", HEADERS, BODY) == Response(200)
    assert sent < 20_000_000


# -- failures ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"220 mail.example ESMTP\r\n\r\n", "The answer was not HTTP."),
        (b"<html>hello</html>\r\n\r\n", "The answer was not HTTP."),
        (b"\x15\x03\x01\x00\x02\x02\x46", "The answer was not HTTP."),
        (b"HTTP/1.1 OK\r\n\r\n", "The answer was not HTTP."),
        (b"HTTP/2 200 OK\r\n\r\n", "The answer was not HTTP."),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "The answer was not HTTP."),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "The answer was not HTTP."),
        (b"HTTP/1.1 200 OK\r\n bad: field\r\n\r\n", "The answer was not HTTP."),
        (b"HTTP/1.1 200 OK\r\nA: " + b"x" * 200_000, "The answer was not HTTP."),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", "The connection broke."),
        (b"HTTP", "The connection broke."),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nhello", "The answer was not HTTP."),
    ],
)
async def test_answers_that_are_none(raw: bytes, said: str) -> None:
    """Garbage, and what ends before the status is known."""
    async with receiving(raw, hangs_up=True) as receiver, HttpClient(allow_private=True) as client:
        assert await failure(client, url(receiver)) == said


async def test_a_receiver_that_hangs_up() -> None:
    """Before it has read anything."""
    async with receiving() as receiver, HttpClient(allow_private=True) as client:
        assert await failure(client, url(receiver)) == "The connection broke."


async def test_nobody_listens() -> None:
    """The port is closed."""
    async with receiving() as receiver:
        pass
    async with HttpClient(allow_private=True) as client:
        assert await failure(client, url(receiver)) == "The connection was refused."


async def test_an_address_that_leads_nowhere() -> None:
    """Nobody can connect to a multicast group."""
    async with HttpClient(allow_private=True) as client:
        assert await failure(client, "http://224.0.0.1:8080/") == "The connection failed."


async def test_a_name_that_is_nobody_s() -> None:
    """The system's resolver finds nothing; or an answer has no address in it."""
    async with HttpClient(allow_private=True) as client:
        assert await failure(client, "http://256.256.256.256/") == "The name could not be resolved."
    for allow_private in (True, False):
        async with HttpClient(resolve=Names(empty=[[]]), allow_private=allow_private) as client:
            assert await failure(client, "https://empty.example/") == "The name could not be resolved."


async def test_connecting_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolver that does not answer, and a receiver that accepts and says nothing of TLS."""
    monkeypatch.setattr(http, "CONNECT_SECONDS", 0.2)

    async def silent(_host: str) -> list[str]:
        await asyncio.sleep(60)
        return []

    async with HttpClient(resolve=silent) as client:
        assert await failure(client, "https://slow.example/") == "The connection timed out."
    async with receiving(OK) as receiver, HttpClient(allow_private=True) as client:
        address = f"https://127.0.0.1:{receiver.port}/"
        assert await failure(client, address) == "The connection timed out."


async def test_the_caller_s_limit_is_the_caller_s() -> None:
    """A TimeoutError of the caller's own is not taken for one of the network's."""
    async with receiving(b"HTTP/1.1 ") as receiver, HttpClient(allow_private=True) as client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await client.post(url(receiver), HEADERS, BODY)


# -- addresses of one name ---------------------------------------------------------------------------------


async def test_the_next_address_is_tried() -> None:
    """The first one refuses: the second one gets the request, with the name in Host."""
    names = Names(two=[["::1", "127.0.0.1"]])
    async with receiving(OK) as receiver, HttpClient(resolve=names, allow_private=True) as client:
        assert await client.post(f"http://two.example:{receiver.port}/", HEADERS, BODY) == Response(200)
    assert receiver.requests[0].fields["host"] == f"two.example:{receiver.port}"


async def test_four_addresses_share_the_time() -> None:
    """Of six the first four are dialled, each for a quarter; the last one's failure is told."""
    async with receiving() as gone:
        pass
    network, found = Internet(gone), [f"1.1.1.{last}" for last in range(6)]
    async with HttpClient(resolve=Names(many=[found]), network=network) as client:
        assert await failure(client, "https://many.example/") == "The connection was refused."
    assert network.dialled == [(address, 1.25) for address in found[:4]]


# -- TLS ---------------------------------------------------------------------------------------------------


async def test_a_public_receiver_with_a_certificate(authority: Authority) -> None:
    """The whole way with the guard on; SNI and Host are the URL's, in ASCII."""
    names = Names(**{"xn--bcher-kva": [["93.184.215.14"]]})
    async with receiving(OK, tls=authority.server("xn--bcher-kva.example")) as receiver:
        network = Internet(receiver)
        async with HttpClient(resolve=names, network=network, tls=authority.trusted()) as client:
            assert await client.post("https://Bücher.example/", HEADERS, BODY) == Response(200)
    assert (names.asked, network.dialled) == (["xn--bcher-kva.example"], [("93.184.215.14", 5.0)])
    assert receiver.names == ["xn--bcher-kva.example"]
    assert receiver.requests[0].fields["host"] == "xn--bcher-kva.example"


async def test_an_ipv6_address_with_a_certificate(authority: Authority) -> None:
    """It stands in brackets in Host, without in the certificate, and not at all in SNI."""
    async with receiving(OK, tls=authority.server("2a00:1450::1")) as receiver:
        network = Internet(receiver)
        async with HttpClient(network=network, tls=authority.trusted()) as client:
            assert await client.post("https://[2A00:1450:0::1]/", HEADERS, BODY) == Response(200)
    assert network.dialled == [("2a00:1450::1", 5.0)]
    assert receiver.names == [None]
    assert receiver.requests[0].fields["host"] == "[2a00:1450::1]"


@pytest.mark.parametrize(
    ("host", "lasts", "trusted"),
    [
        pytest.param("other.example", timedelta(days=1), True, id="of another host"),
        pytest.param("hooks.example", timedelta(seconds=-1), True, id="expired"),
        pytest.param("hooks.example", timedelta(days=1), False, id="of an unknown authority"),
    ],
)
async def test_certificates_that_are_not_valid(
    authority: Authority, host: str, lasts: timedelta, trusted: bool
) -> None:
    """Nothing is sent; by default, nobody but the usual authorities is trusted."""
    names = Names(hooks=[["93.184.215.14"]])
    async with receiving(OK, tls=authority.server(host, lasts=lasts)) as receiver:
        tls = authority.trusted() if trusted else None
        async with HttpClient(resolve=names, network=Internet(receiver), tls=tls) as client:
            said = await failure(client, "https://hooks.example/")
    assert said == "TLS failed: the certificate is not valid."
    assert receiver.requests == []


async def test_allow_private_trusts_no_more(authority: Authority) -> None:
    """Certificates are checked inside as well."""
    server = authority.server("localhost")
    async with receiving(OK, tls=server) as receiver, HttpClient(allow_private=True) as client:
        said = await failure(client, f"https://localhost:{receiver.port}/")
    assert (said, receiver.requests) == ("TLS failed: the certificate is not valid.", [])


async def test_other_failures_of_tls(authority: Authority) -> None:
    """A receiver that speaks plain HTTP, one that hangs up, and one that speaks only an older version."""
    old, modern = authority.server("hooks.example"), authority.trusted()
    old.maximum_version, modern.minimum_version = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
    for greeting, tls in ((answer("400 Bad Request"), None), (b"", None), (b"", old)):
        async with receiving(greeting=greeting, tls=tls) as receiver:
            network = Internet(receiver)
            names = Names(hooks=[["93.184.215.14"]])
            async with HttpClient(resolve=names, network=network, tls=modern) as client:
                assert await failure(client, "https://hooks.example/") == "TLS failed."
        assert len(network.dialled) == 1


# -- the pool ----------------------------------------------------------------------------------------------


async def test_connections_are_kept() -> None:
    """Ten requests in a row share one; a receiver's Connection: close is heeded."""
    last = answer("200 OK", "Connection: close")
    async with receiving(*[OK] * 10, last, OK) as receiver, HttpClient(allow_private=True) as client:
        for _ in range(11):
            await client.post(url(receiver), HEADERS, BODY)
        assert receiver.connections == 1
        await client.post(url(receiver), HEADERS, BODY)
        assert receiver.connections == 2


async def test_a_kept_connection_that_was_closed_is_not_used() -> None:
    """The receiver hung up meanwhile: the next request makes another connection."""
    async with receiving(OK) as receiver, HttpClient(allow_private=True) as client:
        await client.post(url(receiver), HEADERS, BODY)
        await receiver.close()
        await asyncio.sleep(0.05)
        assert await client.post(url(receiver), HEADERS, BODY) == Response(200)
    assert receiver.connections == 2


async def test_connections_are_not_shared_between_names() -> None:
    """Two names of one address are two receivers."""
    names = Names(a=[["127.0.0.1"]], b=[["127.0.0.1"]])
    async with receiving(OK) as receiver, HttpClient(resolve=names, allow_private=True) as client:
        for name in ("a", "b", "a", "b"):
            await client.post(f"http://{name}.example:{receiver.port}/", HEADERS, BODY)
    assert (receiver.connections, names.asked) == (2, ["a.example", "b.example"])


async def test_there_is_a_limit_of_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twelve requests at once through three places."""
    monkeypatch.setattr(http, "MAX_CONNECTIONS", 3)
    async with receiving(OK) as receiver, HttpClient(allow_private=True) as client:
        await asyncio.gather(*(client.post(url(receiver), HEADERS, BODY) for _ in range(12)))
    assert (len(receiver.requests), receiver.connections) == (12, 3)


async def test_cancelling_leaves_the_client_usable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five requests for three places, cancelled after every number of turns of the loop, leave nothing behind."""
    monkeypatch.setattr(http, "MAX_CONNECTIONS", 3)
    async with receiving(OK) as receiver, HttpClient(allow_private=True) as client:
        for turns in range(100):
            tasks = [asyncio.create_task(client.post(url(receiver), HEADERS, BODY)) for _ in range(5)]
            for _ in range(turns):
                await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert {type(it) for it in results} <= {asyncio.CancelledError, Response}
        posts = (client.post(url(receiver), HEADERS, BODY) for _ in range(9))
        assert await asyncio.gather(*posts) == [Response(200)] * 9
        assert len(client._connections._idle) == 3
        async with asyncio.timeout(5):
            await receiver.settled(3)


async def test_cancelling_closes_the_connection() -> None:
    """What was half sent is not left open, and no answer of it is taken for the next one's."""
    async with receiving(b"HTTP/1.1 ", OK) as receiver, HttpClient(allow_private=True) as client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await client.post(url(receiver), HEADERS, BODY)
        assert client._connections._idle == []
        assert await client.post(url(receiver), HEADERS, BODY) == Response(200)
    assert receiver.connections == 2


async def test_cancelling_during_tls_closes_the_connection() -> None:
    """A receiver that accepts and says nothing is hung up on when its time is over, not when we end."""
    async with receiving(OK) as receiver, HttpClient(allow_private=True) as client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await client.post(f"https://127.0.0.1:{receiver.port}/", HEADERS, BODY)
        async with asyncio.timeout(5):
            await receiver.settled(0)
    assert receiver.connections == 1
