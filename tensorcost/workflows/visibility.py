"""What an operator sees of a run in the Temporal UI: attributes at phases, causes of failures."""

from typing import Final

from temporalio import workflow
from temporalio.common import Priority, SearchAttributeKey
from temporalio.exceptions import ActivityError, ApplicationError, TimeoutError

with workflow.unsafe.imports_passed_through():
    from tensorcost.domain.ids import TenantId
    from tensorcost.domain.temporal import SearchAttribute

_STATE: Final = SearchAttributeKey.for_keyword(SearchAttribute.STATE.value)
MAX_CAUSE: Final = 500


def show_state(state: str) -> None:
    """Set the ``State`` search attribute. Call it at changes of phase only."""
    workflow.upsert_search_attributes([_STATE.value_set(state)])


def fair(tenant_id: TenantId) -> Priority:
    """The tenant's share of the queues."""
    return Priority(fairness_key=str(tenant_id))


def cause_of(error: ActivityError) -> tuple[str, str]:
    """Type and message behind an activity's failure; the wrapper itself says nothing."""
    cause = error.cause
    if isinstance(cause, ApplicationError):
        return cause.type or "", cause.message[:MAX_CAUSE]
    if isinstance(cause, TimeoutError):
        return "Timeout", f"timed out ({cause.type.name.lower() if cause.type else 'unknown'})"
    return type(cause).__name__, str(cause)[:MAX_CAUSE]
