"""Runs, steps and findings: counters that survive retries, events that keep their pace."""

from datetime import timedelta
from uuid import uuid4

import pytest

from tensorcost.domain.errors import NotFound
from tensorcost.domain.ids import TenantId
from tensorcost.domain.integration.contracts import Tally
from tensorcost.domain.integration.contracts_findings import NewFinding, RankedCause, Severity
from tensorcost.domain.integration.states import FindingState, RunState, StepState
from tensorcost.storage import findings, sync_history, sync_progress, sync_steps
from tensorcost.storage.session import Database
from tensorcost.storage.sync_steps import StepSaving
from tests.support.connections import NOW, log_item, make_connection, make_run


async def test_planning_twice_plans_once(db: Database, tenant: TenantId) -> None:
    run = await make_run(db, await make_connection(db, tenant))
    items = [log_item(position) for position in (1, 2, 3)]
    async with db.tenant(tenant) as tx:
        assert await sync_steps.plan_steps(tx, run.run_id, items, NOW) == 3
        assert await sync_steps.plan_steps(tx, run.run_id, items, NOW) == 3
        assert await sync_steps.open_steps(tx, run.run_id, after=0, limit=10) == items
        assert await sync_steps.open_steps(tx, run.run_id, after=2, limit=10) == items[2:]


async def test_a_step_adds_only_what_is_new_to_its_run(db: Database, tenant: TenantId) -> None:
    run = await make_run(db, await make_connection(db, tenant))
    item = log_item(1)
    half = Tally(objects=1, rows_read=10, accepted=8, rejected=2, bytes_read=100)
    whole = Tally(objects=2, rows_read=30, accepted=25, duplicate=3, rejected=2, bytes_read=400)
    key = item.step_key
    async with db.tenant(tenant) as tx:
        await sync_steps.plan_steps(tx, run.run_id, [item], NOW)
        begun = await sync_steps.begin_steps(tx, run.run_id, [key], NOW)
        assert (begun[key].item, begun[key].state) == (item, StepState.RUNNING)
        running = StepSaving(run.run_id, key, StepState.RUNNING, half)
        assert await sync_steps.save_step(tx, running, NOW)
        assert await sync_steps.save_step(tx, running, NOW)
        done = StepSaving(run.run_id, key, StepState.COMPLETED, whole)
        assert await sync_steps.save_step(tx, done, NOW)
        assert not await sync_steps.save_step(tx, done, NOW)
        found = await sync_history.get_run(tx, run.run_id)
    assert found.tally == whole.model_copy(update={"done": 1})


async def test_steps_are_saved_together_save_those_that_had_ended(
    db: Database, tenant: TenantId
) -> None:
    run = await make_run(db, await make_connection(db, tenant))
    items = [log_item(position) for position in (1, 2, 3)]
    first, second, third = (item.step_key for item in items)
    two = Tally(objects=1, rows_read=2, accepted=2)
    async with db.tenant(tenant) as tx:
        await sync_steps.plan_steps(tx, run.run_id, items, NOW)
        failed = StepSaving(run.run_id, first, StepState.FAILED, Tally())
        assert await sync_steps.save_step(tx, failed, NOW)
        begun = await sync_steps.begin_steps(tx, run.run_id, [first, second, third], NOW)
        states = [begun[key].state for key in (first, second, third)]
        assert states == [StepState.FAILED, StepState.RUNNING, StepState.RUNNING]
        savings = [
            StepSaving(run.run_id, first, StepState.COMPLETED, two),
            StepSaving(run.run_id, second, StepState.COMPLETED, two),
            StepSaving(run.run_id, third, StepState.RUNNING, two, cursor="here"),
        ]
        assert await sync_steps.save_steps(tx, run.run_id, savings, NOW) == {second, third}
        again = await sync_steps.begin_steps(tx, run.run_id, [third], NOW)
        assert again[third].cursor == "here"
        steps = await sync_history.list_steps(tx, run.run_id, limit=10)
        found = await sync_history.get_run(tx, run.run_id)
    assert [step.state for step in steps] == ["failed", "completed", "running"]
    assert [step.finished_at for step in steps] == [NOW, NOW, None]
    assert found.tally == Tally(done=2, failed=1, objects=2, rows_read=4, accepted=4)


async def test_an_attempt_that_another_one_has_followed_writes_nothing(
    db: Database, tenant: TenantId
) -> None:
    run = await make_run(db, await make_connection(db, tenant))
    item = log_item(1)
    key = item.step_key
    async with db.tenant(tenant) as tx:
        await sync_steps.plan_steps(tx, run.run_id, [item], NOW)
        await sync_steps.begin_steps(tx, run.run_id, [key], NOW, attempt=2)
        late, last = (
            StepSaving(run.run_id, key, StepState.RUNNING, Tally(objects=n), attempt=n)
            for n in (1, 2)
        )
        assert await sync_steps.save_step(tx, last, NOW)
        assert not await sync_steps.save_step(tx, late, NOW)
        assert not await sync_steps.retry_step(tx, run.run_id, key, attempt=1, code="X", error="x")
        [step] = await sync_history.list_steps(tx, run.run_id, limit=1)
        found = await sync_history.get_run(tx, run.run_id)
    assert (step.state, step.attempt, step.error) == (StepState.RUNNING, 2, "")
    assert step.tally.objects == found.tally.objects == 2


