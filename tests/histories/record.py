"""Records the histories that ``test_replay`` replays, on the real servers.

    .venv/bin/python -m tests.histories.record [scenario ...]

Run it when a workflow gets a new behaviour; a recorded history of a released behaviour stays.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Final

from tensorcost.activities.integration.ports import ConnectorError, ReadJob
from tensorcost.activities.integration.runs import ROUNDS, TENANT_CAP
from tensorcost.activities.reconciliation.ask import ReconcileProcess
from tensorcost.activities.rerating.activities import rerate_process
from tensorcost.activities.rerating.rerater import Rerater
from tensorcost.domain.clock import Clock
from tensorcost.domain.cost.contracts import ReconcileRequest
from tensorcost.domain.cost.contracts_rerating import RerateState
from tensorcost.domain.identity.principal import Principal
from tensorcost.domain.integration.rotation import SHORTEST_OVERLAP
from tensorcost.domain.integration.states import ConnectionState
from tensorcost.domain.temporal import SEARCH_ATTRIBUTE_TYPES
from tensorcost.domain.tenancy.onboarding_contracts import customer_onboarding_id
from tensorcost.domain.tenancy.secret_rotation import stored_rotation_workflow_id
from tensorcost.domain.tenancy.stored_secrets import StoredSecretKind
from tensorcost.providers.bedrock.artefacts import ArtefactSettings, BedrockArtefacts
from tensorcost.runtime.embedded.postgres import EmbeddedPostgres
from tensorcost.runtime.embedded.temporal import EmbeddedTemporal, TemporalOptions
from tensorcost.services.processes import IntegrationProcesses
from tensorcost.services.rerating import Reratings
from tensorcost.services.rerating_processes import ReratingProcesses
from tensorcost.services.rotation_processes import RotationProcesses
from tensorcost.services.secret_rotation import SecretRotationService
from tensorcost.services.tenancy.secret_processes import StoredRotationProcesses
from tensorcost.services.tenancy.secret_rotation import StoredSecretService
from tensorcost.storage.integration import get_connection, set_connection_state
from tensorcost.storage.rerating.runs import Rerating, find_open
from tests.histories.stage import Stage
from tests.support.bills import OCTOBER, bill_line, load_bill
from tests.support.connections import make_connection
from tests.support.databases import make_template, migrated_database
from tests.support.folders import server_folder
from tests.support.principals import caller
from tests.support.rerated import NOVEMBER as NOVEMBER_USE
from tests.support.rerated import OCTOBER as OCTOBER_USE
from tests.support.rerated import Books, waiting_books
from tests.support.scripted_connector import (
    HEALTHY,
    ScriptedConnector,
    denied,
    log_site,
    metric_site,
)
from tests.support.temporal_house import open_house, utc_now
from tests.support.tenants import app_database, make_tenant


async def connected(stage: Stage) -> None:
    await stage.processes.validate(stage.connection, "user:fake")
    outcome = await stage.result(stage.onboarding_id)
    await stage.result(outcome["backfill_id"])
    await stage.keep("healthy_after_a_denial", stage.onboarding_id)
    await stage.keep("completed", outcome["backfill_id"])
    await asyncio.sleep(1)
    tenant = stage.connection.tenant_id
    await stage.keep("waiting_for_recommendation", customer_onboarding_id(tenant))
    await stage.keep("completed", await stage.sync())


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


async def healed(stage: Stage) -> None:
    await stage.processes.validate(stage.connection, "user:fake")
    outcome = await stage.result(stage.onboarding_id)
    await stage.result(outcome["backfill_id"])
    await stage.keep("starts_the_backfill_of_a_healed_source", await stage.sync())


async def looked(stage: Stage) -> None:
    await stage.processes.validate(stage.connection, "user:fake")
    outcome = await stage.result(stage.onboarding_id)
    await stage.result(outcome["backfill_id"])
    await stage.keep("looks_for_accounts_first", await stage.sync())


async def paged(stage: Stage) -> None:
    await stage.processes.validate(stage.connection, "user:fake")
    outcome = await stage.result(stage.onboarding_id)
    await stage.result(outcome["backfill_id"])
    sync_id = await stage.sync(per_run=1)
    described = await stage.house.client.get_workflow_handle(sync_id).describe()
    first = described.raw_description.workflow_execution_info.first_run_id
    await stage.keep("goes_on_in_a_new_run", sync_id, first)
    await stage.keep("went_on_in_a_new_run", sync_id)


async def gathered(stage: Stage) -> None:
    """Two regions together, of the first pairs one item that is tried again, one never."""
    await stage.processes.validate(stage.connection, "user:fake")
    outcome = await stage.result(stage.onboarding_id)
    await stage.result(outcome["backfill_id"])
    errors = [
        ConnectorError("THROTTLED", "slow down", retry_after=1),
        ConnectorError("LOGS_DENIED", "not allowed", retry_after=None),
    ]

    def fail(job: ReadJob) -> ConnectorError | None:
        return errors.pop() if errors and "logs" in job.item.step_key else None

    stage.connector.fail = fail
    await stage.keep("reads_quiet_sites_together", await stage.sync())


async def rotated(stage: Stage) -> None:
    service, me, new = await _switched(stage)
    stage.connector.trusted = {new}
    await service.verify(me, stage.connection.connection_id)
    await stage.result(stage.rotation_id)
    await stage.keep("rotated", stage.rotation_id)


async def rolled_back(stage: Stage) -> None:
    service, me, _ = await _switched(stage)
    await service.roll_back(me, stage.connection.connection_id, "changed my mind")
    await stage.result(stage.rotation_id)
    await stage.keep("rolled_back", stage.rotation_id)


async def _switched(stage: Stage) -> tuple[SecretRotationService, Principal, str]:
    """A rotation whose new ExternalId is in use while the old one is trusted too."""
    connection_id, db = stage.connection.connection_id, stage.house.db
    me = caller(stage.connection.tenant_id)
    processes = RotationProcesses(stage.house.processes, settle=timedelta(milliseconds=200))
    artefacts = {"bedrock": BedrockArtefacts(ArtefactSettings("999999999999"))}
    service = SecretRotationService(db, processes, artefacts, utc_now)
    stage.connector.trusted = {stage.connection.external_id}
    async with db.tenant(me.tenant_id) as tx:
        await set_connection_state(tx, connection_id, ConnectionState.CONNECTED, utc_now())
    await service.begin(me, connection_id)
    async with db.tenant(me.tenant_id) as tx:
        new = (await get_connection(tx, connection_id)).next_external_id
    stage.connector.trusted.add(new)
    await service.verify(me, connection_id)
    return service, me, new


async def finished_secret(stage: Stage) -> None:
    service, me = await _other_secret(stage, utc_now)
    await service.finish(me, StoredSecretKind.CONTENT_HASH, "it was in a log")
    await _keep_stored(stage, "finished")


async def rolled_back_secret(stage: Stage) -> None:
    service, me = await _other_secret(stage, utc_now)
    await service.roll_back(me, StoredSecretKind.CONTENT_HASH, "changed my mind")
    await _keep_stored(stage, "rolled_back")


async def overlapped_secret(stage: Stage) -> None:
    await _other_secret(stage, lambda: utc_now() - timedelta(days=1) + timedelta(seconds=2))
    await _keep_stored(stage, "overlap_over")


async def _other_secret(stage: Stage, clock: Clock) -> tuple[StoredSecretService, Principal]:
    """A rotation of the tenant's hashing key, begun by this clock with the shortest overlap."""
    me = caller(stage.connection.tenant_id)
    processes = StoredRotationProcesses(stage.house.processes)
    service = StoredSecretService(stage.house.db, processes, clock)
    await service.begin(me, StoredSecretKind.CONTENT_HASH, SHORTEST_OVERLAP)
    return service, me


