"""Lists of reconciled months, and signed differences between versions."""

from dataclasses import replace
from datetime import date, timedelta

from tensorcost.domain.cost.reconciliation.facts import LineClass, Money, Share
from tensorcost.domain.ids import TenantId
from tensorcost.domain.spend.facts import Grain
from tensorcost.storage.reconciliation.coverage import (
    CoverageQuery,
    Explained,
    read_coverage,
    read_coverage_history,
)
from tensorcost.storage.reconciliation.versions import (
    read_difference,
    read_reconciled_periods,
    read_versions,
)
from tensorcost.storage.session import Database
from tests.support.reconciled import (
    PLACE,
    USD,
    explained_day,
    known_at,
    money,
    together,
    write_version,
)

SEPTEMBER, OCTOBER = date(2026, 9, 1), date(2026, 10, 1)
FIFTH, SIXTH = date(2026, 10, 5), date(2026, 10, 6)
NOVA = PLACE._replace(model_id="amazon.nova-lite-v1:0")
OREGON = PLACE._replace(region="us-west-2")


async def test_months_are_listed_with_their_newest_version_and_shares(
    db: Database, tenant: TenantId
) -> None:
    await write_version(db, tenant, {SEPTEMBER: explained_day(5, 0)}, requested_by="user:ana")
    first = await write_version(db, tenant, {FIFTH: explained_day(4), SIXTH: explained_day(4)})
    await write_version(db, tenant, {FIFTH: explained_day(4), SIXTH: explained_day(9, 3, tax=2)})
    async with db.tenant(tenant) as tx:
        october, september = await read_reconciled_periods(tx)
        (_, before) = await read_reconciled_periods(tx, await known_at(db, tenant, first))
        former, _ = await read_reconciled_periods(tx, await known_at(db, tenant, first))
    assert (september.version.period, september.version.requested_by) == (SEPTEMBER, "user:ana")
    assert september.shares == before.shares == {(Share.ATTRIBUTED, "USD"): money(5)}
    newest = october.version
    assert (newest.version, newest.days, newest.days_changed) == (2, 2, 1)
    assert newest.closed_until == SIXTH + timedelta(days=1)
    assert october.shares == {
        (Share.ATTRIBUTED, "USD"): money(4).plus(money(9)),
        (Share.TAX, "USD"): money(2),
        (Share.UNLOGGED, "USD"): money(1).plus(money(3)),
    }
    assert (former.version.version, former.shares[Share.ATTRIBUTED, "USD"]) == (1, money(8))


async def test_a_version_without_anything_to_say_is_listed(db: Database, tenant: TenantId) -> None:
    await write_version(db, tenant, {}, period=OCTOBER)
    async with db.tenant(tenant) as tx:
        (only,) = await read_reconciled_periods(tx)
    assert (only.version.period, only.shares) == (OCTOBER, {})


async def test_versions_of_a_month_are_told_newest_first(db: Database, tenant: TenantId) -> None:
    written = [await write_version(db, tenant, {FIFTH: explained_day(n)}) for n in (1, 2)]
    await write_version(db, tenant, {SEPTEMBER: explained_day()})
    async with db.tenant(tenant) as tx:
        found = await read_versions(tx, OCTOBER)
    assert [v.reconciliation_id for v in found] == [v.reconciliation_id for v in written[::-1]]


async def test_a_difference_holds_the_signed_deltas_of_what_changed(
    db: Database, tenant: TenantId
) -> None:
    await write_version(
        db,
        tenant,
        {FIFTH: together(explained_day(4), explained_day(2, cell=NOVA)), SIXTH: explained_day(7)},
    )
    await write_version(
        db,
        tenant,
        {FIFTH: together(explained_day(1), explained_day(2, cell=NOVA)), SIXTH: explained_day(7)},
    )
    async with db.tenant(tenant) as tx:
        (delta,) = await read_difference(tx, OCTOBER, former=1, latter=2)
        (back,) = await read_difference(tx, OCTOBER, former=2, latter=1)
        assert await read_difference(tx, OCTOBER, former=2, latter=2) == []
        everything = await read_difference(tx, OCTOBER, former=0, latter=2)
    assert (delta.account_id, delta.model_id, delta.currency) == (*PLACE[::2], "USD")
    assert delta.line_class is LineClass.USAGE
    assert delta.estimate_nano == 0
    assert delta.attributed == delta.billed == money(1).minus(money(4))
    assert back.billed == Money().minus(delta.billed)
    assert {d.model_id: d.attributed.unblended // USD for d in everything} == {
        PLACE.model_id: 8,
        NOVA.model_id: 2,
    }


