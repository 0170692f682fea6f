"""The sender of mail, against a real server: what becomes of a parcel, and what is said of it."""

from collections.abc import AsyncIterator
from email import message_from_bytes, policy

import pytest

from delivery.email import EmailSender
from delivery.parcel import Recipient
from delivery.sender import Rejected, Result, Retry, Sent
from delivery.smtp import Connections, Server
from resolvers import unsubscribe
from resolvers.unsubscribe import Link
from resolvers.vault import Vault
from tests.delivery.parcels import message, parcel
from tests.delivery.post_office import PostOffice, Step, cancel_meanwhile, hang_up, never, post_office

VAULT = Vault({"k1": bytes(32)})


@pytest.fixture
async def office() -> AsyncIterator[PostOffice]:
    """A mail server."""
    async with post_office() as office:
        yield office


@pytest.fixture
async def sender(office: PostOffice) -> AsyncIterator[EmailSender]:
    """A sender of mail by that server."""
    connections = Connections(Server("127.0.0.1", office.port), seconds=1)
    sender = EmailSender(connections, VAULT, "https://tocsin.example/inbox/")
    yield sender
    sender.close()


async def test_sent(office: PostOffice, sender: EmailSender) -> None:
    """The mail is there, with a link that is good for its category."""
    assert await sender.send(parcel()) == Sent(250)
    (envelope,) = office.envelopes
    assert isinstance(envelope.content, bytes)
    mail = message_from_bytes(envelope.content, policy=policy.SMTP)
    assert mail["Subject"] == "Build 42 failed"
    start, _, token = mail["List-Unsubscribe"].strip("<>").rpartition("/")
    assert start == "https://tocsin.example/inbox/unsubscribe"
    assert unsubscribe.read(VAULT, token) == Link("acme", "ada", "build")


async def test_sent_again(office: PostOffice, sender: EmailSender) -> None:
    """Each attempt has the same Message-ID and Date, so that a reader can tell."""
    for _ in range(2):
        assert await sender.send(parcel()) == Sent(250)
    first, second = (message_from_bytes(it.content, policy=policy.SMTP) for it in office.envelopes)  # type: ignore[arg-type]
    assert first.items()[:-1] == second.items()[:-1]
    assert first.keys()[-1] == "Content-Type"  # its boundary differs


async def test_a_mixed_digest_links_to_all_categories(office: PostOffice, sender: EmailSender) -> None:
    """One link cannot end two categories, so it ends all."""
    assert await sender.send(parcel(message(), message(category="billing"))) == Sent(250)
    mail = message_from_bytes(office.envelopes[0].content, policy=policy.SMTP)  # type: ignore[arg-type]
    token = mail["List-Unsubscribe"].strip("<>").rpartition("/")[2]
    assert unsubscribe.read(VAULT, token) == Link("acme", "ada", "*")


async def test_without_a_public_address(office: PostOffice) -> None:
    """The mail has no link."""
    sender = EmailSender(Connections(Server("127.0.0.1", office.port)), VAULT)
    assert await sender.send(parcel()) == Sent(250)
    sender.close()
    assert b"List-Unsubscribe" not in office.envelopes[0].content  # type: ignore[operator]


NOT_NOW = "The mail server does not take the mail now."
NEVER = "The mail server refused the mail."
CREDENTIALS = "The mail server refused our credentials."


@pytest.mark.parametrize(
    ("command", "answer", "result"),
    [
        ("MAIL", "451 4.3.0 ada@example.org later", Retry(NOT_NOW, 451)),
        ("MAIL", "421 4.7.0 ada@example.org too many", Retry(NOT_NOW, 421)),
        ("MAIL", "550 5.7.1 no such sender", Rejected(NEVER, 550)),
        ("MAIL", "530 5.7.0 Authentication required", Retry(CREDENTIALS, 530)),
        ("RCPT", "450 4.2.1 ada@example.org is busy", Retry(NOT_NOW, 450)),
        ("RCPT", "550 5.1.1 ada@example.org unknown", Rejected(NEVER, 550)),
        ("DATA", "452 4.3.1 full", Retry(NOT_NOW, 452)),
        ("DATA", "554 5.7.1 spam", Rejected(NEVER, 554)),
        ("DATA", "gibberish", Retry(NOT_NOW)),
    ],
)
async def test_refused(
    office: PostOffice, sender: EmailSender, command: str, answer: str, result: Result
) -> None:
    """4xx may work later, 5xx never will; the code is kept and the words are ours."""
    office.answers[command] = [answer]
    assert await sender.send(parcel()) == result
    assert office.envelopes == []
    assert await sender.send(parcel()) == Sent(250)


@pytest.mark.parametrize("step", [hang_up, never])
@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
async def test_broken_off(office: PostOffice, sender: EmailSender, command: str, step: Step) -> None:
    """A connection that ends, or a server that does not answer in time, is to be tried again."""
    office.answers[command] = [step]
    assert await sender.send(parcel()) == Retry("The connection to the mail server broke.")
    assert len(office.connections) == 1
    assert await sender.send(parcel()) == Sent(250)


async def test_no_server() -> None:
    """A server that is away is to be tried again."""
    async with post_office() as gone:
        port = gone.port
    away = EmailSender(Connections(Server("127.0.0.1", port)), VAULT)
    assert await away.send(parcel()) == Retry("The mail server could not be reached.")


async def test_nobody_to_write_to(office: PostOffice, sender: EmailSender) -> None:
    """Without an address nothing is sent, nor will be."""
    assert await sender.send(parcel(recipient=Recipient("ada"))) == Rejected(
        "The recipient has no email address."
    )
    assert office.connections == []


@pytest.mark.parametrize("utf8", [True, False])
async def test_an_international_address(*, utf8: bool) -> None:
    """It takes a server with SMTPUTF8, on a kept connection too; any other will never do."""
    jurgen = parcel(recipient=Recipient("jürgen", "jürgen@straße.example"))
    async with post_office(enable_SMTPUTF8=utf8) as office:
        sender = EmailSender(Connections(Server("127.0.0.1", office.port)), VAULT)
        assert await sender.send(parcel()) == Sent(250)
        refusal = Rejected("The mail server takes no addresses beyond ASCII.")
        assert await sender.send(jurgen) == (Sent(250) if utf8 else refusal)
        sender.close()
    arrived = [it.rcpt_tos for it in office.envelopes]
    assert arrived == [["ada@example.org"], *([["jürgen@straße.example"]] if utf8 else [])]


async def test_cancelled(office: PostOffice, sender: EmailSender) -> None:
    """Whoever limits its time gets it back at once; the next parcel is not touched by it."""
    office.answers["DATA"] = [never]
    await cancel_meanwhile(office, sender.send(parcel()))
    assert await sender.send(parcel()) == Sent(250)
    assert (len(office.connections), len(office.envelopes)) == (2, 1)
