"""Rerate in process, with virtual time."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from temporalio.exceptions import ApplicationError

from tensorcost.domain.cost.contracts_rerating import (
    APPROVE_UPDATE,
    PRICES_CHANGED_SIGNAL,
    REJECT_UPDATE,
    Applied,
    ApproveRequest,
    Decided,
    MonthChange,
    Preview,
    PricesChanged,
    RejectRequest,
    RerateInput,
    RerateState,
    RerateStatus,
    rerate_workflow_id,
)
from tensorcost.domain.cost.reconciliation.closing import PeriodState
from tensorcost.domain.ids import TenantId
from tensorcost.domain.integration.contracts import Failure
from tensorcost.domain.integration.contracts_steps import Done
from tensorcost.workflows.rerate import OPERATOR, Rerate
from tests.support.workflow_driver import WorkflowDriver
from tests.workflows.activity_types import ACTIVITIES

TENANT = TenantId(UUID(int=1))
OCTOBER = MonthChange(
    period=date(2026, 10, 1),
    state=PeriodState.CLOSING,
    rows=3,
    newly_priced_rows=1,
    before="1.000000000",
    after="1.500000000",
    delta="0.500000000",
    models=1,
)
NOTHING = Preview(number=0)
AUTOMATIC = Preview(number=0, automatic_rows=2, digest="none", months=(OCTOBER,))
WAITING = Preview(
    number=0,
    automatic_rows=1,
    approval_rows=2,
    approval_delta="0.400000000",
    digest="a",
    imported_by=("user:importer",),
    months=(OCTOBER,),
)


class World:
    """A driver, and what its previews find; a test changes that as rows and prices change."""

    def __init__(self, finds: Preview, **changes: Any) -> None:
        self.finds = finds
        self.stands = True
        request = RerateInput(
            tenant_id=TENANT, price_version=7, requested_by="user:requester", **changes
        )
        self.driver = WorkflowDriver(Rerate, request, ACTIVITIES, rerate_workflow_id(TENANT, 7))
        self.driver.fake("rerating.preview", by=self._preview)
        self.driver.fake("rerating.apply", by=self._apply)
        self.driver.fake("rerating.decide", by=lambda _order: Decided(stands=self.stands))
        self.driver.fake("rerating.enter", Done())
        self.driver.fake("rerating.warn", Done())
        self.driver.fake("rerating.ask_reconciliation", Done())

    def _preview(self, order: Any) -> Preview:
        return self.finds.model_copy(update={"number": order.number})

    def _apply(self, order: Any) -> Applied:
        rows = self.finds.approval_rows if order.approved else self.finds.automatic_rows
        return Applied(rows=rows)

    async def approve(self, by: str = "user:approver", preview: int = 1) -> Any:
        return await self.driver.update(
            APPROVE_UPDATE, ApproveRequest(decided_by=by, preview=preview)
        )

    async def reject(self, by: str = "user:approver") -> Any:
        return await self.driver.update(REJECT_UPDATE, RejectRequest(decided_by=by, reason="no"))

    @property
    def applied(self) -> list[tuple[int, bool, str]]:
        """(preview, approved, by whom) of each writing."""
        calls = self.driver.calls("rerating.apply")
        return [(one.run.preview, one.approved, one.applied_by) for one in calls]

    @property
    def entered(self) -> list[str]:
        """States as the database has them."""
        return [one.state.value for one in self.driver.calls("rerating.enter")]


async def waiting(**changes: Any) -> World:
    world = World(WAITING, **changes)
    await world.driver.start()
    assert world.driver.states[-1] == "awaiting_approval"
    return world


def refused(handle: Any) -> str:
    assert handle.rejection is not None
    return str(handle.rejection.type)


async def test_where_nothing_changes_no_run_is_written_down() -> None:
    world = World(NOTHING)
    await world.driver.start()
    outcome = await world.driver.finish()
    assert outcome.state is RerateState.UNCHANGED
    assert (world.applied, world.entered) == ([], [])
    assert world.driver.calls("rerating.ask_reconciliation") == []


async def test_what_needs_no_approval_is_applied_and_reconciled_at_once() -> None:
    world = World(AUTOMATIC)
    await world.driver.start()
    outcome = await world.driver.finish()
    assert (outcome.state, outcome.rows) == (RerateState.APPLIED, 2)
    assert world.applied == [(1, False, "system:rerate")]
    assert len(world.driver.calls("rerating.ask_reconciliation")) == 1
    assert world.driver.states == ["previewing", "applying", "applied"]


async def test_the_rest_waits_and_is_looked_at_again_before_it_is_applied() -> None:
    world = await waiting()
    assert world.applied == [(1, False, "system:rerate")]
    handle = await world.approve()
    assert handle.value(RerateStatus).state is RerateState.APPROVED
    outcome = await world.driver.finish()
    assert outcome.state is RerateState.APPLIED
    assert (2, True, "user:approver") in world.applied
    assert len(world.driver.calls("rerating.preview")) == 2
    assert world.entered == ["awaiting_approval", "applied"]


async def test_rows_that_changed_since_the_approval_void_it() -> None:
    world = await waiting()
    world.finds = WAITING.model_copy(update={"digest": "b", "approval_rows": 9})
    await world.approve()
    assert not world.driver.done
    assert world.driver.states[-1] == "awaiting_approval"
    assert not any(approved for _, approved, _ in world.applied)
    assert refused(await world.approve(preview=1)) == Failure.NOT_NOW
    await world.approve(preview=2)
    assert (await world.driver.finish()).state is RerateState.APPLIED


async def test_prices_that_changed_refuse_the_approval_with_a_new_preview() -> None:
    world = await waiting()
    world.stands = False
    handle = await world.approve()
    assert handle.accepted
    assert isinstance(handle.failure, ApplicationError)
    assert "prices have changed" in handle.failure.message
    assert len(world.driver.calls("rerating.preview")) == 2
    assert world.driver.states[-1] == "awaiting_approval"
    world.stands = True
    await world.approve(preview=2)
    assert (await world.driver.finish()).state is RerateState.APPLIED


@pytest.mark.parametrize("who", ["user:requester", "user:importer"])
async def test_who_brought_or_asked_for_the_prices_cannot_approve_but_may_reject(
    who: str,
) -> None:
    world = await waiting()
    assert refused(await world.approve(by=who)) == Failure.SELF_APPROVAL
    handle = await world.reject(by=who)
    assert handle.value(RerateStatus).state is RerateState.REJECTED
    assert world.driver.outcome.state is RerateState.REJECTED


async def test_the_same_approval_twice_is_one_and_a_second_opinion_is_refused() -> None:
    world = await waiting()
    world.driver.hold("rerating.preview")
    assert (await world.approve()).value(RerateStatus).state is RerateState.APPROVED
    assert (await world.approve()).value(RerateStatus).state is RerateState.APPROVED
    assert len(world.driver.calls("rerating.decide")) == 1
    assert refused(await world.approve(by="user:another")) == Failure.NOT_NOW
    assert refused(await world.reject()) == Failure.NOT_NOW
    await world.driver.release("rerating.preview")
    assert world.driver.outcome.state is RerateState.APPLIED


async def test_an_approval_and_a_rejection_at_once_are_decided_by_the_first() -> None:
    world = await waiting()
    world.driver.hold("rerating.decide")
    approval = await world.approve()
    rejection = await world.reject(by="user:another")
    await world.driver.release("rerating.decide")
    assert approval.value(RerateStatus).state is RerateState.APPROVED
    assert len(world.driver.calls("rerating.decide")) == 1
    assert world.driver.outcome.state is RerateState.APPLIED
    assert rejection.value(RerateStatus).state is RerateState.APPLIED


async def test_a_rejection_leaves_what_is_over_as_it_is() -> None:
    world = await waiting()
    handle = await world.reject()
    assert handle.value(RerateStatus).state is RerateState.REJECTED
    assert world.driver.outcome.note == "no"
    assert world.applied == [(1, False, "system:rerate")]
    assert world.entered == ["awaiting_approval", "rejected"]


async def test_nobody_deciding_is_a_refusal_after_thirty_days() -> None:
    world = await waiting()
    began = world.driver.now
    outcome = await world.driver.finish()
    assert outcome.state is RerateState.EXPIRED
    assert world.driver.now - began == timedelta(days=30)
    assert world.entered[-1] == "expired"
    assert not any(approved for _, approved, _ in world.applied)


async def test_it_is_told_once_that_the_time_for_a_decision_ends() -> None:
    world = await waiting()
    began = world.driver.now
    await world.driver.skip(timedelta(days=27) - timedelta(seconds=1))
    assert world.driver.calls("rerating.warn") == []
    await world.driver.skip(timedelta(seconds=1))
    (told,) = world.driver.calls("rerating.warn")
    assert (told.deadline - began, told.run.preview) == (timedelta(days=30), 1)
    assert told.preview.approval_delta == "0.400000000"
    await world.driver.signal(PRICES_CHANGED_SIGNAL, PricesChanged())
    assert (await world.driver.finish()).state is RerateState.EXPIRED
    assert len(world.driver.calls("rerating.warn")) == 1, "the deadline is the same"
    assert world.driver.now - began == timedelta(days=30)


async def test_other_rows_have_another_deadline_and_a_warning_of_their_own() -> None:
    world = await waiting()
    await world.driver.skip(timedelta(days=28))
    world.finds = WAITING.model_copy(update={"digest": "b"})
    await world.driver.signal(PRICES_CHANGED_SIGNAL, PricesChanged())
    await world.driver.finish()
    first, second = world.driver.calls("rerating.warn")
    assert second.deadline - first.deadline == timedelta(days=28)


@pytest.mark.parametrize(
    ("patience", "warning", "waited"),
    [
        (timedelta(days=10), timedelta(days=1), timedelta(days=9)),
        (timedelta(hours=4), timedelta(days=3), timedelta(hours=2)),
    ],
)
async def test_the_warning_comes_as_long_before_as_was_set_and_not_before_half_of_the_time(
    patience: timedelta, warning: timedelta, waited: timedelta
) -> None:
    world = await waiting(patience=patience, warning=warning)
    began = world.driver.now
    await world.driver.finish()
    (told,) = world.driver.calls("rerating.warn")
    assert told.asked_at - began == waited


async def test_no_warning_is_sent_where_none_is_wanted_or_somebody_decided() -> None:
    silent = await waiting(warning=timedelta())
    assert (await silent.driver.finish()).state is RerateState.EXPIRED
    decided = await waiting()
    await decided.approve()
    assert (await decided.driver.finish()).state is RerateState.APPLIED
    assert silent.driver.calls("rerating.warn") == decided.driver.calls("rerating.warn") == []


async def test_a_decision_while_the_warning_is_sent_stands() -> None:
    world = await waiting()
    world.driver.hold("rerating.warn")
    await world.driver.skip(timedelta(days=27))
    assert (await world.approve()).value(RerateStatus).state is RerateState.APPROVED
    await world.driver.release("rerating.warn")
    assert world.driver.outcome.state is RerateState.APPLIED


async def test_newer_prices_that_change_nothing_else_do_not_prolong_the_wait() -> None:
    world = await waiting()
    began = world.driver.now
    await world.driver.skip(timedelta(days=10))
    await world.driver.signal(PRICES_CHANGED_SIGNAL, PricesChanged())
    assert world.driver.states[-1] == "awaiting_approval"
    assert (await world.driver.finish()).state is RerateState.EXPIRED
    assert world.driver.now - began == timedelta(days=30)


async def test_nothing_is_decided_while_the_preview_is_made() -> None:
    world = World(WAITING)
    world.driver.hold("rerating.preview")
    await world.driver.start()
    assert refused(await world.approve()) == Failure.NOT_NOW
    assert refused(await world.reject()) == Failure.NOT_NOW


async def test_newer_prices_make_the_waiting_preview_anew() -> None:
    world = await waiting()
    world.finds = NOTHING
    await world.driver.signal(PRICES_CHANGED_SIGNAL, PricesChanged())
    outcome = world.driver.outcome
    assert outcome.state is RerateState.APPLIED  # of what needed no approval
    assert len(world.driver.calls("rerating.preview")) == 2


async def test_an_operator_decides_by_plain_signals() -> None:
    approved = await waiting()
    await approved.driver.signal("approve_now")
    assert (2, True, OPERATOR) in approved.applied
    rejected = await waiting()
    await rejected.driver.signal("reject_now")
    assert rejected.driver.outcome.state is RerateState.REJECTED


async def test_a_second_run_gives_way_to_the_open_one() -> None:
    world = World(NOTHING.model_copy(update={"blocked_by": UUID(int=9)}))
    await world.driver.start()
    outcome = await world.driver.finish()
    assert outcome.state is RerateState.CANCELLED
    assert str(UUID(int=9)) in outcome.note
    assert world.entered == []


async def test_a_cancelled_run_is_written_down() -> None:
    world = await waiting()
    await world.driver.cancel()
    assert world.entered[-1] == "cancelled"
    assert world.driver.states[-1] == "cancelled"


async def test_a_writing_that_fails_for_good_ends_the_run_as_failed() -> None:
    world = World(AUTOMATIC)
    broken = ApplicationError("the disk is full", type="Broken", non_retryable=True)
    world.driver.fake("rerating.apply", raises=broken)
    await world.driver.start()
    outcome = await world.driver.finish()
    assert outcome.state is RerateState.FAILED
    assert "the disk is full" in outcome.note
    assert world.entered == ["failed"]


async def test_the_wait_says_until_when() -> None:
    world = await waiting()
    (timer,) = world.driver.timers.values()
    assert timer.summary == "warning of the approval's end"
    await world.driver.skip(timedelta(days=28))
    (timer,) = world.driver.timers.values()
    assert timer.summary == "approval until 2026-12-20 12:00 UTC"
