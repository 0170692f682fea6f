"""Which subjects of NATS somebody waits on here, and of which of them the server knows."""

from collections import deque
from hashlib import blake2b
from itertools import islice

from live.hub import NOBODY, Inbox


def _token(id: str) -> str:
    return blake2b(id.encode(), digest_size=16).hexdigest()


def subject_of(inbox: Inbox) -> str:
    """Return `tocsin.TENANT.USER`: each id as its BLAKE2b of 128 bits in hex.

    Ids are any text of up to 255 characters; a token of a subject has no dots, blanks or wildcards, and a
    line of the protocol has 4,096 bytes.
    """
    tenant_id, user_id = inbox
    return f"tocsin.{_token(tenant_id)}.{_token(user_id)}"


_NOBODY = _token(NOBODY)
REVOCATIONS = f"tocsin.*.{_NOBODY}"
"""Every process hears of access taken away in any tenant: what it remembers of that tenant is stale."""


class Interests:
    """What the server is to be told: SUB for a subject somebody waits on, UNSUB when nobody has for a while."""

    def __init__(self) -> None:
        self._waited: dict[str, Inbox] = {}
        self._subscribed: dict[str, int] = {}
        self._new: dict[str, bool] = {}
        self._idle: set[str] = set()
        self._leaving: deque[int] = deque()

    def begin(self, inbox: Inbox) -> None:
        """Somebody waits for an inbox: tell the server, unless it knows."""
        subject = subject_of(inbox)
        self._waited[subject] = inbox
        if inbox[1] != NOBODY and subject not in self._subscribed:
            self._new[subject] = True

    def end(self, inbox: Inbox) -> None:
        """Nobody waits for an inbox any more: a tab that reconnects will, so the server is not told at once."""
        subject = subject_of(inbox)
        del self._waited[subject]
        self._new.pop(subject, None)

    def of(self, subject: str) -> Inbox | None:
        """Return the inbox that a message is about; a revocation where nobody waits is in the tenant ''."""
        nowhere = ("", NOBODY) if subject.endswith(_NOBODY) else None
        return self._waited.get(subject, nowhere)

    def restart(self) -> None:
        """Begin with a server that knows of nothing. Who waited before is swept, and need not look again."""
        before = dict.fromkeys(self._subscribed.keys() & self._waited.keys(), False)
        self._new = before | self._new
        self._subscribed.clear()
        self._idle.clear()
        self._leaving.clear()

    def tidy(self) -> None:
        """Let go of what nobody has waited for since the last call."""
        idle = self._subscribed.keys() - self._waited.keys()
        gone = idle & self._idle
        self._leaving += [self._subscribed.pop(subject) for subject in gone]
        self._idle = idle - gone

    @property
    def untold(self) -> bool:
        """Whether there is something to tell the server."""
        return bool(self._new or self._leaving)

    def next_new(self, most: int) -> dict[str, bool]:
        """Return subjects to subscribe to, and whether who waits there must look again then."""
        return dict(islice(self._new.items(), most))

    def subscribed(self, subject: str, number: int) -> None:
        """Note the number under which the server is told of a subject now."""
        self._new.pop(subject, None)
        self._subscribed[subject] = number

    def next_leaving(self, most: int) -> list[int]:
        """Return and forget numbers of subscriptions to end."""
        return [self._leaving.popleft() for _ in range(min(most, len(self._leaving)))]
