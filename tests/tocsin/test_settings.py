"""Settings: read once from the environment, immutable, and all of them in the README."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from tocsin.settings import Settings, table, variable


def test_the_readme_has_them_all(repository: Path) -> None:
    """The table between the README's markers is what the code prints: variable, default, meaning."""
    marked = re.search(
        r"<!-- settings -->\n(.*)\n<!-- /settings -->", (repository / "README.md").read_text(), re.DOTALL
    )
    assert marked, "README.md has no <!-- settings --> ... <!-- /settings -->"
    assert marked[1].strip() == table()


def test_the_table_can_be_printed(repository: Path) -> None:
    """`python -m tocsin.settings` prints it, a row a setting, none without a meaning."""
    command = [sys.executable, "-m", "tocsin.settings"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, cwd=repository).stdout
    assert printed == f"{table()}\n"
    assert printed.splitlines()[:2] == ["| Variable | Default | Meaning |", "|---|---|---|"]
    rows = [row.strip("| ").split(" | ") for row in printed.splitlines()[2:]]
    assert [row[0] for row in rows] == [f"`{variable(name)}`" for name in Settings.model_fields]
    assert all(len(row) == 3 and row[2].endswith(".") for row in rows)
    defaults = {row[0]: row[1] for row in rows}
    assert defaults["`TOCSIN_DATA_DIR`"] == "`.tocsin`"
    assert defaults["`TOCSIN_DATABASE_URL`"] == "unset"
    assert defaults["`TOCSIN_ALLOWED_ORIGINS`"] == "`[]`"
    assert defaults["`TOCSIN_GRAPHIQL`"] == "`false`"


@pytest.mark.parametrize("name", Settings.model_fields)
def test_each_is_read_from_its_variable(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """TOCSIN_ and the name in capitals sets it, and nothing else does."""
    text = {
        "database_pool_size": "7",
        "jwt_algorithm": "ES256",
        "hub": "nats://one.example,tls://ada:secret@two.example:4333",
        "jwt_leeway_seconds": "7",
        "allowed_origins": '["https://app.example"]',
        "send_timeout_seconds": "7.5",
        "lease_seconds": "77.5",
        "idle_timeout_seconds": "77.5",
        "drain_seconds": "77.5",
        "public_url": "https://tocsin.example/inbox",
        "apprise_services": '["discord"]',
        "introspection": "true",
        "allow_get": "true",
        "graphiql": "true",
        "allow_private_webhooks": "true",
        "max_body_bytes": "4096",
        "max_message_bytes": "4096",
        "log_format": "json",
        "log_level": "error",
        "metrics_port": "7777",
        "traces": "true",
    }.get(name, "77" if isinstance(getattr(Settings(), name), int | float) else "a text")
    monkeypatch.setenv(variable(name), text)
    changed = Settings().model_dump()
    monkeypatch.delenv(variable(name))
    unchanged = Settings().model_dump()
    assert {key for key, value in changed.items() if value != unchanged[key]} == {name}


def test_they_cannot_be_changed() -> None:
    """A setting that was read stays."""
    settings = Settings()
    with pytest.raises(ValidationError, match="frozen"):
        settings.max_depth = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("max_depth", "0"),
        ("max_depth", "many"),
        ("jwt_algorithm", "none"),
        ("jwt_leeway_seconds", "301"),
        ("database_pool_size", "0"),
        ("hub", "http://nats.example"),
        ("hub", "nats.example:4222"),
        ("hub", "nats://one.example,"),
        ("hub", "nats://ada:pa/ss@nats.example"),
        ("allowed_origins", "https://app.example"),
        ("allowed_origins", '"https://app.example"'),
        ("allowed_origins", "[1]"),
        ("graphiql", "perhaps"),
        ("public_url", "tocsin.example"),
        ("public_url", "https://tocsin.example/\r\nBcc: x"),
        ("public_url", "https://tocsin.example/>"),
        ("public_url", "https://tocsin.example/\n"),
        ("apprise_services", "discord"),
    ],
)
def test_a_wrong_one_is_named(name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not fit is an error of that setting."""
    monkeypatch.setenv(variable(name), text)
    with pytest.raises(ValidationError) as refused:
        Settings()
    assert [error["loc"][0] for error in refused.value.errors()] == [name]


def test_a_wrong_secret_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the setting and says what it must be, with nothing of what it was."""
    monkeypatch.setenv("TOCSIN_HUB", "nats://ada:hunter2/s@nats.example")
    with pytest.raises(ValidationError) as refused:
        Settings()
    assert "must be nats:// or tls:// URLs with commas between" in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_secrets_are_not_shown() -> None:
    """Neither repr nor str of the settings has a password or key in it."""
    secret = SecretStr("hunter2 and some more")
    settings = Settings(jwt_secret=secret, database_url=secret, owner_database_url=secret, smtp_url=secret)
    assert "hunter2" not in f"{settings!r} {settings}"
