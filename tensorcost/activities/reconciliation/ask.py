"""How services and other activities ask for a reconciliation: by name, as often as they like."""

from dataclasses import dataclass
from typing import Protocol

from tensorcost.activities.processes import Process, Processes
from tensorcost.domain.cost.contracts import (
    ASK_SIGNAL,
    CONTEXT,
    RECONCILE,
    ReconcileInput,
    ReconcileRequest,
    reconcile_workflow_id,
)


class Reconciling(Protocol):
    """Whoever gets a tenant's months reconciled."""

    async def ask(self, request: ReconcileRequest) -> str: ...


@dataclass(frozen=True, slots=True)
class ReconcileProcess:
    """The tenant's Reconcile workflow."""

    processes: Processes

    async def ask(self, request: ReconcileRequest) -> str:
        """Start it, or have the one that runs look once more; its workflow id.

        Asking twice does the work once. Raises Unavailable.
        """
        workflow_id = reconcile_workflow_id(request.tenant_id)
        process = Process(
            name=RECONCILE,
            workflow_id=workflow_id,
            tenant_id=request.tenant_id,
            context=CONTEXT,
            argument=ReconcileInput(tenant_id=request.tenant_id),
            summary="Spend held against the bill",
        )
        await self.processes.signal_or_start(process, ASK_SIGNAL, request, again=True)
        return workflow_id
