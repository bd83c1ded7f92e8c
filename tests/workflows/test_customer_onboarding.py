"""CustomerOnboarding in process: facts in any order lead to the same state."""

from datetime import timedelta
from uuid import UUID

import pytest

from tensorcost.domain.ids import TenantId
from tensorcost.domain.integration.contracts_steps import Done
from tensorcost.domain.tenancy.onboarding import OnboardingFact, OnboardingState
from tensorcost.domain.tenancy.onboarding_contracts import (
    FACT_SIGNAL,
    CustomerOnboardingInput,
    FactReport,
    customer_onboarding_id,
)
from tensorcost.workflows.customer_onboarding import CustomerOnboarding
from tests.support.connections import NOW
from tests.support.workflow_driver import WorkflowDriver
from tests.workflows.activity_types import ACTIVITIES

TENANT = TenantId(UUID(int=1))
UP_TO_SPEND = (
    OnboardingFact.CONNECTION_CREATED,
    OnboardingFact.CONNECTION_VALIDATED,
    OnboardingFact.BACKFILL_STARTED,
    OnboardingFact.SPEND_SEEN,
    OnboardingFact.BACKFILL_COMPLETED,
)


def onboarding() -> WorkflowDriver:
    request = CustomerOnboardingInput(tenant_id=TENANT)
    driver = WorkflowDriver(
        CustomerOnboarding, request, ACTIVITIES, customer_onboarding_id(TENANT), NOW
    )
    driver.fake("tenancy.project_onboarding", Done())
    return driver


async def tell(driver: WorkflowDriver, *facts: OnboardingFact) -> None:
    for fact in facts:
        await driver.signal(FACT_SIGNAL, FactReport(tenant_id=TENANT, fact=fact))


def states(driver: WorkflowDriver) -> list[OnboardingState]:
    return [progress.state for progress in driver.calls("tenancy.project_onboarding")]


async def test_each_state_is_projected_on_the_way_to_the_first_recommendation() -> None:
    driver = onboarding()
    await driver.start()
    await tell(driver, *UP_TO_SPEND)
    assert states(driver) == [
        OnboardingState.SIGNED_UP,
        OnboardingState.CONNECTED,
        OnboardingState.VALIDATED,
        OnboardingState.BACKFILLING,
        OnboardingState.SPEND_VISIBLE,
        OnboardingState.AWAITING_FIRST_RECOMMENDATION,
    ]
    assert not driver.done


@pytest.mark.parametrize("order", [UP_TO_SPEND, UP_TO_SPEND[::-1], UP_TO_SPEND[2:] * 2])
async def test_facts_in_any_order_and_number_lead_to_the_same_state(
    order: tuple[OnboardingFact, ...],
) -> None:
    driver = onboarding()
    await driver.start()
    await tell(driver, *order)
    assert states(driver)[-1] is OnboardingState.AWAITING_FIRST_RECOMMENDATION


async def test_a_backfill_without_spend_does_not_wait_for_a_recommendation() -> None:
    driver = onboarding()
    await driver.start()
    await tell(driver, OnboardingFact.BACKFILL_STARTED, OnboardingFact.BACKFILL_COMPLETED)
    assert states(driver)[-1] is OnboardingState.BACKFILLING


async def test_after_the_promised_two_days_the_wait_is_late_and_goes_on() -> None:
    driver = onboarding()
    await driver.start()
    await tell(driver, *UP_TO_SPEND)
    await driver.skip(timedelta(hours=47))
    assert not driver.calls("tenancy.project_onboarding")[-1].late
    await driver.skip(timedelta(hours=2))
    assert driver.calls("tenancy.project_onboarding")[-1].late
    assert not driver.done
    await tell(driver, OnboardingFact.RECOMMENDATION_CREATED)
    assert (await driver.finish()).state is OnboardingState.COMPLETED


async def test_the_history_names_each_state_once_with_its_time() -> None:
    driver = onboarding()
    await driver.start()
    await driver.skip(timedelta(minutes=5))
    await tell(driver, OnboardingFact.CONNECTION_CREATED, OnboardingFact.CONNECTION_CREATED)
    history = driver.calls("tenancy.project_onboarding")[-1].history
    assert [(entry.state, entry.at) for entry in history] == [
        (OnboardingState.SIGNED_UP, NOW),
        (OnboardingState.CONNECTED, NOW + timedelta(minutes=5)),
    ]