async def _keep_stored(stage: Stage, name: str) -> None:
    tenant, kind = stage.connection.tenant_id, StoredSecretKind.CONTENT_HASH
    workflow_id = stored_rotation_workflow_id(tenant, kind)
    await stage.result(workflow_id)
    await stage.keep(name, workflow_id)


async def reconciled(stage: Stage) -> None:
    tenant, db = stage.connection.tenant_id, stage.house.db
    await load_bill(db, tenant, [bill_line(OCTOBER)])
    reconciling = ReconcileProcess(stage.house.processes)
    due = ReconcileRequest(tenant_id=tenant, requested_by="user:fake")
    workflow_id = await reconciling.ask(due)
    await stage.result(workflow_id)
    await stage.keep("completed", workflow_id)
    without_bill = due.model_copy(update={"period": OCTOBER.replace(year=2020)})
    for request in (without_bill, due):
        await reconciling.ask(request)
    await stage.result(workflow_id)
    await stage.keep("gave_up_a_month_and_looked_once_more", workflow_id)


async def rerated(stage: Stage) -> None:
    tenant, db = stage.connection.tenant_id, stage.house.db
    books = Books(db, tenant, Rerater(db, utc_now))
    await books.price("2")
    await books.use(OCTOBER_USE, NOVEMBER_USE)
    await books.settled()
    reratings = Reratings(db, ReratingProcesses(stage.house.processes))
    await books.price("3")
    await reratings.begin_due()
    run = await _waiting(books, preview=1)
    await books.price("4")
    await reratings.begin_due()
    await _waiting(books, preview=2)
    rerating_id = run.rerating_id
    await reratings.approve(tenant, rerating_id, "user:fake", preview=2, reason="as agreed")
    await stage.result(run.workflow_id)
    await stage.keep("approved_after_newer_prices", run.workflow_id)
    await books.price("5")
    await reratings.begin_due()
    run = await _waiting(books, preview=1)
    await reratings.reject(tenant, run.rerating_id, "user:fake", reason="not ours")
    await stage.result(run.workflow_id)
    await stage.keep("rejected", run.workflow_id)


