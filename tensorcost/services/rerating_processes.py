"""The Rerate workflow as its use cases call it: typed, by name."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from tensorcost.activities.processes import Processes, must_be_open
from tensorcost.activities.rerating.activities import rerate_process
from tensorcost.domain.cost.contracts_rerating import (
    APPROVE_UPDATE,
    PRICES_CHANGED_SIGNAL,
    REJECT_UPDATE,
    WARNING,
    ApproveRequest,
    PricesChanged,
    RejectRequest,
    RerateInput,
    RerateStatus,
)

_HAS_ENDED: Final = "the process of this re-rating has ended"


@dataclass(frozen=True, slots=True)
class ReratingProcesses:
    """Starts and steers Rerate. ``warning`` is how long before an approval's end it is told."""

    processes: Processes
    warning: timedelta = WARNING

    async def begin(self, request: RerateInput) -> tuple[str, bool]:
        """The workflow's id, and whether it is new; the same request under way is joined."""
        process = rerate_process(request.model_copy(update={"warning": self.warning}))
        return process.workflow_id, await self.processes.start(process)

    async def is_running(self, workflow_id: str) -> bool:
        return await self.processes.is_running(workflow_id)

    async def prices_changed(self, workflow_id: str) -> None:
        """Have an open run make its preview anew. NotFound when its process is gone."""
        await self.processes.signal(workflow_id, PRICES_CHANGED_SIGNAL, PricesChanged())

    async def approve(self, workflow_id: str, request: ApproveRequest) -> RerateStatus:
        """Conflict when it is refused, or when nothing is open."""
        with must_be_open(_HAS_ENDED):
            return await self.processes.update(workflow_id, APPROVE_UPDATE, request, RerateStatus)

    async def reject(self, workflow_id: str, request: RejectRequest) -> RerateStatus:
        """Conflict when it is refused, or when nothing is open."""
        with must_be_open(_HAS_ENDED):
            return await self.processes.update(workflow_id, REJECT_UPDATE, request, RerateStatus)
