"""Reconcile in process: month by month, once more where asked, and what goes wrong is told."""

from datetime import date, timedelta
from uuid import UUID

from temporalio.exceptions import ApplicationError

from tensorcost.domain.cost.contracts import (
    ASK_SIGNAL,
    DuePeriods,
    MonthTotals,
    ReconcileInput,
    ReconcileOrder,
    ReconcileOutcome,
    ReconcileRequest,
    ReconciliationReport,
)
from tensorcost.domain.cost.reconciliation.closing import PeriodState
from tensorcost.domain.ids import TenantId
from tensorcost.domain.integration.contracts import CANCEL_UPDATE, CancelRequest, Failure
from tensorcost.domain.integration.contracts_steps import Done
from tensorcost.workflows.reconcile import Reconcile
from tests.support.workflow_driver import WorkflowDriver
from tests.workflows.activity_types import ACTIVITIES

TENANT = TenantId(UUID(int=1))
SEPTEMBER, OCTOBER = date(2026, 9, 1), date(2026, 10, 1)
DUE, MONTH, NOTE = (
    "reconciliation.due_periods",
    "reconciliation.reconcile_period",
    "reconciliation.note_failure",
)
ASKED = ReconcileRequest(tenant_id=TENANT, requested_by="user:a")


def report(order: ReconcileOrder) -> ReconciliationReport:
    total = MonthTotals(
        currency="USD",
        billed="5.000000000",
        attributed="4.000000000",
        unattributed={"tax": "1.000000000"},
        difference="0.000000000",
        estimate="4.000000000",
        gaps={},
    )
    return ReconciliationReport(
        period=order.period,
        state=PeriodState.CLOSING,
        version=3,
        former=2,
        closed_until=OCTOBER,
        days=30,
        days_changed=1,
        totals=(total,),
    )


def reconcile(*due: tuple[date, ...]) -> WorkflowDriver:
    """A run that finds these months due, look by look; nothing once they are used up."""
    driver = WorkflowDriver(Reconcile, ReconcileInput(tenant_id=TENANT), ACTIVITIES)
    looks = list(due)

    def found(asked: ReconcileRequest) -> DuePeriods:
        named = () if asked.period is None else (asked.period,)
        return DuePeriods(periods=(*named, *(looks.pop(0) if looks else ())))

    driver.fake(DUE, by=found)
    driver.fake(MONTH, by=report)
    driver.fake(NOTE, Done())
    return driver


def months(outcome: ReconcileOutcome | ReconcileInput) -> list[date]:
    return [month.period for month in outcome.months]


async def test_every_month_that_is_due_is_reconciled_for_who_asked() -> None:
    driver = reconcile((SEPTEMBER, OCTOBER))
    await driver.signal(ASK_SIGNAL, ASKED)
    await driver.start()
    outcome = await driver.finish()
    assert months(outcome) == [SEPTEMBER, OCTOBER]
    assert {call.requested_by for call in driver.calls(MONTH)} == {"user:a"}
    assert len(driver.calls(DUE)) == 1
    assert driver.states == ["running", "completed"]


async def test_who_asks_while_it_runs_is_answered_by_another_look() -> None:
    driver = reconcile((OCTOBER,), (OCTOBER,))
    driver.hold(MONTH)
    await driver.signal(ASK_SIGNAL, ASKED)
    await driver.start()
    for _ in range(3):
        await driver.signal(ASK_SIGNAL, ASKED)
    await driver.release(MONTH)
    await driver.release(MONTH)
    outcome = await driver.finish()
    assert months(outcome) == [OCTOBER]
    assert len(driver.calls(DUE)) == 2, "equal wishes that wait are one"


async def test_a_month_asked_for_by_name_is_reconciled_whether_it_is_due_or_not() -> None:
    driver = reconcile()
    await driver.signal(ASK_SIGNAL, ASKED)
    await driver.signal(ASK_SIGNAL, ASKED.model_copy(update={"period": SEPTEMBER}))
    await driver.start()
    assert months(await driver.finish()) == [SEPTEMBER]


async def test_a_run_that_nobody_asked_looks_once() -> None:
    driver = reconcile((OCTOBER,))
    await driver.start()
    assert months(await driver.finish()) == [OCTOBER]
    assert driver.calls(MONTH)[0].requested_by == "system:reconcile"


