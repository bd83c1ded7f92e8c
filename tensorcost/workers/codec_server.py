"""Lets the Temporal UI show encrypted payloads to a signed-in operator (decisions 40).

``POST /decode`` as the UI calls it: a JSON ``Payloads`` message in, the same opened. There is no
``/encode``: a payload is bound to its workflow, which the UI does not name, so what an operator
sends from there are signals without input.
"""

import hmac
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog
from google.protobuf import json_format
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from temporalio.api.common.v1 import Payloads

from tensorcost.workers.codec import EncryptionCodec, PayloadRefused

log = structlog.get_logger(__name__)
MAX_BODY: Final = 8 * 1024 * 1024
_BEARER: Final = "Bearer "

SignedIn = Callable[[str], Awaitable[str | None]]
"""A bearer token to the operator's name, or None when it is nobody's."""


def operator_token(token: SecretStr, name: str = "operator") -> SignedIn:
    """One fixed token, for installations without an identity provider of their own."""
    expected = token.get_secret_value().encode()

    async def check(given: str) -> str | None:
        return name if hmac.compare_digest(given.encode(), expected) else None

    return check


def codec_app(codec: EncryptionCodec, signed_in: SignedIn, origins: Sequence[str]) -> Starlette:
    """The codec server. ``origins`` are the addresses of the Temporal UI, and no others."""

    async def decode(request: Request) -> Response:
        header = request.headers.get("authorization", "")
        given = header.removeprefix(_BEARER) if header.startswith(_BEARER) else ""
        operator = await signed_in(given) if given else None
        if operator is None:
            return _refusal(401, "sign in as an operator")
        if int(request.headers.get("content-length") or 0) > MAX_BODY:
            return _refusal(413, "the body is too large")
        try:
            asked = json_format.Parse(await request.body(), Payloads())
            opened = await codec.decode(asked.payloads)
        except json_format.ParseError:
            return _refusal(400, "not a Payloads message")
        except PayloadRefused as error:
            log.warning("codec.refused", operator=operator, reason=str(error))
            return _refusal(422, str(error))
        log.info("codec.decoded", operator=operator, payloads=len(opened))
        return JSONResponse(json_format.MessageToDict(Payloads(payloads=opened)))

    return Starlette(
        routes=[Route("/decode", decode, methods=["POST"])],
        middleware=[
            Middleware(
                CORSMiddleware,
                allow_origins=list(origins),
                allow_methods=["POST"],
                allow_headers=["authorization", "content-type", "x-namespace"],
            )
        ],
    )


def _refusal(status: int, why: str) -> Response:
    return JSONResponse({"error": why}, status_code=status)
