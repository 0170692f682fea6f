"""The npm packages of a folder, by default this one: there if node and npm are, installed when first needed."""

import fcntl
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
BIN = HERE / "node_modules" / ".bin"


def available() -> bool:
    """Tell whether this machine has node and npm."""
    return bool(shutil.which("node") and shutil.which("npm"))


def install(folder: Path = HERE) -> None:
    """Install what a folder's lock file says, unless that is what is installed; one process at a time."""
    installed, locked = folder / "node_modules" / ".package-lock.json", folder / "package-lock.json"
    with locked.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not installed.exists() or installed.stat().st_mtime < locked.stat().st_mtime:
            subprocess.run(
                ["npm", "ci", "--no-audit", "--no-fund"], cwd=folder, check=True, capture_output=True
            )
