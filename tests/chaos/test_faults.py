"""Whatever AWS does to a read, in a backfill and in a sync: it ends, soon, with the same totals."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from demo.aws import state as sim
from demo.aws.control import SimControl
from tensorcost.domain.integration.progress_records import SyncRun
from tensorcost.domain.integration.states import RunKind, RunState, StepState
from tensorcost.runtime.embedded.temporal import TemporalAddress
from tensorcost.storage.session import Database
from tests.chaos.faulty import Stage, open_stage
from tests.chaos.hour import after, before
from tests.chaos.troubles import KINDS
from tests.providers.aws.world import HOME
from tests.support.databases import Database as TestDatabase
from tests.support.organization import member
from tests.support.prices import store_builtin_lists
from tests.support.truths import Truths

SEEDS = range(4)
STORM = 4
"""Nothing that passes by itself costs more than so many times the calls of a quiet run."""


@dataclass(frozen=True)
class Quiet:
    """The world before and after an hour, and an undisturbed tenant's truths of each."""

    before: sim.SimState
    after: sim.SimState
    backfilled: Truths
    synced: Truths
    calls_of_backfill: int
    calls_of_sync: int


@pytest.fixture(scope="module")
async def db(database: TestDatabase, db: Database) -> Database:
    """With prices, for a bill that can be reconciled."""
    await store_builtin_lists(database.urls.platform)
    return db


@pytest.fixture(scope="module")
async def quiet(
    simulator: SimControl, db: Database, database: TestDatabase, temporal_server: TemporalAddress
) -> Quiet:
    now = datetime.now(UTC)
    first, later = before(now), after(now)
    simulator.seed_state(first)
    async with open_stage(simulator, database, db, temporal_server) as stage:
        await stage.onboard()
        backfilled, calls_of_backfill = await stage.truths(), len(simulator.requests())
        simulator.seed_state(later)
        await stage.sync()
        synced, calls_of_sync = await stage.truths(), len(simulator.requests())
    for truths in (backfilled, synced):
        truths.assert_consistent()
        assert truths.failed_steps == 0
    assert synced.usage != backfilled.usage
    assert synced.reconciled != backfilled.reconciled
    return Quiet(first, later, backfilled, synced, calls_of_backfill, calls_of_sync)


@pytest.fixture
async def stage(
    quiet: Quiet,
    simulator: SimControl,
    db: Database,
    database: TestDatabase,
    temporal_server: TemporalAddress,
) -> AsyncIterator[Stage]:
    """A new tenant before its first look at the first world."""
    simulator.seed_state(quiet.before)
    async with open_stage(simulator, database, db, temporal_server) as opened:
        yield opened


@pytest.fixture
async def hasty(
    quiet: Quiet,
    simulator: SimControl,
    db: Database,
    database: TestDatabase,
    temporal_server: TemporalAddress,
) -> AsyncIterator[Stage]:
    """The same, whose every call fails at its first refusal."""
    simulator.seed_state(quiet.before)
    async with open_stage(simulator, database, db, temporal_server, requests=1) as opened:
        yield opened


def arm(stage: Stage, kind: str, seed: int, calls: int) -> None:
    """Trouble of a kind, somewhere in so many calls."""
    for rule in KINDS[kind](Random(f"{kind}/{seed}"), calls):
        stage.aws.fault(**rule)


async def assert_untroubled(stage: Stage, run: SyncRun, expected: Truths, calls: int) -> None:
    """The trouble struck, and the run ended as a quiet one of so many calls does."""
    truths = await stage.truths()
    assert sum(stage.aws.fired().values()) > 0
    assert run.state is RunState.COMPLETED
    truths.assert_consistent()
    assert truths == expected
    assert len(stage.aws.requests()) <= STORM * calls


@pytest.mark.chaos
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", KINDS)
async def test_a_backfill_in_trouble_ends_with_the_same_totals(
    stage: Stage, quiet: Quiet, kind: str, seed: int
) -> None:
    arm(stage, kind, seed, quiet.calls_of_backfill)
    run = await stage.onboard()
    await assert_untroubled(stage, run, quiet.backfilled, quiet.calls_of_backfill)


@pytest.mark.chaos
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", KINDS)
async def test_a_sync_in_trouble_ends_with_the_same_totals(
    stage: Stage, quiet: Quiet, kind: str, seed: int
) -> None:
    await stage.onboard()
    assert await stage.truths() == quiet.backfilled
    stage.aws.seed_state(quiet.after)
    arm(stage, kind, seed, quiet.calls_of_sync)
    run = await stage.sync()
    await assert_untroubled(stage, run, quiet.synced, quiet.calls_of_sync)


