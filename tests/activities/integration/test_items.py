"""One work item against the real database: exactly once, resumable, honest counters."""

import asyncio
import threading
from datetime import timedelta
from uuid import UUID

import pytest
from temporalio.exceptions import ApplicationError

from tensorcost.activities.integration.ports import ConnectorError, ReadJob
from tensorcost.domain.events.catalogue import EventType
from tensorcost.domain.integration.contracts import Failure, Tally
from tensorcost.domain.integration.contracts_findings import NewFinding, Severity
from tensorcost.domain.integration.states import StepState
from tensorcost.storage import outbox, sync_history, sync_steps
from tensorcost.storage.audit import AuditFilter, list_entries
from tensorcost.storage.integration_sites import watermarks
from tests.activities.integration.item_bench import Bench
from tests.support.connections import NOW, make_run


async def test_an_item_is_loaded_counted_and_its_watermark_moved(bench: Bench) -> None:
    outcome = await bench.ingest()
    assert (outcome.tally.done, outcome.tally.accepted, outcome.tally.objects) == (1, 6, 2)
    assert outcome.tally.unpriced == 6  # no price list here: unpriced, never zero
    assert await bench.rows() == 6
    step = await bench.step()
    assert (step.state, step.tally.accepted) == (StepState.COMPLETED, 6)
    async with bench.db.tenant(bench.connection.tenant_id) as tx:
        marks = await watermarks(tx, bench.connection.connection_id)
    assert marks == {bench.item.site.key: bench.item.window_end}


async def test_a_second_run_of_the_same_order_changes_nothing(bench: Bench) -> None:
    first = await bench.ingest()
    again = await bench.ingest()
    assert again.tally == first.tally
    assert len(bench.connector.reads) == 1
    assert await bench.rows() == await bench.requests() == 6


async def test_objects_of_an_earlier_run_add_no_rows(bench: Bench) -> None:
    await bench.ingest()
    second = await make_run(bench.db, bench.connection)
    async with bench.db.tenant(bench.connection.tenant_id) as tx:
        await sync_steps.plan_steps(tx, second.run_id, [bench.item], NOW)
    bench.order = bench.order.model_copy(update={"run_id": second.run_id})
    outcome = await bench.ingest()
    assert (outcome.tally.objects, outcome.tally.rows_read, outcome.tally.accepted) == (2, 0, 0)


async def test_an_item_goes_on_from_the_cursor_of_its_step(bench: Bench) -> None:
    bench.connector.objects_per_item = 3
    position = f"{bench.item.step_key}/0000.json.gz"
    saving = sync_steps.StepSaving(
        bench.order.run_id,
        bench.order.step_key,
        StepState.RUNNING,
        Tally(objects=1, rows_read=3, accepted=3),
        cursor=position,
    )
    async with bench.db.tenant(bench.connection.tenant_id) as tx:
        await sync_steps.save_step(tx, saving, NOW)
    outcome = await bench.ingest()
    assert bench.connector.objects_read == [
        f"{bench.item.step_key}/{n:04d}.json.gz" for n in (1, 2)
    ]
    assert (outcome.tally.objects, outcome.tally.accepted) == (3, 9)


async def test_a_shutdown_asks_to_be_retried_after_what_is_committed(bench: Bench) -> None:
    bench.connector.objects_per_item = 3
    bench.env.worker_shutdown()
    with pytest.raises(ApplicationError) as caught:
        await bench.ingest()
    assert caught.value.type == Failure.DRAINING
    assert not caught.value.non_retryable
    step = await bench.step()
    assert (step.state, step.tally.accepted, step.tally.objects) == (StepState.RETRYING, 9, 3)
    bench.resume_from()
    assert (await bench.ingest()).tally.accepted == 9
    assert await bench.rows() == 9


async def test_a_cancelled_item_loses_the_object_in_flight_and_nothing_else(
    bench: Bench,
) -> None:
    gate = threading.Event()
    bench.connector.gate = gate
    running = asyncio.create_task(bench.ingest())
    await bench.beaten.wait()  # beats come while the first object is held up
    running.cancel()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await bench.rows() == 0
    bench.connector.gate = None
    bench.resume_from()
    assert (await bench.ingest()).tally.accepted == 6


async def test_throttling_is_retried_at_the_delay_that_the_provider_asks_for(
    bench: Bench,
) -> None:
    error = ConnectorError("THROTTLED", "slow down", retry_after=7)
    bench.connector.fail = lambda _job: error
    with pytest.raises(ApplicationError) as caught:
        await bench.ingest()
    assert caught.value.type == Failure.PROVIDER_THROTTLED
    assert caught.value.next_retry_delay == timedelta(seconds=7)