async def warned(stage: Stage) -> None:
    tenant, db = stage.connection.tenant_id, stage.house.db
    books = await waiting_books(db, tenant)
    await books.reject()
    request = await books.request(every_row=True, patience=timedelta(seconds=2))
    process = rerate_process(request)
    await stage.house.processes.start(process)
    await stage.result(process.workflow_id)
    await stage.keep("expired_after_a_warning", process.workflow_id)


async def late(stage: Stage) -> None:
    tenant, db = stage.connection.tenant_id, stage.house.db
    await load_bill(db, tenant, [bill_line(OCTOBER)])
    reconciling = ReconcileProcess(stage.house.processes)
    wish = ReconcileRequest(
        tenant_id=tenant, requested_by="system:late-usage", patience=timedelta(seconds=2)
    )
    workflow_id = await reconciling.ask(wish)
    await asyncio.sleep(1)
    await reconciling.ask(wish)
    await stage.result(workflow_id)
    await stage.keep("waited_for_more_late_usage", workflow_id)


async def _waiting(books: Books, preview: int) -> Rerating:
    """The open re-rating once it waits for a decision on this preview."""
    while True:
        async with books.db.tenant(books.tenant) as tx:
            run = await find_open(tx)
        if run is not None and (run.state, run.preview) == (RerateState.AWAITING_APPROVAL, preview):
            return run
        await asyncio.sleep(0.1)


def _many_regions() -> ScriptedConnector:
    """So many sites that a sync reads them in pairs."""
    regions = [f"fake-{n:02}" for n in range(1, ROUNDS * TENANT_CAP + 1)]
    sites = [site(region) for region in regions for site in (metric_site, log_site)]
    return ScriptedConnector(sites=sites)


def _refuse_logs(first: int = 1_000) -> ScriptedConnector:
    """Logs are denied to so many items at first."""
    error = ConnectorError("LOGS_DENIED", "not allowed", retry_after=None)
    denials = [error] * first

    def fail(job: ReadJob) -> ConnectorError | None:
        return denials.pop() if denials and "logs" in job.item.step_key else None

    return ScriptedConnector(fail=fail)


Scenario = tuple[Callable[[Stage], Awaitable[None]], Callable[[], ScriptedConnector]]
SCENARIOS: Final[dict[str, Scenario]] = {
    "connected": (connected, lambda: ScriptedConnector(verdicts=[denied(), HEALTHY])),
    "retried": (
        retried,
        lambda: ScriptedConnector(verdicts=[denied(may_heal=False), HEALTHY]),
    ),
    "cancelled": (cancelled, lambda: ScriptedConnector(verdicts=[denied()])),
    "failed_item": (failed_item, _refuse_logs),
    "healed": (healed, lambda: _refuse_logs(first=1)),
    "looked": (looked, ScriptedConnector),
    "paged": (paged, ScriptedConnector),
    "gathered": (gathered, _many_regions),
    "rotated": (rotated, ScriptedConnector),
    "rolled_back": (rolled_back, ScriptedConnector),
    "finished_secret": (finished_secret, ScriptedConnector),
    "rolled_back_secret": (rolled_back_secret, ScriptedConnector),
    "overlapped_secret": (overlapped_secret, ScriptedConnector),
    "reconciled": (reconciled, ScriptedConnector),
    "rerated": (rerated, ScriptedConnector),
    "warned": (warned, ScriptedConnector),
    "late": (late, ScriptedConnector),
}


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
                    play, make_connector = SCENARIOS[name]
                    connector = make_connector()
                    connection = await make_connection(db, await make_tenant(database))
                    async with open_house(address, db, connector) as house:
                        processes = IntegrationProcesses(
                            house.processes,
                            backfill_days=1,
                            interval=timedelta(milliseconds=200),
                        )
                        await play(Stage(house, connection, processes, connector))
                    sys.stderr.write(f"recorded {name}\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
