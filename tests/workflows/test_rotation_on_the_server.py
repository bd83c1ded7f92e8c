"""An ExternalId rotated on the real servers against the emulated STS, as its owner does it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import pytest
from temporalio.common import SearchAttributeKey

from demo.aws.control import SimControl
from tensorcost.activities.integration.bedrock.access import BedrockAccess
from tensorcost.activities.integration.bedrock.connector import BedrockConnector
from tensorcost.domain.errors import Conflict
from tensorcost.domain.identity.principal import Principal
from tensorcost.domain.ids import ConnectionId, TenantId
from tensorcost.domain.integration.contracts_connection import Connection, ConnectionSettings
from tensorcost.domain.integration.contracts_rotation import (
    Admission,
    RotationOutcome,
    RotationState,
    rotation_workflow_id,
)
from tensorcost.domain.integration.states import ConnectionState
from tensorcost.domain.temporal import SearchAttribute
from tensorcost.providers.bedrock.artefacts import ArtefactSettings, BedrockArtefacts
from tensorcost.runtime.embedded.temporal import TemporalAddress
from tensorcost.services.rotation_processes import RotationProcesses
from tensorcost.services.secret_rotation import RotationView, SecretRotationService
from tensorcost.storage import integration
from tensorcost.storage.findings import list_findings
from tensorcost.storage.session import Database
from tests.providers.aws.world import (
    BACKEND,
    CUR_BUCKET,
    EXTERNAL_ID,
    HOME,
    NOW,
    OTHER,
    PAYER,
    ROLE_ARN,
    sessions,
    trust,
    world,
)
from tests.support.connections import make_connection
from tests.support.principals import caller
from tests.support.temporal_house import House, open_house, utc_now

STATE = SearchAttributeKey.for_keyword(SearchAttribute.STATE.value)
ARTEFACTS = {"bedrock": BedrockArtefacts(ArtefactSettings(BACKEND))}


@pytest.fixture
def aws(simulator: SimControl) -> SimControl:
    simulator.seed_state(world())
    return simulator


@dataclass(frozen=True)
class Owner:
    """A customer with a connected account, and the product beside it."""

    house: House
    aws: SimControl
    service: SecretRotationService
    me: Principal
    id: ConnectionId

    async def connection(self) -> Connection:
        async with self.house.db.tenant(self.me.tenant_id) as tx:
            return await integration.get_connection(tx, self.id)

    def deploy(self, trust_policy: str) -> None:
        """The role as AWS has it once the stack is updated."""
        state = world()
        (payer,) = (account for account in state.accounts if account.id == PAYER)
        payer.roles[0].trust = json.loads(trust_policy)
        self.aws.seed_state(state)

    async def follow_step(self, view: RotationView) -> RotationView:
        """Do as the product says, and have it look."""
        assert view.step is not None
        self.deploy(view.step.trust_policy)
        return await self.service.verify(self.me, self.id)

    async def admits(self, external_id: str) -> Admission:
        """What AWS says to this ExternalId alone."""
        access = BedrockAccess(sessions(self.aws.endpoint_url))
        alone = (await self.connection()).only_with(external_id)
        return (await asyncio.to_thread(access.admits, alone)).admission

    async def reads(self) -> bool:
        """Whether a call through the connection, as a sync makes it, gets through."""
        session = BedrockAccess(sessions(self.aws.endpoint_url)).session(await self.connection())
        answer = await asyncio.to_thread(session.call, "sts", "get_caller_identity", HOME)
        return str(answer["Account"]) == PAYER

    async def findings(self) -> list[str]:
        async with self.house.db.tenant(self.me.tenant_id) as tx:
            return [found.code for found in await list_findings(tx, limit=20)]

    async def once(self, state: RotationState, *, looks: int = 0) -> RotationView:
        """The rotation once it is in this state and was looked at so often."""
        async with asyncio.timeout(30):
            while True:
                view = await self.service.get(self.me, self.id)
                if view.rotation.state is state and view.rotation.looks >= looks:
                    return view
                await asyncio.sleep(0.05)

    async def outcome(self) -> RotationOutcome:
        handle = self.house.client.get_workflow_handle(
            rotation_workflow_id(self.id), result_type=RotationOutcome
        )
        found: RotationOutcome = await handle.result()
        return found


@asynccontextmanager
async def owner(
    db: Database,
    tenant: TenantId,
    server: TemporalAddress,
    aws: SimControl,
    *,
    interval: timedelta = timedelta(minutes=10),
) -> AsyncIterator[Owner]:
    connection = await make_connection(
        db,
        tenant,
        state=ConnectionState.CONNECTED,
        account_id=PAYER,
        external_id=EXTERNAL_ID,
        role_arn=ROLE_ARN,
        settings=ConnectionSettings(regions=(HOME, OTHER), cur_bucket=CUR_BUCKET),
    )
    connector = BedrockConnector(sessions(aws.endpoint_url), lambda: NOW)
    async with open_house(server, db, connector) as house:
        processes = RotationProcesses(
            house.processes, interval=interval, settle=timedelta(milliseconds=200)
        )
        service = SecretRotationService(db, processes, ARTEFACTS, utc_now)
        yield Owner(house, aws, service, caller(connection.tenant_id), connection.connection_id)


async def test_an_external_id_is_rotated_without_a_gap(
    db: Database, tenant: TenantId, temporal_server: TemporalAddress, aws: SimControl
) -> None:
    async with owner(db, tenant, temporal_server, aws) as me:
        begun = await me.service.begin(me.me, me.id)
        again = await me.service.begin(me.me, me.id)
        assert (begun.joined, again.joined) == (False, True)
        assert begun.rotation.rotation_id == again.rotation.rotation_id
        await me.once(RotationState.WAITING_FOR_CUSTOMER, looks=1)
        assert await me.findings() == ["NEW_EXTERNAL_ID_UNTRUSTED"]
        assert await me.reads()
        new = (await me.connection()).next_external_id

        switched = await me.follow_step(begun)
        assert switched.rotation.state is RotationState.VERIFYING_OLD_DROPPED
        assert (await me.connection()).external_id == new
        assert await me.reads()
        await me.once(RotationState.VERIFYING_OLD_DROPPED, looks=3)
        assert await me.findings() == ["OLD_EXTERNAL_ID_TRUSTED"]
        assert await me.admits(EXTERNAL_ID) is Admission.ADMITTED

        rotated = await me.follow_step(switched)
        assert (rotated.rotation.state, rotated.step) == (RotationState.ROTATED, None)
        assert (await me.outcome()).state is RotationState.ROTATED
        assert await me.admits(EXTERNAL_ID) is Admission.REFUSED
        assert await me.reads()
        found = await me.connection()
        assert (found.external_id, found.other_external_id) == (new, "")
        assert found.role_arn == ROLE_ARN
        assert await me.findings() == []
        handle = me.house.client.get_workflow_handle(rotation_workflow_id(me.id))
        assert (await handle.describe()).typed_search_attributes[STATE] == "rotated"


async def test_an_owner_who_replaces_the_id_at_once_interrupts_nothing(
    db: Database, tenant: TenantId, temporal_server: TemporalAddress, aws: SimControl
) -> None:
    async with owner(db, tenant, temporal_server, aws) as me:
        await me.service.begin(me.me, me.id)
        await me.once(RotationState.WAITING_FOR_CUSTOMER, looks=1)
        new = (await me.connection()).next_external_id
        me.deploy(json.dumps(trust(f"arn:aws:iam::{BACKEND}:root", new)))
        assert await me.reads(), "the other id is used before anybody has looked"
        await me.service.verify(me.me, me.id)
        assert (await me.outcome()).state is RotationState.ROTATED
        assert await me.reads()


async def test_a_rollback_needs_a_role_that_still_takes_the_old_id(
    db: Database, tenant: TenantId, temporal_server: TemporalAddress, aws: SimControl
) -> None:
    async with owner(db, tenant, temporal_server, aws) as me:
        begun = await me.service.begin(me.me, me.id)
        await me.follow_step(begun)
        new = (await me.connection()).external_id
        back = await me.service.roll_back(me.me, me.id, "the wrong account")
        assert back.rotation.state is RotationState.ROLLED_BACK
        assert back.rotation.note == "the wrong account"
        found = await me.connection()
        assert (found.external_id, found.other_external_id) == (EXTERNAL_ID, "")
        assert await me.reads()
        assert (await me.outcome()).state is RotationState.ROLLED_BACK
        with pytest.raises(Conflict, match="no rotation"):
            await me.service.roll_back(me.me, me.id)

        # At once: the run that has just ended must not swallow the next rotation.
        second = await me.service.begin(me.me, me.id)
        assert not second.joined
        assert (await me.connection()).next_external_id not in ("", new)
        me.deploy(json.dumps(trust(f"arn:aws:iam::{BACKEND}:root", "tc-of-nobody")))
        with pytest.raises(Conflict, match="not accepted"):
            await me.service.roll_back(me.me, me.id)
        still = await me.service.get(me.me, me.id)
        assert still.rotation.is_open


async def test_it_looks_by_itself_and_a_stop_by_an_operator_keeps_what_is_in_use(
    db: Database, tenant: TenantId, temporal_server: TemporalAddress, aws: SimControl
) -> None:
    interval = timedelta(milliseconds=200)
    async with owner(db, tenant, temporal_server, aws, interval=interval) as me:
        begun = await me.service.begin(me.me, me.id)
        await me.once(RotationState.WAITING_FOR_CUSTOMER, looks=3)
        assert begun.step is not None
        me.deploy(begun.step.trust_policy)
        await me.once(RotationState.VERIFYING_OLD_DROPPED)
        new = (await me.connection()).external_id
        await me.house.client.get_workflow_handle(rotation_workflow_id(me.id)).cancel()
        await me.once(RotationState.CANCELLED)
        found = await me.connection()
        assert found.external_id == new != EXTERNAL_ID
        assert found.other_external_id == ""


async def test_a_rotation_whose_process_was_lost_goes_on_when_it_is_asked_for_again(
    db: Database, tenant: TenantId, temporal_server: TemporalAddress, aws: SimControl
) -> None:
    async with owner(db, tenant, temporal_server, aws) as me:
        switched = await me.follow_step(await me.service.begin(me.me, me.id))
        await me.house.client.get_workflow_handle(rotation_workflow_id(me.id)).terminate()
        with pytest.raises(Conflict):
            await me.service.verify(me.me, me.id)
        again = await me.service.begin(me.me, me.id)
        assert again.joined
        assert again.rotation.state is RotationState.VERIFYING_OLD_DROPPED
        rotated = await me.follow_step(switched)
        assert rotated.rotation.state is RotationState.ROTATED
