"""The one road of spend events, on a real Postgres."""

from datetime import timedelta

import pytest

from tensorcost.activities.ingest.pipeline import SpendIngest, SpendWindow
from tensorcost.activities.ingest.report import IngestReport
from tensorcost.domain.ids import TenantId
from tensorcost.domain.spend.facts import Grain
from tensorcost.domain.spend.parsed import ParsedSpend, Reject
from tensorcost.storage.session import Database
from tensorcost.storage.spend.batches import ObjectRef, Origin
from tests.support import databases
from tests.support.spend import NOON, add_row, dimension, parsed_rows
from tests.support.tenants import make_tenant

IMPORT = Origin("import")


async def measures(db: Database, tenant: TenantId, table: str) -> dict[str, int]:
    async with db.tenant(tenant) as tx:
        row = await tx.first(
            "SELECT coalesce(sum(requests), 0) AS requests, coalesce(sum(input_tokens), 0) AS "
            "input, coalesce(sum(cost_nano), 0) AS cost, coalesce(sum(unpriced_requests), 0) AS "
            f"unpriced FROM ai.{table}"
        )
    assert row is not None
    return {name: int(value) for name, value in row._mapping.items()}


async def test_an_object_is_priced_stored_and_rolled_up(
    db: Database, tenant: TenantId, ingest: SpendIngest
) -> None:
    rows = parsed_rows("a", "b", "c")
    report = await ingest.load_object(tenant, IMPORT, ObjectRef("o", "1"), lambda: [rows])
    assert (report.rows_read, report.accepted, report.duplicate, report.rejected) == (3, 3, 0, 0)
    expected = {"requests": 3, "input": 300, "cost": 3 * (100 * 1000 + 10 * 5000), "unpriced": 0}
    for table in ("spend_hourly", "spend_daily", "spend_delta", "spend_event"):
        if table != "spend_event":
            assert await measures(db, tenant, table) == expected, table
    async with db.tenant(tenant) as tx:
        events = await tx.all("SELECT cost_nano, price_version FROM ai.spend_event")
        assert [event.cost_nano for event in events] == [150_000] * 3
        assert all(event.price_version for event in events)
        assert await tx.scalar("SELECT count(*) FROM ai.spend_cell") == 1
        outbox = await tx.all("SELECT type, cursor FROM app.event_outbox ORDER BY cursor")
        assert [(event.type, event.cursor) for event in outbox] == [("cost.updated", 1)]


async def test_values_that_only_some_chunks_have_stay_with_their_rows(
    db: Database, tenant: TenantId, ingest: SpendIngest
) -> None:
    chunks = [
        parsed_rows("a", latency_ms=7),
        parsed_rows("b", error_code="throttled"),
        parsed_rows("c", conversation_id="talk"),
    ]
    report = await ingest.load_object(tenant, IMPORT, ObjectRef("o", "1"), lambda: chunks)
    assert report.accepted == 3
    async with db.tenant(tenant) as tx:
        rows = await tx.all(
            "SELECT latency_ms, error_code, conversation_id, session_id FROM ai.spend_event "
            "ORDER BY latency_ms, error_code"
        )
    assert [tuple(row) for row in rows] == [
        (7, None, None, None),
        (None, "throttled", None, None),
        (None, None, "talk", None),
    ]


async def test_a_column_left_out_of_a_copy_stays_null(db: Database) -> None:
    async with db.untenanted() as tx:
        columns = await tx.all(
            "SELECT attname, atthasdef FROM pg_attribute WHERE attrelid = "
            "'ai.spend_event'::regclass AND attnum > 0 AND NOT attisdropped AND NOT attnotnull"
        )
    assert {column.attname for column in columns} >= {"cost_nano", "latency_ms"}
    assert not any(column.atthasdef for column in columns)


