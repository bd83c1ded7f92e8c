"""What the gateway found out about a request's sender before any handler runs.

Sub-applications (GraphQL, OTLP) sit behind the same gateway and read it from the ASGI scope,
without importing the gateway.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Final

from tensorcost.domain.errors import DomainError, Unauthenticated
from tensorcost.domain.identity.principal import Principal

_KEY: Final = "tensorcost.caller"
Charge = Callable[[Principal, int], Awaitable[None]]
"""Takes so many requests off the quota of a principal's tenant, or raises RateLimited."""


async def _uncounted(_principal: Principal, _requests: int) -> None:
    """Without a gateway around it nothing is counted."""


@dataclass(slots=True)
class Caller:
    """Who sent a request: a principal, a refused credential, or nobody known.

    A refusal is kept, not raised, so that a route without a principal (sign-in, health)
    works for a client that still carries yesterday's token.
    """

    trace_id: str
    principal: Principal | None = None
    refusal: DomainError | None = None
    is_traced: bool = False
    """A span is being recorded around the request."""
    charge: Charge = _uncounted
    """For what the gateway cannot weigh: it has counted an HTTP request as one, and a websocket
    not at all."""

    def required(self) -> Principal:
        """The principal; raises the credential's refusal, or Unauthenticated without one."""
        if self.principal is not None:
            return self.principal
        if self.refusal is not None:
            raise self.refusal
        raise Unauthenticated("sign in: this needs an Authorization header with a Bearer token")


def put_caller(scope: MutableMapping[str, Any], caller: Caller) -> None:
    """Bind ``caller`` to a connection."""
    scope[_KEY] = caller


def caller_of(scope: MutableMapping[str, Any]) -> Caller:
    """The caller that the gateway bound; raises KeyError outside of the gateway."""
    found: Caller = scope[_KEY]
    return found
