"""What `mkdocs build` does beyond its settings: pages from elsewhere, links out of docs, the rest of the nav."""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from tests.docs.reference import pages

ROOT = Path(__file__).parents[2]
# Pages of the repository's root, by where they are in the site.
FROM_ROOT = {
    "index.md": "README.md",
    "security.md": "SECURITY.md",
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
}
_LINK = re.compile(
    r"\[(?P<text>[^\]\[]*(?:\[[^\]]*\])?[^\]\[]*)\]\((?!https?:|mailto:|#)(?P<to>[^)#\s]+)(?P<at>#[^)]*)?\)"
)
_ATTRIBUTE = re.compile(r'\b(?P<name>src|srcset|href)="(?!https?:|data:)(?P<to>[^"#]+)"')
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the pages that `folder/*` stands for into the nav: those that it does not name."""
    named = {*_paths(config.nav)}
    config.nav = [_with_the_rest(it, named) for it in config.nav or ()]
    return config


def _paths(nav: Any) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    else:
        for it in nav.values() if isinstance(nav, dict) else nav or ():
            yield from _paths(it)


def _with_the_rest(nav: Any, named: set[str]) -> Any:
    if isinstance(nav, dict):
        return {title: _with_the_rest(it, named) for title, it in nav.items()}
    if isinstance(nav, str):
        return nav
    found = []
    for it in nav:
        folder = it.removesuffix("/*") if isinstance(it, str) else ""
        rest = sorted(
            path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs" / folder).glob("*.md")
        )
        found += [path for path in rest if path not in named] if folder and folder != it else [it]
    return found


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the root and of the reference."""
    of_root = {path: (ROOT / source).read_text() for path, source in FROM_ROOT.items()}
    for path, text in {**of_root, **pages()}.items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links lead to pages of the site, and to the repository or nowhere what is none."""
    here = page.file.src_uri
    source = FROM_ROOT.get(here, f"docs/{here}")
    parts, end = [], 0
    for fence in _FENCE.finditer(markdown):
        parts += [_linked(markdown[end : fence.start()], source, here, config, files), fence[0]]
        end = fence.end()
    return "".join([*parts, _linked(markdown[end:], source, here, config, files)])


def _linked(text: str, source: str, here: str, config: MkDocsConfig, files: Files) -> str:
    def target_of(link: "re.Match[str]") -> tuple[str, str | None]:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), link["to"]))
        target = _in_site(path, files)
        return path, target and posixpath.relpath(target, posixpath.dirname(here) or ".")

    def replaced(link: "re.Match[str]") -> str:
        path, to = target_of(link)
        if to:
            return f"[{link['text']}]({to}{link['at'] or ''})"
        if not (ROOT / path).exists():
            return link[0]  # for mkdocs to complain about
        if config.repo_url:
            return f"[{link['text']}]({config.repo_url.rstrip('/')}/blob/main/{path})"
        return link["text"]

    def moved(link: "re.Match[str]") -> str:
        _path, to = target_of(link)
        return f'{link["name"]}="{to}"' if to else link[0]

    return _ATTRIBUTE.sub(moved, _LINK.sub(replaced, text))


def _in_site(path: str, files: Files) -> str | None:
    """Return where a file of the repository is in the site, a folder's being its first page; None: nowhere."""
    at_root = {source: target for target, source in FROM_ROOT.items()}
    if path in at_root:
        return at_root[path]
    below = path.removeprefix("docs/")
    inside = sorted(it for it in files.src_uris if it.startswith(f"{below}/") and it.endswith(".md"))
    candidates = [below, f"{below}/README.md", *inside] if below != path else []
    return next((it for it in candidates if it in files.src_uris), None)
