"""Progress of a connection over the socket: what stands first, then what changes."""

from typing import Any

from tensorcost.domain.events.catalogue import EventType
from tensorcost.domain.events.envelope import NewEvent
from tensorcost.domain.ids import TenantId
from tests.graphql.sockets import Socket, sign_in
from tests.graphql.world import GraphqlWorld, served
from tests.support.connections import make_connection, make_run
from tests.support.databases import Database
from tests.support.tenants import make_tenant


async def test_progress_begins_with_the_present_and_follows_the_connections_events(
    face: GraphqlWorld, tenant: TenantId
) -> None:
    connection = await make_connection(face.world.database, tenant)
    other = await make_connection(face.world.database, tenant, account_id="444455556666")
    token = sign_in(face, tenant, "fake-progress")
    query = """subscription ($id: ID!) { backfillProgress(connectionId: $id) {
        event run { state percent steps(first: 5) { nodes { key } } } } }"""
    async with served(face.gateway()) as address, Socket(address, token) as socket:
        await socket.subscribe("1", query, id=str(connection.connection_id))
        assert _progress(await socket.receive()) == {"event": None, "run": None}
        await make_run(face.world.database, connection)
        for about in (other, connection):
            async with face.world.database.tenant(tenant) as tx:
                data = {"connection_id": str(about.connection_id)}
                tx.emit(NewEvent(EventType.BACKFILL_STARTED, data))
        told = _progress(await socket.receive())
    assert told["event"] == "backfill.started"
    assert told["run"]["state"] == "RUNNING"


async def test_progress_of_another_tenants_connection_is_not_found(
    face: GraphqlWorld, tenant: TenantId, database: Database
) -> None:
    theirs = await make_connection(face.world.database, await make_tenant(database))
    token = sign_in(face, tenant, "fake-foreign")
    async with served(face.gateway()) as address, Socket(address, token) as socket:
        for name in ("connectionProgress", "backfillProgress"):
            query = f'subscription {{ {name}(connectionId: "{theirs.connection_id}") {{ event }} }}'
            await socket.subscribe(name, query)
            message = await socket.receive()
            assert message["payload"][0]["extensions"]["code"] == "NOT_FOUND"


def _progress(message: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = message["payload"]["data"]["backfillProgress"]
    return found
