"""One websocket: authenticated once, looked at again while it is open, ended with its token."""

import asyncio
import secrets
from contextlib import suppress
from typing import Any

from graphql import GraphQLError, OperationType
from starlette.types import Receive, Scope, Send

from tensorcost.domain.errors import DomainError, RateLimited, Unavailable, ValidationFailed
from tensorcost.domain.identity.caller import Caller, caller_of
from tensorcost.domain.identity.principal import Principal
from tensorcost.graphql.context import GraphqlContext
from tensorcost.graphql.deps import GraphqlDeps
from tensorcost.graphql.execution.engine import Engine
from tensorcost.graphql.execution.errors import located
from tensorcost.graphql.http import Request, request_of
from tensorcost.graphql.ws.groups import Groups, Member, Seat
from tensorcost.graphql.ws.outbox import Outbox
from tensorcost.graphql.ws.protocol import (
    PROTOCOL,
    Close,
    SocketClosed,
    credentials,
    may_open,
    operation_id,
    parse_message,
)

_ONLY_STREAMS = "this socket serves subscriptions: send queries and mutations by POST"


class Connection:
    """Serves one socket until either side ends it."""

    def __init__(self, engine: Engine, groups: Groups, deps: GraphqlDeps) -> None:
        self._engine = engine
        self._groups = groups
        self._deps = deps
        self._outbox = Outbox()
        self._seats: dict[str, Seat] = {}
        self._principal: Principal | None = None
        self._token = ""
        self._tenant: str | None = None
        self._initialised = False
        self._acknowledged = asyncio.Event()
        self._caller = Caller(secrets.token_hex(16))

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Accept the socket, or refuse it, and speak the protocol."""
        with suppress(KeyError):  # behind the gateway the connection has one already
            self._caller = caller_of(scope)
        await receive()
        if not may_open(scope, self._deps.settings.allowed_origins):
            await send({"type": "websocket.close", "code": Close.FOREIGN_ORIGIN})
            return
        if PROTOCOL not in scope.get("subprotocols", ()):
            await send({"type": "websocket.accept"})
            await _close(send, SocketClosed(Close.WRONG_PROTOCOL, f"speak {PROTOCOL}"))
            return
        await send({"type": "websocket.accept", "subprotocol": PROTOCOL})
        ending = await self._until_ended(receive, send)
        if ending is not None:
            await _close(send, ending)

    async def _until_ended(self, receive: Receive, send: Send) -> SocketClosed | None:
        tasks = {
            asyncio.create_task(self._read(receive), name="graphql-socket-read"),
            asyncio.create_task(self._write(send), name="graphql-socket-write"),
            asyncio.create_task(self._watch(), name="graphql-socket-watch"),
        }
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for seat in self._seats.values():
                seat.leave()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            error = task.exception()
            if isinstance(error, SocketClosed):
                return error
            if error is not None and not isinstance(error, OSError):
                raise error
        return None

    async def _read(self, receive: Receive) -> None:
        limit = self._deps.settings.max_body_bytes
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            if text is not None and len(text) > limit:
                raise SocketClosed(Close.TOO_BIG, f"a message has at most {limit} characters")
            await self._handle(*parse_message(text))

    async def _write(self, send: Send) -> None:
        while True:
            await send({"type": "websocket.send", "text": await self._outbox.take()})

    async def _watch(self) -> None:
        """End the socket with its token, its membership, or an init that never comes."""
        settings = self._deps.settings
        try:
            await asyncio.wait_for(self._acknowledged.wait(), settings.init_timeout_seconds)
        except TimeoutError:
            raise SocketClosed(Close.INIT_TIMEOUT, "no connection_init came") from None
        while self._principal is not None:
            left = self._principal.expires_at - self._deps.clock().timestamp()
            if left <= 0:
                raise SocketClosed(Close.FORBIDDEN, "the token has expired")
            await asyncio.sleep(min(left, settings.recheck_seconds))
            await self._recheck(self._principal)

    async def _recheck(self, known: Principal) -> None:
        try:
            now = await self._deps.authenticate(self._token, self._tenant)
        except Unavailable:
            return  # nobody can tell at the moment; the token's end still holds
        except DomainError as error:
            raise SocketClosed(Close.FORBIDDEN, error.message) from error
        if (now.tenant_id, now.scopes) != (known.tenant_id, known.scopes):
            raise SocketClosed(Close.FORBIDDEN, "what the caller may do has changed")

    async def _handle(self, kind: str, message: dict[str, Any]) -> None:
        if kind == "subscribe":
            await self._subscribe(message)
        elif kind == "complete":
            seat = self._seats.pop(operation_id(message), None)
            if seat is not None:
                seat.leave()
        elif kind == "connection_init":
            await self._init(message)
        elif kind == "ping":
            self._outbox.control({"type": "pong"})
        elif kind != "pong":
            raise SocketClosed(Close.BAD_MESSAGE, "not a message of this protocol")

    async def _init(self, message: dict[str, Any]) -> None:
        if self._initialised:
            raise SocketClosed(Close.SECOND_INIT, "too many initialisation requests")
        self._initialised = True
        token, self._tenant = credentials(message.get("payload"))
        if token is None:
            raise SocketClosed(Close.FORBIDDEN, "connection_init needs an authToken")
        self._token = token
        try:
            self._principal = await self._deps.authenticate(token, self._tenant)
        except DomainError as error:
            raise SocketClosed(Close.FORBIDDEN, error.message) from error
        self._acknowledged.set()
        self._outbox.control({"type": "connection_ack"})

    async def _subscribe(self, message: dict[str, Any]) -> None:
        if self._principal is None:
            raise SocketClosed(Close.SUBSCRIBED_BEFORE_ACK, "unauthorized")
        name = operation_id(message)
        self._seats = {key: seat for key, seat in self._seats.items() if not seat.member.ended}
        if name in self._seats:
            raise SocketClosed(Close.DUPLICATE_ID, f"subscriber for {name} already exists")
        try:
            request = request_of(message.get("payload"))
        except ValidationFailed as error:
            raise SocketClosed(Close.BAD_MESSAGE, error.message) from error
        limit = self._deps.settings.max_frames
        member = Member(name, self._outbox.lane(limit), self._caller.trace_id)
        errors = await self._start(request, member, self._principal)
        if errors:
            member.fail(errors)

    async def _start(
        self, request: Request, member: Member, principal: Principal
    ) -> list[GraphQLError]:
        """Join the stream asked for, or say why not. Each start counts as a request."""
        if len(self._seats) >= self._deps.settings.max_streams:
            return [GraphQLError(f"at most {self._deps.settings.max_streams} streams a socket")]
        admitted = self._engine.admit(request.query, request.operation_name, request.variables)
        if isinstance(admitted, list):
            return admitted
        if admitted.operation.operation is not OperationType.SUBSCRIPTION:
            return [GraphQLError(_ONLY_STREAMS)]
        try:
            await self._caller.charge(principal, admitted.requests)
        except RateLimited as error:
            return [located(error)]
        context = GraphqlContext(
            principal, self._deps.services, self._caller.trace_id, is_stream=True
        )
        self._seats[member.operation_id] = self._groups.join(member, request, admitted, context)
        return []


async def _close(send: Send, ending: SocketClosed) -> None:
    with suppress(OSError, RuntimeError):  # the other side may have been quicker
        await send(
            {"type": "websocket.close", "code": int(ending.code), "reason": ending.reason[:120]}
        )
