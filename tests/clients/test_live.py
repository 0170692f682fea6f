"""What docs/how-to/live.md shows keeps a badge and a page right, whatever happens to servers and tokens."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from resolvers.principal import Role
from tests.clients.support import CLIENTS, WEBSOCKETS, Balancer, Client, clients, compile_doc, until
from tests.codegen import node
from tests.support import SECRET, Urls, test_settings
from tests.tocsin.processes import Running, Tocsin, free_port
from tocsin.auth import sign
from tocsin.settings import Settings

pytestmark = pytest.mark.skipif(not node.available(), reason="needs node and npm")

_ROW = "id title read unreadSeq createdAt"
_PAGE = f"""query($first: Int) {{
  notifications(first: $first) {{ eventCursor unreadCount nodes {{ {_ROW} }} }}
}}"""
_NOTIFY = """mutation($title: String!) {
  notify(input: {recipients: [{id: "ada"}], type: "t", category: "c", title: $title}) { created }
}"""
_READ = "mutation($ids: [ID!]!, $read: Boolean) { read(ids: $ids, read: $read) { changed } }"
_DISMISS = "mutation($ids: [ID!]!, $is: Boolean) { dismiss(ids: $ids, dismissed: $is) { changed } }"
_DELETE = "mutation($ids: [ID!]!) { delete(ids: $ids) { ids } }"
_READ_ALL = "mutation { markAllRead { marked } }"
_tenants = count(1)


@dataclass(frozen=True)
class Inbox:
    """Ada's inbox, as a server that stays up has it."""

    server: Running
    settings: Settings
    tenant: str

    def token(self, user: str = "ada", role: Role = Role.USER, seconds: float = 3600) -> str:
        """Return a token that ends after some seconds."""
        expires = timedelta(seconds=seconds)
        return sign(self.settings, tenants=[self.tenant], user=user, roles=[role], expires=expires)

    def do(self, document: str, **variables: Any) -> Any:
        """Run an operation of hers."""
        return self.server.ask(self.token(), document, **variables)

    def notify(self, *titles: str) -> None:
        """Let her get a notification at a time."""
        agent = self.token("bot", Role.AGENT)
        for title in titles:
            self.server.ask(agent, _NOTIFY, title=title)

    def page(self, first: int = 200) -> Any:
        """Return what a query gives now."""
        return self.do(_PAGE, first=first)["notifications"]

    def change(self) -> None:
        """Do one of everything that changes an inbox: ten events, none about a row that one of them removes.

        Who holds a page holds 21 rows by now.
        """
        first, second, third, *_others = ids = [row["id"] for row in self.page()["nodes"]]
        self.notify("new", "newer")
        self.do(_READ, ids=[first, ids[22]])
        self.do(_DISMISS, ids=[second])
        self.do(_DISMISS, ids=[second], **{"is": False})
        self.do(_DELETE, ids=[third])
        self.do(_READ_ALL)
        self.do(_READ, ids=[first, ids[20]], read=False)


