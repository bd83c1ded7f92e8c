"""The OpenAPI document and a page to read it, with assets of our own (decisions 28)."""

from importlib.resources import files
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from tensorcost.gateway.envelope import Bytes, encode
from tensorcost.gateway.scoped import api
from tensorcost.services.authorise import Public, serves

_DOCS: Final = Public("the description of the API holds nothing of a tenant")
_CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_ASSETS: Final = {
    "docs.js": "text/javascript; charset=utf-8",
    "docs.css": "text/css; charset=utf-8",
}


def router() -> APIRouter:
    """``/openapi.json``, ``/docs`` and the page's script and style."""
    routes = api("", "docs")
    folder = files("tensorcost.gateway") / "assets"

    @routes.get("/openapi.json", include_in_schema=False)
    @serves(_DOCS)
    async def openapi_json(request: Request) -> Bytes:
        return Bytes(encode(request.app.openapi()), 200, [(b"cache-control", b"no-cache")])

    @routes.get("/docs", include_in_schema=False)
    @serves(_DOCS)
    async def docs_page() -> Response:
        return _static((folder / "docs.html").read_bytes(), "text/html; charset=utf-8")

    for name, media in _ASSETS.items():
        content = (folder / name).read_bytes()

        @routes.get(f"/docs/{name}", include_in_schema=False, name=f"docs_asset_{name}")
        @serves(_DOCS)
        async def docs_asset(content: bytes = content, media: str = media) -> Response:
            return _static(content, media)

    return routes


def _static(content: bytes, media: str) -> Response:
    headers = {"content-security-policy": _CSP, "cache-control": "no-cache"}
    return Response(content, media_type=media, headers=headers)
