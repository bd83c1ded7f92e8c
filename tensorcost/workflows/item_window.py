"""At most so many work items in flight, whatever their number; shared by backfill and sync."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from tensorcost.workflows.options import CLOUD_INGEST, DB_SHORT, on_cloud
from tensorcost.workflows.visibility import MAX_CAUSE, cause_of

with workflow.unsafe.imports_passed_through():
    from tensorcost.activities.integration.items import ItemActivities
    from tensorcost.activities.integration.runs import RunActivities
    from tensorcost.domain.integration.contracts import Tally
    from tensorcost.domain.integration.contracts_steps import (
        FailItem,
        ItemLeft,
        ItemOrder,
        ItemRef,
        ItemsOrder,
        NextItems,
        PlanRequest,
    )

PAGE: Final = 100
TOGETHER: Final = 8
"""Small items that one activity reads, at most."""
FAILED_ONCE: Final = Tally(done=1, failed=1)


@dataclass
class ItemWindow:
    """Runs the items of one planned run. ``after`` and ``tally`` survive continue-as-new."""

    plan: PlanRequest
    in_flight: int
    per_run: int
    after: int = 0
    tally: Tally = field(default_factory=Tally)
    on_change: Callable[[], None] = lambda: None
    cancelled: bool = False
    _started: int = 0
    _exhausted: bool = False
    _error: BaseException | None = None
    _queue: list[ItemRef] = field(default_factory=list)
    _running: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _labels: dict[str, str] = field(default_factory=dict)

    def labels(self) -> list[str]:
        """What is in flight, in order of start."""
        return [self._labels[key] for key in self._running]

    def cancel(self) -> None:
        """Start nothing more and stop what runs; what is committed stays."""
        self.cancelled = True
        for task in self._running.values():
            task.cancel()

    async def drain(self) -> bool:
        """Run items until none is left (True) or this run's history is long enough (False).

        Returns with nothing in flight.
        """
        try:
            while await self._has_next():
                await workflow.wait_condition(
                    lambda: self._stopped or len(self._running) < self.in_flight
                )
                if self._stopped or self._is_long():
                    break
                self._start(self._queue.pop(0))
            await workflow.wait_condition(lambda: not self._running)
        except asyncio.CancelledError:
            self.cancel()
            raise
        if self._error is not None:
            raise self._error
        return self._exhausted and not self._queue

    @property
    def _stopped(self) -> bool:
        return self.cancelled or self._error is not None

    def _is_long(self) -> bool:
        return self._started >= self.per_run or workflow.info().is_continue_as_new_suggested()

    async def _has_next(self) -> bool:
        if self._queue:
            return True
        if self._exhausted or self.cancelled:
            return False
        page = await workflow.execute_activity_method(
            RunActivities.next_items,
            NextItems(
                connection=self.plan.connection,
                run_id=self.plan.run_id,
                after=self.after,
                limit=PAGE,
                together=TOGETHER,
            ),
            **DB_SHORT,
        )
        self._queue = list(page.items)
        self._exhausted = sum(1 + len(item.others) for item in page.items) < PAGE
        return bool(self._queue)

    def _start(self, item: ItemRef) -> None:
        self._started += 1
        self.after = item.position
        self._labels[item.step_key] = item.label
        task = asyncio.create_task(self._run(item))
        self._running[item.step_key] = task
        task.add_done_callback(lambda done: self._ended(item.step_key, done))

    async def _run(self, item: ItemRef) -> None:
        if item.others:
            await self._ingest_together(item)
        else:
            self._count(await self._ingest(item.step_key, item.label))

    def _count(self, added: Tally) -> None:
        """Called after the await that gave ``added``: others add in between."""
        self.tally = self.tally + added

    def _ended(self, step_key: str, task: asyncio.Task[None]) -> None:
        """Also called for a task that was cancelled before its first step."""
        del self._running[step_key], self._labels[step_key]
        if not task.cancelled() and task.exception() is not None:
            self._error = task.exception()
        self.on_change()

    async def _ingest_together(self, item: ItemRef) -> None:
        """Some items by one activity; those that it leaves follow one by one."""
        order = ItemsOrder(
            connection=self.plan.connection,
            run_id=self.plan.run_id,
            step_keys=(item.step_key, *item.others),
        )
        try:
            outcome = await workflow.execute_activity_method(
                ItemActivities.ingest_items,
                order,
                **on_cloud(CLOUD_INGEST, item.label, order.connection.tenant_id),
            )
        except asyncio.CancelledError:
            return
        except ActivityError as error:
            if is_cancelled_exception(error):
                return
            left = tuple(ItemLeft(step_key=key) for key in order.step_keys)
        else:
            self._count(outcome.tally)
            left = outcome.left
        for one in left:
            if not self.cancelled:
                self._labels[item.step_key] = one.step_key
                self._count(await self._ingest_left(one))

    async def _ingest_left(self, left: ItemLeft) -> Tally:
        if left.final:
            return await self._give_up(left.step_key, left.code, left.error)
        if left.after:
            await workflow.sleep(left.after)
        return await self._ingest(left.step_key, left.step_key, left.tried)

    async def _ingest(self, step_key: str, label: str, tried: int = 0) -> Tally:
        """The item's counters. A failure is an outcome: it never fails the whole."""
        order = ItemOrder(
            connection=self.plan.connection,
            run_id=self.plan.run_id,
            step_key=step_key,
            tried=tried,
        )
        try:
            outcome = await workflow.execute_activity_method(
                ItemActivities.ingest_item,
                order,
                **on_cloud(CLOUD_INGEST, label, order.connection.tenant_id),
            )
        except asyncio.CancelledError:
            return Tally()
        except ActivityError as error:
            if is_cancelled_exception(error):
                return Tally()
            return await self._give_up(step_key, *cause_of(error))
        return outcome.tally

    async def _give_up(self, step_key: str, code: str, error: str) -> Tally:
        await workflow.execute_activity_method(
            RunActivities.fail_item,
            FailItem(
                connection=self.plan.connection,
                run_id=self.plan.run_id,
                step_key=step_key,
                code=code,
                error=error[:MAX_CAUSE],
            ),
            **DB_SHORT,
        )
        return FAILED_ONCE