@pytest.fixture(scope="module")
def settings(own: Urls, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Return settings that sign tokens for the servers."""
    return test_settings(own, tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def servers(own: Urls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Running]]:
    """Start three `tocsin serve` on one database: one that stays, one to kill, one to stop."""
    compile_doc()
    tocsin = Tocsin(tmp_path_factory.mktemp("servers"), {"database_url": own.server, "jwt_secret": SECRET})
    with ExitStack() as stack:
        started = [
            stack.enter_context(tocsin.start("serve", "--port", str(free_port()))) for _server in range(3)
        ]
        for server in started:
            server.wait_for(server.is_ready)
        yield started


@pytest.fixture
def inbox(servers: list[Running], settings: Settings) -> Inbox:
    """Fill an inbox with more than a page."""
    inbox = Inbox(servers[0], settings, f"tenant-{next(_tenants)}")
    inbox.notify(*(f"title {number}" for number in range(25)))
    return inbox


@pytest.fixture
async def balancer(servers: list[Running]) -> Balancer:
    """Send everybody to the server that stays."""
    balancer = Balancer()
    balancer.upstream = servers[0].url
    return balancer


class Lifetime:
    """How long a token lives that a client asks for."""

    seconds = 3600.0


@pytest.fixture
def lifetime() -> Lifetime:
    """Let tokens live for an hour."""
    return Lifetime()


@pytest.fixture
async def running(balancer: Balancer, inbox: Inbox, lifetime: Lifetime) -> AsyncIterator[list[Client]]:
    """Run all clients, each with its first badge and page, and one event later."""

    def new_token() -> str:
        return inbox.token(seconds=lifetime.seconds)

    async with balancer.listening() as address, clients(address, new_token) as started:
        await until(lambda: all(it.badges and it.pages for it in started))
        assert [(it.name, it.badges[:1], len(it.pages[0]["nodes"])) for it in started] == [
            (name, [25], 20) for name in CLIENTS
        ]
        inbox.notify("heard")  # so that the cursor of the page is not the last one
        await check(inbox, started, 1)
        yield started


def shown(client: Client) -> Any:
    """Return what a client shows, in the words of a query."""
    page = client.pages[-1]
    names = _ROW.split()
    nodes = [{name: row[name] for name in names} for row in page["nodes"]]
    return {"eventCursor": page["eventCursor"], "unreadCount": page["unreadCount"], "nodes": nodes}


async def check(inbox: Inbox, running: list[Client], events: int) -> None:
    """Each client comes to show what a query gives, having heard each event once and in order."""
    fresh = inbox.page()

    def right(client: Client) -> bool:
        first = len(client.pages[-1]["nodes"])
        wanted = fresh | {"nodes": fresh["nodes"][:first]}
        return bool(shown(client) == wanted and client.badges[-1] == fresh["unreadCount"])

    await until(lambda: all(map(right, running)))
    assert [it.name for it in running if not right(it)] == []
    wanted = [(1, seq) for seq in range(26, 26 + events)]
    assert {it.name: it.heard for it in running} == dict.fromkeys(CLIENTS, wanted)
    assert all(len(it.pages[-1]["nodes"]) >= 19 for it in running)


async def test_a_badge_and_a_page_are_live(inbox: Inbox, running: list[Client]) -> None:
    """The first badge is right, and the page follows all that can happen to an inbox."""
    inbox.change()
    await check(inbox, running, 11)


async def away(balancer: Balancer, server: Running, end: Callable[[], object], inbox: Inbox) -> None:
    """Let a server end while nobody can be reached, the inbox change, and another server be there."""
    balancer.upstream = None
    end()
    server.process.wait(20)
    inbox.change()
    balancer.upstream = inbox.server.url


class TestKilled:
    """The server is killed with -9."""

    @pytest.fixture
    async def balancer(self, servers: list[Running]) -> Balancer:
        """Send everybody to the server that will be killed."""
        balancer = Balancer()
        balancer.upstream = servers[1].url
        return balancer

    async def test_nothing_is_missed(
        self, inbox: Inbox, running: list[Client], balancer: Balancer, servers: list[Running]
    ) -> None:
        """What happened while no server answered comes from the next one: once, and in order."""
        await away(balancer, servers[1], servers[1].process.kill, inbox)
        await check(inbox, running, 11)
        inbox.notify("live again")
        await check(inbox, running, 12)


class TestStopped:
    """The server is told to stop."""

    @pytest.fixture
    async def balancer(self, servers: list[Running]) -> Balancer:
        """Send everybody to the server that will be stopped."""
        balancer = Balancer()
        balancer.upstream = servers[2].url
        return balancer

    async def test_nothing_is_missed(
        self, inbox: Inbox, running: list[Client], balancer: Balancer, servers: list[Running]
    ) -> None:
        """Sockets close with 1012, and the clients come back as after a kill."""
        balancer.upstream = None
        servers[2].process.terminate()
        await until(lambda: all(it.closed for it in running if it.name in WEBSOCKETS))
        assert [it.closed[0] for it in running if it.name in WEBSOCKETS] == [1012] * 3
        inbox.change()
        balancer.upstream = inbox.server.url
        await check(inbox, running, 11)


class TestExpired:
    """The token ends while the clients run."""

    @pytest.fixture
    def lifetime(self) -> Lifetime:
        """Let the first tokens end soon."""
        lifetime = Lifetime()
        lifetime.seconds = 2
        return lifetime

    async def test_nothing_is_missed(self, inbox: Inbox, running: list[Client], lifetime: Lifetime) -> None:
        """Sockets close with 4401, and each client goes on with a fresh token from its last cursor."""
        lifetime.seconds = 3600
        await until(lambda: all(it.closed for it in running if it.name in WEBSOCKETS))
        assert {it.closed[0] for it in running if it.name in WEBSOCKETS} == {4401}
        inbox.change()
        await check(inbox, running, 11)