async def test_a_finished_step_comes_back_as_it_ended(db: Database, tenant: TenantId) -> None:
    run = await make_run(db, await make_connection(db, tenant))
    item = log_item(1)
    async with db.tenant(tenant) as tx:
        await sync_steps.plan_steps(tx, run.run_id, [item], NOW)
        saving = StepSaving(run.run_id, item.step_key, StepState.FAILED, Tally(objects=1), "why")
        await sync_steps.save_step(tx, saving, NOW)
        found = await sync_steps.begin_steps(tx, run.run_id, [item.step_key], NOW)
        again = found[item.step_key]
        assert (again.state, again.detail, again.tally.objects) == (StepState.FAILED, "why", 1)
        assert await sync_steps.open_steps(tx, run.run_id, after=0, limit=10) == []
        assert (await sync_history.get_run(tx, run.run_id)).tally.failed == 1
        with pytest.raises(NotFound):
            await sync_steps.begin_steps(tx, run.run_id, ["no such step"], NOW)


async def test_progress_is_told_at_most_once_a_second(db: Database, tenant: TenantId) -> None:
    run = await make_run(db, await make_connection(db, tenant))
    moments = [timedelta(0), timedelta(milliseconds=400), timedelta(seconds=1)]
    async with db.tenant(tenant) as tx:
        told = [
            await sync_progress.claim_progress(tx, run.run_id, NOW + after) is not None
            for after in moments
        ]
    assert told == [True, False, True]


async def test_the_estimate_follows_the_pace(db: Database, tenant: TenantId) -> None:
    run = await make_run(db, await make_connection(db, tenant))
    items = [log_item(position) for position in range(1, 11)]
    async with db.tenant(tenant) as tx:
        await sync_steps.plan_steps(tx, run.run_id, items, NOW)
        for item in items[:5]:
            saving = StepSaving(run.run_id, item.step_key, StepState.COMPLETED, Tally())
            await sync_steps.save_step(tx, saving, NOW)
        told = await sync_progress.claim_progress(tx, run.run_id, NOW + timedelta(minutes=5))
        stored = await sync_history.get_run(tx, run.run_id)
    assert told is not None
    assert told.estimated_finish == stored.estimated_finish == NOW + timedelta(minutes=10)


async def test_an_outage_does_not_spoil_the_estimate(db: Database, tenant: TenantId) -> None:
    run = await make_run(db, await make_connection(db, tenant))
    items = [log_item(position) for position in range(1, 41)]
    now = NOW
    async with db.tenant(tenant) as tx:
        await sync_steps.plan_steps(tx, run.run_id, items, NOW)
        for number, item in enumerate(items[:20]):
            now += timedelta(hours=2) if number == 10 else timedelta(seconds=30)
            saving = StepSaving(run.run_id, item.step_key, StepState.COMPLETED, Tally())
            await sync_steps.save_step(tx, saving, now)
            told = await sync_progress.claim_progress(tx, run.run_id, now)
    assert told is not None
    assert told.estimated_finish is not None
    assert timedelta(minutes=10) <= told.estimated_finish - now <= timedelta(minutes=12)


async def test_a_run_ends_once(db: Database, tenant: TenantId) -> None:
    run = await make_run(db, await make_connection(db, tenant))
    async with db.tenant(tenant) as tx:
        assert await sync_history.finish_run(
            tx, run.run_id, RunState.COMPLETED, NOW, note="all of it"
        )
        assert not await sync_history.finish_run(tx, run.run_id, RunState.FAILED, NOW)
        found = await sync_history.get_run(tx, run.run_id)
    assert (found.state, found.note, found.finished_at) == (RunState.COMPLETED, "all of it", NOW)


async def test_history_is_paged_newest_first(db: Database, tenant: TenantId) -> None:
    connection = await make_connection(db, tenant)
    made = [
        (await make_run(db, connection, started_at=NOW + timedelta(minutes=n))).run_id
        for n in range(5)
    ]
    met = []
    before = None
    async with db.tenant(tenant) as tx:
        while page := await sync_history.list_runs(
            tx, connection.connection_id, limit=2, before=before
        ):
            met += [run.run_id for run in page]
            before = (page[-1].started_at, page[-1].run_id)
    assert met == made[::-1]


