"""The attempts of a validation: opened, probed round by round, recorded, closed."""

import asyncio
from concurrent.futures import Executor
from dataclasses import dataclass

from temporalio import activity

from tensorcost.activities.failures import gone_is_final
from tensorcost.activities.integration.choose import connector_for
from tensorcost.activities.integration.ports import Connectors
from tensorcost.domain.clock import Clock
from tensorcost.domain.events.catalogue import EventType
from tensorcost.domain.events.envelope import NewEvent
from tensorcost.domain.identity.actors import system_actor
from tensorcost.domain.integration.contracts import Tally
from tensorcost.domain.integration.contracts_connection import Connection
from tensorcost.domain.integration.contracts_steps import (
    Done,
    FinishValidation,
    OpenValidation,
    ProbeRequest,
    ProbeStep,
    ProbeVerdict,
    RoundReport,
)
from tensorcost.domain.integration.progress_records import NewRun
from tensorcost.domain.integration.states import (
    ConnectionState,
    OnboardingPhase,
    RunKind,
    RunState,
    StepState,
)
from tensorcost.storage import audit
from tensorcost.storage.findings import record_findings
from tensorcost.storage.integration import (
    change_connection,
    get_connection,
    set_connection_state,
)
from tensorcost.storage.session import Database, TenantTx
from tensorcost.storage.sync_history import finish_run, open_run
from tensorcost.storage.sync_steps import StepSaving, note_step, skip_open_steps

ACTOR = system_actor("onboarding")
_ENDINGS = {
    OnboardingPhase.CONNECTED: (
        ConnectionState.CONNECTED,
        RunState.COMPLETED,
        EventType.CONNECTION_VALIDATED,
    ),
    OnboardingPhase.FAILED: (
        ConnectionState.FAILED,
        RunState.FAILED,
        EventType.CONNECTION_FAILED,
    ),
    OnboardingPhase.CANCELLED: (
        ConnectionState.CANCELLED,
        RunState.CANCELLED,
        EventType.CONNECTION_CANCELLED,
    ),
}


@dataclass(frozen=True, slots=True)
class ValidationActivities:
    """Validation of connections. Probing blocks in ``threads``; everything else is rows."""

    db: Database
    connectors: Connectors
    threads: Executor
    clock: Clock

    @activity.defn(name="integration.open_validation")
    async def open_validation(self, order: OpenValidation) -> Done:
        """Open the attempt's run. A repeat finds it open and changes nothing."""
        key = order.connection
        run = NewRun(
            tenant_id=key.tenant_id,
            run_id=order.run_id,
            connection_id=key.connection_id,
            kind=RunKind.VALIDATE,
            workflow_id=order.workflow_id,
            started_at=order.started_at,
            requested_by=order.requested_by,
        )
        with gone_is_final():
            async with self.db.tenant(key.tenant_id) as tx:
                await get_connection(tx, key.connection_id)
                if not await open_run(tx, run):
                    return Done(changed=False)
                if order.changes is not None and not order.changes.is_empty:
                    await change_connection(tx, key.connection_id, order.changes, self.clock())
                await set_connection_state(
                    tx, key.connection_id, ConnectionState.VALIDATING, self.clock()
                )
                _tell(tx, EventType.CONNECTION_VALIDATING, order, requested_by=order.requested_by)
        return Done()

    @activity.defn(name="integration.probe")
    async def probe(self, request: ProbeRequest) -> ProbeVerdict:
        """Ask the provider once and diagnose the answers. Writes nothing but the audit row."""
        connection = await self._connection(request)
        connector = connector_for(self.connectors, connection.provider)
        loop = asyncio.get_running_loop()
        verdict = await loop.run_in_executor(self.threads, connector.probe, connection)
        async with self.db.tenant(connection.tenant_id) as tx:
            await audit.record(
                tx,
                actor=ACTOR,
                action="data.probe",
                resource_type="connection",
                resource_id=str(connection.connection_id),
                detail={
                    "run_id": str(request.run_id),
                    "round": request.round,
                    "calls": [step.name for step in verdict.steps if not step.skipped],
                    "healthy": verdict.healthy,
                },
            )
        return verdict

    @activity.defn(name="integration.record_round")
    async def record_round(self, report: RoundReport) -> Done:
        """Write the round's steps and findings, and tell who watches."""
        key, verdict, now = report.connection, report.verdict, self.clock()
        async with self.db.tenant(key.tenant_id) as tx:
            for position, step in enumerate(verdict.steps, start=1):
                saving = StepSaving(report.run_id, step.name, _state_of(step), Tally(), step.detail)
                await note_step(tx, saving, position=position, source="probe", now=now)
            await record_findings(
                tx, key.connection_id, verdict.findings, judged=verdict.judged, now=now
            )
            _tell(
                tx,
                EventType.CONNECTION_VALIDATING,
                report,
                round=report.round,
                healthy=verdict.healthy,
                diagnosis=[
                    {"code": found.code, "title": found.title, "remedy": found.remedy}
                    for found in verdict.findings
                ],
                steps=[{"name": step.name, "ok": step.ok} for step in verdict.steps],
            )
        return Done()

    @activity.defn(name="integration.finish_validation")
    async def finish_validation(self, order: FinishValidation) -> Done:
        """Close the attempt: run, connection, event and audit row stand together."""
        key, now = order.connection, self.clock()
        state, run_state, event = _ENDINGS[order.phase]
        with gone_is_final():
            async with self.db.tenant(key.tenant_id) as tx:
                await skip_open_steps(tx, order.run_id, now)
                ended = await finish_run(tx, order.run_id, run_state, now, note=order.note)
                before = await get_connection(tx, key.connection_id)
                # A cancel after a failure meets an ended run: the connection still changes.
                gives_up = order.phase is OnboardingPhase.CANCELLED and before.state is not state
                if not (ended or gives_up):
                    return Done(changed=False)
                connected = order.phase is OnboardingPhase.CONNECTED
                await set_connection_state(tx, key.connection_id, state, now, validated=connected)
                _tell(tx, event, order, note=order.note)
                await audit.record(
                    tx,
                    actor=ACTOR,
                    action=event.value,
                    resource_type="connection",
                    resource_id=str(key.connection_id),
                    detail={"run_id": str(order.run_id), "note": order.note},
                )
        return Done()

    async def _connection(self, request: ProbeRequest) -> Connection:
        key = request.connection
        with gone_is_final():
            async with self.db.tenant(key.tenant_id) as tx:
                return await get_connection(tx, key.connection_id)


def _state_of(step: ProbeStep) -> StepState:
    if step.skipped:
        return StepState.SKIPPED
    return StepState.COMPLETED if step.ok else StepState.FAILED


def _tell(
    tx: TenantTx,
    event: EventType,
    about: OpenValidation | RoundReport | FinishValidation,
    **data: object,
) -> None:
    identity = {
        "connection_id": str(about.connection.connection_id),
        "provider": about.connection.provider,
        "run_id": str(about.run_id),
    }
    tx.emit(NewEvent(event, {**identity, **data}, audit.trace_id_now()))
