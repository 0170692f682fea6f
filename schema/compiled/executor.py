"""graphql-core's executor, that runs a plan where there can be one."""

from collections.abc import Awaitable
from typing import Any
from weakref import proxy

from graphql import GraphQLError, GraphQLResolveInfoHelpers
from graphql.execution import Executor
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from schema.compiled.documents import kept
from schema.compiled.plan import Plan, conditions, shape


class CompiledExecutor(StrawberryGraphQLCoreExecutionContext):
    """Executes an operation by its plan.

    Hand it to `strawberry.Schema(execution_context_class=...)`. Everything else is graphql-core's: variables,
    errors and their places, and whatever a plan leaves to it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Bound to this executor they would be a cycle, and each request garbage that has to be found.
        run = proxy(self)
        self.async_helpers = GraphQLResolveInfoHelpers(
            gather=lambda awaitables: run.gather_async_work(awaitables),  # noqa: PLW0108  it would be bound
            track=lambda values: run.track_async_work(values),  # noqa: PLW0108
        )

    def build_per_event_executor(self, payload: Any) -> Executor[Any]:
        """Return the executor of one event of a subscription.

        graphql-core 3.3.2 remembers the fields it collected by the identity of lists that it makes anew for each
        event, in one dict for the whole subscription: 1.7 KB an event that nobody looks up again.
        """
        executor = super().build_per_event_executor(payload)
        executor._relevant_sub_fields = {}  # noqa: SLF001 - there is no public way
        return executor

    def execute_operation(self, serially: bool | None = None) -> Any:
        """Return the result, or an awaitable of it."""
        try:
            plan = self.plan()
        except GraphQLError:  # graphql-core will say so itself
            plan = None
        if plan is None:
            return super().execute_operation(serially)
        try:
            data = plan.execute(self, self.root_value)
        except GraphQLError as error:
            return self._failed(error)
        return self._awaited(data) if self.is_awaitable(data) else self.build_response(data)

    async def _awaited(self, data: Awaitable[dict[str, Any]]) -> Any:
        try:
            return self.build_response(await data)
        except GraphQLError as error:
            return self._failed(error)

    def _failed(self, error: GraphQLError) -> Any:
        self.collected_errors.add(error, None)
        return self.build_response(None)

    def plan(self) -> Plan | None:
        """Return the plan of the operation; None for what is left to graphql-core as a whole."""
        place = self.operation.loc
        special = (
            self.abort_signal or self.hooks or any(it.variable_signatures for it in self.fragments.values())
        )
        middleware = self.middleware_manager and self.middleware_manager.middlewares
        if place is None or special or middleware or self.schema.get_directive("defer"):
            return None
        text = place.source.body
        ours = kept(self.schema)
        key = (text, self.operation.name and self.operation.name.value)
        names = ours.conditions.get(key)
        if names is None:
            names = ours.conditions.put(key, conditions(self), text)
        values = shape(self, names)
        if values is None:
            return None
        plan: Plan | None = ours.plans.get((*key, values))
        return plan or ours.plans.put((*key, values), Plan(self), text)
