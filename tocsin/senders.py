"""The senders that this deployment is set up for."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from db.types import ChannelKind
from delivery.http import HttpClient
from delivery.sender import Sender
from delivery.webhook import WebhookSender
from tocsin.settings import Settings


@asynccontextmanager
async def open_senders(settings: Settings) -> AsyncIterator[Mapping[ChannelKind, Sender]]:
    """Open what sends, by the kind of channel."""
    async with HttpClient(allow_private=settings.allow_private_webhooks) as client:
        yield {
            ChannelKind.WEBHOOK: WebhookSender(client),
        }
