"""The ledger's rows, pages, totals and former states."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from tensorcost.domain.cost.reconciliation.facts import GapClass, Money
from tensorcost.domain.ids import TenantId
from tensorcost.storage.reconciliation.ledger import (
    LedgerKey,
    LedgerQuery,
    LedgerRow,
    read_ledger,
    read_ledger_totals,
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

FIFTH, SIXTH = date(2026, 10, 5), date(2026, 10, 6)
MONTH = LedgerQuery(date(2026, 10, 1), date(2026, 11, 1))
NOVA = PLACE._replace(model_id="amazon.nova-lite-v1:0")
MEMBER = PLACE._replace(account_id="444455556666")


async def ledger(db: Database, tenant: TenantId, query: LedgerQuery) -> list[LedgerRow]:
    async with db.tenant(tenant) as tx:
        page = await read_ledger(tx, query, limit=100)
    assert not page.has_more
    return list(page.rows)


def places(rows: list[LedgerRow]) -> list[tuple[date, str, str]]:
    return [(row.day, row.total.cell.account_id, row.total.cell.model_id) for row in rows]


async def test_a_row_is_what_was_written_and_its_classes_add_up(
    db: Database, tenant: TenantId
) -> None:
    result = explained_day(tax=2)
    await write_version(db, tenant, {FIFTH: result})
    (row,) = await ledger(db, tenant, MONTH)
    assert (row.day, row.total) == (FIFTH, result.cells[0])
    assert list(row.gaps) == sorted(result.gaps, key=lambda g: list(GapClass).index(g.gap_class))
    gap = Money()
    for part in row.gaps:
        gap = gap.plus(part.money)
    assert gap == row.total.billed.minus(Money.same(row.total.estimate_nano))


async def test_rows_come_newest_day_first_and_pages_meet_without_a_seam(
    db: Database, tenant: TenantId
) -> None:
    day = together(*(explained_day(n, cell=cell) for n, cell in enumerate((PLACE, NOVA, MEMBER))))
    days = {FIFTH + timedelta(days=n): day for n in range(4)}
    await write_version(db, tenant, days)
    whole = await ledger(db, tenant, MONTH)
    order = [(PLACE.account_id, NOVA.model_id), (PLACE.account_id, PLACE.model_id)]
    order.append((MEMBER.account_id, MEMBER.model_id))
    assert places(whole) == [(day, *place) for day in sorted(days, reverse=True) for place in order]
    paged: list[LedgerRow] = []
    after: LedgerKey | None = None
    has_more = True
    while has_more:
        async with db.tenant(tenant) as tx:
            page = await read_ledger(tx, MONTH, limit=5, after=after)
        paged += page.rows
        after, has_more = paged[-1].key, page.has_more
    assert paged == whole


@pytest.mark.parametrize(
    ("only", "left"),
    [
        ({"account_id": MEMBER.account_id}, [(SIXTH, MEMBER)]),
        ({"model_id": NOVA.model_id}, [(FIFTH, NOVA)]),
        ({"gap_class": GapClass.TAX}, [(FIFTH, NOVA)]),
        ({"first_day": SIXTH}, [(SIXTH, PLACE), (SIXTH, MEMBER)]),
        ({"end_day": SIXTH}, [(FIFTH, NOVA)]),
        ({"account_id": "nobody"}, []),
    ],
)
async def test_filters_keep_what_they_name(
    db: Database, tenant: TenantId, only: dict[str, Any], left: list[tuple[date, object]]
) -> None:
    await write_version(
        db,
        tenant,
        {
            FIFTH: explained_day(cell=NOVA, tax=1),
            SIXTH: together(explained_day(cell=PLACE), explained_day(cell=MEMBER)),
        },
    )
    rows = await ledger(db, tenant, replace(MONTH, **only))
    assert [(row.day, row.total.cell) for row in rows] == left


async def test_totals_of_the_classes_add_up_to_the_gap_of_the_period(
    db: Database, tenant: TenantId
) -> None:
    await write_version(
        db,
        tenant,
        {FIFTH: explained_day(4, 1, 3, tax=2), SIXTH: explained_day(6, 2, 5, cell=MEMBER)},
    )
    async with db.tenant(tenant) as tx:
        (total,) = await read_ledger_totals(tx, MONTH)
        (member,) = await read_ledger_totals(tx, replace(MONTH, account_id=MEMBER.account_id))
    assert (total.currency, total.estimate_nano) == ("USD", 8 * USD)
    assert total.billed.unblended == (4 + 1 + 2 + 6 + 2) * USD
    assert total.attributed.unblended == 10 * USD
    assert list(total.gaps) == [GapClass.UNLOGGED, GapClass.PRICE_DRIFT, GapClass.TAX]
    assert total.gaps[GapClass.TAX] == money(2)
    summed = Money()
    for part in total.gaps.values():
        summed = summed.plus(part)
    assert summed == total.billed.minus(Money.same(total.estimate_nano))
    assert (member.billed, list(member.gaps)) == (
        money(6).plus(money(2)),
        [GapClass.UNLOGGED, GapClass.PRICE_DRIFT],
    )


async def test_as_of_shows_the_versions_known_then(db: Database, tenant: TenantId) -> None:
    first = await write_version(db, tenant, {FIFTH: explained_day(1), SIXTH: explained_day(1)})
    second = await write_version(db, tenant, {FIFTH: explained_day(1), SIXTH: explained_day(9)})
    then, later = await known_at(db, tenant, first), await known_at(db, tenant, second)
    wanted = {
        then - timedelta(microseconds=1): [],
        then: [(SIXTH, 1), (FIFTH, 1)],
        later: [(SIXTH, 9), (FIFTH, 1)],
        None: [(SIXTH, 9), (FIFTH, 1)],
    }
    for moment, expected in wanted.items():
        rows = await ledger(db, tenant, replace(MONTH, as_of=moment))
        assert [(r.day, r.total.attributed.unblended // USD) for r in rows] == expected
        async with db.tenant(tenant) as tx:
            totals = await read_ledger_totals(tx, replace(MONTH, as_of=moment))
        assert sum(t.attributed.unblended for t in totals) == sum(n for _, n in expected) * USD
