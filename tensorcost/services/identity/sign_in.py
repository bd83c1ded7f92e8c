"""Signing in with a password, accepting an invitation, changing a password (A2, A10)."""

from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256
from typing import Final
from uuid import UUID

from tensorcost.domain.clock import Clock
from tensorcost.domain.errors import Forbidden, RateLimited, Unauthenticated, ValidationFailed
from tensorcost.domain.identity.actors import actor_of, user_actor
from tensorcost.domain.identity.passwords import check_new_password
from tensorcost.domain.identity.principal import Principal, PrincipalKind
from tensorcost.domain.identity.refresh import OpaqueKind, OpaqueToken
from tensorcost.domain.ids import TenantId, UserId
from tensorcost.providers.identity.passwords import Passwords
from tensorcost.providers.limits.gcra import Limiter, Quota
from tensorcost.services.authorise import requires
from tensorcost.services.identity.sessions import Sessions, SignedIn
from tensorcost.storage import audit, tenancy
from tensorcost.storage import identity as store
from tensorcost.storage.identity import SignInRow
from tensorcost.storage.session import Database, TenantTx

ATTEMPTS: Final = Quota("sign-in-attempt", 10, timedelta(minutes=5))
"""Per e-mail address and tenant, whoever tries: guessing stays slow from many addresses too."""
_WRONG: Final = "the e-mail address, password or tenant is not right"


@dataclass(frozen=True, slots=True)
class SignInService:
    """Use cases without a principal, except for the change of one's own password."""

    database: Database
    sessions: Sessions
    passwords: Passwords
    limiter: Limiter
    clock: Clock

    async def login(self, email: str, password: str, tenant: str) -> SignedIn:
        """Sign in to the tenant with this id or slug.

        One refusal, Unauthenticated, for a wrong password, an unknown user and an unknown
        tenant, after the same work; RateLimited after too many attempts.
        """
        email = email.strip().lower()
        await self._count_attempt(tenant, email)
        tenant_id = await self._tenant(tenant)
        member = None
        if tenant_id is not None:
            async with self.database.tenant(tenant_id) as tx:
                member = await store.member_by_email(tx, email)
        usable = member is not None and member.member_status == "active" and not member.federated
        stored = member.password_hash if member is not None and usable else None
        checked = await self.passwords.check(stored, password)
        if tenant_id is None or member is None or not checked.matches:
            await self._audit_refusal(tenant_id, email)
            raise Unauthenticated(_WRONG)
        async with self.database.tenant(tenant_id) as tx:
            if checked.rehashed is not None:
                await store.set_password(
                    tx, member.user_id, checked.rehashed, temporary=member.password_temporary
                )
            return await self._sign_in(tx, member, "password")

    async def refresh(self, refresh_token: str) -> SignedIn:
        """Rotate a refresh token; see ``Sessions.refresh``."""
        return await self.sessions.refresh(refresh_token)

    async def logout(self, refresh_token: str) -> None:
        """Revoke the sign-in that a refresh token belongs to."""
        await self.sessions.close(refresh_token)

    async def accept_invitation(
        self, invitation: str, password: str, display_name: str | None = None
    ) -> SignedIn:
        """Turn an invited membership into an active one and sign in.

        A new user chooses the password here. A user who has one proves it: the invitation says
        who was invited, not who is asking.
        """
        token = OpaqueToken.parse(OpaqueKind.INVITATION, invitation)
        if token is None:
            raise Unauthenticated("the invitation is not valid")
        await self._count_attempt(str(token.tenant_id), token.hash.hex())
        async with self.database.tenant(token.tenant_id) as tx:
            user_id = await tenancy.open_invitation(tx, token.hash, self.clock())
            member = None if user_id is None else await store.member_by_id(tx, user_id)
        if member is None or member.member_status != "invited":
            raise Unauthenticated("the invitation is not valid")
        new_hash = await self._prove_or_choose(member, password)
        async with self.database.tenant(token.tenant_id) as tx:
            if not await tenancy.accept_invitation(tx, token.hash, member.user_id, self.clock()):
                raise Unauthenticated("the invitation is not valid")
            if new_hash is not None:
                await store.set_password(tx, member.user_id, new_hash, temporary=False)
            if display_name is not None and new_hash is not None:
                await tenancy.rename_user(tx, member.user_id, display_name)
            await audit.record(
                tx,
                actor=user_actor(member.user_id),
                action="member.invitation_accepted",
                resource_type="user",
                resource_id=str(member.user_id),
            )
            return await self._sign_in(tx, replace(member, member_status="active"), "invitation")

    @requires()
    async def change_password(self, principal: Principal, current: str, new: str) -> None:
        """Change one's own password and end every other sign-in in this tenant."""
        if principal.kind is not PrincipalKind.USER:
            raise Forbidden("a service has no password")
        check_new_password(new)
        user_id = UserId(UUID(principal.subject))
        async with self.database.tenant(principal.tenant_id) as tx:
            member = await store.member_by_id(tx, user_id)
        await self._count_attempt(str(principal.tenant_id), principal.subject)
        checked = await self.passwords.check(member.password_hash if member else None, current)
        if not checked.matches:
            raise ValidationFailed("the current password is not right", field="currentPassword")
        hashed = await self.passwords.hash(new)
        async with self.database.tenant(principal.tenant_id) as tx:
            await store.set_password(tx, user_id, hashed, temporary=False)
            await store.revoke_user(tx, user_id, self.clock())
            await audit.record(
                tx,
                actor=actor_of(principal),
                action="auth.password_changed",
                resource_type="user",
                resource_id=principal.subject,
            )

    async def _prove_or_choose(self, member: SignInRow, password: str) -> str | None:
        """The hash to store for a user without a password, None for one who proved theirs."""
        if member.federated:
            raise Unauthenticated("sign in through your identity provider to accept")
        if member.password_hash is None:
            check_new_password(password)
            return await self.passwords.hash(password)
        if not (await self.passwords.check(member.password_hash, password)).matches:
            raise Unauthenticated("this e-mail address has an account: give its password")
        return None

    async def _sign_in(self, tx: TenantTx, member: SignInRow, method: str) -> SignedIn:
        signed_in = await self.sessions.open(tx, member)
        await audit.record(
            tx,
            actor=user_actor(member.user_id),
            action="auth.signed_in",
            resource_type="user",
            resource_id=str(member.user_id),
            detail={"method": method},
        )
        return signed_in

    async def _audit_refusal(self, tenant_id: TenantId | None, email: str) -> None:
        if tenant_id is None:
            return
        async with self.database.tenant(tenant_id) as tx:
            if await tenancy.exists(tx):
                await audit.record(
                    tx,
                    actor="anonymous",
                    action="auth.sign_in_refused",
                    resource_type="user",
                    detail={"email": email[:200]},
                )

    async def _tenant(self, named: str) -> TenantId | None:
        try:
            return TenantId(UUID(named))
        except ValueError:
            return await store.tenant_of_slug(self.database, named)

    async def _count_attempt(self, tenant: str, who: str) -> None:
        key = sha256(f"{tenant.lower()}\0{who}".encode()).hexdigest()
        decision = await self.limiter.hit(key, ATTEMPTS)
        if decision.limited:
            raise RateLimited(
                "too many attempts; try again later", retry_after_seconds=decision.retry_after
            )