async def test_steps_of_many_runs_come_in_one_query(db: Database, tenant: TenantId) -> None:
    connection = await make_connection(db, tenant)
    first, second = await make_run(db, connection), await make_run(db, connection)
    async with db.tenant(tenant) as tx:
        await sync_steps.plan_steps(tx, first.run_id, [log_item(1), log_item(2)], NOW)
        found = await sync_history.steps_of_runs(
            tx, [first.run_id, second.run_id, uuid4()], limit=1
        )
        assert [step.position for step in found[first.run_id]] == [1]
        assert found[second.run_id] == []
        assert len(await sync_history.list_steps(tx, first.run_id, limit=10)) == 2


def finding(code: str, subject: str = "", title: str = "t") -> NewFinding:
    return NewFinding(
        code=code,
        severity=Severity.WARNING,
        title=title,
        remedy="do this",
        subject=subject,
        causes=(RankedCause(code="A", title="a", remedy="r", likelihood=0.7),),
        evidence={"account": "111122223333"},
    )


async def test_a_finding_is_opened_once_and_resolved_when_no_longer_judged(
    db: Database, tenant: TenantId
) -> None:
    connection = await make_connection(db, tenant)
    key = connection.connection_id
    later = NOW + timedelta(minutes=1)
    async with db.tenant(tenant) as tx:
        both = [finding("X", "us-east-1"), finding("Y")]
        await findings.record_findings(tx, key, both, judged=["X", "Y"], now=NOW)
        newer = [finding("X", "us-east-1", title="newer")]
        await findings.record_findings(tx, key, newer, judged=["X"], now=later)
        opened = await findings.list_findings(tx, limit=10, connection_id=key)
        assert {(f.code, f.title, f.first_seen_at, f.last_seen_at) for f in opened} == {
            ("X", "newer", NOW, later),
            ("Y", "t", NOW, NOW),
        }
        await findings.record_findings(tx, key, [], judged=["X", "Y"], now=later)
        assert await findings.list_findings(tx, limit=10, connection_id=key) == []
        closed = await findings.list_findings(tx, limit=10, state=FindingState.RESOLVED)
    assert {f.code for f in closed} == {"X", "Y"}
    assert closed[0].causes[0].likelihood == 0.7


async def test_findings_of_what_was_not_looked_at_stand(db: Database, tenant: TenantId) -> None:
    connection = await make_connection(db, tenant)
    key = connection.connection_id
    subjects = ("1/us-east-1", "1/eu-west-1", "2/us-east-1", "2", "3")
    async with db.tenant(tenant) as tx:
        first = [finding("X", subject) for subject in subjects]
        await findings.record_findings(tx, key, first, judged=["X"], now=NOW)
        spared = {"1/us-east-1", "2"}
        await findings.record_findings(tx, key, [], judged=["X"], spared=spared, now=NOW)
        opened = await findings.list_findings(tx, limit=10, connection_id=key)
    assert {f.subject for f in opened} == {"1/us-east-1", "2/us-east-1", "2"}


async def test_of_two_findings_about_a_place_the_one_that_names_the_cause_stands(
    db: Database, tenant: TenantId
) -> None:
    connection = await make_connection(db, tenant)
    key = connection.connection_id
    vague, exact = finding("REGION_NOT_LOGGED", "a/r"), finding("LOGGING_OFF", "a/r")
    elsewhere = finding("REGION_NOT_LOGGED", "a/other")

    async def told(found: list[NewFinding], judged: list[str]) -> set[tuple[str, str]]:
        async with db.tenant(tenant) as tx:
            await findings.record_findings(tx, key, found, judged=judged, now=NOW)
            opened = await findings.list_findings(tx, limit=10, connection_id=key)
            return {(f.code, f.subject) for f in opened}

    # Whichever comes first: what a backfill counted gives way to what discovery saw, and
    # is not opened anew beside it.
    assert await told([vague, elsewhere], ["REGION_NOT_LOGGED"]) == {
        ("REGION_NOT_LOGGED", "a/r"),
        ("REGION_NOT_LOGGED", "a/other"),
    }
    after = {("LOGGING_OFF", "a/r"), ("REGION_NOT_LOGGED", "a/other")}
    assert await told([exact], ["LOGGING_OFF"]) == after
    assert await told([vague, elsewhere], ["REGION_NOT_LOGGED"]) == after
    # Once logging is on, what is still not logged may be said again.
    assert await told([], ["LOGGING_OFF"]) == {("REGION_NOT_LOGGED", "a/other")}
    assert await told([vague], ["REGION_NOT_LOGGED"]) == {("REGION_NOT_LOGGED", "a/r")}
    async with db.tenant(tenant) as tx:
        closed = await findings.list_findings(tx, limit=10, state=FindingState.RESOLVED)
    assert [f.code for f in closed].count("REGION_NOT_LOGGED") == 2