async def test_the_same_object_again_changes_nothing(
    db: Database, tenant: TenantId, ingest: SpendIngest
) -> None:
    ref = ObjectRef("o", "1")
    await ingest.load_object(tenant, IMPORT, ref, lambda: [parsed_rows("a", "b")])
    before = await measures(db, tenant, "spend_daily")
    again = await ingest.load_object(tenant, IMPORT, ref, lambda: [parsed_rows("a", "b")])
    assert again.already_loaded
    assert again.checkpoint is not None
    assert again.checkpoint.accepted == 2
    assert await measures(db, tenant, "spend_daily") == before


async def test_rows_repeated_in_a_new_object_are_duplicates(
    db: Database, tenant: TenantId, ingest: SpendIngest
) -> None:
    await ingest.load_object(tenant, IMPORT, ObjectRef("o", "1"), lambda: [parsed_rows("a", "b")])
    report = await ingest.load_object(
        tenant, IMPORT, ObjectRef("p", "1"), lambda: [parsed_rows("b", "c"), parsed_rows("d")]
    )
    assert (report.accepted, report.duplicate, report.rejected) == (2, 1, 0)
    assert (await measures(db, tenant, "spend_daily"))["requests"] == 4


async def test_the_same_id_with_other_content_is_quarantined(
    db: Database, tenant: TenantId, ingest: SpendIngest
) -> None:
    await ingest.load_object(tenant, IMPORT, ObjectRef("o", "1"), lambda: [parsed_rows("a")])
    changed = parsed_rows("a", input_tokens=999)
    report = await ingest.load_object(tenant, IMPORT, ObjectRef("p", "1"), lambda: [changed])
    assert (report.accepted, report.duplicate, report.rejected) == (0, 0, 1)
    async with db.tenant(tenant) as tx:
        reasons = await tx.all("SELECT reason, file FROM app.quarantine")
    assert [(row.reason, row.file) for row in reasons] == [("id_conflict", "p")]


async def test_a_conflict_is_placed_at_its_line_though_rows_are_sorted_by_time(
    tenant: TenantId, ingest: SpendIngest
) -> None:
    await ingest.load_object(tenant, IMPORT, ObjectRef("o", "1"), lambda: [parsed_rows("a")])
    rows = parsed_rows()
    rows.mark_line(0, 3)
    add_row(rows, "late", at=NOON + timedelta(hours=1))
    rows.mark_line(1, 9)
    add_row(rows, "a", input_tokens=999)
    report = await ingest.load_object(tenant, IMPORT, ObjectRef("p", "1"), lambda: [rows])
    assert [(one.file, one.position) for one in report.rejects] == [("p", 9)]


async def test_repeats_inside_one_chunk_are_counted_and_conflicts_refused(
    tenant: TenantId, ingest: SpendIngest
) -> None:
    rows = parsed_rows("a", "a", "b")
    add_row(rows, "b", input_tokens=7)
    report = await ingest.load_object(tenant, IMPORT, ObjectRef("o", "1"), lambda: [rows])
    assert (report.accepted, report.duplicate, report.rejected) == (2, 1, 1)


async def test_an_unknown_model_is_unpriced_and_never_zero(
    db: Database, tenant: TenantId, ingest: SpendIngest
) -> None:
    rows = parsed_rows("a", where=dimension(model_id="acme.unheard-of-v1:0"))
    report = await ingest.load_object(tenant, IMPORT, ObjectRef("o", "1"), lambda: [rows])
    assert [group.model_id for group in report.unpriced] == ["acme.unheard-of-v1:0"]
    async with db.tenant(tenant) as tx:
        assert await tx.scalar("SELECT cost_nano IS NULL FROM ai.spend_event")
    assert (await measures(db, tenant, "spend_daily"))["unpriced"] == 1


async def test_rejects_of_the_parser_reach_the_quarantine_once(
    db: Database, tenant: TenantId, ingest: SpendIngest
) -> None:
    rows = parsed_rows("a")
    rows.rejects.append(Reject("o", 7, "not_json", "", b"\x01"))
    rows.rows_read += 1
    report = await ingest.load_object(tenant, IMPORT, ObjectRef("o", "1"), lambda: [rows])
    assert (report.rows_read, report.accepted, report.rejected) == (2, 1, 1)
    async with db.tenant(tenant) as tx:
        kept = await tx.all("SELECT file, position, reason FROM app.quarantine")
    assert [tuple(row) for row in kept] == [("o", 7, "not_json")]


