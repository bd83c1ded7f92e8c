"""The customer's onboarding: facts delivered to its process, its state projected to rows."""

from dataclasses import dataclass

from temporalio import activity

from tensorcost.activities.processes import Process, Processes
from tensorcost.domain.clock import Clock
from tensorcost.domain.events.catalogue import EventType
from tensorcost.domain.events.envelope import NewEvent
from tensorcost.domain.integration.contracts_steps import Done
from tensorcost.domain.tenancy.onboarding_contracts import (
    CONTEXT,
    CUSTOMER_ONBOARDING,
    FACT_SIGNAL,
    CustomerOnboardingInput,
    FactReport,
    OnboardingProgress,
    customer_onboarding_id,
)
from tensorcost.storage.audit import trace_id_now
from tensorcost.storage.onboarding import save_onboarding
from tensorcost.storage.session import Database


def onboarding_process(report: FactReport) -> Process:
    """The tenant's onboarding, as it is started by the first fact about it."""
    return Process(
        name=CUSTOMER_ONBOARDING,
        workflow_id=customer_onboarding_id(report.tenant_id),
        tenant_id=report.tenant_id,
        context=CONTEXT,
        argument=CustomerOnboardingInput(tenant_id=report.tenant_id),
        summary="From sign-up to the first recommendation",
    )


@dataclass(frozen=True, slots=True)
class TenancyActivities:
    db: Database
    processes: Processes
    clock: Clock

    @activity.defn(name="tenancy.report_fact")
    async def report_fact(self, report: FactReport) -> Done:
        """Signal the fact, starting the onboarding where it is not running."""
        await self.processes.signal_or_start(onboarding_process(report), FACT_SIGNAL, report)
        return Done()

    @activity.defn(name="tenancy.project_onboarding")
    async def project_onboarding(self, progress: OnboardingProgress) -> Done:
        """Write the projection and tell it, once per change."""
        async with self.db.tenant(progress.tenant_id) as tx:
            changed = await save_onboarding(tx, progress, self.clock())
            if changed:
                tx.emit(
                    NewEvent(
                        EventType.TENANT_ONBOARDING_ADVANCED,
                        {"state": progress.state.value, "late": progress.late},
                        trace_id_now(),
                    )
                )
        return Done(changed=changed)
