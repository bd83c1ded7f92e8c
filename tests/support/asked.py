"""Stands in for the workflow server where only what it is asked matters."""

from tensorcost.domain.cost.contracts import ReconcileRequest, reconcile_workflow_id
from tensorcost.domain.errors import Unavailable


class Asked:
    """Remembers which reconciliations it was asked for."""

    def __init__(self) -> None:
        self.requests: list[ReconcileRequest] = []
        self.is_away = False

    async def ask(self, request: ReconcileRequest) -> str:
        if self.is_away:
            raise Unavailable("the workflow server cannot be reached")
        self.requests.append(request)
        return reconcile_workflow_id(request.tenant_id)
