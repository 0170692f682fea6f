"""Tocsin's commands with a database that need not be waited for as long as a real one."""

from functools import partial

import db.pool
import db.session
import live.postgres
from tests.delivery.site import Program, Site
from tests.forked import run_command
from tests.tocsin.processes import free_port

SECONDS = 2


def run(*words: str) -> None:
    """Be a command that gives a statement, or the wait for a connection, two seconds."""
    db.session._STATEMENT_SECONDS = dict.fromkeys(db.session._STATEMENT_SECONDS, SECONDS)
    db.session._CONNECT_SECONDS = db.session._GRACE_SECONDS = 1
    db.pool._WAIT_SECONDS = live.postgres._BEAT_SECONDS = SECONDS
    run_command(*words)


def start(site: Site, *, patient: bool) -> tuple[list[Program], str]:
    """Start a server and two workers; return the server's address, too."""
    be, port = (run_command if patient else run), free_port()
    commands = (("serve", "--port", str(port)), ("worker",), ("worker",))
    return [site.program(partial(be, *words)) for words in commands], f"http://127.0.0.1:{port}"
