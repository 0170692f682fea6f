"""Connections to a mail server: how many, how they are encrypted, and what happens when they break."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from delivery import mail
from delivery.smtp import Connections, Server, UnreachableError, server
from tests.delivery.parcels import parcel
from tests.delivery.post_office import (
    PostOffice,
    Step,
    cancel_meanwhile,
    certificate,
    hang_up,
    never,
    post_office,
    wire,
)

MAIL = mail.build(parcel())
ELSEWHERE = "0.0.0.0"  # reaches this machine, and yet is no loopback address


@pytest.fixture
async def office() -> AsyncIterator[PostOffice]:
    """A mail server that takes everything."""
    async with post_office() as office:
        yield office


@pytest.fixture
async def connections(office: PostOffice) -> AsyncIterator[Connections]:
    """Connections to it."""
    connections = Connections(Server("127.0.0.1", office.port))
    yield connections
    connections.close()


async def until_idle_is_closed(office: PostOffice) -> None:
    """Wait until the server has heard that nobody is there any more."""
    async with asyncio.timeout(5):
        while any(it.transport for it in office.connections):  # noqa: ASYNC110  nothing tells
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://mx.example", Server("mx.example", 587)),
        ("smtp://mx.example:25/", Server("mx.example", 25)),
        ("smtps://mx.example", Server("mx.example", 465, tls=True)),
        (
            "smtp://a%40b.example:p%3Aw%25%20@mx.example",
            Server("mx.example", 587, False, "a@b.example", "p:w% "),
        ),
        ("smtps://[::1]:2465", Server("::1", 2465, tls=True)),
    ],
)
def test_urls(url: str, expected: Server) -> None:
    """The scheme says how it is encrypted, and which port is meant by default."""
    assert server(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        *("", "mx.example", "http://mx.example", "smtp://", "smtp://mx.example:0", "smtp://mx.example:65536"),
        *("smtp://mx.example:hunter2", "smtp://bell@mx.example", "smtp://bell:hunter2#x@mx.example"),
        *("smtp://bell:hunter2/x@mx.example", "smtp://bell:hun:ter2@mx.example", "smtp://mx.example/hunter2"),
        *("smtp://mx.example?x=hunter2", "smtp://mx example", "smtp://bell:hunter2@mx.example\n"),
    ],
)
def test_wrong_urls(url: str) -> None:
    """What is anything else is refused, and not repeated."""
    with pytest.raises(ValueError, match="must be smtp:// or smtps://") as refused:
        server(url)
    assert "hunter2" not in f"{refused.value!r} {refused.value.__cause__!r}"


def test_the_password_is_not_shown() -> None:
    """A server's repr has no password."""
    assert "hunter2" not in repr(server("smtp://bell:hunter2@mx.example"))


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    [("localhost", True), ("127.0.0.9", True), ("::1", True), ("mx.example", False), (ELSEWHERE, False)],
)
def test_loopback(host: str, is_loopback: bool) -> None:
    """Only what is sure to stay on this machine counts."""
    assert Server(host, 25).is_loopback is is_loopback


async def test_one_connection_for_many_mails(office: PostOffice, connections: Connections) -> None:
    """Five mails, one after another, need one connection, and nothing between them."""
    for _ in range(5):
        await connections.send(MAIL)
    assert (len(office.connections), len(office.envelopes)) == (1, 5)
    assert office.commands == ["MAIL", "RCPT", "DATA"] * 5
    envelope = office.envelopes[4]
    assert (envelope.mail_from, envelope.rcpt_tos) == ("bell@tocsin.example", ["ada@example.org"])
    assert envelope.content == MAIL.content


async def test_at_most_so_many_at_once(office: PostOffice) -> None:
    """Twelve mails at once go over three connections."""
    connections = Connections(Server("127.0.0.1", office.port), most=3)
    await asyncio.gather(*(connections.send(MAIL) for _ in range(12)))
    assert (len(office.connections), len(office.envelopes)) == (3, 12)
    connections.close()
    await until_idle_is_closed(office)
    assert office.commands.count("QUIT") == 3


