"""Pushed events: what is accepted is durable and counted once, what is not is told apart."""

from datetime import date, timedelta
from typing import Any

import pytest

from tensorcost.activities.ingest.pipeline import SpendIngest
from tensorcost.activities.ingest.prices import PriceBooks
from tensorcost.domain.clock import Clock
from tensorcost.domain.errors import Forbidden, PayloadTooLarge, ValidationFailed
from tensorcost.domain.identity.scopes import Scope
from tensorcost.domain.ids import TenantId
from tensorcost.providers.exports.event_spec import CachedTokens
from tensorcost.services.spend.late import PATIENCE, LateUsage
from tensorcost.services.spend.push import PushReport, PushService
from tensorcost.services.spend.service import EventsRequest, SpendService
from tensorcost.storage.session import Database
from tests.support import databases
from tests.support.asked import Asked
from tests.support.clock import MovableClock
from tests.support.principals import NOW, caller, fixed_clock
from tests.support.reconciled import explained_day, write_version
from tests.support.tenants import make_tenant

AT = (NOW - timedelta(hours=1)).isoformat()


@pytest.fixture
def push(db: Database) -> PushService:
    return pusher(db, Asked())


def pusher(db: Database, asked: Asked, clock: Clock = fixed_clock) -> PushService:
    ingest = SpendIngest(db, PriceBooks(db))
    return PushService(ingest, LateUsage(db, asked, clock), clock)


def event(native_id: object, **changes: Any) -> dict[str, Any]:
    plain = {
        "id": native_id,
        "timestamp": AT,
        "source": "openai_api",
        "model_id": "gpt-4o-mini",
        "input_tokens": 100,
        "output_tokens": 10,
        "application": "support-bot",
    }
    return {name: value for name, value in {**plain, **changes}.items() if value is not None}


def problems(report: PushReport) -> dict[int, str]:
    return {one.index: one.reason for one in report.rejected}


async def stored(db: Database, tenant: TenantId) -> list[tuple[int, int]]:
    page = await SpendService(db, fixed_clock).events(caller(tenant), EventsRequest())
    return [(row.event.input_tokens, row.event.output_tokens) for row in page.rows]


async def test_a_repeat_is_a_duplicate_and_changes_nothing(
    db: Database, push: PushService, tenant: TenantId
) -> None:
    events = [event("a"), event("b"), event("a")]
    first = await push.push(caller(tenant), events)
    assert (first.received, first.accepted, first.duplicate, first.rejected) == (3, 2, 1, ())
    again = await push.push(caller(tenant), events)
    assert (again.accepted, again.duplicate, again.rejected) == (0, 3, ())
    assert len(await stored(db, tenant)) == 2


async def test_a_repeat_under_another_timestamp_is_a_duplicate_too(
    push: PushService, tenant: TenantId
) -> None:
    await push.push(caller(tenant), [event("a")])
    later = event("a", timestamp=(NOW - timedelta(minutes=5)).isoformat())
    report = await push.push(caller(tenant), [later])
    assert (report.accepted, report.duplicate) == (0, 1)


async def test_the_same_id_with_other_content_is_rejected_by_its_place(
    db: Database, push: PushService, tenant: TenantId
) -> None:
    await push.push(caller(tenant), [event("a")])
    report = await push.push(
        caller(tenant),
        [
            event("b"),
            "not an object",
            event("a", input_tokens=999),
            event("c"),
            event("c", output_tokens=5),
        ],
    )
    assert problems(report) == {1: "wrong_type", 2: "id_conflict", 4: "id_conflict"}
    assert (report.accepted, report.duplicate, report.unlisted) == (2, 0, 0)
    assert sorted(await stored(db, tenant)) == [(100, 10)] * 3


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (event(None), "missing_field"),
        (event("x", timestamp=None), "missing_field"),
        (event("x", model_id=None), "missing_field"),
        (event("x", input_tokens=None, output_tokens=None), "missing_field"),
        (event("x", timestamp="noon"), "bad_timestamp"),
        (event("x", timestamp="05/10/2026"), "bad_timestamp"),
        (event("x", timestamp="2001-01-01T00:00:00Z"), "too_old"),
        (event("x", timestamp=(NOW + timedelta(days=2)).isoformat()), "in_the_future"),
        (event("x", input_tokens=-1), "negative_tokens"),
        (event("x", input_tokens=10**12), "absurd_tokens"),
        (event("x", input_tokens="many"), "wrong_type"),
        (event("x", source="bedrock", account_id="12345678901234"), "bad_account"),
        (event("x", application={"a": 1}), "wrong_type"),
        (event("x", agent="a\x00b"), "wrong_type"),
        (event("x", cost="a lot"), "bad_amount"),
        (event("i" * 2000), "wrong_type"),
        (17, "wrong_type"),
        (None, "wrong_type"),
    ],
)
async def test_a_bad_event_is_rejected_with_its_reason_and_the_others_are_kept(
    db: Database, push: PushService, tenant: TenantId, bad: object, reason: str
) -> None:
    report = await push.push(caller(tenant), [event("a"), bad, event("b")])
    assert problems(report) == {1: reason}
    assert report.accepted == 2
    assert len(await stored(db, tenant)) == 2