async def test_a_failing_parser_leaves_nothing_behind(
    db: Database, tenant: TenantId, ingest: SpendIngest
) -> None:
    def torn() -> list[ParsedSpend]:
        raise OSError("connection lost")

    with pytest.raises(OSError, match="connection lost"):
        await ingest.load_object(tenant, IMPORT, ObjectRef("o", "1"), torn)
    async with db.tenant(tenant) as tx:
        for table in ("ingest_object", "ingest_batch", "spend_event"):
            assert await tx.scalar(f"SELECT count(*) FROM ai.{table}") == 0
    report = await ingest.load_object(
        tenant, IMPORT, ObjectRef("o", "1"), lambda: [parsed_rows("a")]
    )
    assert report.accepted == 1


async def test_a_pushed_id_is_a_repeat_even_with_another_time(
    db: Database, tenant: TenantId, ingest: SpendIngest
) -> None:
    first = parsed_rows("a")
    later = parsed_rows("a", at=NOON + timedelta(days=1))
    other = parsed_rows("a", at=NOON + timedelta(days=2), input_tokens=1)
    origin = Origin("push")
    reports = []
    for rows in (first, later, other):
        chunks = [rows]
        reports.append(await ingest.load_window(tenant, origin, "push", chunks.copy, seen=True))
    assert [(r.accepted, r.duplicate, r.rejected) for r in reports] == [
        (1, 0, 0),
        (0, 1, 0),
        (0, 0, 1),
    ]
    assert (await measures(db, tenant, "spend_daily"))["requests"] == 1


async def test_of_two_pushed_events_with_one_id_the_first_in_the_batch_stays(
    db: Database, tenant: TenantId, ingest: SpendIngest
) -> None:
    pushed = parsed_rows("a", input_tokens=1)
    add_row(pushed, "a", at=NOON - timedelta(minutes=1), input_tokens=2)
    report = await ingest.load_window(tenant, IMPORT, "push", lambda: [pushed], seen=True)
    assert (report.accepted, report.rejected) == (1, 1)
    assert (await measures(db, tenant, "spend_daily"))["input"] == 1


async def test_a_metric_window_read_again_is_replaced_and_rollups_get_the_difference(
    db: Database, tenant: TenantId, ingest: SpendIngest
) -> None:
    def window(tokens: int) -> ParsedSpend:
        parsed = ParsedSpend(Grain.METRIC)
        add_row(parsed, "metric:m:1:3600", input_tokens=tokens, requests=3, request_id=None)
        add_row(parsed, "metric:m:2:3600", input_tokens=50, requests=2, request_id=None)
        return parsed

    origin = Origin("connection")

    async def load(tokens: int) -> IngestReport:
        windows = [SpendWindow("w", lambda: [window(tokens)])]
        [report] = [one async for one in ingest.load_metrics(tenant, origin, windows)]
        return report

    first = await load(100)
    assert (first.accepted, first.duplicate) == (2, 0)
    again = await load(140)
    assert (again.accepted, again.duplicate) == (1, 1)
    for table in ("spend_hourly", "spend_daily", "spend_delta"):
        sums = await measures(db, tenant, table)
        assert (sums["requests"], sums["input"]) == (5, 190), table


async def test_tenants_do_not_meet_in_any_spend_table(
    db: Database, database: databases.Database, tenant: TenantId, ingest: SpendIngest
) -> None:
    other = await make_tenant(database)
    await ingest.load_object(tenant, IMPORT, ObjectRef("o", "1"), lambda: [parsed_rows("a")])
    report = await ingest.load_object(
        other, IMPORT, ObjectRef("o", "1"), lambda: [parsed_rows("a")]
    )
    assert report.accepted == 1, "the same ids of another tenant are other rows"
    for owner in (tenant, other):
        async with db.tenant(owner) as tx:
            for table in ("spend_event", "spend_daily", "dimension", "ingest_object"):
                assert await tx.scalar(f"SELECT count(*) FROM ai.{table}") == 1, table
