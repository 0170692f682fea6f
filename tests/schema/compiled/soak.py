"""Compare plans with graphql-core on many generated operations: `make soak`, or with a number of operations."""

import asyncio
import sys
import tempfile
from pathlib import Path

from db import embedded
from tests.figures import report
from tests.schema.compiled.tally import Tally, tally_tocsin, tally_zoo
from tests.schema.compiled.tocsin import contexts, furnish
from tests.support import provision, running_server, test_settings

MOST_SHOWN = 3


async def _run(most: int) -> list[tuple[str, Tally]]:
    """Compare: four fifths over one of everything, the rest against a database."""
    found = [("one of everything", await tally_zoo(most * 4 // 5))]
    with tempfile.TemporaryDirectory() as folder, embedded.start(Path(folder) / "postgres") as postgres:
        async with (
            provision(postgres.superuser_url) as urls,
            running_server(test_settings(urls, Path(folder))) as api,
        ):
            ada = api.user("acme", "ada")
            likely = await furnish(ada)
            found.append(("this application", await tally_tocsin(most // 5, contexts(ada), likely)))
    return found


def main() -> None:
    """Print what was counted, and fail if anything differs."""
    most = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    found = asyncio.run(_run(most))
    for name, it in found:
        shares = f"{it.declined / it.ran:.2%} declined, {it.with_data / it.ran:.1%} with data"
        figures = f"{it.ran:,} generated operations: {len(it.differences)} differ, {shares}"
        report(f"Plans against graphql-core, {name}", figures, holds=it.is_fine)
        for difference in it.differences[:MOST_SHOWN]:
            print(difference)  # noqa: T201
    sys.exit(not all(it.is_fine for _, it in found))


if __name__ == "__main__":
    main()
