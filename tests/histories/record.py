"""Records the histories that ``test_replay`` replays, on the real servers.

    .venv/bin/python -m tests.histories.record [scenario ...]

Run it when a workflow gets a new behaviour; a recorded history of a released behaviour stays.
Host names, process ids and stack traces are taken out.
"""

import asyncio
import json
import re
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from temporalio.client import WorkflowHistory

from tensorcost.activities.integration.ports import ConnectorError
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
from tensorcost.domain.temporal import SEARCH_ATTRIBUTE_TYPES
from tensorcost.domain.tenancy.onboarding_contracts import customer_onboarding_id
from tensorcost.runtime.embedded.postgres import EmbeddedPostgres
from tensorcost.runtime.embedded.temporal import EmbeddedTemporal, TemporalOptions
from tensorcost.services.processes import IntegrationProcesses
from tests.support.connections import make_connection
from tests.support.databases import make_template, migrated_database
from tests.support.folders import server_folder
from tests.support.scripted_connector import HEALTHY, ScriptedConnector, denied
from tests.support.temporal_house import House, open_house
from tests.support.tenants import app_database, make_tenant

FOLDER: Final = Path(__file__).parent
_IDENTITY: Final = re.compile(r"\d+@[\w.-]+")


@dataclass(frozen=True)
class Stage:
    """What a scenario plays on: one connection of one tenant."""

    house: House
    connection: Connection
    processes: IntegrationProcesses

    @property
    def onboarding_id(self) -> str:
        return onboarding_workflow_id(self.connection.connection_id)

    async def result(self, workflow_id: str) -> Any:
        return await self.house.client.get_workflow_handle(workflow_id).result()

    async def keep(self, name: str, workflow_id: str, run_id: str | None = None) -> None:
        """Write the run's history as the scenario ``name`` of its workflow."""
        handle = self.house.client.get_workflow_handle(workflow_id, run_id=run_id)
        history = await handle.fetch_history()
        described = await handle.describe()
        target = FOLDER / described.workflow_type / f"{name}.json"
        target.parent.mkdir(exist_ok=True)
        target.write_text(_cleaned(history))


async def connected(stage: Stage) -> None:
    await stage.processes.validate(stage.connection, "user:fake")
    outcome = await stage.result(stage.onboarding_id)
    await stage.result(outcome["backfill_id"])
    await stage.keep("healthy_after_a_denial", stage.onboarding_id)
    await stage.keep("completed", outcome["backfill_id"])
    await asyncio.sleep(1)
    tenant = stage.connection.tenant_id
    await stage.keep("waiting_for_recommendation", customer_onboarding_id(tenant))
    key = ConnectionKey(
        tenant_id=tenant, connection_id=stage.connection.connection_id, provider="bedrock"
    )
    sync_id = f"{sync_workflow_id(key.connection_id)}-2026-11-20T12:00:00Z"
    process = Process(WorkflowName.SYNC.value, sync_id, tenant, CONTEXT, SyncInput(connection=key))
    await stage.house.processes.start(process)
    await stage.result(sync_id)
    await stage.keep("completed", sync_id)


async def retried(stage: Stage) -> None:
    await stage.processes.validate(stage.connection, "user:fake")
    while True:
        handle = stage.house.client.get_workflow_handle(stage.onboarding_id)
        if (await handle.query("status"))["phase"] == "waiting_for_retry":
            break
        await asyncio.sleep(0.1)
    await stage.processes.retry(stage.connection, "user:fake", None)
    await stage.result(stage.onboarding_id)
    await stage.keep("retried_after_a_failure", stage.onboarding_id)


async def cancelled(stage: Stage) -> None:
    await stage.processes.validate(stage.connection, "user:fake")
    await stage.processes.cancel(stage.connection, "user:fake", "changed my mind")
    await stage.result(stage.onboarding_id)
    await stage.keep("cancelled_while_validating", stage.onboarding_id)


async def failed_item(stage: Stage) -> None:
    await stage.processes.validate(stage.connection, "user:fake")
    outcome = await stage.result(stage.onboarding_id)
    await stage.result(outcome["backfill_id"])
    await stage.keep("one_item_failed", outcome["backfill_id"])


def _refuse_logs() -> ScriptedConnector:
    error = ConnectorError("LOGS_DENIED", "not allowed", retry_after=None)
    return ScriptedConnector(fail=lambda job: error if "logs" in job.item.step_key else None)


Scenario = tuple[Callable[[Stage], Awaitable[None]], Callable[[], ScriptedConnector]]
SCENARIOS: Final[dict[str, Scenario]] = {
    "connected": (connected, lambda: ScriptedConnector(verdicts=[denied(), HEALTHY])),
    "retried": (
        retried,
        lambda: ScriptedConnector(verdicts=[denied(may_heal=False), HEALTHY]),
    ),
    "cancelled": (cancelled, lambda: ScriptedConnector(verdicts=[denied()])),
    "failed_item": (failed_item, _refuse_logs),
}


def _cleaned(history: WorkflowHistory) -> str:
    found = history.to_json_dict()
    return json.dumps(_scrub(found), indent=1, sort_keys=True) + "\n"


def _scrub(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: "" if k == "stackTrace" else _scrub(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_scrub(item) for item in value]
    return _IDENTITY.sub("recorder", value) if isinstance(value, str) else value


async def main(names: list[str]) -> None:
    attributes = {name.value: kind for name, kind in SEARCH_ATTRIBUTE_TYPES.items()}
    with server_folder() as folder:
        options = TemporalOptions(search_attributes=attributes, ui=False)
        postgres = EmbeddedPostgres(folder / "postgres", fsync=False)
        temporal = EmbeddedTemporal(folder / "temporal", options)
        with postgres as server, temporal as address:
            async with AsyncExitStack() as stack:
                template = await make_template(server)
                database = await stack.enter_async_context(migrated_database(server, template))
                db = await stack.enter_async_context(app_database(database))
                for name in names or list(SCENARIOS):
                    play, connector = SCENARIOS[name]
                    connection = await make_connection(db, await make_tenant(database))
                    async with open_house(address, db, connector()) as house:
                        processes = IntegrationProcesses(
                            house.processes,
                            backfill_days=1,
                            interval=timedelta(milliseconds=200),
                        )
                        await play(Stage(house, connection, processes))
                    sys.stderr.write(f"recorded {name}\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
