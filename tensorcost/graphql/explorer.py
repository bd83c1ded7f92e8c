"""A page to try the schema with, dependency-free and served from here (decisions 28).

No request leaves for another host: the policy below forbids it, a test in Chromium checks it.
"""

from importlib.resources import files
from typing import Final

from starlette.types import Receive, Scope, Send

from tensorcost.graphql.http import Header, respond

_PAGE: Final = "explorer.html"
_MEDIA: Final = {
    _PAGE: b"text/html; charset=utf-8",
    "explorer.css": b"text/css; charset=utf-8",
    "explorer.js": b"text/javascript; charset=utf-8",
    "explorer-client.js": b"text/javascript; charset=utf-8",
    "explorer-docs.js": b"text/javascript; charset=utf-8",
}
_POLICY: Final[Header] = (
    b"content-security-policy",
    b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    b"img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
)


class Explorer:
    """Serves the page at its mount and the page's parts below it."""

    def __init__(self) -> None:
        folder = files("tensorcost.graphql") / "assets"
        self._files = {name: (folder / name).read_bytes() for name in _MEDIA}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        last = scope["path"].rstrip("/").rpartition("/")[2]
        name = last if last in self._files else _PAGE
        headers = (
            (b"content-type", _MEDIA[name]),
            (b"cache-control", b"no-cache"),
            (b"x-content-type-options", b"nosniff"),
            _POLICY,
        )
        body = self._files[name]
        await respond(send, 200, b"" if scope["method"] == "HEAD" else body, headers)
