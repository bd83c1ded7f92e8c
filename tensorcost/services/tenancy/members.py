"""Members of a tenant: list, invite, change role, remove (A10)."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from tensorcost.domain.clock import Clock
from tensorcost.domain.errors import Conflict, NotFound
from tensorcost.domain.events.catalogue import EventType
from tensorcost.domain.events.envelope import NewEvent
from tensorcost.domain.identity.actors import actor_of
from tensorcost.domain.identity.principal import Principal
from tensorcost.domain.identity.refresh import SECRET_BYTES, OpaqueKind, OpaqueToken
from tensorcost.domain.identity.scopes import Role, Scope
from tensorcost.domain.ids import UserId
from tensorcost.domain.tenancy.members import (
    INVITATION_LIFETIME,
    Member,
    MemberStatus,
    check_email,
    check_invited_role,
    check_removal,
    check_role_change,
)
from tensorcost.services.authorise import requires
from tensorcost.storage import audit, tenancy
from tensorcost.storage import identity as identity_store
from tensorcost.storage.session import Database, TenantTx


@dataclass(frozen=True, slots=True)
class Invited:
    """A member to be. ``token`` is shown once, to be handed to the invited person."""

    member: Member
    token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class MemberService:
    database: Database
    clock: Clock

    @requires(Scope.TENANT_READ)
    async def list(
        self, principal: Principal, *, limit: int, after: tuple[datetime, UUID] | None = None
    ) -> Sequence[Member]:
        """Invited and active members, oldest first."""
        async with self.database.tenant(principal.tenant_id) as tx:
            return await tenancy.list_members(tx, limit=limit, after=after)

    @requires(Scope.TENANT_READ)
    async def get(self, principal: Principal, user_id: UserId) -> Member:
        """One invited or active member, or NotFound."""
        async with self.database.tenant(principal.tenant_id) as tx:
            return await _found(tx, user_id)

    @requires(Scope.TENANT_ADMIN)
    async def invite(self, principal: Principal, email: str, role: Role) -> Invited:
        """Invite an e-mail address; inviting an invited one again replaces its token.

        Raises Conflict for an active member. The answer is the same whether or not the address
        has an account elsewhere.
        """
        email = check_email(email)
        check_invited_role(role, principal.roles)
        now = self.clock()
        token = OpaqueToken.make(
            OpaqueKind.INVITATION, principal.tenant_id, secrets.token_bytes(SECRET_BYTES)
        )
        expires = now + INVITATION_LIFETIME
        async with self.database.tenant(principal.tenant_id) as tx:
            await tenancy.lock_members(tx)
            user_id = await self._user_to_invite(tx, email)
            await tenancy.put_member(tx, tx.tenant_id, user_id, role, MemberStatus.INVITED)
            await tenancy.add_invitation(
                tx,
                tx.tenant_id,
                user_id,
                token_hash=token.hash,
                invited_by=actor_of(principal),
                expires_at=expires,
            )
            member = await _found(tx, user_id)
            await _note(tx, principal, EventType.TENANT_MEMBER_INVITED, member, "member.invited")
        return Invited(member, token.text, expires)

    @requires(Scope.TENANT_ADMIN)
    async def change_role(self, principal: Principal, user_id: UserId, role: Role) -> Member:
        """Give a member another role; Conflict for the last owner, Forbidden for an owner unless
        the caller is one."""
        async with self.database.tenant(principal.tenant_id) as tx:
            await tenancy.lock_members(tx)
            member = await _found(tx, user_id)
            check_role_change(
                member,
                role,
                by=principal.roles,
                active_owners=await tenancy.count_active_owners(tx),
            )
            await tenancy.set_role(tx, user_id, role)
            await _note(
                tx,
                principal,
                EventType.TENANT_MEMBER_ROLE_CHANGED,
                replace(member, role=role),
                "member.role_changed",
                previous_role=member.role.value,
            )
            return replace(member, role=role)

    @requires(Scope.TENANT_ADMIN)
    async def remove(self, principal: Principal, user_id: UserId) -> None:
        """End a membership and its sign-ins; Conflict for the last owner."""
        async with self.database.tenant(principal.tenant_id) as tx:
            await tenancy.lock_members(tx)
            member = await _found(tx, user_id)
            check_removal(
                member, by=principal.roles, active_owners=await tenancy.count_active_owners(tx)
            )
            await tenancy.remove_member(tx, user_id)
            await identity_store.revoke_user(tx, user_id, self.clock())
            await _note(tx, principal, EventType.TENANT_MEMBER_REMOVED, member, "member.removed")

    @staticmethod
    async def _user_to_invite(tx: TenantTx, email: str) -> UserId:
        user_id = await tenancy.find_user(tx, email)
        if user_id is None:
            # At random: users are everybody's, and the time in an id would tell who was there.
            user_id = UserId(uuid4())
            await tenancy.add_user(tx, user_id, email)
            return user_id
        member = await tenancy.find_member(tx, user_id)
        if member is not None and member.status is MemberStatus.ACTIVE:
            raise Conflict("this e-mail address is a member already")
        return user_id


async def _found(tx: TenantTx, user_id: UserId) -> Member:
    member = await tenancy.find_member(tx, user_id)
    if member is None:
        raise NotFound("member", user_id)
    return member


async def _note(
    tx: TenantTx, principal: Principal, event: EventType, member: Member, action: str, **more: Any
) -> None:
    detail = {"user_id": str(member.user_id), "role": member.role.value, **more}
    await audit.record(
        tx,
        actor=actor_of(principal),
        action=action,
        resource_type="member",
        resource_id=str(member.user_id),
        detail=detail,
    )
    tx.emit(NewEvent(event, detail, audit.trace_id_now()))
