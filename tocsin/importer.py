"""Import of events from JSON lines: idempotent, so that a broken import is just run again."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Annotated
from uuid import UUID, uuid5

import orjson
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)
from pydantic.alias_generators import to_camel

from db.notification import Draft, create
from db.session import Database, Scope
from resolvers.errors import TocsinError
from resolvers.inputs import MAX_ID, text_problem
from schema.scalars import safe_url

_NAMESPACE = UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")
_BATCH_LINES = 500


def _storable(value: str) -> str:
    if "\x00" in value:
        raise ValueError("contains a NUL character")
    return value


def _id(value: str) -> str:
    if problem := text_problem(value):
        raise ValueError(problem)
    return value


def _safe(value: str) -> str:
    try:
        return safe_url(value)
    except TocsinError as error:
        raise ValueError(str(error)) from None


_Id = Annotated[str, StringConstraints(min_length=1, max_length=MAX_ID), AfterValidator(_id)]
_Text = Annotated[str, AfterValidator(_storable)]


class ImportedEvent(BaseModel):
    """One line: what happened, in which tenant, and who is to know of it."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, frozen=True)

    tenant: _Id
    recipients: Annotated[tuple[_Id, ...], Field(min_length=1, max_length=1000)]
    type: _Id
    category: _Id
    title: Annotated[_Text, StringConstraints(min_length=1, max_length=1_000)]
    body: Annotated[_Text, StringConstraints(max_length=65_536)] = ""
    url: Annotated[str, AfterValidator(_safe)] | None = None
    targets: Annotated[tuple[_Id, ...], Field(max_length=100)] = ()
    created_at: AwareDatetime | None = None

    def drafts(self) -> Iterator[Draft]:
        """Yield a draft for each recipient; its id follows from the content, so the same line is one row."""
        content = self.model_dump_json(exclude={"recipients"})
        for user_id in dict.fromkeys(self.recipients):
            yield Draft(
                id=uuid5(_NAMESPACE, f"{user_id}\n{content}"),
                user_id=user_id,
                type=self.type,
                category=self.category,
                title=self.title,
                body=self.body,
                url=self.url,
                targets=self.targets,
                created_at=self.created_at,
            )


@dataclass(slots=True)
class Report:
    """What an import did. Lines count from 1; a bad line stops no other."""

    events: int = 0
    stored: int = 0
    already_stored: int = 0
    bad: list[tuple[int, str]] = field(default_factory=list)


async def import_lines(
    database: Database, lines: Iterable[bytes], progress: Callable[[int], None] = lambda _bytes: None
) -> Report:
    """Store the events of JSON lines, one transaction a tenant and batch; progress gets bytes done."""
    report = Report()
    numbered = enumerate(lines, start=1)
    while batch := list(islice(numbered, _BATCH_LINES)):
        for tenant_id, drafts in _by_tenant(batch, report).items():
            async with database.transaction(Scope(tenant_id, None)) as tx:
                stored = await create(tx, drafts)
            report.stored += len(stored)
            report.already_stored += len(drafts) - len(stored)
        progress(sum(len(line) for _number, line in batch))
    return report


def _by_tenant(batch: Sequence[tuple[int, bytes]], report: Report) -> dict[str, list[Draft]]:
    found: dict[str, list[Draft]] = defaultdict(list)
    for number, line in batch:
        if not line.strip():
            continue
        try:
            event = ImportedEvent.model_validate(orjson.loads(line))
        except (ValueError, RecursionError) as error:
            report.bad.append((number, _reason(error)))
            continue
        report.events += 1
        found[event.tenant].extend(event.drafts())
    return found


def _reason(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return f"not JSON: {error}"
    details = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, item['loc'])) or 'line'}: {item['msg']}" for item in details)
