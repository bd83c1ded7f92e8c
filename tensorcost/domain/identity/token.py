"""What a verified bearer token says, before any membership is looked up."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from tensorcost.domain.identity.scopes import Scope
from tensorcost.domain.ids import TenantId


class TokenKind(StrEnum):
    FEDERATED = "federated"
    """A Cognito user; the subject is the pool's, memberships decide the tenant."""
    USER = "user"
    """Signed in with a password; the subject is our user id."""
    SERVICE = "service"
    """A partner's or machine's token, bound to one tenant for good (decisions 19)."""


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """Signature, issuer and times are checked; the tenant is only a claim until it is resolved."""

    kind: TokenKind
    subject: str
    expires_at: float
    """Unix seconds."""
    tenant_id: TenantId | None = None
    scopes: frozenset[Scope] | None = None
    """A service token's own scopes; None means those of its role."""
    verified_email: str | None = None
    """Lower case; only from an id token whose pool verified it."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose memberships to look up: a pool's subject and our user ids are different spaces."""

    value: str
    federated: bool

    @property
    def user_id(self) -> UUID | None:
        """Our user id, where the subject is one."""
        if self.federated:
            return None
        try:
            return UUID(self.value)
        except ValueError:
            return None


class TokenVerifier(Protocol):
    """Checks the tokens of one issuer."""

    @property
    def issuer(self) -> str: ...

    async def verify(self, token: str) -> VerifiedToken:
        """Raises Unauthenticated or TokenExpired; Unavailable when the keys cannot be fetched."""
        ...
