"""From what a sender answers to what is written of it: the retry policy, applied. Pure."""

from uuid import UUID

from db.outbox import Settlement
from db.types import DeliveryStatus
from delivery.opening import Load
from delivery.retry import next_delay
from delivery.sender import Rejected, Result, Retry, Sent
from delivery.settler import Verdict


def of_load(load: Load, lease: UUID, result: Result, duration_ms: int, chance: float) -> list[Verdict]:
    """Return a verdict for each delivery that a parcel made true; chance: from 0 to 1, for the jitter."""
    gone = load.channel_id if isinstance(result, Rejected) and result.gone else None
    delay = _delay(load, result, chance)
    status = DeliveryStatus.FAILED if delay is None else DeliveryStatus.PENDING
    error = None if isinstance(result, Sent) else result.error
    return [
        Verdict(
            Settlement(
                id,
                lease,
                DeliveryStatus.SENT if isinstance(result, Sent) else status,
                error,
                delay=delay,
                tried=True,
                duration_ms=duration_ms,
                status_code=result.status_code,
                error=error,
            ),
            gone,
        )
        for id in load.deliveries
    ]


def _delay(load: Load, result: Result, chance: float) -> float | None:
    """Return the seconds until the next attempt, if there is to be one; all of a digest go together."""
    # A test tells how it is now, so it is not tried again.
    if not isinstance(result, Retry) or load.is_test:
        return None
    return next_delay(max(load.deliveries.values()) + 1, result.after, chance)


def of_poison(id: UUID, lease: UUID) -> Verdict:
    """Return the verdict on a delivery that cannot even be prepared: what is wrong does not pass."""
    return Verdict(Settlement(id, lease, DeliveryStatus.FAILED, "Tocsin could not prepare it."))
