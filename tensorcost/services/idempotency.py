"""One effect for one Idempotency-Key, however often the request is sent (ecosystem 3.1)."""

import re
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Final

from tensorcost.domain.clock import Clock
from tensorcost.domain.errors import Conflict, IdempotencyConflict, ValidationFailed
from tensorcost.domain.identity.principal import Principal
from tensorcost.providers.identity.sealing import seal, unseal
from tensorcost.storage import idempotency as store
from tensorcost.storage.session import Database

LIFETIME: Final = timedelta(hours=24)
ABANDONED_AFTER: Final = timedelta(minutes=2)
_FORM: Final = re.compile(r"[\x21-\x7e]{1,255}")
_PURPOSE: Final = "idempotent-response"


@dataclass(frozen=True, slots=True)
class Answer:
    """A response to repeat."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to run a request under a key; ``keep`` or ``release`` ends it."""

    principal: Principal
    route: str
    key: str
    """As sent; it opens the kept answer and is itself never stored."""

    @property
    def stored_key(self) -> str:
        """Bound to the caller: nobody else's key leads to this answer."""
        return sha256(f"{self.principal.subject}\0{self.key}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class IdempotencyService:
    """Used by the gateway around POST and PATCH. Kept answers are sealed with the key itself."""

    database: Database
    clock: Clock

    async def begin(
        self, principal: Principal, route: str, key: str, body: bytes
    ) -> Claim | Answer:
        """A claim to run the request, or the answer that it already got.

        Raises ValidationFailed for a malformed key, Conflict while the first request still
        runs, IdempotencyConflict when the key came with another body.
        """
        if not _FORM.fullmatch(key):
            raise ValidationFailed(
                "an Idempotency-Key is 1 to 255 visible ASCII characters", field="Idempotency-Key"
            )
        claim = Claim(principal, route, key)
        body_hash = sha256(body).digest()
        now = self.clock()
        async with self.database.tenant(principal.tenant_id) as tx:
            kept = await store.claim(
                tx,
                route=route,
                key=claim.stored_key,
                body_hash=body_hash,
                now=now,
                expired_before=now - LIFETIME,
                abandoned_before=now - ABANDONED_AFTER,
            )
        if kept is None:
            return claim
        if kept.body_hash != body_hash:
            raise IdempotencyConflict("this Idempotency-Key was sent with another body")
        if kept.status is None or kept.response is None:
            raise Conflict("the first request with this Idempotency-Key is still running")
        opened = unseal(key, _PURPOSE, kept.response)
        if opened is None:
            raise IdempotencyConflict("this Idempotency-Key cannot be used again")
        return Answer(kept.status, opened)

    async def keep(self, claim: Claim, answer: Answer) -> None:
        """Remember the answer for a day."""
        async with self.database.tenant(claim.principal.tenant_id) as tx:
            await store.keep(
                tx,
                route=claim.route,
                key=claim.stored_key,
                status=answer.status,
                response=seal(claim.key, _PURPOSE, answer.body),
            )

    async def release(self, claim: Claim) -> None:
        """Forget the claim: the request failed on our side, a retry may run."""
        async with self.database.tenant(claim.principal.tenant_id) as tx:
            await store.release(tx, route=claim.route, key=claim.stored_key)
