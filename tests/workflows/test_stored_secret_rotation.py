"""StoredSecretRotation in process, with virtual time."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from temporalio.exceptions import ApplicationError

from tensorcost.domain.ids import TenantId
from tensorcost.domain.integration.contracts import Failure
from tensorcost.domain.integration.contracts_rotation import BEGIN_UPDATE, ROLLBACK_UPDATE
from tensorcost.domain.integration.contracts_steps import Done
from tensorcost.domain.tenancy.secret_rotation import (
    FINISH_UPDATE,
    EndOrder,
    EndRequest,
    StoredRotationInput,
    StoredRotationState,
    StoredRotationStatus,
    stored_rotation_workflow_id,
)
from tensorcost.domain.tenancy.stored_secrets import StoredSecretKind
from tensorcost.workflows.stored_secret_rotation import StoredSecretRotation
from tests.support.connections import NOW
from tests.support.workflow_driver import UpdateHandle, WorkflowDriver
from tests.workflows.activity_types import ACTIVITIES

WEEK = timedelta(days=7)
END = "tenancy.end_secret_rotation"
KIND = StoredSecretKind.CONTENT_HASH
OURS = StoredRotationInput(
    tenant_id=TenantId(UUID(int=1)),
    rotation_id=UUID(int=2),
    kind=KIND,
    old_version=1,
    new_version=2,
    deadline=NOW + WEEK,
)
LATER = OURS.model_copy(update={"rotation_id": UUID(int=3), "old_version": 2, "new_version": 3})
ASK = EndRequest(rotation_id=OURS.rotation_id, requested_by="user:b", reason="leaked")
ROTATED, ROLLED_BACK = StoredRotationState.ROTATED, StoredRotationState.ROLLED_BACK


def as_ordered(order: EndOrder) -> StoredRotationStatus:
    return StoredRotationStatus(rotation_id=order.rotation_id, state=order.state)


def rotating(request: StoredRotationInput = OURS) -> WorkflowDriver:
    workflow_id = stored_rotation_workflow_id(request.tenant_id, request.kind)
    driver = WorkflowDriver(StoredSecretRotation, request, ACTIVITIES, workflow_id, NOW)
    driver.fake(END, by=as_ordered)
    return driver


def ended(driver: WorkflowDriver) -> EndOrder:
    (order,) = driver.calls(END)
    assert isinstance(order, EndOrder)
    return order


def refusal(handle: UpdateHandle) -> Any:
    assert handle.rejection is not None
    assert not handle.accepted
    return handle.rejection.type


async def test_at_the_end_of_the_overlap_the_earlier_secret_goes() -> None:
    driver = rotating()
    await driver.start()
    assert driver.states == ["overlapping"]
    await driver.skip(WEEK - timedelta(seconds=1))
    assert driver.calls(END) == []
    outcome = await driver.finish()
    assert outcome.state is ROTATED
    order = ended(driver)
    assert (order.state, order.requested_by) == (ROTATED, "")
    assert order.note == "the overlap is over"
    assert driver.states == ["overlapping", "rotated"]


@pytest.mark.parametrize(
    ("update", "state"), [(FINISH_UPDATE, ROTATED), (ROLLBACK_UPDATE, ROLLED_BACK)]
)
async def test_it_is_ended_before_on_request(update: str, state: StoredRotationState) -> None:
    driver = rotating()
    await driver.start()
    handle = await driver.update(update, ASK)
    assert handle.value(StoredRotationStatus).state is state
    order = ended(driver)
    assert (order.state, order.note, order.requested_by) == (state, "leaked", "user:b")
    assert driver.outcome.state is state
    assert driver.now == NOW


async def test_what_is_asked_of_a_process_that_is_started_by_it_is_done() -> None:
    driver = rotating()
    handle = await driver.update(ROLLBACK_UPDATE, ASK)
    await driver.start()
    assert handle.value(StoredRotationStatus).state is ROLLED_BACK
    assert driver.outcome.state is ROLLED_BACK


async def test_of_two_who_end_it_the_first_decides() -> None:
    driver = rotating()
    await driver.start()
    driver.hold(END)
    back = await driver.update(ROLLBACK_UPDATE, ASK)
    again = await driver.update(ROLLBACK_UPDATE, ASK)
    on = await driver.update(FINISH_UPDATE, ASK)
    await driver.release(END)
    assert back.value(StoredRotationStatus) == again.value(StoredRotationStatus)
    assert isinstance(on.failure, ApplicationError)
    assert (on.failure.type, on.failure.message) == (
        Failure.NOT_NOW,
        "the rotation has ended: rolled_back",
    )
    assert ended(driver).state is ROLLED_BACK


async def test_what_was_ended_elsewhere_is_what_is_told() -> None:
    driver = rotating()
    stored = StoredRotationStatus(rotation_id=OURS.rotation_id, state=ROTATED)
    driver.fake(END, stored)
    await driver.start()
    handle = await driver.update(ROLLBACK_UPDATE, ASK)
    assert isinstance(handle.failure, ApplicationError)
    assert driver.outcome.state is ROTATED


async def test_a_request_of_another_rotation_is_refused() -> None:
    driver = rotating()
    await driver.start()
    other = ASK.model_copy(update={"rotation_id": LATER.rotation_id})
    for update in (FINISH_UPDATE, ROLLBACK_UPDATE):
        assert refusal(await driver.update(update, other)) == Failure.NOT_NOW
    strange = LATER.model_copy(update={"tenant_id": TenantId(UUID(int=9))})
    assert refusal(await driver.update(BEGIN_UPDATE, strange)) == Failure.NOT_NOW
    assert not driver.done


async def test_begin_of_its_own_rotation_changes_nothing() -> None:
    driver = rotating()
    handle = await driver.update(BEGIN_UPDATE, OURS)
    await driver.start()
    assert handle.value(Done).changed
    await driver.finish()
    assert driver.continued is None


async def test_a_rotation_begun_while_one_ends_is_followed_next() -> None:
    driver = rotating()
    await driver.start()
    driver.hold(END)
    await driver.update(ROLLBACK_UPDATE, ASK)
    handle = await driver.update(BEGIN_UPDATE, LATER)
    assert handle.value(Done).changed
    await driver.release(END)
    assert driver.continued == LATER
    assert ended(driver).state is ROLLED_BACK


async def test_a_later_rotation_ends_one_that_this_run_took_for_open() -> None:
    driver = rotating()
    driver.fake(END, StoredRotationStatus(rotation_id=OURS.rotation_id, state=ROLLED_BACK))
    await driver.start()
    await driver.update(BEGIN_UPDATE, LATER)
    assert driver.states[-1] == "rolled_back"
    assert driver.continued == LATER
    assert driver.now == NOW


async def test_a_begin_that_a_later_rotation_overtook_changes_nothing() -> None:
    driver = rotating(LATER)
    await driver.start()
    handle = await driver.update(BEGIN_UPDATE, OURS)
    assert not handle.value(Done).changed
    assert not driver.done
    assert driver.calls(END) == []


@pytest.mark.parametrize(
    ("signal", "state"), [("finish_now", ROTATED), ("rollback_now", ROLLED_BACK)]
)
async def test_an_operator_ends_it_by_signal(signal: str, state: StoredRotationState) -> None:
    driver = rotating()
    await driver.start()
    await driver.signal(signal)
    assert ended(driver).requested_by == "system:operator"
    assert driver.outcome.state is state


async def test_a_signal_that_comes_too_late_changes_nothing() -> None:
    driver = rotating()
    await driver.start()
    driver.hold(END)
    await driver.update(ROLLBACK_UPDATE, ASK)
    await driver.signal("finish_now")
    await driver.release(END)
    assert ended(driver).state is ROLLED_BACK
    assert driver.outcome.state is ROLLED_BACK


async def test_a_cancelled_workflow_keeps_what_is_in_use() -> None:
    driver = rotating()
    await driver.start()
    await driver.cancel()
    assert driver.cancelled
    assert ended(driver).state is StoredRotationState.CANCELLED
