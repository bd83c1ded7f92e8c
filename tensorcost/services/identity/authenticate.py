"""From a bearer token to a principal, for every face (HTTP, GraphQL websockets, gRPC later).

Two caches with two lifetimes: a verified token until it expires, and what its subject may do
for a few seconds, so that a changed membership takes effect within five (decisions 19).
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Protocol, TypeVar

from tensorcost.domain.clock import Clock
from tensorcost.domain.errors import TokenExpired, Unauthenticated
from tensorcost.domain.identity.membership import (
    Membership,
    choose_membership,
    choose_service_tenant,
    parse_tenant_header,
)
from tensorcost.domain.identity.principal import Plan, Principal, PrincipalKind, scopes_of
from tensorcost.domain.identity.scopes import Role
from tensorcost.domain.identity.token import Subject, TokenKind, TokenVerifier, VerifiedToken
from tensorcost.domain.ids import TenantId
from tensorcost.providers.identity.claims import peek

K = TypeVar("K")
V = TypeVar("V")
FRESH_SECONDS: Final = 4.0
"""How long a principal is believed without looking at its membership again."""
MAX_TOKENS: Final = 10_000


class Memberships(Protocol):
    """Where principals come from (``storage.identity.MembershipStore``)."""

    async def of_subject(self, subject: Subject) -> Sequence[Membership]: ...

    async def link_email(self, subject: str, email: str) -> bool:
        """Join a pool's subject to the user of an e-mail address that the pool verified, and
        accept that user's invitations. True when anything changed."""
        ...

    async def plan_of(self, tenant_id: TenantId) -> Plan | None: ...


@dataclass(frozen=True, slots=True)
class _Known:
    principal: Principal
    fresh_until: float


class Authenticator:
    """Verifies bearer tokens and binds them to a tenant. Safe to share between tasks."""

    def __init__(
        self,
        verifiers: Sequence[TokenVerifier],
        memberships: Memberships,
        clock: Clock,
        *,
        max_tokens: int = MAX_TOKENS,
    ) -> None:
        self._verifiers = {verifier.issuer: verifier for verifier in verifiers}
        self._memberships = memberships
        self._clock = clock
        self._max = max_tokens
        self._tokens: OrderedDict[bytes, VerifiedToken] = OrderedDict()
        self._known: OrderedDict[tuple[bytes, str | None], _Known] = OrderedDict()

    async def authenticate(self, token: str, active_tenant: str | None = None) -> Principal:
        """The principal of ``token`` in the tenant that ``active_tenant`` (the header) asks for.

        Raises Unauthenticated, TokenExpired, ValidationFailed (a header that is no UUID),
        NotFound (a tenant of others), Forbidden, or Unavailable.
        """
        digest = sha256(token.encode("utf-8", "surrogatepass")).digest()
        key = (digest, active_tenant)
        now = self._clock().timestamp()
        known = self._known.get(key)
        if known is not None and now < known.fresh_until:
            return known.principal
        asked = parse_tenant_header(active_tenant)
        verified = await self._verified(token, digest, now)
        principal = await self._bind(verified, asked)
        fresh_until = min(now + FRESH_SECONDS, verified.expires_at)
        _remember(self._known, key, _Known(principal, fresh_until), self._max)
        return principal

    async def _verified(self, token: str, digest: bytes, now: float) -> VerifiedToken:
        cached = self._tokens.get(digest)
        if cached is not None:
            if cached.expires_at <= now:
                del self._tokens[digest]
                raise TokenExpired("the token has expired")
            return cached
        _, claims = peek(token)
        issuer = claims.get("iss")
        verifier = self._verifiers.get(issuer) if isinstance(issuer, str) else None
        if verifier is None:
            raise Unauthenticated("the token's issuer is not known here")
        verified = await verifier.verify(token)
        _remember(self._tokens, digest, verified, self._max)
        return verified

    async def _bind(self, token: VerifiedToken, asked: TenantId | None) -> Principal:
        if token.kind is TokenKind.SERVICE:
            return await self._service(token, asked)
        subject = Subject(token.subject, federated=token.kind is TokenKind.FEDERATED)
        memberships = await self._memberships.of_subject(subject)
        wanted = asked or token.tenant_id
        found = any(wanted in (None, membership.tenant_id) for membership in memberships)
        if (
            not found
            and token.verified_email is not None
            and await self._memberships.link_email(token.subject, token.verified_email)
        ):
            memberships = await self._memberships.of_subject(subject)
        chosen = choose_membership(memberships, claimed=token.tenant_id, asked=asked)
        roles = frozenset({chosen.role})
        return Principal(
            subject=str(chosen.user_id),
            tenant_id=chosen.tenant_id,
            kind=PrincipalKind.USER,
            roles=roles,
            scopes=scopes_of(roles),
            plan=chosen.plan,
            expires_at=token.expires_at,
        )

    async def _service(self, token: VerifiedToken, asked: TenantId | None) -> Principal:
        if token.tenant_id is None:
            raise Unauthenticated("the token names no tenant")
        tenant = choose_service_tenant(token.tenant_id, asked)
        plan = await self._memberships.plan_of(tenant)
        if plan is None:
            raise Unauthenticated("the token's tenant is not active")
        roles = frozenset({Role.SERVICE})
        return Principal(
            subject=token.subject,
            tenant_id=tenant,
            kind=PrincipalKind.SERVICE,
            roles=roles,
            scopes=scopes_of(roles) if token.scopes is None else token.scopes,
            plan=plan,
            expires_at=token.expires_at,
        )


def _remember(cache: OrderedDict[K, V], key: K, value: V, limit: int) -> None:
    cache[key] = value
    cache.move_to_end(key)
    while len(cache) > limit:
        cache.popitem(last=False)
