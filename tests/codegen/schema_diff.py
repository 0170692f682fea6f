"""`make schema-diff`: schema.graphql against that of the last release.

A breaking change is named by its place in CHANGELOG.md, in backticks, under "### Breaking" above the last
release: `Query.stats`, `Query.notifications.page`, `Severity.LOW`.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.codegen import node


def _git(root: Path, *words: str) -> str | None:
    """Return what git prints, or None if it fails."""
    done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else None


def named_breaking(changelog: str, tag: str) -> list[str]:
    """Return what stands in backticks under "### Breaking" above the section of a tag's release."""
    release = re.search(rf"^## .*\b{re.escape(tag.removeprefix('v'))}\b", changelog, flags=re.MULTILINE)
    sections = re.split(r"^#+ ", changelog[: release.start() if release else None], flags=re.MULTILINE)
    breaking = [it.partition("\n")[2] for it in sections if it.partition("\n")[0].strip() == "Breaking"]
    return re.findall(r"`([^`\n]+)`", "\n".join(breaking))


def compare(root: Path) -> tuple[int, str]:
    """Compare a checkout's schema with its last release's; return an exit code and what to say."""
    tag = (_git(root, "describe", "--tags", "--abbrev=0", "--match", "v*") or "").strip()
    if not tag:
        return 0, "No tag v* yet: there is no release to compare schema.graphql with."
    old = _git(root, "show", f"{tag}:schema.graphql")
    if old is None:
        return 0, f"{tag} has no schema.graphql to compare with."
    if not node.available():
        return 0, "schema.graphql was not compared with the last release: that needs node and npm."
    node.install()
    names = named_breaking((root / "CHANGELOG.md").read_text(), tag)
    with tempfile.NamedTemporaryFile("w", suffix=".graphql") as file:
        file.write(old)
        file.flush()
        done = subprocess.run(
            [
                *(node.BIN / "graphql-inspector", "diff", file.name, root / "schema.graphql"),
                *("--rule", "ignoreDescriptionChanges", "--onComplete", node.HERE / "breaking.cjs"),
            ],
            env=os.environ | {"NAMED_BREAKING": json.dumps(names)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    return done.returncode, f"schema.graphql since {tag}:\n{done.stdout.strip()}"


if __name__ == "__main__":
    code, told = compare(Path.cwd())
    print(told)  # noqa: T201
    sys.exit(code)