async def test_a_source_that_stays_throttled_says_so_and_is_read_once_it_is_not(
    stage: Stage, quiet: Quiet
) -> None:
    bucket = f"bedrock-logs-{member(1)}"
    stage.aws.fault(resource=f"{bucket}/*", operation="GetObject", kind="throttled")
    await stage.processes.validate(stage.connection, "user:fake")
    step = await stage.step(member(1), StepState.RETRYING)
    assert step.error_code == "THROTTLED"
    assert "reduce your request rate" in step.error
    stage.aws.heal()
    run = await stage.ended(RunKind.BACKFILL)
    assert run.state is RunState.COMPLETED
    assert (await stage.step(member(1), StepState.COMPLETED)).error == ""
    assert await stage.truths() == quiet.backfilled


@pytest.mark.parametrize(
    ("trouble", "code"),
    [
        ({"status": 503}, "PROVIDER_FAILING"),
        ({"kind": "throttled"}, "THROTTLED"),
        ({"close": True}, "NETWORK"),
    ],
)
async def test_an_organisation_that_cannot_be_listed_for_long_is_onboarded_by_itself(
    hasty: Stage, quiet: Quiet, trouble: dict[str, Any], code: str
) -> None:
    probed = 3  # pages of two accounts, when the validation lists them
    hasty.aws.fault(service="organizations", operation="ListAccounts", skip=probed, **trouble)
    await hasty.processes.validate(hasty.connection, "user:fake")
    step = await hasty.looks(attempts=8)
    assert step.state is StepState.RETRYING
    assert f" UTC; {code}: " in step.detail
    hasty.aws.heal()
    run = await hasty.ended(RunKind.BACKFILL)
    validation = await hasty.newest(RunKind.VALIDATE)
    assert validation is not None
    looks = [one for one in await hasty.steps(validation) if one.source == step.source]
    assert [one.state for one in looks] == [StepState.COMPLETED]
    assert looks[0].detail.startswith("5 of 5 accounts can be read")
    assert (run.state, validation.state) == (RunState.COMPLETED, RunState.COMPLETED)
    assert await hasty.truths() == quiet.backfilled


async def test_a_sync_reads_what_is_known_while_the_organisation_cannot_be_listed(
    hasty: Stage, quiet: Quiet
) -> None:
    await hasty.onboard()
    hasty.aws.seed_state(quiet.after)
    hasty.aws.fault(service="organizations", status=503)
    troubled = await hasty.sync()
    look = (await hasty.steps(troubled))[0]
    assert (troubled.state, look.source, look.state) == (
        RunState.COMPLETED,
        "discovery",
        StepState.FAILED,
    )
    assert replace(await hasty.truths(), failed_steps=0) == quiet.synced
    hasty.aws.heal()
    healed = await hasty.sync(minutes=15)
    look = (await hasty.steps(healed))[0]
    assert (look.source, look.state) == ("discovery", StepState.COMPLETED)
    assert look.detail.startswith("5 of 5 accounts can be read")


async def test_trouble_longer_than_patience_is_told_and_a_person_may_try_again(
    stage: Stage, quiet: Quiet
) -> None:
    stage.patience = timedelta(seconds=1)
    stage.aws.fault(service="sts", kind="throttled")
    await stage.processes.validate(stage.connection, "user:fake")
    run = await stage.ended(RunKind.VALIDATE)
    assert run.state is RunState.FAILED
    assert run.note.startswith("AWS asks us to slow down")
    probe = (await stage.steps(run))[0]
    assert (probe.state, probe.detail) == (StepState.FAILED, "Throttling: Rate exceeded")
    stage.aws.heal()
    await stage.processes.retry(stage.connection, "user:fake", None)
    backfill = await stage.ended(RunKind.BACKFILL)
    assert backfill.state is RunState.COMPLETED
    assert await stage.truths() == quiet.backfilled


async def test_a_place_that_failed_while_it_was_looked_for_is_read_after_the_next_sync(
    stage: Stage, quiet: Quiet
) -> None:
    stage.aws.fault(account=member(2), region=HOME, operation="ListMetrics", status=503)
    await stage.onboard()
    partly = await stage.truths()
    assert partly.usage != quiet.backfilled.usage
    stage.aws.heal()
    await stage.sync(minutes=15)
    whole = await stage.truths()
    whole.assert_consistent()
    assert whole.usage == quiet.backfilled.usage
