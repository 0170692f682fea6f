"""The npm packages beside this file: there if node and npm are, installed when they are first needed."""

import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
BIN = HERE / "node_modules" / ".bin"


def available() -> bool:
    """Tell whether this machine has node and npm."""
    return bool(shutil.which("node") and shutil.which("npm"))


def install() -> None:
    """Install what the lock file says, unless that is what is installed."""
    installed, locked = HERE / "node_modules" / ".package-lock.json", HERE / "package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < locked.stat().st_mtime:
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=HERE, check=True, capture_output=True)
