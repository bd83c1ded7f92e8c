"""The product's processes in Temporal: what an operator does in its UI, done and watched here."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Self
from uuid import UUID

from temporalio.client import Client, ScheduleOverlapPolicy, WorkflowFailureError

from demo.story.api import Json
from demo.story.board import StageFailed
from tensorcost.domain.integration.contracts import sync_workflow_id
from tensorcost.runtime.local import Addresses


@dataclass(frozen=True, slots=True)
class Processes:
    """A client of the servers that the demo started."""

    client: Client

    @classmethod
    async def at(cls, addresses: Addresses) -> Self:
        return cls(await Client.connect(addresses.temporal, namespace=addresses.temporal_namespace))

    async def sync_now(self, connection_id: str) -> None:
        """Have the connection's schedule run now, or after the sync that runs."""
        schedule = self.client.get_schedule_handle(sync_workflow_id(UUID(connection_id)))
        await schedule.trigger(overlap=ScheduleOverlapPolicy.BUFFER_ONE)

    async def outcome(self, workflow_id: str, within: float) -> Json:
        """What a process says at its end; StageFailed when it fails or takes too long."""
        try:
            async with asyncio.timeout(within):
                return dict(await self.client.get_workflow_handle(workflow_id).result())
        except TimeoutError as error:
            raise StageFailed(f"{workflow_id} still runs after {within:.0f} s") from error
        except WorkflowFailureError as error:
            raise StageFailed(f"{workflow_id} failed: {error.cause}") from error
