"""Runs prepared documents against the schema: the one road for HTTP and websockets.

Strawberry builds the schema; its own ``Schema.execute`` is not used, for it parses, validates
and wraps anew each time. What is answered is the same byte for byte (tested).
"""

from collections.abc import AsyncIterator
from inspect import isawaitable
from typing import Any, cast

import orjson
import strawberry
from graphql import ExecutionResult, GraphQLError, OperationDefinitionNode, execute, subscribe
from strawberry.execution import optimized_is_awaitable

from tensorcost.graphql.context import GraphqlContext
from tensorcost.graphql.execution.documents import Documents, Prepared
from tensorcost.graphql.execution.errors import TOO_COSTLY, format_error
from tensorcost.graphql.execution.flat import FlatListExecutor
from tensorcost.graphql.settings import GraphqlSettings

NO_OPERATION = "the document holds no operation, or several and operationName names none of them"


class Engine:
    """Stateless but for the cache of documents; share it."""

    def __init__(self, schema: strawberry.Schema, settings: GraphqlSettings) -> None:
        self._schema = schema._schema
        self._settings = settings
        self.documents = Documents(self._schema, settings)

    def admit(
        self, text: str, name: str | None, variables: dict[str, Any]
    ) -> "Admitted | list[GraphQLError]":
        """The operation with its cost, or why it is not run."""
        prepared = self.documents.prepare(text)
        if prepared.errors:
            return prepared.errors
        operation = prepared.operation(name)
        if operation is None:
            return [GraphQLError(NO_OPERATION)]
        cost = prepared.cost(operation, variables)
        if cost > self._settings.max_cost:
            return [
                GraphQLError(
                    f"the operation costs {cost}, allowed: {self._settings.max_cost}. "
                    "Ask for fewer items or fields at once.",
                    [operation],
                    extensions={"code": TOO_COSTLY, "cost": self._cost(cost)},
                )
            ]
        return Admitted(prepared, operation, name, variables, cost, self._requests(cost))

    async def run(self, admitted: "Admitted", context: GraphqlContext) -> ExecutionResult:
        """Execute a query or a mutation."""
        result = execute(**self._arguments(admitted, context))
        if isawaitable(result):
            return await result
        return result

    async def stream(
        self, admitted: "Admitted", context: GraphqlContext
    ) -> AsyncIterator[ExecutionResult] | ExecutionResult:
        """Execute a subscription: its answers, or the error that kept it from starting."""
        result = subscribe(**self._arguments(admitted, context))
        if isawaitable(result):
            return await result
        return cast("ExecutionResult", result)

    def encode(self, result: ExecutionResult, trace_id: str, *, cost: int | None = None) -> bytes:
        """The answer's JSON."""
        body: dict[str, Any] = {"data": result.data}
        if result.errors:
            body["errors"] = [format_error(error, trace_id) for error in result.errors]
        if cost is not None:
            body["extensions"] = {"cost": {**self._cost(cost), "requests": self._requests(cost)}}
        return orjson.dumps(body, option=orjson.OPT_UTC_Z)

    def _requests(self, cost: int) -> int:
        return max(1, -(-cost // self._settings.cost_of_a_request))

    def _cost(self, cost: int) -> dict[str, int]:
        return {"requested": cost, "limit": self._settings.max_cost}

    def _arguments(self, admitted: "Admitted", context: GraphqlContext) -> dict[str, Any]:
        assert admitted.prepared.document is not None
        return {
            "schema": self._schema,
            "document": admitted.prepared.document,
            "context_value": context,
            "variable_values": admitted.variables,
            "operation_name": admitted.name,
            "is_awaitable": optimized_is_awaitable,
            "executor_class": FlatListExecutor,
            "hide_suggestions": not self._settings.introspection,
            "operation_extensions": None,
            "plans": admitted.prepared.plans,
        }


class Admitted:
    """An operation that may run."""

    __slots__ = ("cost", "name", "operation", "prepared", "requests", "variables")

    def __init__(
        self,
        prepared: Prepared,
        operation: OperationDefinitionNode,
        name: str | None,
        variables: dict[str, Any],
        cost: int,
        requests: int,
    ) -> None:
        self.prepared = prepared
        self.operation = operation
        self.name = name
        self.variables = variables
        self.cost = cost
        self.requests = requests
        """What the operation takes of the tenant's quota of requests."""
