"""Refresh tokens: handed out at sign-in, rotated on use, revoked as a family when copied."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Final, assert_never
from uuid import UUID

from uuid_utils.compat import uuid7

from tensorcost.domain.clock import Clock
from tensorcost.domain.errors import TokenReused, Unauthenticated
from tensorcost.domain.events.catalogue import EventType
from tensorcost.domain.events.envelope import NewEvent
from tensorcost.domain.identity.actors import user_actor
from tensorcost.domain.identity.refresh import (
    LIFETIME,
    SECRET_BYTES,
    OpaqueKind,
    OpaqueToken,
    RefreshVerdict,
    judge_refresh,
)
from tensorcost.domain.ids import TenantId, UserId
from tensorcost.providers.identity.backend import ACCESS_LIFETIME, TokenMinter
from tensorcost.providers.identity.sealing import seal, unseal
from tensorcost.storage import audit
from tensorcost.storage import identity as store
from tensorcost.storage.identity import RefreshRow, SignInRow
from tensorcost.storage.session import Database, TenantTx

_PURPOSE: Final = "refresh-successor"
_REFUSED: Final = "the refresh token is not valid"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A pair of tokens and whom they are for."""

    access_token: str
    refresh_token: str
    expires_in: int
    """Seconds until the access token expires."""
    tenant_id: TenantId
    member: SignInRow


@dataclass(frozen=True, slots=True)
class Sessions:
    """Access and refresh tokens over the tenant's own rows."""

    database: Database
    minter: TokenMinter
    clock: Clock

    async def open(self, tx: TenantTx, member: SignInRow) -> SignedIn:
        """A new family for a member who just proved who they are."""
        now = self.clock()
        token = await self._issue(tx, member.user_id, UUID(str(uuid7())), now)
        return self._answer(tx.tenant_id, member, token.text)

    async def refresh(self, text: str) -> SignedIn:
        """Rotate. Raises Unauthenticated, or TokenReused once the family has been revoked."""
        token = _parsed(text)
        answer: SignedIn | None = None
        reused = False
        async with self.database.tenant(token.tenant_id) as tx:
            row = await store.lock_refresh(tx, token.hash)
            member = None if row is None else await store.member_by_id(tx, row.user_id)
            if row is not None and member is not None and _may_refresh(member):
                verdict = self._judge(row)
                match verdict:
                    case RefreshVerdict.ROTATE:
                        answer = await self._rotate(tx, token, row, member)
                    case RefreshVerdict.REPEAT:
                        answer = self._repeat(token, row, member)
                    case RefreshVerdict.REUSED:
                        await self._revoke_as_reused(tx, row)
                        reused = True
                    case RefreshVerdict.REFUSED:
                        pass
                    case _:
                        assert_never(verdict)
        # Raised after the commit: the revocation must outlive the refusal.
        if reused:
            raise TokenReused("the refresh token was used before; sign in again")
        if answer is None:
            raise Unauthenticated(_REFUSED)
        return answer

    async def close(self, text: str) -> None:
        """Sign out: revoke the token's family. An unknown token is not an error."""
        token = OpaqueToken.parse(OpaqueKind.REFRESH, text)
        if token is None:
            return
        async with self.database.tenant(token.tenant_id) as tx:
            row = await store.lock_refresh(tx, token.hash)
            if row is not None and await store.revoke_family(tx, row.family_id, self.clock()):
                await audit.record(
                    tx,
                    actor=user_actor(row.user_id),
                    action="auth.signed_out",
                    resource_type="user",
                    resource_id=str(row.user_id),
                )

    def _judge(self, row: RefreshRow) -> RefreshVerdict:
        return judge_refresh(
            expires_at=row.expires_at,
            spent_at=row.spent_at,
            revoked_at=row.revoked_at,
            now=self.clock(),
        )

    async def _rotate(
        self, tx: TenantTx, token: OpaqueToken, row: RefreshRow, member: SignInRow
    ) -> SignedIn:
        now = self.clock()
        successor = await self._issue(tx, row.user_id, row.family_id, now)
        sealed = seal(token.text, _PURPOSE, successor.text.encode())
        await store.spend_refresh(tx, row.token_hash, now, sealed)
        return self._answer(tx.tenant_id, member, successor.text)

    def _repeat(self, token: OpaqueToken, row: RefreshRow, member: SignInRow) -> SignedIn | None:
        opened = None if row.successor is None else unseal(token.text, _PURPOSE, row.successor)
        return None if opened is None else self._answer(token.tenant_id, member, opened.decode())

    async def _revoke_as_reused(self, tx: TenantTx, row: RefreshRow) -> None:
        revoked = await store.revoke_family(tx, row.family_id, self.clock())
        detail = {"family_id": str(row.family_id), "tokens_revoked": revoked}
        await audit.record(
            tx,
            actor=user_actor(row.user_id),
            action="auth.refresh_token_reused",
            resource_type="user",
            resource_id=str(row.user_id),
            detail=detail,
        )
        tx.emit(
            NewEvent(
                EventType.SECURITY_INCIDENT_CREATED,
                {"kind": "refresh_token_reuse", "user_id": str(row.user_id), **detail},
                audit.trace_id_now(),
            )
        )

    async def _issue(
        self, tx: TenantTx, user_id: UserId, family_id: UUID, now: datetime
    ) -> OpaqueToken:
        token = OpaqueToken.make(
            OpaqueKind.REFRESH, tx.tenant_id, secrets.token_bytes(SECRET_BYTES)
        )
        await store.add_refresh(
            tx,
            token_hash=token.hash,
            family_id=family_id,
            user_id=user_id,
            issued_at=now,
            expires_at=now + LIFETIME,
        )
        return token

    def _answer(self, tenant_id: TenantId, member: SignInRow, refresh: str) -> SignedIn:
        return SignedIn(
            access_token=self.minter.user(member.user_id, tenant_id),
            refresh_token=refresh,
            expires_in=int(ACCESS_LIFETIME.total_seconds()),
            tenant_id=tenant_id,
            member=member,
        )


def _may_refresh(member: SignInRow) -> bool:
    return member.member_status == "active" and not member.federated


def _parsed(text: str) -> OpaqueToken:
    token = OpaqueToken.parse(OpaqueKind.REFRESH, text)
    if token is None:
        raise Unauthenticated(_REFUSED)
    return token
