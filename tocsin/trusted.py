"""Trusted documents: where a manifest is set, only what stands in it runs, and it is compiled at start.

Source: GraphQL over HTTP, appendix A (persisted documents). A manifest is one JSON object {id: document}, as
graphql-codegen's client preset and Relay's compiler write it.
"""

from collections.abc import Hashable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import orjson
from graphql import DocumentNode, GraphQLError, GraphQLSchema, OperationDefinitionNode, parse, specified_rules
from strawberry.schema import BaseSchema
from strawberry.schema.schema import validate_document

from resolvers.errors import ErrorCode, TocsinError
from schema.compiled.cache import Cache
from schema.compiled.documents import MOST_CHARACTERS, MOST_DOCUMENTS, core, kept
from schema.limits import Limits, excess
from tocsin.auth import ConfigurationError
from tocsin.settings import variable

MOST_BYTES = 1_048_576
"""What a manifest may hold: its plans take some 350 bytes for each, for as long as the server runs."""

V = TypeVar("V")


class Trusted:
    """The documents of a manifest, each of them valid, by id and by the SHA-256 of its text."""

    def __init__(self, manifest: dict[str, str]) -> None:
        self._by_id: dict[str, str] = {}
        for text in manifest.values():
            digest = sha256(text.encode()).hexdigest()
            self._by_id |= {digest: text, f"sha256:{digest}": text}
        self._by_id |= manifest
        self._texts = {text: text for text in manifest.values()}

    def settle(self, parameters: Any) -> Any:
        """Return the parameters of an operation with the text of its document.

        A text of the client's own must be a document's, and then stands for itself, whatever id is beside it.
        Raises PERSISTED_QUERY_NOT_FOUND for any other text and for an unknown id. What has a wrong shape or
        names no document is returned as it is.
        """
        if not isinstance(parameters, dict):
            return parameters
        if given := parameters.get("query"):
            found = self._texts.get(given) if isinstance(given, str) else given
        elif (id := _id_in(parameters)) is None:
            return parameters
        else:
            found = self._by_id.get(id)
        if found is None:
            raise TocsinError(ErrorCode.PERSISTED_QUERY_NOT_FOUND, "This server runs trusted documents only.")
        return {**parameters, "query": found}


def _id_in(parameters: dict[str, Any]) -> str | None:
    """Return a document's id: where the appendix has it, or Relay, or Apollo and urql, or graphql-ws's recipe."""
    extensions = parameters.get("extensions")
    persisted = extensions.get("persistedQuery") if isinstance(extensions, dict) else None
    hash = persisted.get("sha256Hash") if isinstance(persisted, dict) else persisted
    found = (parameters.get("documentId"), parameters.get("doc_id"), hash)
    return next((it for it in found if isinstance(it, str) and it), None)


# -- at start ----------------------------------------------------------------------------------------------


def trust(path: Path, schema: BaseSchema, limits: Limits) -> Trusted:
    """Read a manifest, and have the schema keep its documents and plans for good.

    Raises ConfigurationError that names what is wrong with it, and OSError if it cannot be read.
    """
    manifest = _manifest(path)
    theirs = core(schema)
    documents = {text: _document(id, text, theirs, limits) for id, text in manifest.items()}
    ours = kept(theirs)
    for name in vars(ours):
        setattr(ours, name, _Lasting[Any]())
    for text, document in documents.items():
        ours.valid.put(text, document, text)
        _compile(theirs, document)
    for cache in vars(ours).values():
        cache.complete()
    return Trusted(manifest)


def _manifest(path: Path) -> dict[str, str]:
    with path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise _wrong(f"{path} is larger than {MOST_BYTES} bytes.")
    try:
        manifest = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise _wrong(f"{path} is not JSON in UTF-8: {error}.") from None
    texts = isinstance(manifest, dict) and all(isinstance(it, str) for it in manifest.values())
    if not manifest or not texts:
        raise _wrong(f"{path} is not one JSON object of documents by their ids, with at least one.")
    return dict(manifest)


def _document(id: str, text: str, schema: GraphQLSchema, limits: Limits) -> DocumentNode:
    try:
        document = parse(text, max_tokens=limits.max_tokens)
    except GraphQLError as error:
        raise _wrong(f"document {id}: {error.message}") from None
    over = excess(document, limits)
    errors = [over] if over else validate_document(schema, document, tuple(specified_rules))
    if errors:
        raise _wrong(f"document {id}: {errors[0].message}")
    return document


def _wrong(what: str) -> ConfigurationError:
    return ConfigurationError(f"{variable('trusted_documents')}: {what}")


def _compile(schema: GraphQLSchema, document: DocumentNode) -> None:
    """Make the plan of each operation; where variables decide what it selects, that is made when it runs."""
    executor: Any = schema._strawberry_schema.execution_context_class  # type: ignore[attr-defined]  # noqa: SLF001
    fragments = [it for it in document.definitions if not isinstance(it, OperationDefinitionNode)]
    for operation in (it for it in document.definitions if isinstance(it, OperationDefinitionNode)):
        bare = replace(operation, variable_definitions=())  # no plan depends on what else they say
        run = executor.build(schema, DocumentNode(definitions=(bare, *fragments)))
        run.plan()


class _Lasting(Cache[V]):
    """A cache that never lets go of what was put into it before it was complete."""

    def __init__(self) -> None:
        super().__init__(MOST_DOCUMENTS, MOST_CHARACTERS)
        self._lasting: dict[Hashable, V] = {}
        self._complete = False

    def complete(self) -> None:
        """Let whatever comes from now on be forgotten again."""
        self._complete = True

    def get(self, key: Hashable) -> V | None:
        """Return the value of a key, if it has one."""
        return self._lasting[key] if key in self._lasting else super().get(key)

    def put(self, key: Hashable, value: V, text: str) -> V:
        """Keep a value, and return it."""
        if self._complete:
            return super().put(key, value, text)
        self._lasting[key] = value
        return value
