"""Checks that every issuer's tokens share."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import jwt
from jwt.types import Options

from tensorcost.domain.errors import TokenExpired, Unauthenticated
from tensorcost.domain.ids import TenantId

REQUIRED: Final = ["exp", "iat", "iss", "sub"]
LEEWAY_SECONDS: Final = 30.0
"""Tolerated clock skew of ``iat`` and ``nbf``. Expiry has none: a stream must end on time."""
MAX_TOKEN: Final = 8192

OPTIONS: Final[Options] = {
    "require": REQUIRED,
    "enforce_minimum_key_length": True,
    "verify_aud": False,
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
}
"""Times are checked by ``check_times`` against our clock, audiences by each issuer's own rule."""


def peek(token: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Header and claims of an *unverified* token, only to choose who verifies it."""
    if len(token) > MAX_TOKEN:
        raise Unauthenticated("the token is too long")
    try:
        header = jwt.get_unverified_header(token)
        claims = jwt.decode(token, options={"verify_signature": False})
    except (jwt.InvalidTokenError, ValueError, RecursionError) as error:
        raise Unauthenticated("the token is not a JWT") from error
    return header, claims


def check_times(claims: Mapping[str, Any], now: datetime) -> float:
    """The expiry in Unix seconds; TokenExpired past it, Unauthenticated before its time."""
    moment = now.timestamp()
    expires = _number(claims, "exp")
    if expires <= moment:
        raise TokenExpired("the token has expired")
    if _number(claims, "iat") > moment + LEEWAY_SECONDS:
        raise Unauthenticated("the token was issued in the future")
    if "nbf" in claims and _number(claims, "nbf") > moment + LEEWAY_SECONDS:
        raise Unauthenticated("the token is not valid yet")
    return expires


def tenant_claim(claims: Mapping[str, Any], *names: str) -> TenantId | None:
    """The tenant named by the first of ``names`` that is there; two that differ are refused."""
    found = {str(claims[name]).lower() for name in names if claims.get(name)}
    if not found:
        return None
    if len(found) > 1:
        raise Unauthenticated("the token names two tenants")
    try:
        return TenantId(UUID(found.pop()))
    except ValueError as error:
        raise Unauthenticated("the token's tenant is not a UUID") from error


def _number(claims: Mapping[str, Any], name: str) -> float:
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e12:
        raise Unauthenticated(f"the token's {name} is not a time")
    return float(value)
