"""What waits to be sent is sent once, in its newest state, and is not lost while it is."""

from contextlib import suppress

import pytest

import live.pending
from db.session import OUTBOX, Hint
from live.pending import Pending

WORK = (OUTBOX.tenant_id, OUTBOX.user_id)


def test_the_highest_seq_of_each_inbox() -> None:
    """Whatever order they come in."""
    pending = Pending()
    pending.add([Hint("t", "ada", 2), Hint("t", "ada", 9), Hint("t", "ada", 4), Hint("u", "ada", 1)])
    assert pending == {("t", "ada"): 9, ("u", "ada"): 1}


def test_what_comes_while_it_is_sent_is_sent_next() -> None:
    """Also the hint at work, which is always the same: the workers may have looked before it."""
    pending = Pending()
    pending.add([OUTBOX, Hint("t", "ada", 1), Hint("t", "bob", 1)])
    with pending.sending(2) as sent:
        pending.add([OUTBOX])
    assert (sent, pending) == ({WORK: 0, ("t", "ada"): 1}, {("t", "bob"): 1, WORK: 0})


def test_what_failed_is_pending_again() -> None:
    """Unless something newer is."""
    pending = Pending()
    pending.add([Hint("t", "ada", 4), Hint("t", "bob", 1)])
    with suppress(ConnectionResetError), pending.sending():
        pending.add([Hint("t", "ada", 5)])
        raise ConnectionResetError
    assert pending == {("t", "ada"): 5, ("t", "bob"): 1}


def test_it_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The inbox that has waited longest makes room."""
    monkeypatch.setattr(live.pending, "MOST", 2)
    pending = Pending()
    pending.add([Hint("t", "ada", 1), Hint("t", "bob", 1), Hint("t", "ada", 2), Hint("t", "cy", 1)])
    assert pending == {("t", "bob"): 1, ("t", "cy"): 1}
