"""Streams, executed once a group: the same tenant, scopes, document and variables.

A group runs one subscription and hands every answer, encoded once, to its members, each of
which only adds its own id. A stream that starts at a cursor, or with a state of its own, is a
group of one.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final, cast

import orjson
import structlog
from graphql import ExecutionResult, FieldNode, GraphQLError, NullValueNode, VariableNode

from tensorcost.domain.errors import DomainError
from tensorcost.events.errors import ReaderTooSlow
from tensorcost.graphql.context import GraphqlContext
from tensorcost.graphql.execution.engine import Admitted, Engine
from tensorcost.graphql.execution.errors import format_error, located
from tensorcost.graphql.http import Request
from tensorcost.graphql.ws.outbox import Lane

log = structlog.get_logger(__name__)

SHARED: Final = frozenset({"events"})
"""Root fields whose stream is the same for everybody who joins it without a cursor."""


class Member:
    """One subscriber of a group, on one socket."""

    def __init__(self, operation_id: str, lane: Lane, trace_id: str) -> None:
        self.operation_id = operation_id
        name = orjson.dumps(operation_id).decode()
        self._next = f'{{"id":{name},"type":"next","payload":'
        self._complete = f'{{"id":{name},"type":"complete"}}'
        self._error = f'{{"id":{name},"type":"error","payload":'
        self._lane = lane
        self._trace_id = trace_id
        self._position: int | None = None
        self.ended = False

    async def room(self) -> None:
        """Wait until the reader has taken enough."""
        await self._lane.room()

    def offer(self, payload: str, position: int | None) -> None:
        """Queue an answer. A reader too far behind is ended with the cursor to resume after."""
        if self.ended:
            return
        if self._lane.offer(f"{self._next}{payload}}}"):
            self._position = position
        else:
            self.fail([located(ReaderTooSlow(cursor=self._position or 0))])

    def complete(self) -> None:
        """The stream is over."""
        if not self.ended:
            self._lane.last(self._complete)
            self.ended = True

    def fail(self, errors: list[GraphQLError]) -> None:
        """The stream is over, for a reason."""
        if not self.ended:
            sent = [format_error(error, self._trace_id) for error in errors]
            self._lane.last(f"{self._error}{orjson.dumps(sent).decode()}}}")
            self.ended = True


@dataclass(slots=True)
class _Group:
    shared: bool
    members: list[Member] = field(default_factory=list)
    task: asyncio.Task[None] | None = None


class Groups:
    """All running streams of this process."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._groups: dict[object, _Group] = {}

    def join(
        self, member: Member, request: Request, admitted: Admitted, context: GraphqlContext
    ) -> "Seat":
        """Start or join the stream that ``request`` asks for; leave with the seat."""
        shared = _is_shared(admitted)
        key = _key(request, context) if shared else object()
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = _Group(shared)
            group.task = asyncio.create_task(
                self._run(key, group, admitted, context), name="graphql-stream"
            )
        group.members.append(member)
        return Seat(self, key, group, member)

    def leave(self, key: object, group: _Group, member: Member) -> None:
        """Take ``member`` out; a group of nobody is stopped."""
        if member in group.members:
            group.members.remove(member)
        if not group.members:
            self._forget(key, group)
            if group.task is not None:
                group.task.cancel()

    def _forget(self, key: object, group: _Group) -> None:
        if self._groups.get(key) is group:
            del self._groups[key]

    async def _run(
        self, key: object, group: _Group, admitted: Admitted, context: GraphqlContext
    ) -> None:
        errors: list[GraphQLError] = []
        try:
            errors = await self._feed(key, group, admitted, context)
        except DomainError as error:
            errors = [located(error)]
        except Exception as error:  # a stream's end is the process boundary of its execution
            log.error("graphql.stream_failed", trace_id=context.trace_id, exc_info=error)
            errors = [GraphQLError("", original_error=error, path=[])]
        finally:
            self._forget(key, group)
        for member in list(group.members):
            if errors:
                member.fail(errors)
            else:
                member.complete()

    async def _feed(
        self, key: object, group: _Group, admitted: Admitted, context: GraphqlContext
    ) -> list[GraphQLError]:
        source = await self._engine.stream(admitted, context)
        if isinstance(source, ExecutionResult):
            return source.errors or []
        async with aclosing(cast("_Closable", source)) as results:
            async for result in results:
                payload = self._engine.encode(result, context.trace_id).decode()
                if not group.shared:
                    # Nobody else waits: a replay goes at its reader's pace.
                    await group.members[0].room()
                for member in group.members:
                    member.offer(payload, context.position)
                group.members = [member for member in group.members if not member.ended]
                if not group.members:
                    self._forget(key, group)  # before the source closes: nobody may join any more
                    break
        return []


class _Closable(AsyncIterator[ExecutionResult]):
    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Seat:
    """A member's place in its group."""

    _groups: Groups
    _key: object
    _group: _Group
    member: Member

    def leave(self) -> None:
        """Stop listening; safe to repeat."""
        self._groups.leave(self._key, self._group, self.member)


def _key(request: Request, context: GraphqlContext) -> object:
    principal = context.principal
    variables = orjson.dumps(request.variables, option=orjson.OPT_SORT_KEYS)
    return (
        principal.tenant_id,
        principal.scopes,
        request.query,
        request.operation_name,
        variables,
    )


def _is_shared(admitted: Admitted) -> bool:
    """Whether everybody who joins later wants just what the running stream goes on with."""
    selections = admitted.operation.selection_set.selections
    (root,) = selections if len(selections) == 1 else (None,)
    if not isinstance(root, FieldNode) or root.name.value not in SHARED:
        return False
    for argument in root.arguments or ():
        if argument.name.value == "after" and not isinstance(argument.value, NullValueNode):
            value: Any = argument.value
            name = value.name.value if isinstance(value, VariableNode) else None
            return (
                name is not None
                and admitted.variables.get(name) is None
                and not _defaults(admitted, name)
            )
    return True


def _defaults(admitted: Admitted, name: str) -> bool:
    return any(
        definition.variable.name.value == name and definition.default_value is not None
        for definition in admitted.operation.variable_definitions or ()
    )