async def test_a_difference_names_the_class_of_what_changed(db: Database, tenant: TenantId) -> None:
    await write_version(db, tenant, {FIFTH: explained_day(4, tax=2)})
    taxed = together(explained_day(4, tax=3), explained_day(0, 0, 0, cell=NOVA, tax=5))
    await write_version(db, tenant, {FIFTH: taxed})
    await write_version(db, tenant, {FIFTH: explained_day(6)})
    async with db.tenant(tenant) as tx:
        more = await read_difference(tx, OCTOBER, former=1, latter=2)
        untaxed = await read_difference(tx, OCTOBER, former=2, latter=3)
        whole = await read_difference(tx, OCTOBER, former=0, latter=1)
    assert [(d.model_id, d.line_class, d.billed, d.attributed) for d in more] == [
        (NOVA.model_id, LineClass.TAX, money(5), Money()),
        (PLACE.model_id, LineClass.TAX, money(1), Money()),
    ]
    assert [(d.model_id, d.line_class, d.billed) for d in untaxed] == [
        (NOVA.model_id, LineClass.TAX, money(-5)),
        (PLACE.model_id, LineClass.TAX, money(-3)),
        (PLACE.model_id, LineClass.USAGE, money(2)),
    ]
    tax, usage = whole
    assert (tax.line_class, tax.billed, tax.estimate_nano) == (LineClass.TAX, money(2), 0)
    assert (usage.line_class, usage.billed, usage.attributed, usage.estimate_nano) == (
        LineClass.USAGE,
        money(5),
        money(4),
        3 * USD,
    )


async def test_coverage_tells_requests_metrics_and_the_unlogged_apart(
    db: Database, tenant: TenantId
) -> None:
    await write_version(
        db,
        tenant,
        {
            FIFTH: together(
                explained_day(4, 1),
                explained_day(2, 0, cell=NOVA, grain=Grain.METRIC),
                explained_day(0, 6, 0, cell=OREGON),
                explained_day(0, 0, 0, cell=OREGON._replace(model_id=""), tax=9),
            ),
            SIXTH: explained_day(3, 0),
        },
    )
    whole = CoverageQuery(OCTOBER, SIXTH + timedelta(days=1))
    east, west = (PLACE.account_id, "us-east-1"), (OREGON.account_id, "us-west-2")
    async with db.tenant(tenant) as tx:
        found = await read_coverage(tx, whole)
        fifth = await read_coverage(tx, replace(whole, first_day=FIFTH, end_day=SIXTH))
        only_west = await read_coverage(tx, replace(whole, region="us-west-2"))
        history = await read_coverage_history(tx, whole, [east])
    assert {place: dollars(one) for place, one in found.by_place.items()} == {
        east: (7, 2, 1, 10),
        west: (0, 0, 6, 6),
    }
    assert {day: dollars(one) for day, one in found.by_day.items()} == {
        FIFTH: (4, 2, 7, 13),
        SIXTH: (3, 0, 0, 3),
    }
    assert fifth.by_day == {FIFTH: found.by_day[FIFTH]}
    assert only_west.by_place == {west: found.by_place[west]}
    assert list(only_west.by_day) == [FIFTH]
    assert {day: dollars(one) for day, one in history.pop(east).items()} == {
        FIFTH: (4, 2, 1, 7),
        SIXTH: (3, 0, 0, 3),
    }
    assert history == {}
    assert found.by_place[east].by_metrics == money(2)


def dollars(found: Explained) -> tuple[int, ...]:
    parts = (found.by_requests, found.by_metrics, found.unlogged, found.billed)
    return tuple(money.unblended // USD for money in parts)
