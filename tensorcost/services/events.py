"""Live events of the caller's tenant, cut to what the caller may read (J2, N19)."""

from typing import Final, Protocol

from tensorcost.domain.errors import Forbidden, ValidationFailed
from tensorcost.domain.events.catalogue import ALIASES, EventType, matches
from tensorcost.domain.identity.principal import Principal
from tensorcost.domain.identity.scopes import Scope
from tensorcost.domain.ids import TenantId
from tensorcost.events.stream import EventStream
from tensorcost.services.authorise import requires

SCOPE_OF: Final[dict[str, Scope]] = {
    "instance.": Scope.GPU_READ,
    "metrics.": Scope.GPU_READ,
    "spot.": Scope.GPU_READ,
    "scaling.": Scope.GPU_READ,
    "cost.": Scope.COST_READ,
    "reconciliation.": Scope.COST_READ,
    "alert.": Scope.ALERT_READ,
    "incident.": Scope.ALERT_READ,
    "security_incident.": Scope.ALERT_READ,
    "agent.": Scope.AGENT_READ,
    "runaway_loop.": Scope.AGENT_READ,
    "recommendation.": Scope.RECOMMENDATION_READ,
    "inference.": Scope.AI_READ,
    "ml.": Scope.AI_READ,
    "action.": Scope.ENFORCEMENT_READ,
    "policy.": Scope.ENFORCEMENT_READ,
    "notification.": Scope.NOTIFICATION_READ,
    "tenant.": Scope.TENANT_READ,
    "system.": Scope.TENANT_READ,
    "connection.": Scope.INTEGRATION_READ,
    "backfill.": Scope.INTEGRATION_READ,
    "sync.": Scope.INTEGRATION_READ,
}
"""What reading an event takes: the scope of the thing that it is about."""
PROGRESS: Final = ("connection.", "backfill.", "sync.")
"""Events that tell how a connection comes along; their data names it as ``connection_id``."""
_MAX_FILTERS: Final = 50


class EventSource(Protocol):
    """Where streams come from (``events.source.PostgresEventSource``)."""

    async def subscribe(
        self, tenant_id: TenantId, filters: tuple[str, ...], after: int | None
    ) -> EventStream: ...


class EventService:
    def __init__(self, source: EventSource) -> None:
        self._source = source

    @requires()
    async def stream(
        self, principal: Principal, types: tuple[str, ...] = (), after: int | None = None
    ) -> EventStream:
        """Events after the cursor ``after``, or from now on, of the ``types`` asked for.

        A type may be given by name, by a prefix (``cost.``, ``cost.*``) or in another page's
        spelling. Without types the stream holds whatever the caller's scopes allow; a type that
        they do not allow is Forbidden, an unknown one ValidationFailed. Close the stream.
        """
        readable = tuple(prefix for prefix, scope in SCOPE_OF.items() if principal.may(scope))
        wanted = _checked(types, readable) if types else readable
        if not wanted:
            raise Forbidden("none of the caller's scopes reads any event")
        return await self._source.subscribe(principal.tenant_id, wanted, after)

    @requires(Scope.INTEGRATION_READ)
    async def progress(self, principal: Principal, after: int | None = None) -> EventStream:
        """How the tenant's connections come along."""
        return await self._source.subscribe(principal.tenant_id, PROGRESS, after)


def _checked(types: tuple[str, ...], readable: tuple[str, ...]) -> tuple[str, ...]:
    """The concrete types that ``types`` name, when the caller may read them all."""
    if len(types) > _MAX_FILTERS:
        raise ValidationFailed(f"at most {_MAX_FILTERS} types", field="types")
    named: set[str] = set()
    for wanted in types:
        found = {member.value for member in EventType if matches(member, (wanted,))}
        if not found:
            known = ", ".join(sorted({*SCOPE_OF, *ALIASES}))
            raise ValidationFailed(
                f"no event type is called {wanted[:64]!r}; prefixes are {known}", field="types"
            )
        named |= found
    for event_type in sorted(named):
        if not matches(event_type, readable):
            raise Forbidden(f"{event_type} needs the scope {_scope_of(event_type).value}")
    return tuple(sorted(named))


def _scope_of(event_type: str) -> Scope:
    return next(scope for prefix, scope in SCOPE_OF.items() if event_type.startswith(prefix))
