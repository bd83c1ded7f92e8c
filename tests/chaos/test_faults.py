"""Whatever AWS does to a read, in a backfill and in a sync: it ends, soon, with the same totals."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from demo.aws import state as sim
from demo.aws.control import SimControl
from demo.aws.server import running_simulator
from tensorcost.activities.ingest.price_import import import_builtin_lists
from tensorcost.domain.integration.states import RunKind, RunState, StepState
from tensorcost.runtime.embedded.temporal import TemporalAddress
from tensorcost.storage.engine import make_engine
from tensorcost.storage.session import Database, PlatformDatabase
from tests.chaos.faulty import Stage, open_stage
from tests.chaos.hour import after, before
from tests.chaos.troubles import KINDS
from tests.providers.aws.world import HOME
from tests.support.databases import Database as TestDatabase
from tests.support.organization import member
from tests.support.tenants import app_database
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
def aws() -> Iterator[SimControl]:
    with running_simulator() as control:
        yield control


@pytest.fixture(scope="module")
async def db(database: TestDatabase) -> AsyncIterator[Database]:
    platform = make_engine(database.urls.platform, application_name="test")
    await import_builtin_lists(PlatformDatabase(platform), actor="test")
    await platform.dispose()
    async with app_database(database) as opened:
        yield opened


@pytest.fixture(scope="module")
async def quiet(
    aws: SimControl, db: Database, database: TestDatabase, temporal_server: TemporalAddress
) -> Quiet:
    now = datetime.now(UTC)
    first, later = before(now), after(now)
    aws.seed_state(first)
    async with open_stage(aws, database, db, temporal_server) as stage:
        await stage.onboard()
        backfilled, calls_of_backfill = await stage.truths(), len(aws.requests())
        aws.seed_state(later)
        await stage.sync()
        synced, calls_of_sync = await stage.truths(), len(aws.requests())
    for truths in (backfilled, synced):
        truths.assert_consistent()
        assert truths.failed_steps == 0
    assert synced.usage != backfilled.usage
    assert synced.reconciled != backfilled.reconciled
    return Quiet(first, later, backfilled, synced, calls_of_backfill, calls_of_sync)


@pytest.fixture
async def stage(
    quiet: Quiet,
    aws: SimControl,
    db: Database,
    database: TestDatabase,
    temporal_server: TemporalAddress,
) -> AsyncIterator[Stage]:
    """A new tenant before its first look at the first world."""
    aws.seed_state(quiet.before)
    async with open_stage(aws, database, db, temporal_server) as opened:
        yield opened


@pytest.mark.chaos
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", KINDS)
async def test_a_backfill_in_trouble_ends_with_the_same_totals(
    stage: Stage, quiet: Quiet, kind: str, seed: int
) -> None:
    for rule in KINDS[kind](Random(f"{kind}/{seed}"), quiet.calls_of_backfill):
        stage.aws.fault(**rule)
    run = await stage.onboard()
    truths = await stage.truths()
    assert sum(stage.aws.fired().values()) > 0
    assert run.state is RunState.COMPLETED
    truths.assert_consistent()
    assert truths == quiet.backfilled
    assert len(stage.aws.requests()) <= STORM * quiet.calls_of_backfill


@pytest.mark.chaos
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", KINDS)
async def test_a_sync_in_trouble_ends_with_the_same_totals(
    stage: Stage, quiet: Quiet, kind: str, seed: int
) -> None:
    await stage.onboard()
    assert await stage.truths() == quiet.backfilled
    stage.aws.seed_state(quiet.after)
    for rule in KINDS[kind](Random(f"{kind}/{seed}"), quiet.calls_of_sync):
        stage.aws.fault(**rule)
    run = await stage.sync()
    truths = await stage.truths()
    assert sum(stage.aws.fired().values()) > 0
    assert run.state is RunState.COMPLETED
    truths.assert_consistent()
    assert truths == quiet.synced
    assert len(stage.aws.requests()) <= STORM * quiet.calls_of_sync


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
    run = await stage.ended(RunKind.BACKFILL, after=None)
    assert run.state is RunState.COMPLETED
    assert (await stage.step(member(1), StepState.COMPLETED)).error == ""
    assert await stage.truths() == quiet.backfilled


async def test_trouble_longer_than_patience_is_told_and_a_person_may_try_again(
    stage: Stage, quiet: Quiet
) -> None:
    stage.patience = timedelta(seconds=1)
    stage.aws.fault(service="sts", kind="throttled")
    await stage.processes.validate(stage.connection, "user:fake")
    run = await stage.ended(RunKind.VALIDATE, after=None)
    assert run.state is RunState.FAILED
    assert run.note.startswith("AWS asks us to slow down")
    probe = (await stage.steps(run))[0]
    assert (probe.state, probe.detail) == (StepState.FAILED, "Throttling: Rate exceeded")
    stage.aws.heal()
    await stage.processes.retry(stage.connection, "user:fake", None)
    backfill = await stage.ended(RunKind.BACKFILL, after=None)
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
