"""The request headers that the gateway reads, picked out in one pass."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9_.:-]{8,128}")


@dataclass(slots=True)
class Sent:
    """Tuples hold every value of a header that must not be repeated."""

    authorization: tuple[bytes, ...] = ()
    active_tenant: tuple[bytes, ...] = ()
    idempotency_key: tuple[bytes, ...] = ()
    origin: bytes | None = None
    preflight_method: bytes | None = None
    request_id: bytes | None = None
    content_length: int | None = None


def sent_with(headers: Iterable[tuple[bytes, bytes]]) -> Sent:
    """Names are lower case already (ASGI)."""
    sent = Sent()
    for name, value in headers:
        if name == b"authorization":
            sent.authorization += (value,)
        elif name == b"x-active-tenant-id":
            sent.active_tenant += (value,)
        elif name == b"idempotency-key":
            sent.idempotency_key += (value,)
        elif name == b"origin":
            sent.origin = value
        elif name == b"access-control-request-method":
            sent.preflight_method = value
        elif name == b"x-request-id":
            sent.request_id = value if _REQUEST_ID.fullmatch(value) else None
        elif name == b"content-length" and value.isdigit():
            sent.content_length = int(value)
    return sent
