"""Idempotency-Key around every POST and PATCH of a signed-in caller."""

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tensorcost.domain.errors import ValidationFailed
from tensorcost.domain.identity.caller import caller_of
from tensorcost.domain.identity.principal import Principal
from tensorcost.gateway.envelope import Bytes
from tensorcost.gateway.request import sent_with
from tensorcost.services.idempotency import Answer, Claim, IdempotencyService

_METHODS: Final = frozenset({"POST", "PATCH"})
REPLAYED: Final = (b"idempotent-replayed", b"true")


class Idempotent:
    """Answers a repeated request from memory. Only ``/v1`` paths take part: sub-applications
    have their own protocols."""

    def __init__(self, app: ASGIApp, *, service: IdempotencyService) -> None:
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (
            scope["type"] != "http"
            or scope["method"] not in _METHODS
            or not scope["path"].startswith("/v1/")
        ):
            await self._app(scope, receive, send)
            return
        keys = sent_with(scope["headers"]).idempotency_key
        principal = caller_of(scope).principal
        if not keys or principal is None:
            await self._app(scope, receive, send)
            return
        if len(keys) > 1:
            raise ValidationFailed("more than one Idempotency-Key", field="Idempotency-Key")
        await self._once(scope, receive, send, principal, keys[0].decode("latin-1"))

    async def _once(
        self, scope: Scope, receive: Receive, send: Send, principal: Principal, key: str
    ) -> None:
        body = await _read(receive)
        query = scope.get("query_string", b"").decode("latin-1")
        route = f"{scope['method']} {scope['path']}?{query}"
        begun = await self._service.begin(principal, route, key, body)
        if isinstance(begun, Answer):
            await Bytes(begun.body, begun.status, [REPLAYED])(scope, receive, send)
            return
        recorder = _Recorder(send)
        finished = False
        try:
            await self._app(scope, _replay(body, receive), recorder)
            finished = True
        finally:
            await self._end(begun, recorder.answer() if finished else None)

    async def _end(self, claim: Claim, answer: Answer | None) -> None:
        """Keep what the caller was told; forget failures that are ours, so that a retry runs."""
        if answer is None or answer.status >= 500:
            await self._service.release(claim)
        else:
            await self._service.keep(claim, answer)


class _Recorder:
    """``send`` that also keeps the response."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._status: int | None = None
        self._body = bytearray()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
        elif message["type"] == "http.response.body":
            self._body += message.get("body", b"")
        await self._send(message)

    def answer(self) -> Answer | None:
        return None if self._status is None else Answer(self._status, bytes(self._body))


async def _read(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return bytes(body)
        body += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    given = False

    async def replayed() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed
