"""Generated operations: whatever a plan answers, graphql-core answers byte for byte the same."""

from tests.schema.compiled.tally import tally_tocsin, tally_zoo
from tests.schema.compiled.tocsin import contexts, furnish
from tests.support import Api


async def test_operations_over_one_of_everything() -> None:
    """Queries and mutations with values that fail; `make soak` has twenty times as many."""
    found = await tally_zoo(700)
    assert found.is_fine, found


async def test_queries_of_this_application(ada: Api.User) -> None:
    """Queries of a user and of an admin with rows of each kind, against the real database."""
    likely = await furnish(ada)
    found = await tally_tocsin(300, contexts(ada), likely)
    assert found.is_fine, found
