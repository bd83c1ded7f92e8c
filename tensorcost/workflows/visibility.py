"""What an operator sees of a run in the Temporal UI: attributes at phases, causes of failures."""

from typing import Final

from temporalio import workflow
from temporalio.common import Priority, SearchAttributeKey, TypedSearchAttributes
from temporalio.exceptions import ActivityError, ApplicationError, TimeoutError

with workflow.unsafe.imports_passed_through():
    from tensorcost.domain.ids import TenantId
    from tensorcost.domain.temporal import SearchAttribute

_STATE: Final = SearchAttributeKey.for_keyword(SearchAttribute.STATE.value)
_INHERITED: Final = frozenset(SearchAttribute) - {SearchAttribute.STATE}
MAX_CAUSE: Final = 500
OPERATOR: Final = "system:operator"
"""Who asked, where it was by a signal from the Temporal UI."""


def show_state(state: str) -> None:
    """Set the ``State`` search attribute. Call it at changes of phase only."""
    workflow.upsert_search_attributes([_STATE.value_set(state)])


def inherited() -> TypedSearchAttributes:
    """Whose work it is, for a child: the state is the child's own, the schedule ours."""
    return TypedSearchAttributes(
        [pair for pair in workflow.info().typed_search_attributes if pair.key.name in _INHERITED]
    )


def fair(tenant_id: TenantId) -> Priority:
    """The tenant's share of the queues."""
    return Priority(fairness_key=str(tenant_id))


def cause_of(error: ActivityError) -> tuple[str, str]:
    """Code and message behind an activity's failure; the wrapper itself says nothing.

    The code is the connector's own where it gave one, else the failure's type.
    """
    cause = error.cause
    if isinstance(cause, ApplicationError):
        named = str(cause.details[0]) if cause.details else ""
        return named or cause.type or "", cause.message[:MAX_CAUSE]
    if isinstance(cause, TimeoutError):
        return "Timeout", f"timed out ({cause.type.name.lower() if cause.type else 'unknown'})"
    return type(cause).__name__, str(cause)[:MAX_CAUSE]
