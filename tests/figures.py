"""How a soak says what it counted: as a row of the table in docs/reliability.md."""

import sys

START = "| "


def report(scenario: str, figures: str, *, holds: bool) -> bool:
    """Print the row of a scenario; return whether all holds in it."""
    sys.stdout.write(f"{START}{scenario} | {figures} | {'yes' if holds else '**no**'} |\n")
    sys.stdout.flush()
    return holds
