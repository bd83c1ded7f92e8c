"""Pages of single events: by key, stable under inserts, quick to find what is rare."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest

from tensorcost.domain.cost.query import SpendFilter
from tensorcost.domain.cost.query_listing import EventKey, ListedEvent, ListingQuery
from tensorcost.domain.cost.query_window import Window
from tensorcost.domain.ids import TenantId
from tensorcost.domain.spend.facts import Actor, Grain, Source
from tensorcost.storage.session import Database
from tensorcost.storage.spend_queries import read_events
from tests.support import databases
from tests.support.spend import MODEL, dimension
from tests.support.spend_rows import Use, add_uses, at
from tests.support.tenants import make_tenant

DAY = date(2026, 10, 5)
NOON = at(DAY)
WINDOW = Window.of_days(DAY - timedelta(days=2), DAY + timedelta(days=2))


async def page(
    db: Database, tenant: TenantId, *, limit: int = 100, after: EventKey | None = None, **only: Any
) -> tuple[list[ListedEvent], bool]:
    unpriced = only.pop("unpriced_only", False)
    query = ListingQuery(WINDOW, limit, SpendFilter(**only), unpriced, after)
    async with db.tenant(tenant) as tx:
        found = await read_events(tx, query)
    return list(found.rows), found.has_more


async def all_pages(db: Database, tenant: TenantId, limit: int, **only: Any) -> list[UUID]:
    ids: list[UUID] = []
    after = None
    while True:
        rows, more = await page(db, tenant, limit=limit, after=after, **only)
        assert len(rows) <= limit
        ids += [row.event_id for row in rows]
        if not more:
            return ids
        after = rows[-1].key


def uses_every(minutes: int, count: int, **changes: Any) -> list[Use]:
    start = NOON - timedelta(days=1)
    return [
        Use(start + timedelta(minutes=minutes * n), **{"where": dimension(), **changes})
        for n in range(count)
    ]


def newest_first(uses: list[Use]) -> list[UUID]:
    return [u.event_id for u in sorted(uses, key=lambda u: (u.at, u.event_id), reverse=True)]


async def test_pages_walk_every_event_once_newest_first(db: Database, tenant: TenantId) -> None:
    uses = uses_every(37, 60)
    same_instant = [Use(NOON, dimension()) for _ in range(7)]
    await add_uses(db, tenant, [*uses, *same_instant])
    expected = newest_first([*uses, *same_instant])
    assert await all_pages(db, tenant, 5) == expected
    assert await all_pages(db, tenant, 1_000) == expected


async def test_events_that_arrive_between_pages_never_shift_them(
    db: Database, tenant: TenantId
) -> None:
    before = uses_every(30, 20)
    await add_uses(db, tenant, before)
    first, more = await page(db, tenant, limit=8)
    assert more
    newer = [Use(NOON + timedelta(hours=n), dimension()) for n in range(5)]
    older = Use(NOON - timedelta(days=1, minutes=5), dimension())
    await add_uses(db, tenant, [*newer, older])
    rest, _ = await page(db, tenant, after=first[-1].key)
    walked = [row.event_id for row in [*first, *rest]]
    assert walked == [*newest_first(before), older.event_id]


async def test_a_rare_agent_is_found_among_many_others(db: Database, tenant: TenantId) -> None:
    rare = Actor(agent="rare")
    wanted = [Use(NOON - timedelta(hours=h), dimension(), who=rare) for h in (30, 20, 20, 4, 1)]
    await add_uses(db, tenant, [*uses_every(11, 150), *wanted])
    assert await all_pages(db, tenant, 2, agent="rare") == newest_first(wanted)
    rows, more = await page(db, tenant, limit=5, agent="rare")
    assert ([row.agent for row in rows], more) == (["rare"] * 5, False)


async def test_a_rollup_row_that_a_re_read_emptied_does_not_end_the_list(
    db: Database, tenant: TenantId
) -> None:
    wanted = [Use(NOON - timedelta(hours=h), dimension(team="x")) for h in (1, 9, 17)]
    await add_uses(db, tenant, wanted)
    async with db.tenant(tenant) as tx:
        for hour in range(2, 8):
            await tx.run(
                "INSERT INTO ai.spend_hourly (tenant_id, hour, dim_id, actor_id, grain) "
                "VALUES (:tenant, :hour, :dim, 0, 1)",
                tenant=tenant,
                hour=NOON - timedelta(hours=hour),
                dim=dimension(team="x").stable_id(),
            )
    assert await all_pages(db, tenant, 2, team="x") == newest_first(wanted)


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        ({"source": Source.BEDROCK}, "abcd"),
        ({"source": Source.OPENAI_API}, "e"),
        ({"model_id": MODEL}, "abc"),
        ({"application": "support-bot", "team": "care"}, "acde"),
        ({"application": ""}, "b"),
        ({"account": "444455556666"}, "c"),
        ({"region": "eu-west-1"}, "d"),
        ({"agent": "triage"}, "a"),
        ({"workflow": "tickets"}, "a"),
        ({"user": "ana"}, "c"),
        ({"user": ""}, "abde"),
        ({"unpriced_only": True}, "bd"),
        ({"unpriced_only": True, "region": "eu-west-1"}, "d"),
        ({"ai_only": True}, "abcde"),
        ({"agent": "nobody"}, ""),
    ],
)
async def test_filters_keep_what_they_name(
    db: Database, tenant: TenantId, only: dict[str, Any], expected: str
) -> None:
    uses = {
        "a": Use(NOON, dimension(), who=Actor(agent="triage", workflow="tickets")),
        "b": Use(NOON - timedelta(hours=1), dimension(application=""), None),
        "c": Use(
            NOON - timedelta(hours=2),
            dimension(usage_account_id="444455556666"),
            who=Actor(user="ana"),
        ),
        "d": Use(
            NOON - timedelta(hours=3), dimension(region="eu-west-1", model_id="vendor.new"), None
        ),
        "e": Use(
            NOON - timedelta(hours=4),
            dimension(source=Source.OPENAI_API, model_id="gpt-4o-mini"),
            grain=Grain.METRIC,
        ),
    }
    await add_uses(db, tenant, list(uses.values()))
    rows, _ = await page(db, tenant, **only)
    names = {use.event_id: name for name, use in uses.items()}
    assert "".join(names[row.event_id] for row in rows) == expected


async def test_the_window_is_half_open_to_the_microsecond(db: Database, tenant: TenantId) -> None:
    inside = [
        Use(WINDOW.start, dimension()),
        Use(WINDOW.end - timedelta(microseconds=1), dimension()),
    ]
    outside = [
        Use(WINDOW.end, dimension()),
        Use(WINDOW.start - timedelta(microseconds=1), dimension()),
    ]
    await add_uses(db, tenant, [*inside, *outside])
    assert await all_pages(db, tenant, 1) == newest_first(inside)
    assert await all_pages(db, tenant, 1, team="care") == newest_first(inside)


async def test_a_row_shows_what_it_is_and_null_for_no_price(db: Database, tenant: TenantId) -> None:
    columns = {"latency_ms": 840, "request_ref": "r-1", "session_id": "s-1", "unit": "page"}
    await add_uses(
        db,
        tenant,
        [Use(NOON, dimension(tags=(("cc", "42"),)), None, Actor(user="ana"), columns=columns)],
    )
    (row,), _ = await page(db, tenant)
    assert (row.cost_nano, row.price_version) == (None, None)
    assert (row.ts, row.grain, row.source) == (NOON, Grain.REQUEST, Source.BEDROCK)
    assert (row.user, row.agent, row.tags) == ("ana", "", {"cc": "42"})
    assert (row.latency_ms, row.request_id, row.session_id, row.unit) == (840, "r-1", "s-1", "page")


async def test_two_tenants_with_the_same_events_each_see_their_own(
    db: Database, database: databases.Database, tenant: TenantId
) -> None:
    other = await make_tenant(database)
    mine, theirs = [uses_every(60, 3, who=Actor(agent="triage")) for _ in range(2)]
    await add_uses(db, tenant, mine)
    await add_uses(db, other, theirs)
    assert await all_pages(db, tenant, 2) == newest_first(mine)
    assert await all_pages(db, tenant, 2, agent="triage") == newest_first(mine)
    assert await all_pages(db, other, 2, agent="triage") == newest_first(theirs)
