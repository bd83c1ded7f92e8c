"""Previews and their writing on a real database, with amounts worked out by hand."""

from datetime import UTC, date, datetime, timedelta

import asyncpg
import pytest

from tensorcost.domain.cost.contracts_rerating import RerateState
from tensorcost.domain.cost.reconciliation.closing import PeriodState
from tensorcost.domain.cost.rerating_changes import ChangeKind
from tensorcost.domain.errors import NotFound
from tensorcost.domain.spend.facts import Grain
from tensorcost.storage.rerating import previews, runs
from tensorcost.storage.rerating.plan import read_undecided
from tensorcost.storage.rerating.rows import (
    NewPrice,
    RowsMoved,
    scan_day,
    stage_prices,
    write_staged,
)
from tests.support import databases
from tests.support.rerated import AT_2, AT_3, NOVEMBER, OCTOBER, Books
from tests.support.spend import dimension
from tests.support.spend_rows import Use, add_uses


async def test_a_preview_adds_up_by_month_and_model_and_changes_nothing(books: Books) -> None:
    other = dimension(model_id="other.model-v1", application="search")
    await books.price("2", model="other.model-v1")
    await books.use(OCTOBER, OCTOBER + timedelta(hours=2), NOVEMBER)
    await books.use(OCTOBER, where=other)
    await books.settled()
    before = await books.costs()
    await books.price("3")

    preview = await books.preview()
    october, november = preview.months
    assert (october.period, october.state) == (date(2026, 10, 1), PeriodState.CLOSING)
    assert (november.period, november.state) == (date(2026, 11, 1), PeriodState.OPEN)
    assert (october.rows, october.models, november.rows) == (2, 1, 1)
    assert (october.before, october.after) == ("0.000440000", "0.000660000")
    assert (october.delta, november.delta) == ("0.000220000", "0.000110000")
    assert (preview.automatic_rows, preview.approval_rows) == (1, 2)
    assert preview.approval_delta == "0.000220000"
    assert preview.imported_by == ("user:importer",)
    assert await books.costs() == before
    async with books.db.tenant(books.tenant) as tx:
        changes = await previews.read_changes(tx, books.key())
    assert {(c.key.model_id, c.key.kind) for c in changes} == {
        (dimension().model_id, ChangeKind.CHANGED)
    }
    (told,) = await books.events("cost.rerating_previewed")
    assert (told["approval_rows"], told["preview"]) == (2, 1)


async def test_a_preview_asked_for_twice_is_the_stored_one(books: Books) -> None:
    await books.use(OCTOBER)
    await books.settled()
    await books.price("3")
    first = await books.preview()
    await books.use(OCTOBER)
    await books.price("4")
    assert await books.look_again() == first
    assert len(await books.events("cost.rerating_previewed")) == 1


async def test_months_that_run_change_at_once_those_that_are_over_when_approved(
    books: Books,
) -> None:
    await books.use(OCTOBER, NOVEMBER)
    await books.settled()
    two = (await books.costs())[0][1]
    three = await books.price("3")
    assert await books.costs() == [(AT_2, two), (AT_2, two)]
    known_before = await books.now()
    await books.preview()

    automatic = await books.apply()
    assert (automatic.rows, automatic.delta) == (1, "0.000110000")
    assert await books.costs() == [(AT_2, two), (AT_3, three)]
    known_between = await books.now()

    approved = await books.apply(approved=True)
    assert (approved.rows, approved.delta) == (1, "0.000110000")
    assert await books.costs() == [(AT_3, three), (AT_3, three)]
    assert await books.history() == [(AT_2, two), (AT_2, two)]
    await books.assert_sums_agree()

    days = (OCTOBER.date(), NOVEMBER.date())
    for moment, costs in (
        (known_before, (AT_2, AT_2)),
        (known_between, (AT_2, AT_3)),
        (None, (AT_3, AT_3)),
    ):
        spend = await books.spend(moment)
        assert tuple(spend[day] for day in days) == tuple((cost, 0) for cost in costs)


async def test_the_signed_deltas_are_told_once(books: Books) -> None:
    await books.use(OCTOBER, OCTOBER, NOVEMBER)
    await books.settled()
    await books.price("1.5")
    await books.preview()
    for _ in range(2):
        await books.apply()
        await books.apply(approved=True)
    automatic, approved = await books.events("cost.restated")
    assert (automatic["approved"], automatic["delta"]) == (False, "-0.000055000")
    assert (approved["approved"], approved["rows"]) == (True, 2)
    assert approved["months"] == {"2026-10": "-0.000110000"}
    assert approved["largest"][0]["delta"] == "-0.000110000"
    assert await books.audited("cost.restated") == ["user:approver"] * 2
    await books.assert_sums_agree()


