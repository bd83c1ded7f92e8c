"""Sub-applications at a path, with and without a trailing slash, for HTTP and websockets."""

from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send


class SubApplication(BaseRoute):
    """Hands ``path`` and everything below it to ``app``.

    Unlike a Starlette mount it needs no trailing slash and leaves ``path`` as it came.
    """

    def __init__(self, path: str, app: ASGIApp) -> None:
        if not path.startswith("/") or path.endswith("/"):
            raise ValueError("a sub-application's path begins with a slash and ends without one")
        self.path = path
        self.app = app

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Full for the path itself and whatever is below it."""
        if scope["type"] in ("http", "websocket"):
            path = scope["path"]
            if path == self.path or path.startswith(f"{self.path}/"):
                return Match.FULL, {}
        return Match.NONE, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the sub-application."""
        await self.app(scope, receive, send)
