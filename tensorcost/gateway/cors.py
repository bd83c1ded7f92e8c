"""Cross-origin rules: the configured origins, and no credentials but the Bearer token."""

from dataclasses import dataclass
from typing import Final

from tensorcost.gateway.envelope import Bytes
from tensorcost.gateway.errors import Headers
from tensorcost.gateway.request import Sent

_VARY: Final = (b"vary", b"Origin")
_EXPOSED: Final = (
    b"access-control-expose-headers",
    b"X-Request-Id, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset,"
    b" Retry-After, Idempotent-Replayed",
)
_ALLOWED: Final[Headers] = [
    (b"access-control-allow-methods", b"GET, POST, PUT, PATCH, DELETE, OPTIONS"),
    (
        b"access-control-allow-headers",
        b"Authorization, Content-Type, Idempotency-Key, X-Active-Tenant-Id, X-Request-Id,"
        b" traceparent, tracestate",
    ),
    (b"access-control-max-age", b"600"),
]


@dataclass(frozen=True, slots=True)
class Cors:
    origins: frozenset[str]

    def is_preflight(self, method: str, sent: Sent) -> bool:
        return method == "OPTIONS" and sent.preflight_method is not None and bool(self.origins)

    def preflight(self, sent: Sent) -> Bytes:
        """204 with what is allowed; without the allowing header for an origin that is not."""
        return Bytes(b"", 204, [*self.headers(sent), *(_ALLOWED if self._allows(sent) else [])])

    def headers(self, sent: Sent) -> Headers:
        """What a response carries for the request's origin."""
        if not self.origins:
            return []
        if sent.origin is None or not self._allows(sent):
            return [_VARY]
        return [(b"access-control-allow-origin", sent.origin), _VARY, _EXPOSED]

    def _allows(self, sent: Sent) -> bool:
        return sent.origin is not None and sent.origin.decode("latin-1") in self.origins