async def test_a_month_that_fails_for_good_is_told_and_the_others_go_on() -> None:
    driver = reconcile((SEPTEMBER, OCTOBER))

    def fail(order: ReconcileOrder) -> ReconciliationReport:
        if order.period == SEPTEMBER:
            raise ApplicationError("no bill of 2026-09", type=Failure.NO_BILL.value)
        return report(order)

    driver.fake(MONTH, by=fail)
    await driver.start()
    outcome = await driver.finish()
    assert months(outcome) == [OCTOBER]
    assert [(month.period, month.code) for month in outcome.failed] == [(SEPTEMBER, "NoBill")]
    (note,) = driver.calls(NOTE)
    assert (note.order.period, note.error) == (SEPTEMBER, "no bill of 2026-09")
    assert driver.states[-1] == "failed"


async def test_a_cancelled_run_leaves_the_month_in_hand_as_it_was() -> None:
    driver = reconcile((SEPTEMBER, OCTOBER))
    driver.hold(MONTH)
    await driver.start()
    await driver.update(CANCEL_UPDATE, CancelRequest(requested_by="user:a"))
    outcome = await driver.finish()
    assert (months(outcome), outcome.cancelled) == ([], True)
    assert len(driver.calls(MONTH)) == 1
    assert driver.states[-1] == "cancelled"


async def test_an_operator_who_cancels_in_the_temporal_ui_ends_it_too() -> None:
    driver = reconcile((OCTOBER,))
    driver.hold(MONTH)
    await driver.start()
    await driver.cancel()
    assert driver.cancelled
    assert driver.states[-1] == "cancelled"


async def test_a_long_history_goes_on_in_a_new_run_with_what_was_asked_and_found() -> None:
    driver = reconcile((OCTOBER,))
    driver.hold(MONTH)
    await driver.start()
    await driver.signal(ASK_SIGNAL, ASKED)
    driver.history_is_long = True
    await driver.release(MONTH)
    assert driver.continued.asked == (ASKED,)
    assert months(driver.continued) == [OCTOBER]


LATE = ASKED.model_copy(update={"patience": timedelta(seconds=60)})


async def test_late_usage_is_looked_at_together_after_a_while() -> None:
    driver = reconcile((OCTOBER,))
    await driver.signal(ASK_SIGNAL, LATE)
    await driver.start()
    await driver.skip(timedelta(seconds=59))
    assert driver.calls(DUE) == [], "more may come"
    assert months(await driver.finish()) == [OCTOBER]
    assert len(driver.calls(DUE)) == 1


async def test_what_comes_while_it_waits_gets_one_more_look_a_whole_wait_later() -> None:
    """Who asked a while ago does not ask again, so the newest wish stands for what follows."""
    driver = reconcile((OCTOBER,), (OCTOBER,))
    await driver.signal(ASK_SIGNAL, LATE)
    await driver.start()
    for _ in range(5):
        await driver.skip(timedelta(seconds=9))
        await driver.signal(ASK_SIGNAL, LATE)
    await driver.skip(timedelta(seconds=15))
    assert len(driver.calls(DUE)) == 1, "at 60 seconds, however many asked"
    await driver.skip(timedelta(seconds=44))
    assert len(driver.calls(DUE)) == 1
    await driver.skip(timedelta(seconds=1))
    assert len(driver.calls(DUE)) == 2, "60 seconds after the newest wish"
    assert months(await driver.finish()) == [OCTOBER]
    assert len(driver.calls(DUE)) == 2


async def test_who_will_not_wait_is_answered_at_once_and_the_late_ones_in_their_time() -> None:
    driver = reconcile((SEPTEMBER,), (OCTOBER,))
    await driver.signal(ASK_SIGNAL, LATE)
    await driver.start()
    await driver.signal(ASK_SIGNAL, ASKED)
    assert [call.period for call in driver.calls(MONTH)] == [SEPTEMBER]
    assert months(await driver.finish()) == [SEPTEMBER, OCTOBER]


async def test_a_run_that_waits_for_late_usage_can_be_cancelled() -> None:
    driver = reconcile((OCTOBER,))
    await driver.signal(ASK_SIGNAL, LATE)
    await driver.start()
    await driver.update(CANCEL_UPDATE, CancelRequest(requested_by="user:a"))
    assert (await driver.finish()).cancelled
    assert driver.calls(DUE) == []


async def test_a_late_wish_goes_on_in_a_new_run() -> None:
    driver = reconcile((OCTOBER,))
    driver.hold(MONTH)
    await driver.signal(ASK_SIGNAL, ASKED)
    await driver.start()
    await driver.signal(ASK_SIGNAL, LATE)
    driver.history_is_long = True
    await driver.release(MONTH)
    assert driver.continued.late is not None
    assert driver.continued.late.request == LATE
    assert driver.continued.asked == ()
