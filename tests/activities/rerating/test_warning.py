"""That the time for a decision ends is told once, and only while nobody has decided."""

from datetime import timedelta

import pytest

from tensorcost.activities.rerating.activities import RerateActivities
from tensorcost.domain.cost.contracts_rerating import (
    DecideOrder,
    EnterOrder,
    Preview,
    RerateState,
    WarnOrder,
)
from tests.support.asked import Asked
from tests.support.rerated import OCTOBER, Books

KIND = "cost.rerating_expiring"


@pytest.fixture
def activities(books: Books) -> RerateActivities:
    return RerateActivities(books.db, books.rerater, Asked())


async def waiting(books: Books, activities: RerateActivities) -> WarnOrder:
    """A re-rating that waits for a decision, and the order to warn of its end."""
    await books.use(OCTOBER)
    await books.settled()
    await books.price("3")
    preview: Preview = await books.preview()
    now = await books.now()
    deadline = now + timedelta(days=3)
    await activities.enter(
        EnterOrder(run=books.key(), state=RerateState.AWAITING_APPROVAL, deadline=deadline)
    )
    return WarnOrder(
        request=await books.request(),
        run=books.key(),
        preview=preview,
        deadline=deadline,
        asked_at=now,
    )


async def test_a_repeated_warning_is_told_once(books: Books, activities: RerateActivities) -> None:
    order = await waiting(books, activities)
    assert (await activities.warn(order)).changed
    assert not (await activities.warn(order)).changed
    (told,) = await books.events(KIND)
    assert told["rerating_id"] == str(books.key().rerating_id)
    assert (told["preview"], told["expires_at"]) == (1, order.deadline.isoformat())
    assert (told["approval_rows"], told["approval_delta"]) == (1, order.preview.approval_delta)
    assert await books.audited(KIND) == ["system:rerate"]


async def test_the_warning_of_a_later_deadline_is_another_one(
    books: Books, activities: RerateActivities
) -> None:
    order = await waiting(books, activities)
    await activities.warn(order)
    later = order.model_copy(update={"asked_at": order.asked_at + timedelta(days=30)})
    assert (await activities.warn(later)).changed
    assert len(await books.events(KIND)) == 2


@pytest.mark.parametrize("approved", [True, False])
async def test_nothing_is_told_where_somebody_has_decided(
    books: Books, activities: RerateActivities, approved: bool
) -> None:
    order = await waiting(books, activities)
    await activities.decide(
        DecideOrder(run=books.key(), approved=approved, decided_by="user:a", reason="")
    )
    assert not (await activities.warn(order)).changed
    assert await books.events(KIND) == []
