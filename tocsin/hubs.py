"""How processes tell each other: the one place that chooses between NATS and the database."""

from contextlib import AbstractAsyncContextManager

from live.hub import Heard, Hub
from live.postgres import postgres_hub
from tocsin.environment import url
from tocsin.settings import Settings


def open_hub(settings: Settings, heard: Heard | None = None) -> AbstractAsyncContextManager[Hub]:
    """Run a hub over NATS if TOCSIN_HUB is set, else over LISTEN on the database of whole settings.

    heard: takes the notes of other processes.
    """
    if settings.hub is not None:
        from live.nats import nats_hub  # noqa: PLC0415  loaded by who uses it

        return nats_hub(settings.hub.get_secret_value(), heard)
    return postgres_hub(url(settings.database_url), heard)
