"""What every sender does: take a parcel, and say what became of it."""

from dataclasses import dataclass
from typing import Protocol

from delivery.parcel import Parcel


@dataclass(frozen=True, slots=True)
class Sent:
    """The receiver has it. status_code: its HTTP or SMTP status, if it gave one."""

    status_code: int | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    """It may work later. after: seconds that the receiver asked to be left alone for, if it did.

    error: a sentence of ours for the delivery log; never an address, a secret, or what the receiver said.
    """

    error: str
    status_code: int | None = None
    after: float | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """It will never work. gone: the receiver says that nothing shall come any more (HTTP 410)."""

    error: str
    status_code: int | None = None
    gone: bool = False


Result = Sent | Retry | Rejected


class Sender(Protocol):
    """Sends parcels of one channel kind. Whoever calls it limits its time, by cancelling it."""

    async def send(self, parcel: Parcel) -> Result:
        """Try once. An exception is a bug, and counts as a Retry."""
        ...
