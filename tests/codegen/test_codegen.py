"""A frontend team can generate TypeScript from schema.graphql, and is not broken without being told."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.codegen import node
from tests.codegen.schema_diff import compare, named_breaking
from tests.support import Urls, running_server, test_settings

needs_node = pytest.mark.skipif(not node.available(), reason="needs node and npm")


def _run(command: str, *words: str) -> str:
    """Run one of the packages' commands, which must succeed; return all that it said."""
    done = subprocess.run(
        [node.BIN / command, *words], cwd=node.HERE, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def generated() -> str:
    """Generate all there is, and return what was said."""
    node.install()
    shutil.rmtree(node.HERE / "generated", ignore_errors=True)
    return _run("graphql-codegen", "--config", "codegen.yml")


@needs_node
def test_typescript_is_generated_without_warnings_and_compiles(generated: str) -> None:
    """Every scalar is mapped, nothing is warned of, and tsc accepts a strict program that uses the types."""
    assert "Generate outputs" in generated
    assert [line for line in generated.splitlines() if "warn" in line.lower() or "⚠" in line] == []
    assert _run("tsc", "--project", ".") == ""


@needs_node
@pytest.mark.usefixtures("generated")
async def test_the_preset_writes_trusted_documents(urls: Urls, tmp_path: Path) -> None:
    """The server takes the file as it is, and runs its operations by the hashes that the clients hold."""
    written = node.HERE / "generated" / "persisted-documents.json"
    ids = re.findall(r'"__meta__":\{"hash":"([^"]+)"\}', (node.HERE / "generated" / "graphql.ts").read_text())
    assert (len(ids), sorted(ids)) == (3, sorted(json.loads(written.read_text())))
    async with running_server(test_settings(urls, tmp_path, trusted_documents=written)) as api:
        token = api.user("acme", "ada").token
        body = {"documentId": ids[0], "variables": {"first": 1}}
        headers = {"Authorization": f"Bearer {token}"}
        answer = await api.http.post("/graphql", json=body, headers=headers)
    assert answer.json()["data"]["notifications"]["nodes"] == []


@needs_node
@pytest.mark.usefixtures("generated")
def test_tsc_would_refuse_a_wrong_program(tmp_path: Path) -> None:
    """The same compiler fails on a field that the schema does not have, so it does look at the types."""
    wrong = node.HERE / "generated" / "wrong.ts"
    wrong.write_text("import type { Query } from './schema.js'\nexport type Wrong = Query['noSuchField']\n")
    done = subprocess.run(
        [
            node.BIN / "tsc",
            "--noEmit",
            "--strict",
            "--module",
            "esnext",
            "--moduleResolution",
            "bundler",
            wrong,
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    wrong.unlink()
    assert done.returncode != 0
    assert "noSuchField" in done.stdout


# -- the diff ----------------------------------------------------------------------------------------------

OLD = "type Query {\n  badge: Int\n  inbox(first: Int): [String]\n}\n"


def _git(root: Path, *words: str) -> None:
    identity = ("-c", "user.name=Tests", "-c", "user.email=tests@example.com")
    subprocess.run(["git", *identity, *words], cwd=root, check=True, capture_output=True)


@pytest.fixture
def released(tmp_path: Path) -> Path:
    """Make a repository whose release v1.0.0 has a schema."""
    _git(tmp_path, "init")
    (tmp_path / "schema.graphql").write_text(OLD)
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## Unreleased\n\n## 1.0.0\n")
    _git(tmp_path, "add", ".")
    _git(tmp_path, "commit", "-m", "Release")
    _git(tmp_path, "tag", "v1.0.0")
    return tmp_path


def test_without_a_release_there_is_nothing_to_compare(tmp_path: Path) -> None:
    """A repository without a tag passes, and says so."""
    _git(tmp_path, "init")
    assert compare(tmp_path) == (0, "No tag v* yet: there is no release to compare schema.graphql with.")


@needs_node
def test_an_addition_passes(released: Path) -> None:
    """A new field breaks nobody."""
    (released / "schema.graphql").write_text(OLD.replace("badge: Int", "badge: Int\n  more: Int"))
    code, told = compare(released)
    assert (code, "Field more was added to object type Query" in told) == (0, True)


@needs_node
def test_a_breaking_change_fails_until_the_changelog_names_it(released: Path) -> None:
    """Two removals, one of them named: it fails for the other; with both named it passes."""
    (released / "schema.graphql").write_text("type Query {\n  inbox: [String]\n}\n")
    changelog = "# Changelog\n\n## Unreleased\n\n### Breaking\n\n- `Query.badge` is gone.{}\n\n## 1.0.0\n"
    (released / "CHANGELOG.md").write_text(changelog.format(""))
    code, told = compare(released)
    assert code == 1
    assert "does not name `Query.inbox.first`" in told
    assert "does not name `Query.badge`" not in told
    (released / "CHANGELOG.md").write_text(changelog.format(" So is `Query.inbox.first`."))
    assert compare(released)[0] == 0


def test_only_what_is_new_counts_as_named() -> None:
    """A name under another heading, or under the release's own, is not said of this change."""
    changelog = "\n".join(
        (
            "## Unreleased",
            *("### Added", "- `Query.added`", "### Breaking", "- `Query.one` and `Query.two`"),
            *("### Fixed", "- `Query.fixed`", "## 1.0.0", "### Breaking", "- `Query.old`"),
        )
    )
    assert named_breaking(changelog, "v1.0.0") == ["Query.one", "Query.two"]
