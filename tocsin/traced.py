"""The GraphQL endpoint with a span for each operation."""

from typing import Any

from opentelemetry.trace import Span, StatusCode
from starlette.requests import Request
from starlette.responses import Response
from strawberry.utils.operation import get_operation_type

from schema import compiled
from tocsin.connection import Connection
from tocsin.http import GraphQLEndpoint
from tocsin.socket import Socket
from tocsin.traces import Traces


class TracedSocket(Socket):
    """A socket whose operations are spans, in the trace of the request that opened it."""

    view: "TracedEndpoint"

    async def run_operation(self, operation: Any) -> None:
        """Run an operation; the span of a subscription lasts as long as it does."""
        headers = self.context.request.headers if self.context.request else {}
        with self.view.traces.serving(headers) as span:
            _describe(span, self.context)
            try:
                await super().run_operation(operation)
            finally:
                if document := compiled.valid(self.schema, operation.query):
                    span.update_name(get_operation_type(document, operation.operation_name).value)


class TracedEndpoint(GraphQLEndpoint):
    """/graphql, traced."""

    graphql_transport_ws_handler_class = TracedSocket

    def __init__(self, traces: Traces, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.traces = traces

    async def reply(self, request: Request, connection: Connection) -> Response:
        """Answer a request; an event stream is only begun in its span."""
        with self.traces.serving(request.headers) as span:
            response = await super().reply(request, connection)
            span.update_name(connection.operation_type)
            span.set_attributes(
                {
                    "http.request.method": request.method,
                    "http.response.status_code": response.status_code,
                    "tocsin.code": connection.code,
                }
            )
            _describe(span, connection)
            if connection.code == "INTERNAL":
                span.set_status(StatusCode.ERROR)
            return response


def _describe(span: Span, connection: Connection) -> None:
    span.set_attribute("tocsin.request_id", connection.request_id)
    if connection.principal:
        span.set_attribute("tocsin.tenant", connection.principal.tenant_id)
