"""Who may change whose membership."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from tensorcost.domain.errors import Conflict, Forbidden, ValidationFailed
from tensorcost.domain.identity.scopes import Role
from tensorcost.domain.ids import UserId

INVITATION_LIFETIME: Final = timedelta(days=7)
_MAX_EMAIL: Final = 254


class MemberStatus(StrEnum):
    INVITED = "invited"
    ACTIVE = "active"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Member:
    user_id: UserId
    email: str
    display_name: str
    role: Role
    status: MemberStatus
    joined_at: datetime


def check_email(email: str) -> str:
    """The address in lower case; ValidationFailed unless it looks like one."""
    cleaned = email.strip().lower()
    name, at, host = cleaned.rpartition("@")
    plain = cleaned.isprintable() and " " not in cleaned and len(cleaned) <= _MAX_EMAIL
    if not (plain and at and name and "@" not in name and "." in host.strip(".")):
        raise ValidationFailed("not an e-mail address", field="email")
    return cleaned


def check_invited_role(role: Role, by: frozenset[Role]) -> None:
    """Only owners make owners; the service role is for tokens, not for people."""
    if role is Role.SERVICE:
        raise ValidationFailed("the service role is for service tokens", field="role")
    if role is Role.OWNER and Role.OWNER not in by:
        raise Forbidden("only an owner can make an owner")


def check_role_change(
    member: Member, role: Role, *, by: frozenset[Role], active_owners: int
) -> None:
    """Raise unless ``by`` may give ``member`` the ``role``; the last active owner stays one."""
    check_invited_role(role, by)
    _check_hold_over(member, by)
    if role is not Role.OWNER:
        _check_not_last_owner(member, active_owners)


def check_removal(member: Member, *, by: frozenset[Role], active_owners: int) -> None:
    """Raise unless ``by`` may remove ``member``; the last active owner stays."""
    _check_hold_over(member, by)
    _check_not_last_owner(member, active_owners)


def _check_hold_over(member: Member, by: frozenset[Role]) -> None:
    if member.role is Role.OWNER and Role.OWNER not in by:
        raise Forbidden("only an owner can change an owner")


def _check_not_last_owner(member: Member, active_owners: int) -> None:
    if member.role is Role.OWNER and member.status is MemberStatus.ACTIVE and active_owners <= 1:
        raise Conflict("the last owner of a tenant cannot be demoted or removed")
