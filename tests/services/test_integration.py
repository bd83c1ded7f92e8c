"""Use cases of the integration context on real servers: create, validate, retry, cancel, read."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from tensorcost.domain.errors import Conflict, Forbidden, NotFound, ValidationFailed
from tensorcost.domain.events.catalogue import EventType
from tensorcost.domain.identity.principal import Plan, Principal, PrincipalKind, scopes_of
from tensorcost.domain.identity.scopes import Role
from tensorcost.domain.ids import ConnectionId, TenantId
from tensorcost.domain.integration.contracts_connection import ConnectionChanges
from tensorcost.domain.integration.progress_records import SyncRun
from tensorcost.domain.integration.states import ConnectionState, RunKind, RunState
from tensorcost.domain.tenancy.onboarding import OnboardingState
from tensorcost.providers.bedrock.artefacts import ArtefactSettings, BedrockArtefacts
from tensorcost.runtime.embedded.temporal import TemporalAddress
from tensorcost.services.integration import (
    IntegrationService,
    NewConnection,
    parse_changes,
)
from tensorcost.services.integration_history import IntegrationHistory
from tensorcost.services.processes import IntegrationProcesses
from tensorcost.storage import outbox
from tensorcost.storage.session import Database
from tests.support.databases import Database as TestDatabase
from tests.support.scripted_connector import HEALTHY, ScriptedConnector, denied
from tests.support.temporal_house import House, open_house, utc_now
from tests.support.tenants import make_tenant

BACKEND = "999999999999"
ARTEFACTS = {"bedrock": BedrockArtefacts(ArtefactSettings(BACKEND))}


def principal(tenant_id: TenantId, role: Role = Role.ENGINEER) -> Principal:
    roles = frozenset({role})
    return Principal(
        subject=str(uuid4()),
        tenant_id=tenant_id,
        kind=PrincipalKind.USER,
        roles=roles,
        scopes=scopes_of(roles),
        plan=Plan.GROWTH,
        expires_at=2e9,
    )


class Desk:
    """The services of one tenant, as an engineer uses them."""

    def __init__(self, house: House, connector: ScriptedConnector, tenant_id: TenantId) -> None:
        self.connector = connector
        self.tenant_id = tenant_id
        self.me = principal(tenant_id)
        self.db = house.db
        processes = IntegrationProcesses(
            house.processes, backfill_days=2, interval=timedelta(milliseconds=200)
        )
        self.connections = IntegrationService(
            house.db, processes, ARTEFACTS, utc_now, chosen_external_ids=True
        )
        self.history = IntegrationHistory(house.db, processes)

    async def connect(self, **fields: Any) -> ConnectionId:
        given = {"name": "Main", "account_id": "111122223333"} | fields
        setup = await self.connections.create(self.me, NewConnection.parse(given))
        return setup.connection.connection_id

    async def run_of(self, connection: ConnectionId, kind: RunKind, state: RunState) -> SyncRun:
        """The newest run of a kind once it is in ``state``."""
        async with asyncio.timeout(60):
            while True:
                runs = await self.history.runs(self.me, connection, limit=5, kind=kind)
                if runs and runs[0].state is state:
                    return runs[0]
                await asyncio.sleep(0.05)

    async def events(self) -> list[str]:
        async with self.db.tenant(self.tenant_id) as tx:
            return [event.type for event in await outbox.events_after(tx, 0, limit=1000)]


@pytest.fixture(scope="module")
def connector() -> ScriptedConnector:
    return ScriptedConnector()


@pytest.fixture(scope="module")
async def house(
    db: Database, temporal_server: TemporalAddress, connector: ScriptedConnector
) -> AsyncIterator[House]:
    async with open_house(temporal_server, db, connector) as opened:
        yield opened


@pytest.fixture
async def desk(house: House, connector: ScriptedConnector, tenant: TenantId) -> Desk:
    connector.verdicts = [HEALTHY]
    return Desk(house, connector, tenant)


async def test_creating_gives_all_that_the_wizard_shows(desk: Desk) -> None:
    setup = await desk.connections.create(
        desk.me, NewConnection(name="Main", account_id="111122223333")
    )
    connection = setup.connection
    assert connection.state is ConnectionState.PENDING
    assert connection.external_id in setup.launch_url
    assert connection.external_id in connection.role_arn
    assert connection.external_id in setup.cli_command
    assert (setup.backend_account_id, BACKEND in setup.cli_command) == (BACKEND, True)
    assert "create-stack" in setup.cli_command
    assert "sts assume-role" in setup.list_accounts_script
    again = await desk.connections.setup(desk.me, connection.connection_id)
    assert again == setup
    assert EventType.CONNECTION_CREATED in await desk.events()


async def test_a_second_connection_of_the_account_is_a_conflict(desk: Desk) -> None:
    await desk.connect()
    with pytest.raises(Conflict, match="111122223333"):
        await desk.connect(name="Twin")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"account_id": "11112222333344"}, "account_id"),
        ({"account_id": ""}, "account_id"),
        ({"name": ""}, "name"),
        ({"settings": {"cur_bucket": "NO"}}, "settings.cur_bucket"),
        ({"surprise": 1}, "surprise"),
    ],
)
async def test_bad_input_names_its_field(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationFailed) as caught:
        NewConnection.parse({"name": "x", "account_id": "111122223333"} | fields)
    assert caught.value.field == field


async def test_an_external_id_cannot_be_chosen_where_tenants_do_not_trust_each_other(
    desk: Desk,
) -> None:
    strict = replace(desk.connections, chosen_external_ids=False)
    chosen = {"name": "Theirs", "account_id": "444455556666", "external_id": "tc-of-a-neighbour"}
    with pytest.raises(ValidationFailed) as refused:
        await strict.create(desk.me, NewConnection.parse(chosen))
    assert refused.value.field == "external_id"
    connection = await desk.connect()
    changes = ConnectionChanges(external_id="tc-of-a-neighbour")
    for use_case in (strict.change, strict.validate, strict.retry):
        with pytest.raises(ValidationFailed):
            await use_case(desk.me, connection, changes)


async def test_an_unknown_provider_is_bad_input(desk: Desk) -> None:
    with pytest.raises(ValidationFailed) as caught:
        await desk.connect(provider="abacus")
    assert caught.value.field == "provider"


async def test_validating_twice_joins_and_ends_connected(desk: Desk) -> None:
    connection = await desk.connect()
    first = await desk.connections.validate(desk.me, connection)
    assert not first.joined
    await desk.run_of(connection, RunKind.BACKFILL, RunState.COMPLETED)
    found = await desk.connections.get(desk.me, connection)
    assert found.state is ConnectionState.CONNECTED
    assert found.last_validated_at is not None
    validations = await desk.history.runs(desk.me, connection, limit=5, kind=RunKind.VALIDATE)
    assert [run.run_id for run in validations] == [first.run_id]


async def test_a_revalidation_starts_no_second_backfill(desk: Desk) -> None:
    connection = await desk.connect()
    await desk.connections.validate(desk.me, connection)
    await desk.run_of(connection, RunKind.BACKFILL, RunState.COMPLETED)
    first = await desk.run_of(connection, RunKind.VALIDATE, RunState.COMPLETED)
    again = await desk.connections.validate(desk.me, connection)
    assert again.run_id != first.run_id
    await desk.run_of(connection, RunKind.VALIDATE, RunState.COMPLETED)
    backfills = await desk.history.runs(desk.me, connection, limit=5, kind=RunKind.BACKFILL)
    assert len(backfills) == 1


async def test_a_failure_is_explained_retried_with_changes_and_healed(desk: Desk) -> None:
    desk.connector.verdicts = [denied(may_heal=False), HEALTHY]
    connection = await desk.connect()
    failed = await desk.connections.validate(desk.me, connection)
    await desk.run_of(connection, RunKind.VALIDATE, RunState.FAILED)
    assert (await desk.connections.get(desk.me, connection)).state is ConnectionState.FAILED
    (finding,) = await desk.history.findings(desk.me, limit=5, connection_id=connection)
    assert (finding.code, finding.causes[0].code) == ("TRUST_DENIED", "EXTERNAL_ID_MISMATCH")
    steps = await desk.history.steps(desk.me, failed.run_id)
    assert [(step.step_key, step.state.value) for step in steps] == [("sts:AssumeRole", "failed")]
    changes = parse_changes({"external_id": "tc-corrected"})
    retried = await desk.connections.retry(desk.me, connection, changes)
    assert retried.run_id != failed.run_id
    await desk.run_of(connection, RunKind.VALIDATE, RunState.COMPLETED)
    healed = await desk.connections.get(desk.me, connection)
    assert healed.external_id == "tc-corrected"
    assert await desk.history.findings(desk.me, limit=5, connection_id=connection) == []


async def test_a_retry_is_refused_while_nothing_has_failed_and_changes_nothing(
    desk: Desk,
) -> None:
    desk.connector.verdicts = [denied()]
    connection = await desk.connect()
    with pytest.raises(Conflict, match="no validation"):
        await desk.connections.retry(desk.me, connection)
    await desk.connections.validate(desk.me, connection)
    changes = ConnectionChanges(external_id="tc-too-early")
    with pytest.raises(Conflict, match="nothing to retry"):
        await desk.connections.retry(desk.me, connection, changes)
    found = await desk.connections.get(desk.me, connection)
    assert found.external_id != "tc-too-early"
    await desk.connections.cancel(desk.me, connection, "done testing")


async def test_a_cancel_stops_the_polling(desk: Desk) -> None:
    desk.connector.verdicts = [denied()]
    connection = await desk.connect()
    await desk.connections.validate(desk.me, connection)
    await desk.connections.cancel(desk.me, connection, "typo in the account")
    run = await desk.run_of(connection, RunKind.VALIDATE, RunState.CANCELLED)
    assert run.note == "typo in the account"
    assert (await desk.connections.get(desk.me, connection)).state is ConnectionState.CANCELLED
    with pytest.raises(Conflict):
        await desk.connections.cancel(desk.me, connection)


async def test_a_repeated_request_gets_the_first_answer(desk: Desk) -> None:
    desk.connector.verdicts = [denied()]
    connection = await desk.connect()
    first = await desk.connections.validate(desk.me, connection, update_id="click-1")
    again = await desk.connections.validate(desk.me, connection, update_id="click-1")
    other = await desk.connections.validate(desk.me, connection, update_id="click-2")
    assert (again, other.run_id) == (first, first.run_id)
    assert other.joined
    await desk.connections.cancel(desk.me, connection)


async def test_the_onboarding_is_told_of_the_connection(desk: Desk) -> None:
    await desk.connect()
    async with asyncio.timeout(30):
        while True:
            found = await desk.history.onboarding(desk.me)
            if found is not None and found.state is OnboardingState.CONNECTED:
                break
            await asyncio.sleep(0.05)
    assert found.history[0].state is OnboardingState.SIGNED_UP


async def test_a_viewer_reads_and_changes_nothing(desk: Desk) -> None:
    connection = await desk.connect()
    viewer = principal(desk.tenant_id, Role.VIEWER)
    assert (await desk.connections.get(viewer, connection)).connection_id == connection
    with pytest.raises(Forbidden):
        await desk.connections.validate(viewer, connection)
    with pytest.raises(Forbidden):
        await desk.connections.create(viewer, NewConnection(name="x", account_id="222233334444"))


async def test_another_tenant_finds_nothing(desk: Desk, database: TestDatabase) -> None:
    connection = await desk.connect()
    stranger = principal(await make_tenant(database), Role.OWNER)
    for call in (
        desk.connections.get(stranger, connection),
        desk.connections.setup(stranger, connection),
        desk.connections.validate(stranger, connection),
        desk.connections.cancel(stranger, connection),
        desk.history.runs(stranger, connection, limit=5),
        desk.history.accounts(stranger, connection),
        desk.history.findings(stranger, limit=5, connection_id=connection),
    ):
        with pytest.raises(NotFound):
            await call
    assert await desk.connections.list(stranger, limit=10) == []


async def test_a_bucket_policy_needs_a_bucket(desk: Desk) -> None:
    connection = await desk.connect()
    with pytest.raises(Conflict):
        await desk.connections.bucket_policy(desk.me, connection)
    await desk.connections.change(
        desk.me, connection, parse_changes({"settings": {"cur_bucket": "fake-cur"}})
    )
    policy = await desk.connections.bucket_policy(desk.me, connection)
    assert "arn:aws:s3:::fake-cur" in policy
