"""Import of events from JSON lines: idempotent, so that a broken import is just run again."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, BinaryIO
from uuid import UUID, uuid5

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)
from pydantic.alias_generators import to_camel

from db.draft import Draft, create
from db.session import Database, Scope
from resolvers.errors import TocsinError
from resolvers.inputs import MAX_ID, text_problem
from resolvers.url import safe_url
from tocsin import jsonl

_NAMESPACE = UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")
_BATCH_LINES = 500
_BATCH_BYTES = 8_388_608
_TRANSACTION_ROWS = 2_000


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


def _instant(value: object) -> datetime:
    """Read what the API reads; pydantic would take numbers, too, for seconds since 1970."""
    try:
        parsed = datetime.fromisoformat(value) if isinstance(value, str) else None
        if parsed is not None and parsed.tzinfo is not None:
            return parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        parsed = None
    raise ValueError("must be RFC 3339 with a zone, in the years 1 to 9999, e.g. 2026-01-15T10:00:00Z")


_Id = Annotated[str, StringConstraints(min_length=1, max_length=MAX_ID), AfterValidator(_id)]


class ImportedEvent(BaseModel):
    """One line: what happened, in which tenant, and who is to know of it."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, frozen=True)

    tenant: _Id
    recipients: Annotated[tuple[_Id, ...], Field(min_length=1, max_length=1000)]
    type: _Id
    category: _Id
    title: Annotated[str, StringConstraints(min_length=1, max_length=1_000), AfterValidator(_storable)]
    body: Annotated[str, StringConstraints(max_length=65_536), AfterValidator(_storable)] = ""
    url: Annotated[str, AfterValidator(_safe)] | None = None
    targets: Annotated[tuple[_Id, ...], Field(max_length=100)] = ()
    created_at: Annotated[datetime, BeforeValidator(_instant)] | None = None

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
    database: Database, file: BinaryIO, progress: Callable[[int], None] = lambda _bytes: None
) -> Report:
    """Store the events of JSON lines, some at a time; progress gets the bytes that are done."""
    report = Report()
    for batch in _batches(file):
        for tenant_id, drafts in _by_tenant(_events(batch, report)).items():
            for start in range(0, len(drafts), _TRANSACTION_ROWS):
                await _store(database, tenant_id, drafts[start : start + _TRANSACTION_ROWS], report)
        progress(sum(len(line) for _number, line in batch))
    return report


def _batches(file: BinaryIO) -> Iterator[list[tuple[int, bytes]]]:
    """Yield numbered lines, so many at a time as memory is sure to hold."""
    batch, size = [], 0
    for number, line in enumerate(jsonl.lines(file), start=1):
        batch.append((number, line))
        size += len(line)
        if len(batch) == _BATCH_LINES or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    yield batch


async def _store(database: Database, tenant_id: str, drafts: list[Draft], report: Report) -> None:
    async with database.transaction(Scope(tenant_id, None)) as tx:
        stored = await create(tx, drafts)
    report.stored += len(stored)
    report.already_stored += len(drafts) - len(stored)


def _by_tenant(events: Iterable[ImportedEvent]) -> dict[str, list[Draft]]:
    found: dict[str, list[Draft]] = defaultdict(list)
    for event in events:
        found[event.tenant].extend(event.drafts())
    return found


def _events(batch: Iterable[tuple[int, bytes]], report: Report) -> Iterator[ImportedEvent]:
    for number, line in batch:
        if not line.strip():
            continue
        try:
            event = ImportedEvent.model_validate(jsonl.parsed(line))
        except ValueError as error:
            report.bad.append((number, _reason(error)))
            continue
        report.events += 1
        yield event


def _reason(error: ValueError) -> str:
    """Return what is wrong with a line."""
    reason = str(error)
    if isinstance(error, ValidationError):
        details = error.errors(include_url=False, include_input=False, include_context=False)
        reason = "; ".join(
            f"{'.'.join(map(str, it['loc'])) or 'line'}: {it['msg'].removeprefix('Value error, ')}"
            for it in details
        )
    return jsonl.shown(reason)
