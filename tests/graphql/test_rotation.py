"""Rotation of a connection's secret: begun, read, steered; problems are typed."""

from uuid import UUID

from tensorcost.domain.identity.scopes import Scope
from tensorcost.domain.ids import ConnectionId, TenantId
from tensorcost.domain.integration.states import ConnectionState
from tensorcost.storage.integration import get_connection
from tests.graphql.world import GraphqlWorld
from tests.support.connections import make_connection
from tests.support.principals import caller

PARTS = """state kind new old looks deadline joined connectionId
    step { title updateCommand trustPolicy }"""
ROTATE = f"""mutation ($id: ID!, $days: Int! = 7) {{
    rotateConnectionSecret(id: $id, overlapDays: $days) {{
    __typename ... on SecretRotation {{ {PARTS} }}
    ... on Problem {{ code message }} ... on ValidationProblem {{ field }} }} }}"""
READ = f"query ($id: ID!) {{ secretRotation(connectionId: $id) {{ {PARTS} }} }}"


async def connected(face: GraphqlWorld, tenant: TenantId) -> ConnectionId:
    made = await make_connection(face.world.database, tenant, state=ConnectionState.CONNECTED)
    return made.connection_id


async def test_a_rotation_shows_what_its_owner_does_now(
    face: GraphqlWorld, tenant: TenantId
) -> None:
    connection = await connected(face, tenant)
    who, named = caller(tenant), {"id": str(connection)}
    begun = (await face.data(who, ROTATE, **named))["rotateConnectionSecret"]
    async with face.world.database.tenant(tenant) as tx:
        new = (await get_connection(tx, connection)).next_external_id
    assert new
    assert (begun["state"], begun["joined"]) == ("WAITING_FOR_CUSTOMER", False)
    assert (begun["new"], begun["old"], begun["looks"]) == ("UNKNOWN", "UNKNOWN", 0)
    assert new in begun["step"]["updateCommand"]
    again = (await face.data(who, ROTATE, **named))["rotateConnectionSecret"]
    assert again == begun | {"joined": True}
    assert begun.pop("__typename") == "SecretRotation"
    for either in (str(connection), begun["connectionId"]):
        assert (await face.data(who, READ, id=either))["secretRotation"] == begun


async def test_what_cannot_be_steered_is_a_typed_problem(
    face: GraphqlWorld, tenant: TenantId
) -> None:
    connection = await connected(face, tenant)
    who, named = caller(tenant), {"id": str(connection)}
    too_long = (await face.data(who, ROTATE, **named, days=31))["rotateConnectionSecret"]
    assert (too_long["__typename"], too_long["field"]) == ("ValidationProblem", "overlap_days")
    for field in ("verifySecretRotation", "rollBackSecretRotation"):
        query = f"mutation ($id: ID!) {{ {field}(id: $id) {{ __typename }} }}"
        found = (await face.data(who, query, **named))[field]
        assert found["__typename"] == "ConflictProblem"
    pending = await make_connection(face.world.database, tenant, account_id="222233334444")
    refused = await face.data(who, ROTATE, id=str(pending.connection_id))
    assert refused["rotateConnectionSecret"]["__typename"] == "ConflictProblem"
    unknown = await face.data(who, ROTATE, id=str(UUID(int=7)))
    assert unknown["rotateConnectionSecret"]["__typename"] == "NotFoundProblem"


async def test_a_reader_may_look_and_not_rotate(face: GraphqlWorld, tenant: TenantId) -> None:
    connection = await connected(face, tenant)
    reader = caller(tenant, {Scope.INTEGRATION_READ})
    refused = await face.data(reader, ROTATE, id=str(connection))
    assert refused["rotateConnectionSecret"]["__typename"] == "ForbiddenProblem"
    await face.data(caller(tenant), ROTATE, id=str(connection))
    seen = (await face.data(reader, READ, id=str(connection)))["secretRotation"]
    assert seen["state"] == "WAITING_FOR_CUSTOMER"
