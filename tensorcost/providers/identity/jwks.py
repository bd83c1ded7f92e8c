"""A remote key set: cached, refetched for an unknown key, never while others already fetch."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

import httpx2
import jwt
import structlog

from tensorcost.domain.clock import Clock
from tensorcost.domain.errors import Unauthenticated, Unavailable

log = structlog.get_logger(__name__)

LIFETIME: Final = timedelta(minutes=5)
COOL_DOWN: Final = timedelta(seconds=30)
"""Between refetches that an unknown key id asks for: strangers cannot make us hammer a pool."""
RETRY_AFTER_FAILURE: Final = timedelta(seconds=5)
TIMEOUT_SECONDS: Final = 3.0
_MAX_BODY: Final = 256 * 1024
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(slots=True)
class RemoteKeys:
    """The RSA keys at ``url`` by key id.

    Keys outlive a failed refresh: an outage of the pool does not sign everybody out.
    """

    url: str
    http: httpx2.AsyncClient
    clock: Clock
    _keys: dict[str, jwt.PyJWK] = field(default_factory=dict)
    _fetched_at: datetime | None = None
    _failed_at: datetime | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        plaintext = parts.scheme == "http" and parts.hostname in _LOOPBACK
        if parts.scheme != "https" and not plaintext:
            raise ValueError("a key set is read over https")

    async def key(self, kid: str) -> jwt.PyJWK:
        """The key of ``kid``; Unauthenticated when the set has none such.

        Raises Unavailable when no set could be fetched yet.
        """
        if self._must_fetch(kid):
            async with self._lock:
                if self._must_fetch(kid):
                    await self._fetch()
        if kid in self._keys:
            return self._keys[kid]
        if not self._keys:
            raise Unavailable("the identity provider's keys cannot be fetched now")
        raise Unauthenticated("the token's key is not one of its issuer's")

    def _must_fetch(self, kid: str) -> bool:
        now = self.clock()
        if self._failed_at is not None and now - self._failed_at < RETRY_AFTER_FAILURE:
            return False
        if self._fetched_at is None:
            return True
        age = now - self._fetched_at
        return age >= (LIFETIME if kid in self._keys else COOL_DOWN)

    async def _fetch(self) -> None:
        try:
            answer = await self.http.get(self.url, timeout=TIMEOUT_SECONDS, follow_redirects=False)
            answer.raise_for_status()
            keys = _usable(answer.content)
        except (httpx2.HTTPError, ValueError, jwt.PyJWTError) as error:
            self._failed_at = self.clock()
            log.warning("jwks.fetch_failed", url=self.url, error=type(error).__name__)
            return
        self._keys, self._fetched_at, self._failed_at = keys, self.clock(), None


def _usable(body: bytes) -> dict[str, jwt.PyJWK]:
    """RSA signing keys with an id; ValueError for anything that is not a key set."""
    if len(body) > _MAX_BODY:
        raise ValueError("the key set is too large")
    found = jwt.PyJWKSet.from_json(body.decode())
    return {
        key.key_id: key
        for key in found.keys
        if key.key_id and key.key_type == "RSA" and key.public_key_use in (None, "sig")
    }
