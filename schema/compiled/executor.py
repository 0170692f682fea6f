"""graphql-core's executor, that runs a plan where there can be one."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any
from weakref import proxy

from graphql import ExecutionResult, GraphQLError, GraphQLResolveInfoHelpers
from graphql.execution import Executor
from graphql.execution.executor import CollectedErrors
from graphql.execution.values import VariableValues
from graphql.pyutils import RefMap
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
        self.async_helpers = _helpers(self)

    def blank(self) -> "CompiledExecutor":
        """Return an executor of the same operation that is not for running, but to be forked."""
        run = self.fork(None, VariableValues({}, {}))
        run.__dict__ = {name: it for name, it in run.__dict__.items() if name not in _OF_ONE_RUN}
        return run

    def fork(self, context: Any, values: VariableValues) -> "CompiledExecutor":
        """Return of a blank an executor with variables and a context."""
        run = object.__new__(type(self))
        run.__dict__.update(self.__dict__)
        run.context_value = context
        run.variable_values = values
        run.collected_errors = CollectedErrors()
        return run

    def __getattr__(self, name: str) -> Any:
        """Make what a fork has of its own when it is asked for: most is of use to graphql-core's own way only."""
        if name not in _OF_ONE_RUN:
            raise AttributeError(name)
        return self.__dict__.setdefault(name, _OF_ONE_RUN[name](self))

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
            for name in _OF_ONE_RUN:  # which executors made of this one are to share
                getattr(self, name)
            return super().execute_operation(serially)
        return self.follow(plan)

    def follow(self, plan: Plan) -> Any:
        """Return the result of a plan of this operation, or an awaitable of it."""
        try:
            data = plan.execute(self, self.root_value)
        except GraphQLError as error:
            return self._failed(error)
        return self._awaited(data) if self.is_awaitable(data) else self._done(data)

    async def _awaited(self, data: Awaitable[dict[str, Any]]) -> ExecutionResult:
        try:
            return self._done(await data)
        except GraphQLError as error:
            return self._failed(error)

    def _failed(self, error: GraphQLError) -> ExecutionResult:
        self.collected_errors.add(error, None)
        return self._done(None)

    def _done(self, data: dict[str, Any] | None) -> ExecutionResult:
        # A plan leaves nothing for later: no @defer, no @stream, no hooks.
        return ExecutionResult(data, self.collected_errors.errors or None)

    def unconditional_plan(self) -> Plan | None:
        """Return the plan of the operation if it is the same whatever the variables are."""
        with suppress(GraphQLError):  # each run will say so itself
            return self.plan() if (key := self._key()) and not self._conditions(key) else None
        return None

    def plan(self) -> Plan | None:
        """Return the plan of the operation; None for what is left to graphql-core as a whole."""
        if (key := self._key()) is None or (values := shape(self, self._conditions(key))) is None:
            return None
        ours = kept(self.schema)
        plan: Plan | None = ours.plans.get((*key, values))
        return plan or ours.plans.put((*key, values), Plan(self), key[0])

    def _key(self) -> tuple[str, str | None] | None:
        """Return the text and the name that the operation is kept under; None: it has no plan."""
        place = self.operation.loc
        special = (
            self.abort_signal or self.hooks or any(it.variable_signatures for it in self.fragments.values())
        )
        middleware = self.middleware_manager and self.middleware_manager.middlewares
        if place is None or special or middleware or self.schema.get_directive("defer"):
            return None
        return place.source.body, self.operation.name.value if self.operation.name else None

    def _conditions(self, key: tuple[str, str | None]) -> tuple[str, ...]:
        """Return the variables that decide what the operation selects."""
        ours = kept(self.schema)
        names = ours.conditions.get(key)
        return ours.conditions.put(key, conditions(self), key[0]) if names is None else names


def _helpers(run: CompiledExecutor) -> GraphQLResolveInfoHelpers:
    run = proxy(run)
    return GraphQLResolveInfoHelpers(
        gather=lambda awaitables: run.gather_async_work(awaitables),  # noqa: PLW0108  it would be bound
        track=lambda values: run.track_async_work(values),  # noqa: PLW0108
    )


_OF_ONE_RUN: dict[str, Callable[[CompiledExecutor], Any]] = {
    "async_helpers": _helpers,
    "pending_incremental_futures": lambda _: set(),
    "background_futures": lambda _: set(),
    "async_work_finished_hook_task": lambda _: None,
    "groups": lambda _: [],
    "tasks": lambda _: [],
    "streams": lambda _: [],
    "_relevant_sub_fields": lambda _: {},
    "_stream_usages": lambda _: RefMap(),
    "_deferred_execution_plans": lambda _: RefMap(),
    "_initial_execution_plans": lambda _: RefMap(),
}
"""What graphql-core's executors have for themselves while they run, and how it begins."""
