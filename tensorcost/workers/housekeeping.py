"""Jobs that keep the house: small, idempotent, repeated; what they know stands in Postgres.

A restarted process goes on where any other stopped, several processes may run them at once, and
no history grows, which a workflow that seals once a second could not say.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import structlog

from tensorcost.domain.clock import Clock
from tensorcost.domain.identity.actors import system_actor
from tensorcost.services.audit import seal_all
from tensorcost.storage.session import Database, PlatformDatabase
from tensorcost.storage.spend.partitions import partitions_ahead
from tensorcost.storage.spend.seen import forget_old
from tensorcost.storage.tenants import list_tenants
from tensorcost.workers.pruning import Retention, prune

log = structlog.get_logger(__name__)
ACTOR: Final = system_actor("housekeeping")
SEAL_EVERY: Final = timedelta(seconds=1)
PARTITIONS_EVERY: Final = timedelta(hours=6)
FORGET_EVERY: Final = timedelta(hours=24)
PRUNE_EVERY: Final = timedelta(hours=24)
LONGEST_PAUSE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Job:
    """Something to do now and then. ``run`` may be repeated and run beside itself."""

    name: str
    every: timedelta
    run: Callable[[], Awaitable[object]]


@dataclass(slots=True)
class Housekeeper:
    """Runs each job on its own beat until stopped. A failed job is logged and tried again."""

    jobs: Sequence[Job]
    failures: dict[str, int] = field(default_factory=dict)
    """Failures in a row, by job; for health checks."""

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop`` is set; a job under way is finished first."""
        async with asyncio.TaskGroup() as group:
            for job in self.jobs:
                group.create_task(self._repeat(job, stop), name=f"housekeeping-{job.name}")

    async def _repeat(self, job: Job, stop: asyncio.Event) -> None:
        while not stop.is_set():
            pause = job.every
            try:
                await job.run()
                self.failures[job.name] = 0
            except Exception as error:  # a boundary: the database may be away for a while
                failed = self.failures[job.name] = self.failures.get(job.name, 0) + 1
                log.warning("housekeeping.failed", job=job.name, in_a_row=failed, exc_info=error)
                pause = min(timedelta(seconds=2 ** min(failed, 6)), LONGEST_PAUSE)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause.total_seconds())


def jobs(
    db: Database,
    platform: PlatformDatabase | None,
    clock: Clock,
    retention: Retention = Retention(),
) -> list[Job]:
    """The house's jobs. Without the platform role, what has expired is kept for longer."""
    first_pass = _SealPass(db)
    found = [
        Job("seal-audit", SEAL_EVERY, first_pass.run),
        Job(
            "partitions-ahead",
            PARTITIONS_EVERY,
            lambda: partitions_ahead(db, clock().date()),
        ),
    ]
    if platform is not None:
        found += [
            Job("forget-seen", FORGET_EVERY, lambda: forget_seen(db, platform)),
            Job(
                "prune",
                PRUNE_EVERY,
                lambda: prune(db, platform, clock(), retention, actor=ACTOR),
            ),
        ]
    return found


@dataclass(slots=True)
class _SealPass:
    """The first pass looks at all entries, later ones at the last hour."""

    db: Database
    _swept: bool = False

    async def run(self) -> int:
        if self._swept:
            return await seal_all(self.db)
        sealed = await seal_all(self.db, lookback=None)
        self._swept = True
        return sealed


async def forget_seen(db: Database, platform: PlatformDatabase) -> int:
    """Drop expired ids of pushed events, tenant by tenant; how many went."""
    async with platform.open(reason="list tenants to expire event ids", actor=ACTOR) as tx:
        tenants = await list_tenants(tx)
    gone = 0
    for tenant_id in tenants:
        async with db.tenant(tenant_id) as tenant:
            gone += await forget_old(tenant)
    return gone
