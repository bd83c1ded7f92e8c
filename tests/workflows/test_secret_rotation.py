"""SecretRotation in process, with virtual time."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from temporalio.exceptions import ApplicationError

from tensorcost.domain.ids import ConnectionId, TenantId
from tensorcost.domain.integration.contracts import ConnectionKey, Failure
from tensorcost.domain.integration.contracts_rotation import (
    BEGIN_UPDATE,
    ROLLBACK_UPDATE,
    VERIFY_UPDATE,
    Admission,
    FinishRotation,
    Look,
    RollbackRequest,
    RotationInput,
    RotationState,
    RotationStatus,
    Side,
    VerifyRequest,
    rotation_workflow_id,
)
from tensorcost.domain.integration.contracts_steps import Done
from tensorcost.workflows.secret_rotation import SecretRotation
from tests.support.connections import NOW
from tests.support.workflow_driver import WorkflowDriver
from tests.workflows.activity_types import ACTIVITIES

KEY = ConnectionKey(
    tenant_id=TenantId(UUID(int=1)), connection_id=ConnectionId(UUID(int=2)), provider="bedrock"
)
YES, NO = Admission.ADMITTED, Admission.REFUSED
UNTRUSTED = Look(new=NO, old=YES)
BOTH = Look(new=YES, old=YES, healthy=True)
DROPPED = Look(new=YES, old=NO)
WEEK = timedelta(days=7)
LOOK = "integration.look_at_secrets"
ASK = VerifyRequest(requested_by="user:b")


class Role:
    """What the provider says; a test changes it as the customer changes the trust policy."""

    def __init__(self, look: Look) -> None:
        self.look = look

    def __call__(self, _order: Any) -> Look:
        return self.look


def rotating(role: Role, **changes: Any) -> WorkflowDriver:
    request = RotationInput(connection=KEY, rotation_id=UUID(int=3), deadline=NOW + WEEK, **changes)
    driver = WorkflowDriver(
        SecretRotation, request, ACTIVITIES, rotation_workflow_id(KEY.connection_id), NOW
    )
    driver.fake(LOOK, by=role)
    driver.fake("integration.switch_secret", Done())
    driver.fake("integration.finish_rotation", Done())
    return driver


def ended(driver: WorkflowDriver) -> FinishRotation:
    (order,) = driver.calls("integration.finish_rotation")
    assert isinstance(order, FinishRotation)
    return order


async def test_both_are_trusted_then_the_new_one_is_used_then_the_old_one_is_dropped() -> None:
    role = Role(UNTRUSTED)
    driver = rotating(role)
    await driver.start()
    await driver.skip(timedelta(minutes=2))
    assert len(driver.calls(LOOK)) == 5  # at once, then every thirty seconds
    assert driver.calls("integration.switch_secret") == []
    role.look = BOTH
    await driver.skip(timedelta(seconds=30))
    assert len(driver.calls("integration.switch_secret")) == 1
    assert driver.states[-1] == "verifying_old_dropped"
    role.look = DROPPED
    outcome = await driver.finish()
    assert outcome.state is RotationState.ROTATED
    order = ended(driver)
    assert (order.state, order.keep) == (RotationState.ROTATED, Side.NEW)
    assert driver.states == ["waiting_for_customer", "verifying_old_dropped", "rotated"]


async def test_waiting_becomes_rarer_and_is_cut_by_a_verify() -> None:
    role = Role(UNTRUSTED)
    driver = rotating(role)
    await driver.start()
    await driver.skip(timedelta(days=1))
    looks = len(driver.calls(LOOK))
    assert 144 < looks < 250  # not the 2,880 of every thirty seconds
    await driver.skip(timedelta(minutes=1))
    role.look = BOTH
    handle = await driver.update(VERIFY_UPDATE, ASK)
    status = handle.value(RotationStatus)
    assert status.state is RotationState.VERIFYING_OLD_DROPPED
    assert len(driver.calls(LOOK)) >= looks + 1
    assert not driver.done


async def test_a_new_one_whose_sample_read_fails_is_not_used() -> None:
    driver = rotating(Role(Look(new=YES, old=YES, healthy=False, note="CloudWatch denies")))
    await driver.start()
    await driver.skip(timedelta(hours=1))
    assert driver.calls("integration.switch_secret") == []
    assert driver.states == ["waiting_for_customer"]


async def test_a_refusal_of_the_old_one_must_last() -> None:
    looks = [BOTH, BOTH, DROPPED, BOTH]  # refused for a moment: the policy is still spreading
    driver = rotating(Role(BOTH))
    driver.fake(LOOK, by=lambda _order: looks.pop(0) if looks else BOTH)
    await driver.start()
    await driver.skip(timedelta(minutes=5))
    assert driver.calls("integration.finish_rotation") == []
    assert driver.states[-1] == "verifying_old_dropped"


async def test_an_overlap_that_ends_unused_leaves_the_old_one() -> None:
    driver = rotating(Role(UNTRUSTED))
    await driver.start()
    outcome = await driver.finish()
    assert outcome.state is RotationState.EXPIRED
    assert ended(driver).keep is Side.OLD
    assert driver.now == NOW + WEEK


async def test_an_old_one_that_is_never_dropped_leaves_the_new_one() -> None:
    driver = rotating(Role(BOTH))
    await driver.start()
    assert (await driver.finish()).state is RotationState.EXPIRED
    assert ended(driver).keep is Side.NEW


async def test_where_only_the_old_one_works_at_the_deadline_it_is_used_again() -> None:
    role = Role(BOTH)
    driver = rotating(role)
    await driver.start()
    role.look = UNTRUSTED
    assert (await driver.finish()).state is RotationState.EXPIRED
    assert ended(driver).keep is Side.OLD


async def test_a_rollback_goes_back_once_the_old_one_is_seen_to_work() -> None:
    driver = rotating(Role(BOTH))
    await driver.start()
    request = RollbackRequest(requested_by="user:b", reason="wrong account")
    handle = await driver.update(ROLLBACK_UPDATE, request)
    assert handle.value(RotationStatus).state is RotationState.ROLLED_BACK
    order = ended(driver)
    assert (order.keep, order.note, order.requested_by) == (Side.OLD, "wrong account", "user:b")
    assert driver.outcome.state is RotationState.ROLLED_BACK


async def test_a_rollback_to_an_id_that_is_refused_is_refused_and_the_rotation_goes_on() -> None:
    role = Role(UNTRUSTED)
    driver = rotating(role)
    await driver.start()
    role.look = Look(new=NO, old=NO)
    handle = await driver.update(ROLLBACK_UPDATE, RollbackRequest(requested_by="user:b"))
    assert isinstance(handle.failure, ApplicationError)
    assert handle.failure.type == Failure.NOT_NOW
    assert not driver.done


async def test_nothing_is_steered_once_the_rotation_is_ending() -> None:
    driver = rotating(Role(BOTH))
    await driver.start()
    driver.hold("integration.finish_rotation")
    first = await driver.update(ROLLBACK_UPDATE, RollbackRequest(requested_by="user:b"))
    second = await driver.update(ROLLBACK_UPDATE, RollbackRequest(requested_by="user:c"))
    await driver.release("integration.finish_rotation")
    assert first.value(RotationStatus).state is RotationState.ROLLED_BACK
    assert isinstance(second.failure, ApplicationError)
    assert len(driver.calls("integration.finish_rotation")) == 1


async def test_an_operator_can_hurry_it_and_take_it_back_by_signal() -> None:
    role = Role(UNTRUSTED)
    driver = rotating(role)
    await driver.start()
    role.look = BOTH
    await driver.signal("verify_now")
    assert driver.states[-1] == "verifying_old_dropped"
    role.look = Look(new=YES, old=Admission.UNKNOWN)
    await driver.signal("rollback_now")
    assert not driver.done, "what cannot be gone back to is not gone back to"
    role.look = BOTH
    await driver.signal("rollback_now")
    assert driver.outcome.state is RotationState.ROLLED_BACK


async def test_a_look_that_fails_is_made_again() -> None:
    driver = rotating(Role(UNTRUSTED))
    driver.fake(LOOK, raises=ApplicationError("socket melted", type="MeltError"))
    await driver.start()
    assert not driver.done
    driver.fake(LOOK, BOTH)
    await driver.skip(timedelta(seconds=30))
    assert driver.states[-1] == "verifying_old_dropped"


async def test_a_rotation_that_ended_elsewhere_is_followed_no_longer() -> None:
    driver = rotating(Role(UNTRUSTED))
    gone = ApplicationError("gone", type=Failure.CONNECTION_GONE.value, non_retryable=True)
    driver.fake(LOOK, raises=gone)
    await driver.start()
    assert driver.outcome.state is RotationState.CANCELLED
    assert driver.calls("integration.finish_rotation") == []


async def test_a_rotation_begun_while_one_ends_is_followed_next() -> None:
    role = Role(BOTH)
    driver = rotating(role)
    await driver.start()
    driver.hold("integration.finish_rotation")
    role.look = DROPPED
    await driver.skip(timedelta(seconds=60))
    following = RotationInput(connection=KEY, rotation_id=UUID(int=4), deadline=NOW + 2 * WEEK)
    handle = await driver.update(BEGIN_UPDATE, following)
    assert handle.value(Done).changed
    await driver.release("integration.finish_rotation")
    assert driver.continued == following


async def test_begin_of_its_own_rotation_changes_nothing() -> None:
    driver = rotating(Role(BOTH))
    assert isinstance(driver.argument, RotationInput)
    handle = await driver.update(BEGIN_UPDATE, driver.argument)
    await driver.start()
    assert handle.value(Done).changed
    await driver.finish()
    assert driver.continued is None


async def test_a_long_wait_goes_on_in_a_new_run_where_it_was() -> None:
    role = Role(BOTH)
    driver = rotating(role)
    await driver.start()
    driver.history_is_long = True
    await driver.skip(timedelta(minutes=1))
    assert driver.continued.state is RotationState.VERIFYING_OLD_DROPPED
    assert driver.continued.looks > 0
    assert driver.continued.rotation_id == UUID(int=3)


async def test_a_cancelled_workflow_leaves_in_use_what_is_in_use() -> None:
    for look, keep in ((UNTRUSTED, Side.OLD), (BOTH, Side.NEW)):
        driver = rotating(Role(look))
        await driver.start()
        await driver.cancel()
        assert driver.cancelled
        order = ended(driver)
        assert (order.state, order.keep) == (RotationState.CANCELLED, keep)