async def test_an_idle_connection_is_left(office: PostOffice) -> None:
    """After its time the client says QUIT; the next mail has a connection of its own."""
    connections = Connections(Server("127.0.0.1", office.port), idle_seconds=0.1)
    await connections.send(MAIL)
    await until_idle_is_closed(office)
    assert office.commands == ["MAIL", "RCPT", "DATA", "QUIT"]
    await connections.send(MAIL)
    connections.close()
    assert (len(office.connections), len(office.envelopes)) == (2, 2)


async def test_the_server_left_meanwhile(office: PostOffice, connections: Connections) -> None:
    """A kept connection that the server has closed is not used again."""
    await connections.send(MAIL)
    wire(office.connections[0]).close()
    await until_idle_is_closed(office)
    await connections.send(MAIL)
    assert (len(office.connections), len(office.envelopes)) == (2, 2)


@pytest.mark.parametrize("farewell", [hang_up, "421 4.4.2 Idle for too long"])
async def test_the_server_leaves_just_then(
    office: PostOffice, connections: Connections, farewell: str | Step
) -> None:
    """One that ends with the next mail's first command is replaced, and that mail goes out once."""
    await connections.send(MAIL)
    office.answers["MAIL"] = [farewell]
    await connections.send(MAIL)
    assert (len(office.connections), len(office.envelopes)) == (2, 2)


async def test_a_kept_connection_that_does_not_answer(office: PostOffice) -> None:
    """It is given up after its time, and the mail goes out by another."""
    connections = Connections(Server("127.0.0.1", office.port), seconds=1)
    await connections.send(MAIL)
    office.answers["MAIL"] = [never]
    await connections.send(MAIL)
    connections.close()
    assert (len(office.connections), len(office.envelopes)) == (2, 2)


async def test_a_new_connection_is_tried_once(office: PostOffice, connections: Connections) -> None:
    """One that ends at once is an error, not a reason to try again."""
    office.answers["MAIL"] = [hang_up]
    with pytest.raises(ConnectionError):
        await connections.send(MAIL)
    assert (len(office.connections), len(office.envelopes)) == (1, 0)


async def test_a_mail_that_may_have_arrived_is_not_repeated(
    office: PostOffice, connections: Connections
) -> None:
    """A connection that ends after DATA is an error: the server has the mail, though it never said so."""
    await connections.send(MAIL)
    office.answers["DATA"] = [hang_up]
    with pytest.raises(ConnectionError):
        await connections.send(MAIL)
    assert (len(office.connections), len(office.envelopes)) == (1, 2)


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
async def test_cancelled_in_the_middle(office: PostOffice, connections: Connections, command: str) -> None:
    """Whatever it waited for, the connection is dropped, and the next mail is whole and the only one."""
    await connections.send(MAIL)
    office.answers[command] = [never]
    await cancel_meanwhile(office, connections.send(MAIL))
    other = mail.build(parcel(config={"from": "b@tocsin.example", "to": "grace@example.org"}))
    await connections.send(other)
    assert len(office.connections) == 2
    assert [it.rcpt_tos for it in office.envelopes] == [["ada@example.org"], ["grace@example.org"]]
    assert office.envelopes[1].content == other.content


async def test_cancelled_while_it_waits_for_a_place(office: PostOffice) -> None:
    """It gives its place up: the two that go on need no other connection."""
    connections = Connections(Server("127.0.0.1", office.port), most=1)
    first, second, third = (asyncio.create_task(connections.send(MAIL)) for _ in range(3))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.gather(first, third)
    assert second.cancelled()
    connections.close()
    assert (len(office.connections), len(office.envelopes)) == (1, 2)


