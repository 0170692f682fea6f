"""The README's plot: `python -m bench.plot bench-requests.json docs/benchmark.svg`, after `make bench`."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

_TITLES = {"badge": "Badge", "page": "Page of 20", "read": "Mark one read"}
_WIDTH, _LEFT, _BAR, _GAP, _GROUP = 720, 170, 16, 6, 34
_LONGEST = _WIDTH - _LEFT - 110
_STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600 } .ours { fill: #0969da } .server { fill: #6e7781 } .postgres { fill: #c4cad0 }
@media (prefers-color-scheme: dark) {
  text { fill: #d0d7de } .ours { fill: #58a6ff } .server { fill: #8b949e } .postgres { fill: #484f58 }
}"""


def svg(kinds: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """Return bars of CPU a request in microseconds, the server's and behind it Postgres's.

    kinds: as bench.report.summary has them. A group ends where its second longest does; what is longer is cut off.
    """
    lines, top = list[str](), 30
    for kind, title in _TITLES.items():
        lines.append(f'<text class="title" x="0" y="{top}">{title}</text>')
        top += 10
        lines.extend(_group(kinds[kind], top))
        top += len(kinds[kind]) * (_BAR + _GAP) + _GROUP
    note = "Microseconds of CPU a request, less is better: the server, then Postgres (pale)."
    lines.append(f'<text x="0" y="{top - 10}">{note}</text>')
    size = f'viewBox="0 0 {_WIDTH} {top}" width="{_WIDTH}" height="{top}"'
    inside = "\n".join([f"<title>CPU a request</title><style>{_STYLE}</style>", *lines])
    return f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size}>\n{inside}\n</svg>\n'


def _group(entries: Mapping[str, Mapping[str, Any]], top: int) -> Iterator[str]:
    wholes = sorted(it["server"] + it["postgres"] for it in entries.values())
    most = wholes[-2] if len(wholes) > 1 else wholes[-1]
    for name, it in entries.items():
        server = min(it["server"] / most, 1) * _LONGEST
        postgres = min(it["postgres"] / most, 1 - server / _LONGEST) * _LONGEST
        end, baseline = _LEFT + server + postgres, top + _BAR - 4
        label = f"{it['server']:,.0f} + {it['postgres']:,.0f}"
        cut = " …" if it["server"] + it["postgres"] > most else ""
        kind = "ours" if name == "Tocsin" else "server"
        yield f'<text x="{_LEFT - 8}" y="{baseline}" text-anchor="end">{name}</text>'
        yield f'<rect class="{kind}" x="{_LEFT}" y="{top}" width="{server:.0f}" height="{_BAR}"/>'
        yield (
            f'<rect class="postgres" x="{_LEFT + server:.0f}" y="{top}" width="{postgres:.0f}" height="{_BAR}"/>'
        )
        yield f'<text x="{end + 6:.0f}" y="{baseline}">{label}{cut}</text>'
        top += _BAR + _GAP


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    target.write_text(svg(orjson.loads(source.read_bytes())["kinds"]))
