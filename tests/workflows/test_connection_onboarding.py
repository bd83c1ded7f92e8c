"""ConnectionOnboarding in process, with virtual time."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from temporalio.exceptions import ApplicationError

from tensorcost.domain.ids import ConnectionId, TenantId
from tensorcost.domain.integration.contracts import (
    CANCEL_UPDATE,
    RETRY_UPDATE,
    VALIDATE_UPDATE,
    CancelRequest,
    ConnectionKey,
    Failure,
    OnboardingInput,
    RetryRequest,
    RunReference,
    ValidateRequest,
    onboarding_workflow_id,
)
from tensorcost.domain.integration.contracts_connection import ConnectionChanges
from tensorcost.domain.integration.contracts_steps import BackfillTicket, Discovered, Done
from tensorcost.domain.integration.states import OnboardingPhase
from tensorcost.domain.tenancy.onboarding import OnboardingFact
from tensorcost.workflows.connection_onboarding import ConnectionOnboarding
from tests.support.connections import NOW
from tests.support.scripted_connector import HEALTHY, denied
from tests.support.workflow_driver import WorkflowDriver
from tests.workflows.activity_types import ACTIVITIES

KEY = ConnectionKey(
    tenant_id=TenantId(UUID(int=1)), connection_id=ConnectionId(UUID(int=2)), provider="bedrock"
)
WORKFLOW_ID = onboarding_workflow_id(KEY.connection_id)
BACKFILL_ID = f"connection/{KEY.connection_id}/backfill/1"


def onboarding(**changes: Any) -> WorkflowDriver:
    """An onboarding whose activities all work; ``changes`` go into its input."""
    request = OnboardingInput(connection=KEY, requested_by="user:a", **changes)
    driver = WorkflowDriver(ConnectionOnboarding, request, ACTIVITIES, WORKFLOW_ID, NOW)
    for name in (
        "integration.open_validation",
        "integration.record_round",
        "integration.finish_validation",
        "integration.ensure_schedule",
        "tenancy.report_fact",
    ):
        driver.fake(name, Done())
    driver.fake("integration.probe", HEALTHY)
    driver.fake("integration.discover", Discovered(accounts_total=3, accounts_covered=2, sites=5))
    driver.fake(
        "integration.open_backfill",
        BackfillTicket(
            number=1,
            workflow_id=BACKFILL_ID,
            window_start=NOW - timedelta(days=90),
            window_end=NOW,
        ),
    )
    return driver


def phases(driver: WorkflowDriver) -> list[OnboardingPhase]:
    return [order.phase for order in driver.calls("integration.finish_validation")]


async def test_a_healthy_connection_is_discovered_scheduled_and_backfilled() -> None:
    driver = onboarding()
    await driver.start()
    outcome = await driver.finish()
    assert outcome.phase is OnboardingPhase.CONNECTED
    assert (outcome.accounts_covered, outcome.accounts_total) == (2, 3)
    assert outcome.backfill_id == BACKFILL_ID
    assert [child.workflow_id for child in driver.children] == [BACKFILL_ID]
    assert driver.children[0].parent_close_policy == 2  # ABANDON
    assert len(driver.calls("integration.ensure_schedule")) == 1
    assert [report.fact for report in driver.calls("tenancy.report_fact")] == [
        OnboardingFact.CONNECTION_VALIDATED
    ]
    assert driver.states == ["validating", "discovering", "connected"]


async def test_a_denial_is_polled_every_five_seconds_for_two_minutes() -> None:
    driver = onboarding()
    driver.fake("integration.probe", denied())
    await driver.start()
    assert len(driver.calls("integration.record_round")) == 1  # shown at once
    await driver.skip(timedelta(minutes=2))
    rounds = [report.round for report in driver.calls("integration.record_round")]
    assert rounds == list(range(1, 26))
    assert phases(driver) == [OnboardingPhase.FAILED]
    assert driver.states[-1] == "waiting_for_retry"
    assert "connection" not in driver.children


async def test_a_role_that_appears_late_ends_the_polling() -> None:
    driver = onboarding()
    verdicts = [denied(), denied(), HEALTHY]
    driver.fake("integration.probe", by=lambda _request: verdicts.pop(0))
    await driver.start()
    outcome = await driver.finish()
    assert outcome.phase is OnboardingPhase.CONNECTED
    assert driver.now == NOW + timedelta(seconds=10)


async def test_what_cannot_heal_by_waiting_is_not_waited_for() -> None:
    driver = onboarding()
    driver.fake("integration.probe", denied(may_heal=False, title="The ARN is malformed"))
    await driver.start()
    assert len(driver.calls("integration.probe")) == 1
    finish = driver.calls("integration.finish_validation")[0]
    assert (finish.phase, finish.note) == (OnboardingPhase.FAILED, "The ARN is malformed")


async def test_a_retry_with_changes_opens_a_new_run() -> None:
    driver = onboarding()
    verdicts = [denied(may_heal=False), HEALTHY]
    driver.fake("integration.probe", by=lambda _request: verdicts.pop(0))
    await driver.start()
    changes = ConnectionChanges(external_id="tc-another-fake-id")
    handle = await driver.update(RETRY_UPDATE, RetryRequest(requested_by="user:b", changes=changes))
    first, second = driver.calls("integration.open_validation")
    reference = handle.value(RunReference)
    assert (reference.run_id, reference.joined) == (second.run_id, False)
    assert first.run_id != second.run_id
    assert (second.changes, second.requested_by) == (changes, "user:b")
    assert (await driver.finish()).phase is OnboardingPhase.CONNECTED


async def test_a_retry_is_rejected_while_nothing_has_failed() -> None:
    driver = onboarding()
    driver.hold("integration.probe")
    await driver.start()
    handle = await driver.update(RETRY_UPDATE, RetryRequest(requested_by="user:b"))
    assert handle.rejection is not None
    assert handle.rejection.type == Failure.NOT_NOW
    assert not handle.accepted


async def test_validate_joins_the_attempt_under_way() -> None:
    driver = onboarding()
    driver.hold("integration.probe")
    await driver.start()
    first = await driver.update(VALIDATE_UPDATE, ValidateRequest(requested_by="user:a"))
    second = await driver.update(VALIDATE_UPDATE, ValidateRequest(requested_by="user:b"))
    one, two = first.value(RunReference), second.value(RunReference)
    assert one.run_id == two.run_id == driver.calls("integration.open_validation")[0].run_id
    assert (one.joined, two.joined) == (False, True)


async def test_validate_that_arrives_with_the_start_waits_for_the_run() -> None:
    driver = onboarding()
    driver.hold("integration.open_validation")
    handle = await driver.update(VALIDATE_UPDATE, ValidateRequest(requested_by="user:a"))
    await driver.start()
    assert handle.accepted
    assert handle.result is None
    await driver.release("integration.open_validation")
    opened = driver.calls("integration.open_validation")
    assert handle.value(RunReference).run_id == opened[0].run_id
    assert len(opened) == 1


async def test_validate_after_a_failure_is_a_retry() -> None:
    driver = onboarding()
    driver.fake("integration.probe", denied(may_heal=False))
    await driver.start()
    handle = await driver.update(VALIDATE_UPDATE, ValidateRequest(requested_by="user:b"))
    opened = driver.calls("integration.open_validation")
    assert len(opened) == 2
    assert handle.value(RunReference).run_id == opened[1].run_id


async def test_a_cancel_stops_a_probe_that_hangs() -> None:
    driver = onboarding()
    driver.hold("integration.probe")
    await driver.start()
    handle = await driver.update(CANCEL_UPDATE, CancelRequest(requested_by="u", reason="typo"))
    assert handle.accepted
    assert (await driver.finish()).phase is OnboardingPhase.CANCELLED
    finish = driver.calls("integration.finish_validation")[0]
    assert (finish.phase, finish.note) == (OnboardingPhase.CANCELLED, "typo")
    assert driver.children == []


async def test_a_cancel_between_two_rounds_does_not_wait_for_the_next() -> None:
    driver = onboarding()
    driver.fake("integration.probe", denied())
    await driver.start()
    await driver.update(CANCEL_UPDATE, CancelRequest(requested_by="u"))
    assert driver.done
    assert driver.now == NOW
    assert phases(driver) == [OnboardingPhase.CANCELLED]


async def test_a_cancel_gives_up_a_failed_connection() -> None:
    driver = onboarding()
    driver.fake("integration.probe", denied(may_heal=False))
    await driver.start()
    await driver.update(CANCEL_UPDATE, CancelRequest(requested_by="u"))
    assert driver.outcome.phase is OnboardingPhase.CANCELLED
    assert phases(driver) == [OnboardingPhase.FAILED, OnboardingPhase.CANCELLED]


async def test_a_second_cancel_is_rejected() -> None:
    driver = onboarding()
    driver.hold("integration.finish_validation")
    driver.fake("integration.probe", denied())
    await driver.start()
    await driver.update(CANCEL_UPDATE, CancelRequest(requested_by="u"))
    handle = await driver.update(CANCEL_UPDATE, CancelRequest(requested_by="u"))
    assert handle.rejection is not None
    assert handle.rejection.type == Failure.NOT_NOW


async def test_nobody_retries_for_a_week() -> None:
    driver = onboarding()
    driver.fake("integration.probe", denied(may_heal=False))
    await driver.start()
    outcome = await driver.finish()
    assert outcome.phase is OnboardingPhase.FAILED
    assert driver.now == NOW + timedelta(days=7)


async def test_an_operator_can_retry_by_signal() -> None:
    driver = onboarding()
    verdicts = [denied(may_heal=False), HEALTHY]
    driver.fake("integration.probe", by=lambda _request: verdicts.pop(0))
    await driver.start()
    await driver.signal("retry_now")
    assert (await driver.finish()).phase is OnboardingPhase.CONNECTED


async def test_a_probe_that_fails_itself_keeps_its_raw_text() -> None:
    driver = onboarding()
    error = ApplicationError("socket melted", type="MeltError")
    driver.fake("integration.probe", raises=error)
    await driver.start()
    finding = driver.calls("integration.record_round")[0].verdict.findings[0]
    assert finding.code == "UNEXPLAINED"
    assert finding.evidence == {"error": "MeltError", "text": "socket melted"}


async def test_a_failed_discovery_is_a_failed_validation() -> None:
    driver = onboarding()
    driver.fake("integration.discover", raises=ApplicationError("no list", type="CustomerMustAct"))
    await driver.start()
    assert phases(driver) == [OnboardingPhase.FAILED]
    assert driver.states[-1] == "waiting_for_retry"


async def test_no_backfill_is_started_when_none_is_needed() -> None:
    driver = onboarding()
    driver.fake("integration.open_backfill", BackfillTicket(number=0))
    await driver.start()
    assert (await driver.finish()).backfill_id == ""
    assert driver.children == []


async def test_a_cancelled_workflow_records_the_end_and_stays_cancelled() -> None:
    driver = onboarding()
    driver.hold("integration.probe")
    await driver.start()
    await driver.cancel()
    assert driver.cancelled
    assert phases(driver) == [OnboardingPhase.CANCELLED]
