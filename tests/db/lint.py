"""What other people's linters say of the policies and the migrations: `python -m tests.db.lint`.

pgrls looks at a migrated database, squawk at the migrations as SQL; pgrls.toml and .squawk.toml hold what is on
purpose.
"""

import asyncio
import io
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from alembic.runtime.environment import EnvironmentContext
from alembic.script import Script, ScriptDirectory

from db import embedded
from db.migrate import _config
from db.tables import SCHEMA
from tests.support import provision

_ROOT = Path(__file__).parents[2]
_BIN = Path(sys.executable).parent
# Migrations that are released stay as they are.
_RELEASED = {
    "0001": "prefer-text-field",  # Alembic's own table
    "0004": "adding-required-field, ban-drop-not-null",  # it empties the table first
    "0006": "ban-drop-constraint",  # replaced by a wider one in the same transaction
}


def printed() -> Iterator[tuple[str, str]]:
    """Yield each migration with its SQL, oldest first."""
    scripts = ScriptDirectory.from_config(_config())
    for script in reversed(list(scripts.walk_revisions())):
        yield script.revision, _sql(scripts, script)


def _sql(scripts: ScriptDirectory, script: Script) -> str:
    text = io.StringIO()
    with EnvironmentContext(
        _config(),
        scripts,
        fn=lambda _revision, _context: scripts._upgrade_revs(script.revision, script.down_revision),  # type: ignore[arg-type]
        as_sql=True,
        starting_rev=script.down_revision,
        destination_rev=script.revision,
    ) as environment:
        environment.configure(
            dialect_name="postgresql",
            output_buffer=text,
            version_table_schema=SCHEMA,
            literal_binds=True,
            transactional_ddl=False,
        )
        environment.run_migrations()
    return text.getvalue()


def squawk(revision: str, sql: str) -> bool:
    """Tell whether squawk finds nothing in a migration; what it finds is printed."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{revision}.sql"
        # Not --exclude, which would put aside what the file excludes.
        path.write_text(
            sql if revision not in _RELEASED else f"-- squawk-ignore-file {_RELEASED[revision]}\n{sql}"
        )
        command = map(str, (_BIN / "squawk", "--config", _ROOT / ".squawk.toml", path))
        return subprocess.run([*command], check=False).returncode == 0


async def pgrls() -> bool:
    """Tell whether pgrls finds nothing in a migrated database; what it finds is printed."""
    with tempfile.TemporaryDirectory() as folder, embedded.start(Path(folder) / "postgres") as postgres:
        async with provision(postgres.superuser_url) as urls:
            options = ("--config", str(_ROOT / "pgrls.toml"), "--database-url", urls.owner)
            process = await asyncio.create_subprocess_exec(str(_BIN / "pgrls"), "lint", *options)
            return await process.wait() == 0


if __name__ == "__main__":
    passed = [squawk(*migration) for migration in printed()]
    passed.append(asyncio.run(pgrls()))
    sys.exit(not all(passed))
