"""Dispatch methods."""

import sys
from pathlib import Path

import pytest

from tests.resolvers.support import Nobody
from tests.support import Api

GET = "{ dispatchMethods { available default } }"


@pytest.mark.parametrize("installed", [False, True])
async def test_apprise_needs_its_package(
    ada: Api.User,
    admin: Api.User,
    agent: Api.User,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    *,
    installed: bool,
) -> None:
    """The other methods are always there, and the inbox is the default, for everybody."""
    if installed:
        (tmp_path / "apprise").mkdir()
        (tmp_path / "apprise" / "__init__.py").touch()
        monkeypatch.syspath_prepend(tmp_path)
    else:
        monkeypatch.setitem(sys.modules, "apprise", None)  # what Python takes for "cannot be imported"
    available = ["IN_APP", "EMAIL", "SLACK", "WEBHOOK", *(["APPRISE"] if installed else [])]
    for user in (ada, admin, agent):
        assert (await user.data(GET))["dispatchMethods"] == {"available": available, "default": "IN_APP"}


async def test_nobody_may_ask(nobody: Nobody) -> None:
    """Without a token it is UNAUTHENTICATED."""
    assert (await nobody.ask(GET)).codes == ["UNAUTHENTICATED"]