async def test_what_had_no_price_gets_one_without_approval_even_in_a_month_that_is_over(
    books: Books,
) -> None:
    new = dimension(model_id="new.model-v1")
    await books.use(OCTOBER, where=new)
    await books.use(OCTOBER)
    await books.settled()
    assert [cost for cost, _ in await books.costs()].count(None) == 1
    version = await books.price("3", model="new.model-v1")
    preview = await books.preview()
    assert (preview.automatic_rows, preview.approval_rows) == (1, 0)
    assert preview.months[0].newly_priced_rows == 1
    await books.apply()
    assert (AT_3, version) in await books.costs()
    assert await books.history() == [(None, None)]
    assert (await books.spend())[OCTOBER.date()] == (AT_2 + AT_3, 0)
    await books.assert_sums_agree()


async def test_the_price_is_the_one_of_the_time_of_use(books: Books) -> None:
    await books.use(OCTOBER, OCTOBER + timedelta(days=10), NOVEMBER)
    await books.settled()
    await books.price("3", since=datetime(2026, 10, 15, tzinfo=UTC))
    preview = await books.preview()
    assert [month.rows for month in preview.months] == [1, 1]
    await books.apply()
    await books.apply(approved=True)
    assert [cost for cost, _ in await books.costs()] == [AT_2, AT_3, AT_3]


async def test_an_import_that_says_the_same_prices_again_opens_no_run(books: Books) -> None:
    await books.use(OCTOBER, NOVEMBER)
    await books.settled()
    await books.price("2", since=datetime(2026, 10, 1, tzinfo=UTC))
    assert (await books.preview()).months == ()
    async with books.db.tenant(books.tenant) as tx:
        with pytest.raises(NotFound):
            await runs.get_run(tx, books.ids[-1])


async def test_metric_rows_are_rerated_like_any_other(books: Books) -> None:
    await books.use(NOVEMBER, grain=Grain.METRIC)
    await books.settled()
    await books.price("3")
    await books.preview()
    await books.apply()
    assert [cost for cost, _ in await books.costs()] == [AT_3]
    await books.assert_sums_agree()


async def test_every_row_finds_what_no_undecided_version_concerns(books: Books) -> None:
    await books.use(OCTOBER)
    await books.settled()
    await books.price("3")
    await books.preview()
    await books.reject()
    assert (await books.preview()).months == ()  # it was decided
    every = await books.preview(every_row=True)
    assert every.approval_rows == 1
    assert every.imported_by == ("user:importer",), "they brought the prices all the same"


async def test_a_second_run_is_blocked_by_the_open_one(books: Books) -> None:
    await books.use(OCTOBER)
    await books.settled()
    await books.price("3")
    await books.preview()
    open_run = books.ids[-1]
    assert (await books.preview()).blocked_by == open_run


async def test_a_rerating_is_taken_back_row_by_row(books: Books) -> None:
    new = dimension(model_id="new.model-v1")
    await books.use(OCTOBER, NOVEMBER)
    await books.use(OCTOBER + timedelta(hours=1), where=new)
    await books.settled()
    before = await books.costs()
    await books.price("3")
    await books.price("3", model="new.model-v1")
    await books.preview()
    await books.apply()
    await books.apply(approved=True)
    done = books.ids[-1]
    await books.reject()

    preview = await books.preview(reverts=done)
    assert (preview.automatic_rows, preview.approval_rows) == (1, 2)
    assert [month.delta for month in preview.months] == ["-0.000440000", "-0.000110000"]
    await books.apply(reverts=done)
    await books.apply(approved=True, reverts=done)
    assert await books.costs() == before
    assert (await books.spend())[OCTOBER.date()] == (AT_2, 1)
    await books.assert_sums_agree()


async def test_what_a_later_rerating_changed_is_not_taken_back(books: Books) -> None:
    await books.use(NOVEMBER, NOVEMBER + timedelta(days=5))
    await books.settled()
    await books.price("3")
    await books.preview()
    await books.apply()
    first = books.ids[-1]
    await books.reject()
    await books.price("4", since=NOVEMBER + timedelta(days=4))
    await books.preview()
    await books.apply()
    await books.reject()
    assert [cost for cost, _ in await books.costs()] == [AT_3, 440_000]
    preview = await books.preview(reverts=first)
    assert preview.automatic_rows == 1
    await books.apply(reverts=first)
    assert [cost for cost, _ in await books.costs()] == [AT_2, 440_000]


