"""A compiled path for Strawberry: each operation is turned into functions once, and then only run.

It knows nothing of this application. What it does not take apart it leaves to graphql-core's own executor, field
by field or as a whole, so that answers are the same either way. See docs/adr/0011-compiled-path.md.
"""

from schema.compiled.documents import Documents, core, execute, prepared, valid
from schema.compiled.executor import CompiledExecutor
from schema.compiled.prepared import Prepared

__all__ = ["CompiledExecutor", "Documents", "Prepared", "core", "execute", "prepared", "valid"]
