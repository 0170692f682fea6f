"""The sender of channels of the kind APPRISE, for services that the operator has allowed."""

import asyncio
import logging
from collections.abc import Collection
from importlib.util import find_spec
from typing import TYPE_CHECKING

from delivery import prose
from delivery.parcel import Parcel
from delivery.sender import Rejected, Result, Retry, Sent

if TYPE_CHECKING:
    from apprise import NotifyBase

_SECONDS = 10.0


class AppriseSender:
    """Sends parcels through Apprise. services: the schemas of URLs that may be used, such as "discord".

    Apprise connects to whatever address a URL names, and follows redirects: what is allowed must not take any
    host, or else be safe to reach from here. RuntimeError: the package is not installed.
    """

    def __init__(self, services: Collection[str]) -> None:
        if find_spec("apprise") is None:
            raise RuntimeError("Apprise is not installed.")
        self._services = {it.lower() for it in services}
        # It logs hosts and parts of URLs, and these are secrets.
        logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)

    async def send(self, parcel: Parcel) -> Result:
        """Hand the text over. Cancelled, it is not waited for any more: a request under way goes on."""
        url = parcel.config["url"]
        if url.partition("://")[0].lower() not in self._services:
            return Rejected("This service is not allowed here.")
        # Reading its first URL, Apprise loads all of its services: for seconds.
        service = await asyncio.to_thread(_service, url)
        if service is None:
            return Rejected("The URL is none that Apprise understands.")
        return Sent() if await _taken(service, parcel) else Retry("The service did not take it.")


def _service(url: str) -> "NotifyBase | None":
    # Here, for it is an extra.
    from apprise import Apprise  # noqa: PLC0415

    # Not Apprise.add(), which takes a comma for the end of one URL and the start of another, of any schema.
    service = Apprise.instantiate(url)
    if service:
        # A URL may ask to wait for ever.
        service.socket_connect_timeout = service.socket_read_timeout = _SECONDS
    return service


async def _taken(service: "NotifyBase", parcel: Parcel) -> bool:
    try:
        return await service.async_notify(
            title=prose.subject(parcel.messages),
            body=prose.markdown(parcel.messages),
            body_format="markdown",
        )
    except Exception:  # noqa: BLE001  there are 170 services, and each fails in its own way
        return False
