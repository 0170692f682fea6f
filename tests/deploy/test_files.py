"""What is deployed with fits together and with the code, and its linters agree where they are installed."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.tocsin.processes import ROOT

_COMPOSE = (ROOT / "compose.yaml").read_text()
_DOCKERFILE = (ROOT / "Dockerfile").read_text()
_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
_ROLES = re.compile(r"^create (?:role|database) (?!tocsin_backup).*$", re.MULTILINE)
_UNDER_WAY_SECONDS = 10
"""How long a server or worker finishes what it has."""


def _run(*command: str | Path, stdin: str = "", env: dict[str, str] | None = None) -> str:
    """Run a linter that this machine may have; return what it prints, and fail if it finds something."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"There is no {command[0]} on this machine.")
    done = subprocess.run(
        command, input=stdin, capture_output=True, text=True, cwd=ROOT, env=env, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _numbers(pattern: str, text: str) -> list[int]:
    return [int(it) for it in re.findall(pattern, text)]


def test_nothing_is_killed_before_it_has_ended() -> None:
    """The time to stop is longer than the drain and what is under way, on one host and in Kubernetes."""
    (drain,) = _numbers(r'TOCSIN_DRAIN_SECONDS: "(\d+)"', _COMPOSE)
    graces = _numbers(r"stop_grace_period: (\d+)s", _COMPOSE)
    assert len(graces) == 3
    assert min(graces) > drain + _UNDER_WAY_SECONDS
    folder = ROOT / "deploy" / "kubernetes"
    (drain,) = _numbers(r'TOCSIN_DRAIN_SECONDS: "(\d+)"', (folder / "config.yaml").read_text())
    for name, least in (("api", drain + _UNDER_WAY_SECONDS), ("worker", _UNDER_WAY_SECONDS)):
        (grace,) = _numbers(r"terminationGracePeriodSeconds: (\d+)", (folder / f"{name}.yaml").read_text())
        assert grace > least


def test_the_drain_is_seen() -> None:
    """Caddy looks at /readyz more than twice while a server drains."""
    (drain,) = _numbers(r'TOCSIN_DRAIN_SECONDS: "(\d+)"', _COMPOSE)
    caddyfile = (ROOT / "deploy" / "compose" / "Caddyfile").read_text()
    (interval,) = _numbers(r"health_interval (\d+)s", caddyfile)
    (timeout,) = _numbers(r"health_timeout (\d+)s", caddyfile)
    assert drain > 2 * interval + timeout


def test_the_roles_are_those_of_the_readme() -> None:
    """The init script of compose makes what README.md tells to make, with the passwords filled in."""
    made = _ROLES.findall((ROOT / "deploy" / "compose" / "roles.sh").read_text())
    told = _ROLES.findall((ROOT / "README.md").read_text())
    assert [re.sub(r":'\w+'", "'…'", it) for it in made] == told
    assert len(told) == 6


def test_the_image_holds_the_packages() -> None:
    """What the wheel is made of is let through to the build, with the versions that the project has."""
    let_through = (ROOT / ".dockerignore").read_text()
    packages = _PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert [it for it in packages if f"\n!{it}\n" not in let_through] == []
    (uv,) = re.findall(r"^UV_VERSION := (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert f"ghcr.io/astral-sh/uv:{uv} " in _DOCKERFILE
    assert f"TOCSIN_VERSION:-{_PROJECT['project']['version']}}}" in _COMPOSE
    assert "\nUSER 10001:10001\n" in _DOCKERFILE


def test_hadolint() -> None:
    """It has nothing to say of the Dockerfile."""
    assert _run("hadolint", "Dockerfile") == ""


def test_compose(tmp_path: Path) -> None:
    """Compose takes the file with the secrets that the script prints, and refuses it without them."""
    (tmp_path / ".env").write_text(_run("sh", "deploy/compose/secrets.sh"))
    standalone = ["docker-compose"] if shutil.which("docker-compose") else ["docker", "compose"]
    if (
        standalone[0] == "docker"
        and subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode
    ):
        pytest.skip("There is no docker compose on this machine.")
    config = [*standalone, "--file", "compose.yaml"]
    shown = _run(*config, "--env-file", str(tmp_path / ".env"), "config")
    assert shown.count("no-new-privileges:true") == 6
    bare = subprocess.run(
        [*config, "--env-file", "/dev/null", "config"], cwd=ROOT, capture_output=True, check=False
    )
    assert bare.returncode != 0


def test_kubernetes() -> None:
    """Kustomize builds the manifests; each is what the API of its version takes."""
    built = _run("kubectl", "kustomize", "deploy/kubernetes")
    assert len(re.findall(r"^kind: ", built, re.MULTILINE)) == 10
    assert built.count("readOnlyRootFilesystem: true") == built.count("image: ") == 3
    examples = [it.read_text() for it in sorted((ROOT / "deploy" / "kubernetes").glob("*.example.yaml"))]
    assert len(examples) == 2
    _run("kubernetes-validate", "--strict", "--quiet", "-", stdin="\n---\n".join([built, *examples]))


def test_nats_takes_its_file() -> None:
    """With a password as the script makes them."""
    _run(
        "nats-server",
        "-t",
        "--config",
        "deploy/compose/nats.conf",
        env={"NATS_PASSWORD": "s12e45", "PATH": "/usr/sbin:/usr/bin"},
    )
