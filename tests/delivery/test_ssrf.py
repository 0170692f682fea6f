"""No URL reaches what is inside: the corpus in ssrf.py against real listeners, with the guard on and off."""

import socket

import pytest

from delivery.addresses import look_up
from delivery.http import HttpClient, HttpError
from tests.delivery.receiver import OK, Authority, Internet, Names, answer, receiving
from tests.delivery.ssrf import (
    ADDRESS_REFUSED,
    ELSEWHERE,
    NAMES,
    PUBLIC,
    REACHES,
    REACHES_IPV4,
    REACHES_IPV6,
    UNREADABLE,
    URL_REFUSED,
)


def _has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


LISTENERS = [
    pytest.param("127.0.0.1", REACHES_IPV4, id="IPv4"),
    pytest.param(
        *("::1", REACHES_IPV6), id="IPv6", marks=pytest.mark.skipif(not _has_ipv6(), reason="needs ::1")
    ),
]


async def resolve(host: str) -> list[str]:
    """Answer for the corpus's names; the system's resolver reads numbers, however they are spelt."""
    return NAMES[host] if host in NAMES else await look_up(host)


async def refusals(client: HttpClient, urls: list[str], port: int) -> dict[str, str]:
    """Post to each URL, which must fail; return what is said of each."""
    said = {}
    for url in urls:
        with pytest.raises(HttpError) as caught:
            await client.post(url.replace("{port}", str(port)), {}, b"{}")
        said[url] = caught.value.error
    return said


@pytest.mark.parametrize(("host", "reaches"), LISTENERS)
async def test_nothing_of_the_corpus_reaches_the_listener(host: str, reaches: list[str]) -> None:
    """213 URLs: no connection, no dialling, and the two refusals, which are final."""
    corpus = dict.fromkeys([*REACHES, *ELSEWHERE], ADDRESS_REFUSED) | dict.fromkeys(UNREADABLE, URL_REFUSED)
    assert len(corpus) == 213
    assert set(reaches) < corpus.keys()
    network = Internet()
    async with receiving(OK, host=host) as inside, HttpClient(resolve=resolve, network=network) as client:
        assert await refusals(client, [*corpus], inside.port) == corpus
    assert (inside.connections, network.dialled) == (0, [])


@pytest.mark.parametrize(("host", "reaches"), LISTENERS)
async def test_without_the_guard_they_reach_it(host: str, reaches: list[str]) -> None:
    """The control: each spelling makes its one connection, where the listener speaks no TLS."""
    async with receiving(host=host) as inside, HttpClient(resolve=resolve, allow_private=True) as client:
        said = await refusals(client, reaches, inside.port)
    assert said == dict.fromkeys(reaches, "TLS failed.")
    assert inside.connections == len(reaches)


async def test_without_the_guard_http_is_answered() -> None:
    """The control of the scheme."""
    async with receiving(OK) as inside, HttpClient(resolve=resolve, allow_private=True) as client:
        for url in ("http://127.0.0.1:{port}/", "HTTP://127.0.0.1:{port}/", "http://inner.example:{port}/"):
            assert (await client.post(url.replace("{port}", str(inside.port)), {}, b"")).status == 200
    assert [request.line for request in inside.requests] == ["POST / HTTP/1.1"] * 3


async def test_what_is_unreadable_is_not_looked_up() -> None:
    """It is refused for good before a name server hears of it."""
    names = Names()
    async with HttpClient(resolve=names) as client:
        for url in UNREADABLE:
            with pytest.raises(HttpError) as caught:
                await client.post(url.replace("{port}", "8080"), {}, b"")
            assert (caught.value.error, caught.value.final) == (URL_REFUSED, True), url
    assert names.asked == []


async def test_a_name_that_turns_inside_is_not_followed(authority: Authority) -> None:
    """DNS rebinding: what was checked is dialled, without a second look-up; the next connection is refused."""
    names = Names(rebinding=[[PUBLIC], ["127.0.0.1"]])
    last = answer("200 OK", "Connection: close")
    async with receiving(last, tls=authority.server("rebinding.example")) as outside:
        network = Internet(outside)
        async with HttpClient(resolve=names, network=network, tls=authority.trusted()) as client:
            url = f"https://rebinding.example:{outside.port}/"
            assert (await client.post(url, {}, b"")).status == 200
            assert (names.asked, [host for host, _ in network.dialled]) == (["rebinding.example"], [PUBLIC])
            with pytest.raises(HttpError) as caught:
                await client.post(url, {}, b"")
    assert (caught.value.error, caught.value.final) == (ADDRESS_REFUSED, True)
    assert (len(names.asked), len(network.dialled), outside.connections) == (2, 1, 1)


async def test_an_open_connection_goes_where_it_went(authority: Authority) -> None:
    """Reuse asks no name server, so a name that turns meanwhile changes nothing."""
    names = Names(rebinding=[[PUBLIC], ["127.0.0.1"]])
    async with receiving(OK, tls=authority.server("rebinding.example")) as outside:
        network = Internet(outside)
        async with HttpClient(resolve=names, network=network, tls=authority.trusted()) as client:
            for _ in range(3):
                await client.post(f"https://rebinding.example:{outside.port}/", {}, b"")
    assert (len(names.asked), len(network.dialled), outside.connections) == (1, 1, 1)
    assert len(outside.requests) == 3


@pytest.mark.parametrize(
    "status", ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"]
)
async def test_redirects_are_not_followed(authority: Authority, status: str) -> None:
    """A public receiver that points inside is answered with its own status."""
    names = Names(hooks=[[PUBLIC]])
    async with receiving(OK) as inside:
        moved = answer(status, f"Location: http://127.0.0.1:{inside.port}/")
        async with receiving(moved, tls=authority.server("hooks.example")) as outside:
            network = Internet(outside)
            async with HttpClient(resolve=names, network=network, tls=authority.trusted()) as client:
                response = await client.post(f"https://hooks.example:{outside.port}/", {}, b"")
    assert response.status == int(status[:3])
    assert (inside.connections, len(network.dialled)) == (0, 1)


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would look names up itself, where nothing is checked."""
    async with receiving(OK) as proxy, receiving(OK) as receiver:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        async with HttpClient(allow_private=True) as client:
            await client.post(f"http://127.0.0.1:{receiver.port}/", {}, b"")
    assert (proxy.connections, receiver.connections) == (0, 1)
