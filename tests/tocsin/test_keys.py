"""The keys that seal secrets: from the setting, or made once in the data dir."""

import stat
import subprocess
import sys
from base64 import b64encode
from pathlib import Path

import pytest
from pydantic import SecretStr

from resolvers.vault import CannotOpenError, Vault
from tocsin.keys import ConfigurationError, secret_vault
from tocsin.settings import Settings

PLACE = ("acme", "channel-1", "secret")
ONE, TWO = (b64encode(bytes([n]) * 32).decode() for n in (1, 2))


def vault(data_dir: Path, keys: str | None = None) -> Vault:
    """Return the vault of these settings."""
    return secret_vault(Settings(data_dir=data_dir, secret_keys=None if keys is None else SecretStr(keys)))


def test_the_first_key_seals_and_all_open(tmp_path: Path) -> None:
    """A comma list, blanks around it or not; nothing is written to the data dir."""
    box = vault(tmp_path, f"k1:{ONE}").seal(PLACE, "hunter2")
    rotated = vault(tmp_path, f" k2:{TWO} , k1:{ONE} ")
    assert (box["key"], rotated.seal(PLACE, "hunter2")["key"]) == ("k1", "k2")
    assert rotated.open(PLACE, box) == "hunter2"
    with pytest.raises(CannotOpenError):
        vault(tmp_path, f"k2:{TWO}").open(PLACE, box)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "keys",
    [
        "",
        ",",
        ONE,
        f":{ONE}",
        f"k1{ONE}",
        f"k1:{ONE},",
        f"k1:{ONE},k1:{TWO}",
        f"k 1:{ONE}",
        f"{'k' * 33}:{ONE}",
        "k1:" + b64encode(bytes(31)).decode(),
        "k1:" + b64encode(bytes(33)).decode(),
        f"k1:{ONE[:-1]}",
        f"k1:{ONE.replace('A', '_')[:-1]}",
    ],
)
def test_what_is_no_list_of_keys(tmp_path: Path, keys: str) -> None:
    """It is refused at start, and the error shows no key."""
    with pytest.raises(ConfigurationError, match="TOCSIN_SECRET_KEYS must be") as refused:
        vault(tmp_path, keys)
    assert ONE[:20] not in str(refused.value)


def test_a_key_is_made_once_and_is_private(tmp_path: Path) -> None:
    """Mode 0600, no other file left; the file holds what the variable would."""
    data_dir = tmp_path / "new" / "data"
    box = vault(data_dir).seal(PLACE, "hunter2")
    assert vault(data_dir).open(PLACE, box) == "hunter2"
    kept = data_dir / "secret-keys"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert list(data_dir.iterdir()) == [kept]
    assert vault(tmp_path, kept.read_text()).open(PLACE, box) == "hunter2"
    with pytest.raises(CannotOpenError):
        vault(tmp_path / "other").open(PLACE, box)


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 50])
def test_a_damaged_file_is_reported_and_not_replaced(tmp_path: Path, content: bytes) -> None:
    """A new key would lose what the old one sealed."""
    kept = tmp_path / "secret-keys"
    kept.write_bytes(content)
    with pytest.raises(ConfigurationError, match="secret-keys"):
        vault(tmp_path)
    assert kept.read_bytes() == content


def test_serve_refuses_wrong_keys_before_it_listens(repository: Path, tmp_path: Path) -> None:
    """One sentence at the terminal, with one worker or several."""
    for workers in ("1", "2"):
        run = subprocess.run(
            [sys.executable, "-c", "from tocsin.cli import app; app()", "serve", "--workers", workers],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=repository,
            env={
                "PYTHONPATH": ":".join(sys.path),
                "PATH": "/usr/bin:/bin",
                "TOCSIN_DATA_DIR": str(tmp_path),
                "TOCSIN_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
                "TOCSIN_SECRET_KEYS": "k1:hunter2",
            },
        )
        assert run.returncode == 1
        assert run.stderr.startswith("TOCSIN_SECRET_KEYS must be a comma list")
        assert "hunter2" not in run.stderr + run.stdout
