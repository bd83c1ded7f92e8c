"""Refresh tokens: what they look like, and what one that comes back may do (decisions 18, 19)."""

import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Final
from uuid import UUID

from tensorcost.domain.ids import TenantId

LIFETIME: Final = timedelta(days=30)
GRACE: Final = timedelta(seconds=10)
"""Two tabs of one browser may use the same token this far apart and get the same successor."""
SECRET_BYTES: Final = 32
_FORM: Final = re.compile(r"(?P<kind>tc[ri])_(?P<tenant>[0-9a-f]{32})_[A-Za-z0-9_-]{43}")


class OpaqueKind(StrEnum):
    REFRESH = "tcr"
    INVITATION = "tci"


@dataclass(frozen=True, slots=True)
class OpaqueToken:
    """A bearer secret that begins with its tenant, so that the tenant can be bound before the
    look-up. Only its hash is stored."""

    text: str
    tenant_id: TenantId

    @property
    def hash(self) -> bytes:
        return sha256(self.text.encode()).digest()

    @classmethod
    def make(cls, kind: OpaqueKind, tenant_id: TenantId, secret: bytes) -> "OpaqueToken":
        """``secret``: 32 random bytes."""
        tail = urlsafe_b64encode(secret).rstrip(b"=").decode()
        return cls(f"{kind.value}_{tenant_id.hex}_{tail}", tenant_id)

    @classmethod
    def parse(cls, kind: OpaqueKind, text: str) -> "OpaqueToken | None":
        """The token, or None for anything that we never handed out as ``kind``."""
        found = _FORM.fullmatch(text)
        if found is None or found["kind"] != kind.value:
            return None
        return cls(text, TenantId(UUID(found["tenant"])))


class RefreshVerdict(StrEnum):
    ROTATE = "rotate"
    """First use: hand out a successor."""
    REPEAT = "repeat"
    """Used moments ago: hand out the same successor."""
    REUSED = "reused"
    """Used long ago: somebody has a copy; revoke the family."""
    REFUSED = "refused"
    """Expired or revoked."""


def judge_refresh(
    *, expires_at: datetime, spent_at: datetime | None, revoked_at: datetime | None, now: datetime
) -> RefreshVerdict:
    """What a presented token may do."""
    if revoked_at is not None or expires_at <= now:
        return RefreshVerdict.REFUSED
    if spent_at is None:
        return RefreshVerdict.ROTATE
    return RefreshVerdict.REPEAT if now - spent_at <= GRACE else RefreshVerdict.REUSED
