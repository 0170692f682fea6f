"""/metrics for Prometheus, on a port of its own: what a process has done, and how it stands.

No label is a tenant, a user or anything else that callers choose. What can be read off when Prometheus asks is
read then, and costs nothing before.
"""

import asyncio
import errno
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import TimeoutError as LateError
from contextlib import contextmanager
from typing import cast
from wsgiref.simple_server import WSGIServer

from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    start_http_server,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

import db.work
from db.session import OUTAGE, Database
from live.hub import Hub
from resolvers.errors import ErrorCode
from tocsin.fault import AlreadyRunningError
from tocsin.settings import Settings

PORTS = 64
"""How many processes of one setting find a port each."""
_PATIENCE_SECONDS = 2
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

_requests = Counter(
    "tocsin_requests",
    "GraphQL requests over HTTP, by the operation's type and the outcome.",
    ["type", "code"],
)
_durations = Histogram(
    "tocsin_request_seconds", "How long they took to answer, by type.", ["type"], buckets=_SECONDS
)
_TYPES = ("query", "mutation", "subscription", "none")
# labels() takes a lock and looks the values up each time.
_durations_of = {type: _durations.labels(type) for type in _TYPES}
_requests_of = {
    (type, code): _requests.labels(type, code) for type in _TYPES for code in ("OK", "OTHER", *ErrorCode)
}


def observe(type: str, code: str, seconds: float) -> None:
    """Count a request over HTTP."""
    _durations_of[type].observe(seconds)
    (_requests_of.get((type, code)) or _requests_of[type, "OTHER"]).inc()


Reading = tuple[str, str, float]
"""A metric's name, what it says, and how it stands; a name that ends in _total is that of a counter."""


class Readings(Collector):
    """What is read when it is asked for."""

    def __init__(self, read: Callable[[], Iterable[Reading]]) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        """Return how they stand."""
        return [
            (CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily)(name, says, value=value)
            for name, says, value in self._read()
        ]


def of_server(hub: Hub, database: Database, live: Callable[[], int]) -> list[Reading]:
    """Return how a server stands; live: how many sockets and event streams are open."""
    return [
        ("tocsin_live_connections", "WebSockets and event streams that are open.", live()),
        ("tocsin_subscriptions", "Subscriptions that wait for an inbox.", hub.count()),
        *_of_hub(hub),
        *_of_pool(database),
    ]


def of_worker(hub: Hub, database: Database, loop: asyncio.AbstractEventLoop) -> list[Reading]:
    """Return how a worker stands; the outbox is asked for on its loop."""
    return [*_of_hub(hub), *_of_pool(database), *_of_outbox(database, loop)]


def _of_hub(hub: Hub) -> list[Reading]:
    return [
        ("tocsin_hints_told_total", "Subscriptions and workers woken by hints so far.", hub.told),
        (
            "tocsin_hub_connects_total",
            "Connections that hints came over so far: 1 unless it broke.",
            hub.connects,
        ),
    ]


def _of_pool(database: Database) -> list[Reading]:
    size, used = database.connections()
    return [
        ("tocsin_pool_connections", "Database connections that are open.", size),
        ("tocsin_pool_connections_used", "Database connections that are in use.", used),
    ]


def _of_outbox(database: Database, loop: asyncio.AbstractEventLoop) -> list[Reading]:
    asked = asyncio.run_coroutine_threadsafe(db.work.backlog(database), loop)
    try:
        waiting, oldest = asked.result(_PATIENCE_SECONDS)
    except (LateError, *OUTAGE):
        asked.cancel()
        return []  # nobody knows: better no number than a wrong one
    return [
        ("tocsin_outbox_due", f"Work that is due; {db.work.COUNTED:,} of a tenant count at most.", waiting),
        ("tocsin_outbox_oldest_seconds", "For how long the oldest of it has been due.", oldest),
    ]


@contextmanager
def exposed(settings: Settings, read: Callable[[], Iterable[Reading]]) -> Iterator[None]:
    """Serve /metrics while the block runs, if there is a port for it.

    Each process takes the first free port from the one that is set on: so several workers of a server, and
    `tocsin worker` beside it, need no setting each.
    """
    if settings.metrics_port is None:
        yield
        return
    # `tocsin dev` is a server and a worker in one process: what they count is common, how they stand is not.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    registry.register(cast("Collector", REGISTRY))
    registry.register(Readings(read))
    server, thread = _listening(settings.metrics_host, settings.metrics_port, registry)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _listening(host: str, first: int, registry: CollectorRegistry) -> tuple[WSGIServer, threading.Thread]:
    for port in range(first, min(first + PORTS, 65_536)):
        try:
            return start_http_server(port, host, registry)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
    raise AlreadyRunningError(f"No port from {first} on is free for /metrics.")
