"""Re-ratings: what prices change, decided by people where the books of a month are over (N3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from tensorcost.activities.rerating.activities import ACTOR
from tensorcost.activities.rerating.tell import RESOURCE, tell_end
from tensorcost.domain.clock import Clock
from tensorcost.domain.cost.contracts_rerating import (
    ApproveRequest,
    RejectRequest,
    RerateInput,
    RerateState,
    RunKey,
)
from tensorcost.domain.cost.rerating_changes import Changes, ChangeSum
from tensorcost.domain.errors import Conflict, ValidationFailed
from tensorcost.domain.identity.actors import actor_of
from tensorcost.domain.identity.principal import Principal
from tensorcost.domain.identity.scopes import Scope
from tensorcost.domain.ids import TenantId
from tensorcost.services.authorise import requires
from tensorcost.services.rerating_processes import ReratingProcesses
from tensorcost.services.spend.access import AuditedReads
from tensorcost.storage import audit
from tensorcost.storage.prices import price_state
from tensorcost.storage.rerating import plan, previews, runs
from tensorcost.storage.rerating.previews import StoredChange, StoredPreview
from tensorcost.storage.rerating.runs import Rerating
from tensorcost.storage.session import Database, TenantTx

MAX_REASON: Final = 500


@dataclass(frozen=True, slots=True)
class ReratingDetail:
    """A run, and what its newest preview found."""

    run: Rerating
    preview: StoredPreview
    changes: Sequence[StoredChange]

    @property
    def automatic(self) -> ChangeSum:
        """What needs no approval."""
        return self._total(approved=False)

    @property
    def waiting(self) -> ChangeSum:
        """What does."""
        return self._total(approved=True)

    def _total(self, *, approved: bool) -> ChangeSum:
        found = Changes({change.key: change.sums for change in self.changes})
        return found.total(self.preview.open_months, approved=approved)


@dataclass(frozen=True, slots=True)
class StartedRerating:
    """Where to watch. The run is listed once its preview found something."""

    workflow_id: str
    price_version: int
    joined: bool
    """The same was under way already."""


@dataclass(frozen=True, slots=True)
class Reratings:
    """What both members of a tenant and operators do; ``actor`` is as in the audit trail."""

    db: Database
    processes: ReratingProcesses

    async def request(self, tenant_id: TenantId, actor: str) -> StartedRerating:
        """Hold every stored row against the newest prices.

        Conflict while another re-rating is open, or where there are no prices; Unavailable when
        the workflow server is not reached.
        """
        async with self.db.tenant(tenant_id) as tx:
            open_run = await runs.find_open(tx)
            version = max(await price_state(tx))
        if open_run is not None and await self._is_alive(tenant_id, open_run):
            raise Conflict(f"re-rating {open_run.rerating_id} is open: decide it first")
        if not version:
            raise Conflict("there are no prices yet: import some first")
        return await self._begin(
            RerateInput(
                tenant_id=tenant_id, price_version=version, requested_by=actor, every_row=True
            )
        )

    async def revert(self, tenant_id: TenantId, rerating_id: UUID, actor: str) -> StartedRerating:
        """Give its rows the price back that they had before it, as a re-rating of its own.

        NotFound; Conflict where it has not ended or changed nothing, or another one is open.
        """
        async with self.db.tenant(tenant_id) as tx:
            found = await runs.get_run(tx, rerating_id)
            open_run = await runs.find_open(tx)
            days = await plan.read_replaced_days(tx, rerating_id)
        if open_run is not None and await self._is_alive(tenant_id, open_run):
            raise Conflict(f"re-rating {open_run.rerating_id} is open: it has to end first")
        if not days:
            raise Conflict("this re-rating has changed no row")
        return await self._begin(
            RerateInput(
                tenant_id=tenant_id,
                price_version=found.price_version,
                requested_by=actor,
                reverts=rerating_id,
            )
        )

    async def approve(
        self, tenant_id: TenantId, rerating_id: UUID, actor: str, *, preview: int, reason: str
    ) -> ReratingDetail:
        """Apply what ``preview`` shows of months that are over. Repeated, it changes nothing.

        NotFound; Conflict where nothing waits, where another preview is the newest, where prices
        have changed since, or where ``actor`` brought or asked for the prices.
        """
        found = await self.detail(tenant_id, rerating_id)
        if not _was_approved_by(found.run, actor):
            _refuse_ended(found.run)
            asked = ApproveRequest(decided_by=actor, preview=preview, reason=_checked(reason))
            await self.processes.approve(found.run.workflow_id, asked)
        return await self.detail(tenant_id, rerating_id)

    async def reject(
        self, tenant_id: TenantId, rerating_id: UUID, actor: str, *, reason: str
    ) -> ReratingDetail:
        """Leave months that are over as they are. NotFound; Conflict where nothing waits."""
        found = await self.detail(tenant_id, rerating_id)
        was_mine = found.run.state is RerateState.REJECTED and found.run.decided_by == actor
        if not was_mine:
            _refuse_ended(found.run)
            asked = RejectRequest(decided_by=actor, reason=_checked(reason))
            await self.processes.reject(found.run.workflow_id, asked)
        return await self.detail(tenant_id, rerating_id)

    async def detail(self, tenant_id: TenantId, rerating_id: UUID) -> ReratingDetail:
        async with self.db.tenant(tenant_id) as tx:
            return await read_detail(tx, rerating_id)

    async def begin_due(self) -> int:
        """Begin, or have previewed anew, what newer prices concern; how many tenants."""
        begun = 0
        for tenant_id in await plan.tenants_to_rerate(self.db):
            begun += await self._begin_due(tenant_id)
        return begun

    async def _begin_due(self, tenant_id: TenantId) -> bool:
        async with self.db.tenant(tenant_id) as tx:
            open_run = await runs.find_open(tx)
            if open_run is None:
                await plan.settle_older_versions(tx)
            undecided = await plan.read_undecided(tx)
            known: Sequence[int] = ()
            if open_run is not None:
                known = (await previews.read_preview(tx, _newest(tx, open_run))).versions
        if not set(undecided) - set(known):
            return False
        if open_run is not None and await self._is_alive(tenant_id, open_run):
            await self.processes.prices_changed(open_run.workflow_id)
            return True
        request = RerateInput(tenant_id=tenant_id, price_version=undecided[-1], requested_by=ACTOR)
        _, is_new = await self.processes.begin(request)
        return is_new

    async def _is_alive(self, tenant_id: TenantId, run: Rerating) -> bool:
        """False where the process of an open run is gone (terminated): the run is ended then."""
        if await self.processes.is_running(run.workflow_id):
            return True
        async with self.db.tenant(tenant_id) as tx:
            state = RerateState.CANCELLED
            if await runs.enter_state(
                tx, run.rerating_id, state, deadline=None, note="its process is gone"
            ):
                await tell_end(tx, run, state, ACTOR)
        return False

    async def _begin(self, request: RerateInput) -> StartedRerating:
        workflow_id, is_new = await self.processes.begin(request)
        async with self.db.tenant(request.tenant_id) as tx:
            await audit.record(
                tx,
                actor=request.requested_by,
                action="rerating.requested",
                resource_type=RESOURCE,
                resource_id="" if request.reverts is None else str(request.reverts),
                detail={"price_version": request.price_version, "workflow_id": workflow_id},
            )
        return StartedRerating(workflow_id, request.price_version, joined=not is_new)


class ReratingService:
    """The same for members of a tenant, by scope."""

    def __init__(self, db: Database, processes: ReratingProcesses, clock: Clock) -> None:
        self._inner = Reratings(db, processes)
        self._reads = AuditedReads(db, clock)

    @requires(Scope.COST_READ)
    async def list(
        self, principal: Principal, *, limit: int, after: tuple[datetime, UUID] | None = None
    ) -> Sequence[Rerating]:
        """The newest first; ``after`` is (opened_at, id) of the last one of the page before."""
        async with self._reads.sums(principal, "rerating.list") as tx:
            return await runs.list_runs(tx, limit=limit, after=after)

    @requires(Scope.COST_READ)
    async def get(self, principal: Principal, rerating_id: UUID) -> ReratingDetail:
        """One run with its newest preview by month and model; NotFound."""
        async with self._reads.sums(principal, "rerating.get") as tx:
            return await read_detail(tx, rerating_id)

    @requires(Scope.PRICE_ADMIN)
    async def request(self, principal: Principal) -> StartedRerating:
        """See ``Reratings.request``."""
        return await self._inner.request(principal.tenant_id, actor_of(principal))

    @requires(Scope.PRICE_ADMIN)
    async def approve(
        self, principal: Principal, rerating_id: UUID, *, preview: int, reason: str = ""
    ) -> ReratingDetail:
        """See ``Reratings.approve``."""
        return await self._inner.approve(
            principal.tenant_id, rerating_id, actor_of(principal), preview=preview, reason=reason
        )

    @requires(Scope.PRICE_ADMIN)
    async def reject(
        self, principal: Principal, rerating_id: UUID, *, reason: str = ""
    ) -> ReratingDetail:
        """See ``Reratings.reject``."""
        return await self._inner.reject(
            principal.tenant_id, rerating_id, actor_of(principal), reason=reason
        )

    @requires(Scope.PRICE_ADMIN)
    async def revert(self, principal: Principal, rerating_id: UUID) -> StartedRerating:
        """See ``Reratings.revert``."""
        return await self._inner.revert(principal.tenant_id, rerating_id, actor_of(principal))


async def read_detail(tx: TenantTx, rerating_id: UUID) -> ReratingDetail:
    """A run with its newest preview; NotFound."""
    run = await runs.get_run(tx, rerating_id)
    key = _newest(tx, run)
    return ReratingDetail(
        run, await previews.read_preview(tx, key), tuple(await previews.read_changes(tx, key))
    )


def _newest(tx: TenantTx, run: Rerating) -> RunKey:
    return RunKey(tenant_id=tx.tenant_id, rerating_id=run.rerating_id, preview=run.preview)


def _was_approved_by(run: Rerating, actor: str) -> bool:
    approved = (RerateState.APPROVED, RerateState.APPLIED)
    return run.decided_by == actor and run.state in approved


def _refuse_ended(run: Rerating) -> None:
    if not run.is_open:
        raise Conflict(f"the re-rating has ended: {run.state.value}")


def _checked(reason: str) -> str:
    if len(reason) > MAX_REASON:
        raise ValidationFailed(f"a reason has at most {MAX_REASON} characters", field="reason")
    return reason
