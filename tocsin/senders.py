"""The senders that this deployment is set up for."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from pydantic import SecretStr

from db.types import ChannelKind
from delivery.apprise import AppriseSender
from delivery.email import EmailSender
from delivery.http import HttpClient
from delivery.sender import Sender
from delivery.slack import SlackSender
from delivery.smtp import Connections, server
from delivery.webhook import WebhookSender
from tocsin.auth import ConfigurationError
from tocsin.keys import secret_vault
from tocsin.settings import Settings, variable

_MAIL_CONNECTIONS = 10


@asynccontextmanager
async def open_senders(settings: Settings) -> AsyncIterator[Mapping[ChannelKind, Sender]]:
    """Open what sends, by the kind of channel; ConfigurationError if something is set wrongly."""
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(HttpClient(allow_private=settings.allow_private_webhooks))
        senders: dict[ChannelKind, Sender] = {
            ChannelKind.SLACK: SlackSender(client),
            ChannelKind.WEBHOOK: WebhookSender(client),
        }
        if settings.smtp_url:
            mail = _mail_sender(settings, settings.smtp_url)
            stack.callback(mail.close)
            senders[ChannelKind.EMAIL] = mail
        if settings.apprise_services:
            senders[ChannelKind.APPRISE] = _apprise_sender(settings)
        yield senders


def _mail_sender(settings: Settings, url: SecretStr) -> EmailSender:
    try:
        to = server(url.get_secret_value())
    except ValueError as error:
        raise ConfigurationError(f"{variable('smtp_url')}: {error}") from None
    connections = Connections(to, most=_MAIL_CONNECTIONS, seconds=settings.send_timeout_seconds)
    return EmailSender(connections, secret_vault(settings), settings.public_url)


def _apprise_sender(settings: Settings) -> AppriseSender:
    try:
        return AppriseSender(settings.apprise_services)
    except RuntimeError as error:
        raise ConfigurationError(
            f"{variable('apprise_services')}: {error} Install tocsin with the extra `apprise`."
        ) from None
