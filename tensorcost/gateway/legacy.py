"""The retired ``/api/`` paths: 410, or aliases where an operator still needs them (trap 20)."""

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tensorcost.domain.errors import ErrorCode
from tensorcost.gateway.errors import Headers, failure

ALIASES: Final[dict[str, str]] = {
    "/api/instances": "/v1/gpu/instances",
    "/api/costs": "/v1/cost/summary",
}
_DEPRECATED: Final = b"@1790726400"
"""The announced end, in Unix seconds (RFC 9745); the day before it nobody dated."""
_SUNSET: Final = b"Wed, 30 Sep 2026 00:00:00 GMT"


class Legacy:
    """Answers or rewrites everything under ``/api/``."""

    def __init__(self, app: ASGIApp, *, aliases: bool) -> None:
        self._app = app
        self._aliases = aliases

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] != "http" or not (path == "/api" or path.startswith("/api/")):
            await self._app(scope, receive, send)
            return
        successor = ALIASES.get(path.rstrip("/"))
        headers = _headers(successor)
        if successor is None or not self._aliases:
            text = "the /api/ paths ended on 2026-09-30: use /v1/"
            answer = failure(scope, 410, ErrorCode.GONE, text, headers=headers)
            await answer(scope, receive, send)
            return

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*(message.get("headers") or []), *headers]
            await send(message)

        rewritten = {**scope, "path": successor, "raw_path": successor.encode()}
        await self._app(rewritten, receive, marked)


def _headers(successor: str | None) -> Headers:
    headers: Headers = [(b"deprecation", _DEPRECATED), (b"sunset", _SUNSET)]
    if successor is not None:
        headers.append((b"link", f'<{successor}>; rel="successor-version"'.encode()))
    return headers
