"""OpenTelemetry traces of a process, sent by OTLP over HTTP.

No attribute holds what a client sent or what a tenant stored. What an exception says is left out as well.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from db.traces import traced_connection

_PATIENCE_SECONDS = 3
"""How long the last spans of a process may take to be sent."""
_propagator = TraceContextTextMapPropagator()


class Traces:
    """Makes spans; they leave while `exported`.

    Where to, how many of them and the service's name are OpenTelemetry's own settings, OTEL_*.
    """

    def __init__(self) -> None:
        self._provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
        self.tracer = self._provider.get_tracer("tocsin")
        self.connection_class = traced_connection(self.tracer)

    @contextmanager
    def exported(self) -> Iterator[None]:
        """Send spans from a thread while the block runs; what cannot be sent is dropped."""
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        try:
            yield
        finally:
            # A receiver that is away must not hold the process.
            ending = threading.Thread(target=self._provider.shutdown, daemon=True)
            ending.start()
            ending.join(_PATIENCE_SECONDS)

    @contextmanager
    def serving(self, headers: Mapping[str, str]) -> Iterator[Span]:
        """Make the span of an operation that a client asked for, in the client's own trace if it names one."""
        with self.tracer.start_as_current_span(
            "GraphQL",
            _propagator.extract(headers),
            SpanKind.SERVER,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            yield span

    def traceparent(self) -> str | None:
        """Return the span that is under way, as W3C Trace Context writes it."""
        carrier: dict[str, str] = {}
        _propagator.inject(carrier)
        return carrier.get("traceparent")


def _resource() -> Resource:
    found = Resource.create()
    # What the SDK makes up when neither OTEL_SERVICE_NAME nor OTEL_RESOURCE_ATTRIBUTES says it.
    unnamed = str(found.attributes[SERVICE_NAME]).startswith("unknown_service")
    return found.merge(Resource({SERVICE_NAME: "tocsin"})) if unnamed else found
