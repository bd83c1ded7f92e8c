"""Facts for the customer's onboarding, told by the processes that know them."""

from temporalio import workflow

from tensorcost.workflows.options import DB_SHORT, named

with workflow.unsafe.imports_passed_through():
    from tensorcost.activities.tenancy import TenancyActivities
    from tensorcost.domain.integration.contracts import ConnectionKey
    from tensorcost.domain.tenancy.onboarding import OnboardingFact
    from tensorcost.domain.tenancy.onboarding_contracts import FactReport


async def tell_onboarding(key: ConnectionKey, fact: OnboardingFact) -> None:
    """Deliver the fact; the onboarding is started where it is not running."""
    report = FactReport(tenant_id=key.tenant_id, fact=fact, subject=str(key.connection_id))
    await workflow.execute_activity_method(
        TenancyActivities.report_fact, report, **named(DB_SHORT, fact.value)
    )
