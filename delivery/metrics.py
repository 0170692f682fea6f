"""What the worker counts for Prometheus."""

from datetime import UTC, datetime

from prometheus_client import Counter, Histogram

from db.types import ChannelKind
from delivery.opening import Load
from delivery.sender import Result, Sent

_OUTCOMES = ("Sent", "Retry", "Rejected")
_attempts = Counter(
    "tocsin_delivery_attempts",
    "Attempts to deliver, by the channel's kind and what came of them.",
    ["kind", "outcome"],
)
_latency = Histogram(
    "tocsin_delivery_seconds",
    "From when something was said until it was sent; quiet hours, digests and attempts before count.",
    ["kind"],
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3_600, 21_600, 86_400),
)
_attempts_of = {
    (kind, outcome): _attempts.labels(kind, outcome) for kind in ChannelKind for outcome in _OUTCOMES
}
_latency_of = {kind: _latency.labels(kind) for kind in ChannelKind}

LEASES_LOST = Counter(
    "tocsin_leases_lost", "Results that did not count, because the lease had ended: these are sent again."
)
DRIFTS = Counter("tocsin_drifts", "Counters that a cleanup found to differ from their rows. Must stay 0.")


def observe(load: Load, result: Result) -> None:
    """Count an attempt."""
    _attempts_of[load.kind, type(result).__name__].inc()
    if isinstance(result, Sent):
        said_at = min(message.created_at for message in load.parcel.messages)
        _latency_of[load.kind].observe((datetime.now(UTC) - said_at).total_seconds())
