"""A work item whose attempts fail: what its step shows meanwhile."""

import asyncio
from datetime import timedelta

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from tensorcost.activities.integration.attempts import WITHHELD, note_failure
from tensorcost.activities.integration.ports import ConnectorError, ReadJob
from tensorcost.domain.integration.contracts import Tally
from tensorcost.domain.integration.progress_records import SyncStep
from tensorcost.domain.integration.states import StepState
from tensorcost.storage import sync_history, sync_progress, sync_steps
from tensorcost.storage.engine import make_engine
from tensorcost.storage.session import Database
from tests.activities.integration.item_bench import Bench
from tests.support.connections import NOW, log_item


async def test_a_failed_attempt_stands_on_its_step_until_the_item_is_read(bench: Bench) -> None:
    bench.connector.fail = lambda _job: ConnectorError("THROTTLED", "slow down", retry_after=7)
    with pytest.raises(ApplicationError):
        await bench.ingest()
    step = await bench.step()
    assert (step.state, step.attempt) == (StepState.RETRYING, 2)
    assert (step.error_code, step.error) == ("THROTTLED", "slow down")
    bench.connector.fail = lambda _job: None
    bench.resume_from(attempt=3)
    await bench.ingest()
    step = await bench.step()
    assert (step.state, step.attempt) == (StepState.COMPLETED, 3)
    assert (step.error_code, step.error) == ("", "")


async def test_while_the_next_attempt_runs_the_last_error_is_still_told(bench: Bench) -> None:
    bench.connector.fail = lambda _job: ConnectorError("NETWORK", "no route", retry_after=5)
    with pytest.raises(ApplicationError):
        await bench.ingest()
    met: list[SyncStep] = []
    loop = asyncio.get_running_loop()

    def look(_job: ReadJob) -> None:
        met.append(asyncio.run_coroutine_threadsafe(bench.step(), loop).result(10))

    bench.connector.fail = look
    bench.resume_from(attempt=3)
    await bench.ingest()
    assert (met[0].state, met[0].attempt, met[0].error_code) == (StepState.RUNNING, 3, "NETWORK")


async def test_the_text_of_an_error_of_our_own_is_withheld(bench: Bench) -> None:
    def broken(_job: ReadJob) -> ConnectorError | None:
        raise ValueError("a customer's prompt stood here")

    bench.connector.fail = broken
    with pytest.raises(ValueError, match="prompt"):
        await bench.ingest()
    step = await bench.step()
    assert (step.state, step.error_code, step.error) == (
        StepState.RETRYING,
        "ValueError",
        WITHHELD,
    )


async def test_an_error_that_nobody_retries_leaves_the_step_to_the_workflow(bench: Bench) -> None:
    bench.connector.fail = lambda _job: ConnectorError("CUR_DENIED", "no", retry_after=None)
    with pytest.raises(ApplicationError):
        await bench.ingest()
    step = await bench.step()
    assert (step.state, step.error) == (StepState.RUNNING, "")


async def test_a_long_error_is_cut_to_a_thousand_characters(bench: Bench) -> None:
    bench.connector.fail = lambda _job: ConnectorError("NETWORK", "x" * 5_000, retry_after=1)
    with pytest.raises(ApplicationError):
        await bench.ingest()
    assert (await bench.step()).error == "x" * 1_000


async def test_a_failure_that_cannot_be_noted_hides_nothing(bench: Bench) -> None:
    engine = make_engine("postgresql://nobody@127.0.0.1:1/none", application_name="test")
    env = ActivityEnvironment()
    await env.run(note_failure, Database(engine), bench.order, ValueError("x"), NOW)
    assert (await bench.step()).state is StepState.PENDING
    await engine.dispose()


async def test_an_attempt_that_ended_without_a_word_is_told_by_the_next(bench: Bench) -> None:
    key, run_id = bench.order.step_key, bench.order.run_id
    async with bench.db.tenant(bench.connection.tenant_id) as tx:
        await sync_steps.begin_steps(tx, run_id, [key], NOW, attempt=1)
        await sync_steps.begin_steps(tx, run_id, [key], NOW, attempt=1)
    assert (await bench.step()).error == ""
    async with bench.db.tenant(bench.connection.tenant_id) as tx:
        await sync_steps.begin_steps(tx, run_id, [key], NOW, attempt=2)
    step = await bench.step()
    assert (step.state, step.attempt, step.error_code) == (StepState.RUNNING, 2, "WorkerLost")
    assert "attempt 1 ended without a word" in step.error


async def test_while_attempts_fail_the_estimate_moves_with_the_clock(bench: Bench) -> None:
    others = [log_item(n) for n in range(2, 12)]
    async with bench.db.tenant(bench.connection.tenant_id) as tx:
        await sync_steps.plan_steps(tx, bench.order.run_id, others, NOW)
        for number, item in enumerate(others[:5], start=1):
            at = NOW + timedelta(minutes=number)
            done = sync_steps.StepSaving(
                bench.order.run_id, item.step_key, StepState.COMPLETED, Tally()
            )
            await sync_steps.save_step(tx, done, at)
            await sync_progress.claim_progress(tx, bench.order.run_id, at)
    bench.connector.fail = lambda _job: ConnectorError("NETWORK", "no route", retry_after=1)
    bench.now = NOW + timedelta(hours=3)
    with pytest.raises(ApplicationError):
        await bench.ingest()
    async with bench.db.tenant(bench.connection.tenant_id) as tx:
        run = await sync_history.get_run(tx, bench.order.run_id)
    assert run.estimated_finish == bench.now + timedelta(minutes=5)