async def test_a_writer_that_dies_between_days_goes_on_where_it_was(books: Books) -> None:
    await books.use(*(NOVEMBER - timedelta(days=n) for n in range(4)))
    await books.settled()
    await books.price("3")
    await books.preview()

    def dies(done: int, days: int) -> None:
        if done == 2:
            raise ConnectionError(f"day {done} of {days}")

    with pytest.raises(ConnectionError):
        await books.apply(on_day=dies)
    assert len(await books.history()) == 2
    await books.assert_sums_agree()
    assert (await books.apply()).rows == 4
    assert [cost for cost, _ in await books.costs()] == [AT_3] * 4
    assert len(await books.history()) == 4
    await books.assert_sums_agree()
    assert len(await books.events("cost.restated")) == 1


async def test_a_day_that_fails_in_the_middle_is_not_half_written(
    books: Books, database: databases.Database
) -> None:
    await books.use(NOVEMBER, NOVEMBER + timedelta(days=1))
    await books.settled()
    await books.price("3")
    await books.preview()
    superuser = await asyncpg.connect(database.superuser_url)
    await superuser.execute(
        "ALTER TABLE ai.event_price_history ADD CONSTRAINT full_disk CHECK "
        f"(tenant_id <> '{books.tenant}' OR ts < '{NOVEMBER + timedelta(hours=9)}')"
    )
    try:
        with pytest.raises(asyncpg.CheckViolationError):
            await books.apply()
    finally:
        await superuser.execute("ALTER TABLE ai.event_price_history DROP CONSTRAINT full_disk")
        await superuser.close()
    assert [cost for cost, _ in await books.costs()] == [AT_3, AT_2]
    await books.assert_sums_agree()
    assert (await books.apply()).rows == 2
    assert [cost for cost, _ in await books.costs()] == [AT_3, AT_3]
    await books.assert_sums_agree()


async def test_a_day_is_read_in_portions(books: Books) -> None:
    await books.use(*(NOVEMBER + timedelta(seconds=n) for n in range(30)))
    async with books.db.tenant(books.tenant) as tx:
        among = [dimension().stable_id()]
        found = [len(part) async for part in scan_day(tx, NOVEMBER.date(), among, size=7)]
        assert [len(p) async for p in scan_day(tx, OCTOBER.date(), among, size=7)] == []
    assert found == [7, 7, 7, 7, 2]


async def test_a_row_that_moves_while_it_is_written_is_not_overwritten(books: Books) -> None:
    await books.use(NOVEMBER)
    async with books.db.tenant(books.tenant) as tx:
        (found,) = await tx.all("SELECT ts, event_id, batch_id FROM ai.spend_event")
        stale = NewPrice(found.ts, found.event_id, found.batch_id, AT_3, 1, 1)
        await stage_prices(tx, [stale])
        with pytest.raises(RowsMoved):
            await write_staged(tx, NOVEMBER.date(), found.batch_id, 1)


async def test_rows_that_a_load_under_way_brought_at_the_former_price_are_found_an_hour_later(
    books: Books, database: databases.Database
) -> None:
    await books.use(NOVEMBER)
    await books.settled()
    version = await books.price("3")
    await books.preview()
    await books.apply()
    await books.end(RerateState.APPLIED)
    stale = Use(NOVEMBER + timedelta(hours=1), dimension(), AT_2)
    await add_uses(books.db, books.tenant, [stale])
    assert (await books.preview()).months == ()

    superuser = await asyncpg.connect(database.superuser_url)
    await superuser.execute(
        "UPDATE ai.price_override_version SET imported_at = imported_at - interval '2 hours' "
        "WHERE version_id = $1",
        version,
    )
    await superuser.close()
    assert (await books.preview()).automatic_rows == 1
    await books.apply()
    await books.end(RerateState.APPLIED)
    assert [cost for cost, _ in await books.costs()] == [AT_3, AT_3]
    async with books.db.tenant(books.tenant) as tx:
        assert version not in await read_undecided(tx)


async def test_what_was_refused_is_not_asked_again(
    books: Books, database: databases.Database
) -> None:
    await books.use(OCTOBER)
    await books.settled()
    version = await books.price("3")
    await books.preview()
    await books.end(RerateState.REJECTED)
    superuser = await asyncpg.connect(database.superuser_url)
    await superuser.execute(
        "UPDATE ai.price_override_version SET imported_at = imported_at - interval '2 hours' "
        "WHERE version_id = $1",
        version,
    )
    await superuser.close()
    assert (await books.preview()).months == ()


async def test_a_day_of_a_month_that_no_preview_saw_is_not_changed_without_approval(
    books: Books,
) -> None:
    await books.use(NOVEMBER)
    await books.settled()
    await books.price("3")
    await books.preview()
    september = Use(OCTOBER - timedelta(days=20), dimension(), AT_2)
    await add_uses(books.db, books.tenant, [september])
    assert (await books.apply()).rows == 1
    assert [cost for cost, _ in await books.costs()] == [AT_2, AT_3]