async def test_nothing_good_is_reported_not_raised(push: PushService, tenant: TenantId) -> None:
    report = await push.push(caller(tenant), [{}, []])
    assert (report.received, report.accepted, len(report.rejected)) == (2, 0, 2)


async def test_an_unknown_model_is_accepted_and_counted_as_unpriced(
    push: PushService, tenant: TenantId
) -> None:
    report = await push.push(caller(tenant), [event("a", model_id="vendor.mystery")])
    assert (report.accepted, report.unpriced) == (1, 1)
    events = [event("b", model_id="vendor.mystery")] * 2 + [event("a", model_id="vendor.mystery")]
    report = await push.push(caller(tenant), events)
    assert (report.accepted, report.duplicate, report.unpriced) == (1, 2, 1), "repeats are none"


async def test_cached_tokens_inside_the_input_are_taken_out_when_the_sender_says_so(
    db: Database, push: PushService, tenant: TenantId
) -> None:
    events = [event("a", input_tokens=100, cached_tokens=60)]
    await push.push(caller(tenant), events, CachedTokens.INCLUDED)
    assert await stored(db, tenant) == [(40, 10)]


async def test_5_000_events_are_taken_and_5_001_refused_as_a_whole(
    db: Database, push: PushService, tenant: TenantId
) -> None:
    events = [event(n) for n in range(5_001)]
    with pytest.raises(PayloadTooLarge, match="5000"):
        await push.push(caller(tenant), events)
    assert await stored(db, tenant) == []
    report = await push.push(caller(tenant), events[:5_000])
    assert report.accepted == 5_000


async def test_an_empty_request_and_a_caller_without_the_scope_are_refused(
    push: PushService, tenant: TenantId
) -> None:
    with pytest.raises(ValidationFailed, match="empty"):
        await push.push(caller(tenant), [])
    with pytest.raises(Forbidden, match="ai:write"):
        await push.push(caller(tenant, [Scope.AI_READ]), [event("a")])


async def test_the_same_ids_of_two_tenants_are_two_events(
    db: Database, database: databases.Database, push: PushService, tenant: TenantId
) -> None:
    other = await make_tenant(database)
    assert (await push.push(caller(tenant), [event("a")])).accepted == 1
    assert (await push.push(caller(other), [event("a", input_tokens=7)])).accepted == 1
    assert await stored(db, tenant) == [(100, 10)]
    assert await stored(db, other) == [(7, 10)]


REACHED = "2026-10-05T12:00:00Z"


async def reconciled_october(db: Database, tenant: TenantId) -> None:
    await write_version(db, tenant, {date(2026, 10, day): explained_day() for day in (4, 5, 6)})


async def test_events_of_a_reconciled_day_ask_once_for_a_reconciliation_that_waits_for_more(
    db: Database, tenant: TenantId
) -> None:
    await reconciled_october(db, tenant)
    asked, clock = Asked(), MovableClock()
    push = pusher(db, asked, clock)
    for n in range(3):
        await push.push(caller(tenant), [event(n, timestamp=REACHED), event(f"now-{n}")])
    (wish,) = asked.requests
    assert (wish.tenant_id, wish.period, wish.patience) == (tenant, None, PATIENCE)
    assert wish.requested_by == "system:late-usage"
    clock.move(seconds=PATIENCE.total_seconds() / 2)
    await push.push(caller(tenant), [event("later", timestamp=REACHED)])
    assert len(asked.requests) == 2


@pytest.mark.parametrize("at", ["2026-09-30T23:59:59Z", "2026-10-07T00:00:00Z"])
async def test_events_of_days_that_are_not_reconciled_ask_for_nothing(
    db: Database, tenant: TenantId, at: str
) -> None:
    await reconciled_october(db, tenant)
    asked = Asked()
    await pusher(db, asked).push(caller(tenant), [event("a", timestamp=at)])
    assert asked.requests == []


async def test_a_repeat_of_late_events_asks_for_nothing(db: Database, tenant: TenantId) -> None:
    await reconciled_october(db, tenant)
    late = [event("a", timestamp=REACHED)]
    await pusher(db, Asked()).push(caller(tenant), late)
    again = Asked()
    assert (await pusher(db, again).push(caller(tenant), late)).duplicate == 1
    assert again.requests == []


async def test_events_are_taken_while_nobody_can_be_asked_and_the_next_ones_ask(
    db: Database, tenant: TenantId
) -> None:
    await reconciled_october(db, tenant)
    asked = Asked()
    asked.is_away = True
    push = pusher(db, asked)
    assert (await push.push(caller(tenant), [event("a", timestamp=REACHED)])).accepted == 1
    asked.is_away = False
    await push.push(caller(tenant), [event("b", timestamp=REACHED)])
    assert len(asked.requests) == 1
