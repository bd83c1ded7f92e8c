"""What a scenario plays on, and how its history is kept: without hosts, process ids and stacks."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from temporalio.client import WorkflowHistory

from tensorcost.activities.processes import Process
from tensorcost.domain.integration.contracts import (
    CONTEXT,
    ConnectionKey,
    SyncInput,
    WorkflowName,
    onboarding_workflow_id,
    sync_workflow_id,
)
from tensorcost.domain.integration.contracts_connection import Connection
from tensorcost.domain.integration.contracts_rotation import rotation_workflow_id
from tensorcost.services.processes import IntegrationProcesses
from tests.support.scripted_connector import ScriptedConnector
from tests.support.temporal_house import House

FOLDER: Final = Path(__file__).parent
_IDENTITY: Final = re.compile(r"\d+@[\w.-]+")


@dataclass(frozen=True)
class Stage:
    """What a scenario plays on: one connection of one tenant."""

    house: House
    connection: Connection
    processes: IntegrationProcesses
    connector: ScriptedConnector

    @property
    def onboarding_id(self) -> str:
        return onboarding_workflow_id(self.connection.connection_id)

    @property
    def rotation_id(self) -> str:
        return rotation_workflow_id(self.connection.connection_id)

    async def result(self, workflow_id: str) -> Any:
        return await self.house.client.get_workflow_handle(workflow_id).result()

    async def sync(self, **changes: Any) -> str:
        """Run a whole sync; its workflow id."""
        key = ConnectionKey(
            tenant_id=self.connection.tenant_id,
            connection_id=self.connection.connection_id,
            provider="bedrock",
        )
        argument = SyncInput(connection=key, **changes)
        sync_id = f"{sync_workflow_id(key.connection_id)}-2026-11-20T12:00:00Z"
        name = WorkflowName.SYNC.value
        await self.house.processes.start(Process(name, sync_id, key.tenant_id, CONTEXT, argument))
        await self.result(sync_id)
        return sync_id

    async def keep(self, name: str, workflow_id: str, run_id: str | None = None) -> None:
        """Write the run's history as the scenario ``name`` of its workflow."""
        handle = self.house.client.get_workflow_handle(workflow_id, run_id=run_id)
        history = await handle.fetch_history()
        described = await handle.describe()
        target = FOLDER / described.workflow_type / f"{name}.json"
        target.parent.mkdir(exist_ok=True)
        target.write_text(_cleaned(history))


def _cleaned(history: WorkflowHistory) -> str:
    found = history.to_json_dict()
    return json.dumps(_scrub(found), indent=1, sort_keys=True) + "\n"


def _scrub(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: "" if k == "stackTrace" else _scrub(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_scrub(item) for item in value]
    return _IDENTITY.sub("recorder", value) if isinstance(value, str) else value
