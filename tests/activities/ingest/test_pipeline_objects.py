"""Several objects at once: one transaction and batch for small ones, each its own checkpoint."""

import asyncio
from collections.abc import Iterator, Sequence

import pytest

from tensorcost.activities.ingest.groups import AHEAD_ROWS
from tensorcost.activities.ingest.pipeline import SpendIngest, SpendObject
from tensorcost.activities.ingest.prices import PriceBooks
from tensorcost.activities.ingest.report import IngestReport
from tensorcost.domain.ids import TenantId
from tensorcost.domain.spend.parsed import ParsedSpend, Reject
from tensorcost.storage.session import Database
from tensorcost.storage.spend.batches import ObjectRef, Origin
from tests.support.spend import parsed_rows

ORIGIN = Origin("connection")


def spend_object(name: str, *native_ids: str) -> SpendObject:
    return SpendObject(ObjectRef(name, "1"), lambda: [parsed_rows(*native_ids)])


async def load(
    ingest: SpendIngest, tenant: TenantId, objects: Sequence[SpendObject]
) -> list[IngestReport]:
    return [report async for report in ingest.load_objects(tenant, ORIGIN, objects)]


async def sums(db: Database, tenant: TenantId) -> dict[str, int]:
    async with db.tenant(tenant) as tx:
        return {
            table: int(await tx.scalar(f"SELECT coalesce(sum(requests), 0) FROM ai.{table}"))
            for table in ("spend_event", "spend_hourly", "spend_daily", "spend_delta")
        }


def everywhere(rows: int) -> dict[str, int]:
    return dict.fromkeys(("spend_event", "spend_hourly", "spend_daily", "spend_delta"), rows)


async def test_small_objects_share_a_batch_and_keep_their_own_counts(
    db: Database, tenant: TenantId, ingest: SpendIngest
) -> None:
    objects = [spend_object("a", "1", "2"), spend_object("b"), spend_object("c", "3")]
    reports = await load(ingest, tenant, objects)
    assert [report.accepted for report in reports] == [2, 0, 1]
    assert len({batch for report in reports for batch in report.batch_ids}) == 1
    assert await sums(db, tenant) == everywhere(3)
    async with db.tenant(tenant) as tx:
        rows = await tx.all("SELECT object_key, rows_accepted FROM ai.ingest_object ORDER BY 1")
        assert [tuple(row) for row in rows] == [("a", 2), ("b", 0), ("c", 1)]
        assert await tx.scalar("SELECT rows_accepted FROM ai.ingest_batch") == 3
        assert await tx.scalar("SELECT count(*) FROM app.event_outbox") == 1


async def test_objects_loaded_before_are_reported_in_their_place(
    db: Database, tenant: TenantId, ingest: SpendIngest
) -> None:
    await load(ingest, tenant, [spend_object("b", "1", "2")])
    reports = await load(
        ingest,
        tenant,
        [spend_object("a", "3"), spend_object("b", "1", "2"), spend_object("c", "4")],
    )
    assert [report.already_loaded for report in reports] == [False, True, False]
    assert reports[1].checkpoint is not None
    assert reports[1].checkpoint.accepted == 2
    assert await sums(db, tenant) == everywhere(4)


async def test_a_row_repeated_between_objects_of_one_transaction_is_a_duplicate(
    db: Database, tenant: TenantId, ingest: SpendIngest
) -> None:
    objects = [spend_object("a", "1", "2"), spend_object("b", "2", "3"), spend_object("c", "4")]
    reports = await load(ingest, tenant, objects)
    assert [(report.accepted, report.duplicate) for report in reports] == [(2, 0), (1, 1), (1, 0)]
    assert await sums(db, tenant) == everywhere(4)


async def test_rejects_stay_with_their_object(
    db: Database, tenant: TenantId, ingest: SpendIngest
) -> None:
    torn = parsed_rows("2")
    torn.rejects.append(Reject("b", 7, "not_json", "", b"\x01"))
    torn.rows_read += 1
    objects = [spend_object("a", "1"), SpendObject(ObjectRef("b", "1"), lambda: [torn])]
    reports = await load(ingest, tenant, objects)
    assert [(report.rows_read, report.rejected) for report in reports] == [(1, 0), (2, 1)]
    async with db.tenant(tenant) as tx:
        kept = await tx.all("SELECT file, position FROM app.quarantine")
    assert [tuple(row) for row in kept] == [("b", 7)]


async def test_an_object_that_cannot_be_read_raises_after_those_before_it(
    db: Database, tenant: TenantId, ingest: SpendIngest
) -> None:
    def torn() -> Iterator[ParsedSpend]:
        yield parsed_rows("2")
        raise OSError("connection lost")

    objects = [
        spend_object("a", "1"),
        SpendObject(ObjectRef("b", "1"), torn),
        spend_object("c", "3"),
    ]
    reports = ingest.load_objects(tenant, ORIGIN, objects)
    assert (await anext(reports)).accepted == 1
    with pytest.raises(OSError, match="connection lost"):
        await anext(reports)
    assert await sums(db, tenant) == everywhere(1)
    again = await load(ingest, tenant, [spend_object(name, name) for name in ("a", "b", "c")])
    assert [report.already_loaded for report in again] == [True, False, False]


def large(name: str, rows: int, *, fails: bool = False) -> SpendObject:
    def chunks() -> Iterator[ParsedSpend]:
        for first in range(0, rows, 5_000):
            yield parsed_rows(*(f"{name}/{n}" for n in range(first, min(rows, first + 5_000))))
        if fails:
            raise OSError("connection lost")

    return SpendObject(ObjectRef(name, "1"), chunks)


async def test_a_large_object_streams_in_one_transaction_of_its_own(
    db: Database, tenant: TenantId, ingest: SpendIngest
) -> None:
    rows = AHEAD_ROWS + 7_000
    objects = [spend_object("a", "1"), large("b", rows), spend_object("c", "2")]
    reports = await load(ingest, tenant, objects)
    assert [report.accepted for report in reports] == [1, rows, 1]
    assert await sums(db, tenant) == everywhere(rows + 2)
    assert len({tuple(report.batch_ids) for report in reports}) == 3


async def test_a_large_object_that_breaks_off_leaves_nothing_behind(
    db: Database, tenant: TenantId, ingest: SpendIngest
) -> None:
    objects = [spend_object("a", "1"), large("b", AHEAD_ROWS + 7_000, fails=True)]
    with pytest.raises(OSError, match="connection lost"):
        await load(ingest, tenant, objects)
    assert await sums(db, tenant) == everywhere(1)


async def test_two_loads_of_the_same_objects_at_once_load_them_once(
    db: Database, tenant: TenantId, ingest: SpendIngest
) -> None:
    objects = [spend_object(name, f"{name}1", f"{name}2") for name in ("a", "b", "c")]
    other = SpendIngest(db, PriceBooks(db))
    one, two = await asyncio.gather(
        load(ingest, tenant, objects), load(other, tenant, [*reversed(objects)])
    )
    assert sum(report.accepted for report in [*one, *two]) == 6
    assert await sums(db, tenant) == everywhere(6)
    for mine, theirs in zip(one, reversed(two), strict=True):
        assert mine.already_loaded != theirs.already_loaded
        loser = theirs if theirs.already_loaded else mine
        assert loser.checkpoint is not None
        assert loser.checkpoint.accepted == 2


async def test_an_object_named_twice_is_refused(tenant: TenantId, ingest: SpendIngest) -> None:
    with pytest.raises(ValueError, match="named twice"):
        await load(ingest, tenant, [spend_object("a", "1"), spend_object("a", "1")])