@pytest.mark.parametrize(
    ("attempt", "asked", "seconds"), [(1, 5, 5), (5, 5, 16), (6, 5, 30), (90, 5, 30), (9, 45, 45)]
)
async def test_a_long_outage_is_asked_after_less_and_less_often(
    bench: Bench, attempt: int, asked: float, seconds: int
) -> None:
    bench.connector.fail = lambda _job: ConnectorError("NETWORK", "no route", retry_after=asked)
    bench.resume_from(attempt=attempt)
    with pytest.raises(ApplicationError) as caught:
        await bench.ingest()
    assert caught.value.next_retry_delay == timedelta(seconds=seconds)


async def test_a_denial_is_not_retried_and_names_its_code(bench: Bench) -> None:
    error = ConnectorError("CUR_DENIED", "the bucket says no", retry_after=None)
    bench.connector.fail = lambda _job: error
    with pytest.raises(ApplicationError) as caught:
        await bench.ingest()
    assert (caught.value.type, caught.value.non_retryable) == (Failure.CUSTOMER_MUST_ACT, True)
    assert caught.value.details == ("CUR_DENIED",)


async def test_a_denial_opens_a_finding_that_the_next_good_read_closes(bench: Bench) -> None:
    finding = NewFinding(
        code="LOG_BUCKET_DENIED",
        severity=Severity.WARNING,
        title="The role may not read the bucket",
        remedy="Allow it.",
        subject=f"{bench.item.site.account_id}/{bench.item.site.region}",
    )
    error = ConnectorError("LOG_BUCKET_DENIED", "no", retry_after=None, finding=finding)
    bench.connector.fail = lambda _job: error
    with pytest.raises(ApplicationError):
        await bench.ingest()
    assert [found.code for found in await bench.findings()] == ["LOG_BUCKET_DENIED"]
    bench.connector.fail = lambda _job: None
    bench.resume_from()
    await bench.ingest()
    assert await bench.findings() == []


async def test_what_is_refused_is_counted_quarantined_and_told(bench: Bench) -> None:
    bench.connector.rejects_per_object = 2
    outcome = await bench.ingest()
    assert (outcome.tally.rejected, outcome.tally.accepted) == (4, 6)
    async with bench.db.tenant(bench.connection.tenant_id) as tx:
        kept = await sync_history.list_quarantined(tx, limit=10, run_id=bench.order.run_id)
        told = [event.type for event in await outbox.events_after(tx, 0, limit=100)]
    assert [(row.position, row.reason) for row in kept][:2] == [
        (100, "not_json"),
        (101, "not_json"),
    ]
    assert told.count(EventType.SYNC_QUARANTINED) == 1
    async with bench.db.tenant(bench.connection.tenant_id) as tx:
        (step,) = await tx.all(
            "SELECT state, error_code, detail, rows_read, rows_accepted, "
            "rows_duplicate, rows_rejected FROM app.sync_step WHERE run_id = :run",
            run=bench.order.run_id,
        )
    assert (step.state, step.error_code) == ("completed", "ROWS_REJECTED")
    assert "at 100 (not_json)" in step.detail
    assert step.rows_read == step.rows_accepted + step.rows_duplicate + step.rows_rejected


async def test_every_pull_of_data_is_in_the_audit_trail(bench: Bench) -> None:
    await bench.ingest()
    async with bench.db.tenant(bench.connection.tenant_id) as tx:
        (entry,) = await list_entries(tx, AuditFilter(action="data.pulled"), limit=5, after=None)
    assert entry.actor == "system:ingest"
    assert entry.resource_id == str(bench.connection.connection_id)


async def test_a_connection_that_is_gone_is_not_retried(bench: Bench) -> None:
    stranger = bench.order.connection.model_copy(update={"connection_id": UUID(int=9)})
    bench.order = bench.order.model_copy(update={"connection": stranger})
    with pytest.raises(ApplicationError) as caught:
        await bench.ingest()
    assert (caught.value.type, caught.value.non_retryable) == (Failure.CONNECTION_GONE, True)


async def test_the_connector_is_given_the_tenants_hashing_key_and_bounds(bench: Bench) -> None:
    jobs: list[ReadJob] = []

    def note(job: ReadJob) -> None:
        jobs.append(job)

    bench.connector.fail = note
    await bench.ingest()
    assert len(jobs[0].hash_key) == 32
    assert jobs[0].bounds.problem(0) == "too_old"
