"""Messages and close codes of graphql-transport-ws, and who may open a socket."""

from enum import IntEnum
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
from starlette.types import Scope

PROTOCOL: Final = "graphql-transport-ws"


class Close(IntEnum):
    """4403 is the one after which the usual clients come back with a fresh token."""

    FOREIGN_ORIGIN = 1008
    TOO_BIG = 1009
    BAD_MESSAGE = 4400
    SUBSCRIBED_BEFORE_ACK = 4401
    FORBIDDEN = 4403
    WRONG_PROTOCOL = 4406
    INIT_TIMEOUT = 4408
    DUPLICATE_ID = 4409
    SECOND_INIT = 4429


class SocketClosed(Exception):
    """This side ends the connection."""

    def __init__(self, code: Close, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def parse_message(text: str | None) -> tuple[str, dict[str, Any]]:
    """Type and message; SocketClosed when it is not one of the protocol's."""
    try:
        message = orjson.loads(text or "")
    except orjson.JSONDecodeError:
        raise SocketClosed(Close.BAD_MESSAGE, "not a JSON message") from None
    kind = message.get("type") if isinstance(message, dict) else None
    if not isinstance(kind, str):
        raise SocketClosed(Close.BAD_MESSAGE, "a message has a type")
    return kind, message


def operation_id(message: dict[str, Any]) -> str:
    """The id of a subscribe or complete message; SocketClosed without one."""
    found = message.get("id")
    if not isinstance(found, str) or not 0 < len(found) <= 128:
        raise SocketClosed(Close.BAD_MESSAGE, "the message needs an id")
    return found


def credentials(payload: object) -> tuple[str | None, str | None]:
    """Token and wished tenant in the payload of connection_init."""
    if not isinstance(payload, dict):
        return None, None
    given = {str(name).lower(): value for name, value in payload.items()}
    token = given.get("authtoken") or given.get("authorization")
    tenant = given.get("activetenantid") or given.get("x-active-tenant-id")
    if not isinstance(token, str):
        return None, None
    scheme, _, rest = token.partition(" ")
    if scheme.lower() == "bearer":
        token = rest.strip()
    return token, tenant if isinstance(tenant, str) else None


def may_open(scope: Scope, allowed_origins: frozenset[str]) -> bool:
    """Browsers name the page that opens a socket: ours, or an allowed one. Others name none."""
    headers = dict(scope["headers"])
    origin = headers.get(b"origin")
    if origin is None:
        return True
    text = origin.decode("latin-1").lower()
    host = headers.get(b"host", b"").decode("latin-1").lower()
    return text in allowed_origins or urlsplit(text).netloc == host != ""
