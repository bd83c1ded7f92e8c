"""``kill -9`` of workers, of Postgres and of Temporal, in the middle of the work."""

import asyncio
import itertools
import random
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from demo.aws.control import SimControl
from demo.world.spec import World
from tests.chaos.house import House, Server
from tests.chaos.road import Calm, Moment, Phase, set_out, utc_now
from tests.support.estate import Estate
from tests.support.worker_process import WorkerConfig, worker_process

SEEDS = range(20)
WORKER_KILLS = list(itertools.product(Phase, SEEDS))
SERVER_KILLS = list(itertools.product(Server, Phase, SEEDS))
ATTEMPTS = 6
LONGEST_OUTAGE = 2.0
"""Seconds for which what was killed stays away."""
AT_ONCE = 4
"""Workers killed side by side: most of each case is the wait until Temporal misses one."""

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]

Kill = Callable[[], Awaitable[datetime]]
"""Kills something, has it come back, and says when it was gone."""


@dataclass(frozen=True)
class Scene:
    """Where it happens, and what it is held against."""

    house: House
    world: World
    aws: SimControl
    calm: Calm

    async def disturbed(
        self, phase: Phase, rng: random.Random, kill: Kill, suffix: str = ""
    ) -> Moment:
        """Take a tenant's way and kill once within the phase; the moment that was met.

        A kill that came after the phase's end changes nothing either, but does not count.
        """
        for _ in range(ATTEMPTS):
            async with set_out(self.house, self.world, suffix=suffix) as road:
                moment = await road.moment(phase, rng, self.calm.reconciling)
                killed_at = await kill()
                arrival = await road.arrive()
                was_under_way = await road.was_under_way(moment, killed_at)
            arrival.truths.assert_consistent()
            assert arrival == self.calm.arrival
            if was_under_way:
                return moment
        raise AssertionError(f"{ATTEMPTS} kills came too late")

    async def server_killed(self, server: Server, phase: Phase, seed: int) -> Moment:
        rng = random.Random(f"{server} {phase} {seed}")

        async def kill() -> datetime:
            await self.house.kill(server)
            killed_at = utc_now()
            await asyncio.sleep(rng.uniform(0.0, LONGEST_OUTAGE))
            await self.house.revive(server)
            return killed_at

        return await self.disturbed(phase, rng, kill)

    async def worker_killed(self, phase: Phase, seed: int, folder: Path) -> Moment:
        """The same with a worker of its own."""
        rng = random.Random(f"worker {phase} {seed}")
        config = WorkerConfig(
            temporal=self.house.address,
            database_url=self.house.database.urls.app,
            suffix=f"-{secrets.token_hex(4)}",
            estate=Estate.of(self.aws.endpoint_url, self.world),
        )
        with ExitStack() as workers:
            running = [workers.enter_context(worker_process(config, folder))]

            async def kill() -> datetime:
                running[-1].kill()
                running[-1].wait()
                killed_at = utc_now()
                await asyncio.sleep(rng.uniform(0.0, LONGEST_OUTAGE))
                running.append(workers.enter_context(worker_process(config, folder)))
                return killed_at

            return await self.disturbed(phase, rng, kill, config.suffix)


@pytest.fixture(scope="module")
def scene(house: House, world: World, aws: SimControl, calm: Calm) -> Scene:
    return Scene(house, world, aws, calm)


KillsOfWorkers = dict[tuple[Phase, int], asyncio.Task[Moment]]


@pytest.fixture(scope="module")
async def worker_kills(
    request: pytest.FixtureRequest, scene: Scene, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[KillsOfWorkers]:
    """Every kill of a worker that this run asks for, a few of them under way."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def in_turn(phase: Phase, seed: int) -> Moment:
        async with gate:
            return await scene.worker_killed(phase, seed, tmp_path_factory.mktemp("worker"))

    wanted = {
        item.callspec.id
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.obj is test_a_killed_worker_changes_no_total
    }
    kills = {
        (phase, seed): asyncio.create_task(in_turn(phase, seed))
        for phase, seed in WORKER_KILLS
        if f"{phase}-{seed}" in wanted
    }
    yield kills
    for task in kills.values():
        task.cancel()
    await asyncio.gather(*kills.values(), return_exceptions=True)


@pytest.mark.parametrize(("phase", "seed"), WORKER_KILLS)
async def test_a_killed_worker_changes_no_total(
    worker_kills: KillsOfWorkers,
    phase: Phase,
    seed: int,
    record_property: Callable[[str, object], None],
) -> None:
    moment = await worker_kills[phase, seed]
    record_property("killed", moment.progress)


@pytest.mark.parametrize(("server", "phase", "seed"), list(itertools.product(Server, Phase, SEEDS)))
async def test_a_killed_server_changes_no_total(
    scene: Scene,
    server: Server,
    phase: Phase,
    seed: int,
    record_property: Callable[[str, object], None],
) -> None:
    deaths = scene.house.crew.restarts
    moment = await scene.server_killed(server, phase, seed)
    record_property("killed", moment.progress)
    record_property("workers_died", scene.house.crew.restarts - deaths)
