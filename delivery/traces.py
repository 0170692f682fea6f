"""Deliveries as spans: children of the notify that asked for them, whichever process that was in.

What is read and written for many deliveries at once belongs to none of their traces.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from time import time_ns
from typing import Any
from uuid import UUID

from opentelemetry.context import Context
from opentelemetry.trace import (
    INVALID_SPAN,
    Link,
    Span,
    SpanKind,
    StatusCode,
    Tracer,
    get_current_span,
    set_span_in_context,
    use_span,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

import db.request
from db.session import OUTAGE, Database, Scope
from db.types import WorkKind
from delivery.dispatcher import Dispatcher
from delivery.opening import Load, Opened
from delivery.sender import Result, Sent
from delivery.settler import Settler, Verdict

_propagator = TraceContextTextMapPropagator()
_Spans = dict[tuple[UUID, UUID], list[Span]]
"""Of deliveries in hand, by lease and id, what ends when they are settled."""


class TracedDispatcher(Dispatcher):
    """A dispatcher whose deliveries, and requests to many, are spans."""

    def __init__(self, tracer: Tracer, database: Database, *parts: Any) -> None:
        super().__init__(database, *parts)
        self._tracer = tracer
        self._spans: _Spans = {}
        self._settler = _TracedSettler(tracer, self._spans, database, self._settled)

    async def _open(self, tenant_id: str, lease: UUID, ids: Sequence[UUID]) -> Opened:
        began = time_ns()
        opened = await super()._open(tenant_id, lease, ids)
        ended = time_ns()
        for load in opened.loads:
            span = self._begin(tenant_id, load, began)
            self._tracer.start_span("open", set_span_in_context(span), start_time=began).end(ended)
            self._spans[lease, load.parcel.id] = [span]
        return opened

    def _begin(self, tenant_id: str, load: Load, at: int) -> Span:
        first, *others = dict.fromkeys(load.traceparents or [""])
        return self._tracer.start_span(
            "deliver",
            _context(first),
            SpanKind.CONSUMER,
            {
                "tocsin.tenant": tenant_id,
                "tocsin.delivery_id": str(load.parcel.id),
                "tocsin.kind": load.kind.value,
                "tocsin.deliveries": len(load.deliveries),
            },
            [Link(get_current_span(_context(it)).get_span_context()) for it in others],
            at,
        )

    async def _carry(self, tenant_id: str, lease: UUID, load: Load) -> None:
        (span,) = self._spans[lease, load.parcel.id]
        with use_span(span, record_exception=False, set_status_on_exception=False):
            await super()._carry(tenant_id, lease, load)

    async def _send(self, load: Load) -> Result:
        delivering = get_current_span()
        with self._tracer.start_as_current_span(
            "send", kind=SpanKind.CLIENT, record_exception=False, set_status_on_exception=False
        ) as span:
            result = await super()._send(load)
            for it in (delivering, span):
                it.set_attributes(_outcome(load, result))
                if not isinstance(result, Sent):
                    it.set_status(StatusCode.ERROR)
            return result

    def _settled(self, lease: UUID, ids: Iterable[UUID]) -> None:
        ids = [*ids]
        self._hand.done(lease, ids)
        for id in ids:
            for span in reversed(self._spans.pop((lease, id), [])):
                span.end()

    async def _finish(self, kind: WorkKind, tenant_id: str, id: UUID, lease: UUID) -> None:
        if kind is not WorkKind.REQUEST:
            await super()._finish(kind, tenant_id, id, lease)
            return
        with self._tracer.start_as_current_span(
            "fan out",
            _context(await self._traceparent(tenant_id, id)),
            SpanKind.CONSUMER,
            {"tocsin.tenant": tenant_id, "tocsin.request": str(id)},
            record_exception=False,
            set_status_on_exception=False,
        ):
            await super()._finish(kind, tenant_id, id, lease)

    async def _traceparent(self, tenant_id: str, request_id: UUID) -> str:
        with suppress(*OUTAGE):  # which the work itself will meet as well
            row = await db.request.by_id(self._database.reader(Scope(tenant_id, None)), request_id)
            return (row and row.traceparent) or ""
        return ""


class _TracedSettler(Settler):
    """A settler that begins a span where a delivery starts to wait for it."""

    def __init__(self, tracer: Tracer, spans: _Spans, *parts: Any) -> None:
        super().__init__(*parts)
        self._tracer, self._spans = tracer, spans

    def put(self, tenant_id: str, verdicts: Iterable[Verdict]) -> None:
        """Have verdicts written soon, by a task that is in nobody's trace."""
        verdicts = [*verdicts]
        for settlement, _gone in verdicts:
            if spans := self._spans.get((settlement.lease, settlement.id)):
                spans.append(self._tracer.start_span("settle", set_span_in_context(spans[0])))
        with use_span(INVALID_SPAN):
            super().put(tenant_id, verdicts)


def _context(traceparent: str) -> Context:
    """Return a context in which a span of another process is under way, or none is."""
    return _propagator.extract({"traceparent": traceparent}, Context())


def _outcome(load: Load, result: Result) -> Mapping[str, str | int]:
    found: dict[str, str | int] = {"tocsin.kind": load.kind.value, "tocsin.outcome": type(result).__name__}
    return found if result.status_code is None else {**found, "tocsin.status_code": result.status_code}