async def test_cancelled_with_a_half_written_mail() -> None:
    """What was not written yet is never written: the server gets no end of the mail."""
    begun, cancelled, gone = asyncio.Event(), asyncio.Event(), asyncio.Event()
    read: list[bytes] = []

    async def dawdle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mx.example\r\n")
        while not (await reader.readline()).startswith(b"DATA"):
            writer.write(b"250 OK\r\n")
        writer.write(b"354 Go on\r\n")
        read.append(await reader.read(1))
        begun.set()
        await cancelled.wait()
        with suppress(ConnectionError):
            while piece := await reader.read(1 << 20):
                read.append(piece)
        writer.close()
        gone.set()

    dawdler = await asyncio.start_server(dawdle, "127.0.0.1", 0)
    connections = Connections(Server("127.0.0.1", dawdler.sockets[0].getsockname()[1]))
    large = mail.Mail(MAIL.sender, MAIL.recipient, (b"x" * 70 + b"\r\n") * 300_000)
    sending = asyncio.create_task(connections.send(large))
    async with asyncio.timeout(10):
        await begun.wait()
        sending.cancel()
        await asyncio.wait([sending])
        cancelled.set()
        await gone.wait()
    assert sending.cancelled()
    assert not b"".join(read).endswith(b"\r\n.\r\n")
    dawdler.close()


async def test_a_refused_mail_costs_its_connection(office: PostOffice, connections: Connections) -> None:
    """After an error the next mail begins on a clean one."""
    office.answers["RCPT"] = ["550 5.1.1 No such user"]
    with pytest.raises(Exception, match="No such user"):
        await connections.send(MAIL)
    await connections.send(MAIL)
    assert (len(office.connections), len(office.envelopes)) == (2, 1)


# -- encryption --------------------------------------------------------------------------------------------


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server's certificate that is trusted here."""
    context, root = certificate(tmp_path, ELSEWHERE)
    monkeypatch.setenv("SSL_CERT_FILE", str(root))
    return context


@pytest.fixture
def untrusted(tmp_path: Path) -> ssl.SSLContext:
    """A server's certificate that nobody vouches for."""
    return certificate(tmp_path, ELSEWHERE)[0]


async def refusal(
    office: PostOffice, scheme: str, host: str = ELSEWHERE, login: str = ""
) -> tuple[str, int | None]:
    """Try to send; return why there is no connection."""
    with pytest.raises(UnreachableError) as refused:
        await Connections(server(f"{scheme}://{login}{host}:{office.port}")).send(MAIL)
    assert office.envelopes == []
    return str(refused.value), refused.value.code


UNTRUSTED = ("The mail server could not be trusted: TLS failed.", None)


async def sent(office: PostOffice, scheme: str, host: str = ELSEWHERE, login: str = "") -> bool:
    """Send a mail; tell whether it went encrypted."""
    connections = Connections(server(f"{scheme}://{login}{host}:{office.port}"))
    await connections.send(MAIL)
    encrypted = wire(office.connections[0]).get_extra_info("sslcontext") is not None
    connections.close()
    await until_idle_is_closed(office)
    assert (len(office.connections), len(office.envelopes)) == (1, 1)
    return encrypted


async def test_starttls_where_it_is_offered(tls: ssl.SSLContext) -> None:
    """smtp:// goes over to TLS before it says what it wants, and needs no more for it."""
    async with post_office(tls_context=tls, require_starttls=True) as office:
        assert await sent(office, "smtp") is True


async def test_no_tls_where_none_is_offered(office: PostOffice) -> None:
    """smtp:// to a server without TLS goes in the clear."""
    assert await sent(office, "smtp") is False


async def test_tls_from_the_start(tls: ssl.SSLContext) -> None:
    """smtps:// never speaks in the clear."""
    async with post_office(tls=tls) as office:
        assert await sent(office, "smtps") is True


async def test_a_certificate_nobody_vouches_for(untrusted: ssl.SSLContext) -> None:
    """Both ways to TLS refuse it, rather than go on without."""
    async with post_office(tls_context=untrusted) as office:
        assert await refusal(office, "smtp") == UNTRUSTED
    async with post_office(tls=untrusted) as office:
        assert await refusal(office, "smtps") == UNTRUSTED


async def test_a_certificate_for_another_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trusted certificate must also be the host's."""
    context, root = certificate(tmp_path, "192.0.2.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(root))
    async with post_office(tls_context=context) as office:
        assert await refusal(office, "smtp") == UNTRUSTED
    async with post_office(tls=context) as office:
        assert await refusal(office, "smtps") == UNTRUSTED


async def test_on_this_machine_any_certificate_will_do(untrusted: ssl.SSLContext) -> None:
    """Nobody can be between."""
    async with post_office(tls_context=untrusted, require_starttls=True) as office:
        assert await sent(office, "smtp", "127.0.0.1") is True
    async with post_office(tls=untrusted) as office:
        assert await sent(office, "smtps", "127.0.0.1") is True


LOGIN = "bell:hunter2%40@"


async def test_credentials_go_over_tls(tls: ssl.SSLContext) -> None:
    """After STARTTLS, or over TLS from the start, the client logs in; once a connection."""
    async with post_office(tls_context=tls, auth_required=True) as office:
        connections = Connections(server(f"smtp://{LOGIN}{ELSEWHERE}:{office.port}"))
        await connections.send(MAIL)
        await connections.send(MAIL)
        connections.close()
        assert office.logins == [(b"bell", b"hunter2@", True)]
        assert len(office.envelopes) == 2


async def test_credentials_never_go_in_the_clear() -> None:
    """A server that wants them without offering TLS gets none."""
    async with post_office(auth_require_tls=False) as office:
        assert await refusal(office, "smtp", login=LOGIN) == (
            "The mail server offers no encryption, so it gets no credentials.",
            None,
        )
        assert office.logins == []


async def test_on_this_machine_credentials_may_go_in_the_clear() -> None:
    """Nobody can listen."""
    async with post_office(auth_require_tls=False) as office:
        assert await sent(office, "smtp", "127.0.0.1", LOGIN) is False
        assert office.logins == [(b"bell", b"hunter2@", False)]


async def test_wrong_credentials() -> None:
    """They are told apart from a server that is away, with its code and none of its words."""
    async with post_office(auth_require_tls=False) as office:
        assert await refusal(office, "smtp", "127.0.0.1", "bell:wrong@") == (
            "The mail server refused our credentials.",
            535,
        )


async def test_a_server_that_knows_no_login(tls: ssl.SSLContext) -> None:
    """Credentials for a server that takes none are the operator's mistake."""
    async with post_office(tls=tls, auth_exclude_mechanism=["LOGIN", "PLAIN"]) as office:
        assert await refusal(office, "smtps", login=LOGIN) == (
            "The mail server takes no credentials.",
            None,
        )


async def test_nobody_there() -> None:
    """A refused connection is told in our words."""
    office = PostOffice()
    async with post_office() as gone:
        office.port = gone.port
    assert await refusal(office, "smtp", "127.0.0.1") == ("The mail server could not be reached.", None)


async def test_a_server_that_does_not_greet() -> None:
    """One that takes the connection and stays silent is given up after its time."""

    async def stay_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await reader.read()
        writer.close()

    silent = await asyncio.start_server(stay_silent, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    with pytest.raises(UnreachableError, match=r"^The mail server could not be reached\.$"):
        await Connections(Server("127.0.0.1", port), seconds=0.5).send(MAIL)
    silent.close()


async def test_a_server_that_turns_us_away() -> None:
    """A greeting of 554 says nothing of the mail; its code is kept."""

    async def turn_away(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"554 5.7.1 We know your kind\r\n")
        writer.close()

    rude = await asyncio.start_server(turn_away, "127.0.0.1", 0)
    port = rude.sockets[0].getsockname()[1]
    with pytest.raises(UnreachableError, match=r"^The mail server does not serve us\.$") as refused:
        await Connections(Server("127.0.0.1", port)).send(MAIL)
    assert refused.value.code == 554
    rude.close()
