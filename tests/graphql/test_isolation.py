"""Another tenant's id is answered like one that nobody has; ``tests/isolation`` walks the rest."""

import json
from uuid import UUID, uuid4

import pytest
from graphql import get_named_type

from tensorcost.domain.ids import TenantId
from tensorcost.graphql.schema import build_schema
from tests.graphql.operations import SAMPLES, smallest
from tests.graphql.world import GraphqlWorld
from tests.support.connections import make_connection, make_run
from tests.support.databases import Database
from tests.support.principals import caller
from tests.support.tenants import make_tenant

SCHEMA = build_schema()._schema
BY_ID = [
    (kind, name)
    for kind in ("query", "mutation")
    for name, field in getattr(SCHEMA, f"{kind}_type").fields.items()
    if name != "node" and any(get_named_type(a.type).name == "ID" for a in field.args.values())
]
SAMPLE = str(SAMPLES["ID"])
OF_RUNS = {"syncRun", "cancelRun"}
OF_MEMBERS = {"changeMemberRole", "removeMember", "overrideFeatureFlag"}


@pytest.fixture(scope="module")
async def theirs(face: GraphqlWorld, database: Database) -> dict[str, UUID]:
    """Ids of another tenant's connection, run and member."""
    connection = await make_connection(face.world.database, await make_tenant(database))
    run = await make_run(face.world.database, connection)
    member = (await face.world.tenant()).owner_id
    return {"connection": connection.connection_id, "run": run.run_id, "member": member}


@pytest.mark.parametrize(("kind", "name"), BY_ID)
async def test_a_foreign_id_is_answered_like_an_unknown_one(
    face: GraphqlWorld, tenant: TenantId, theirs: dict[str, UUID], kind: str, name: str
) -> None:
    of = "run" if name in OF_RUNS else "member" if name in OF_MEMBERS else "connection"
    operation = smallest(SCHEMA, kind, name, getattr(SCHEMA, f"{kind}_type").fields[name])
    answers = []
    for key in (theirs[of], uuid4()):
        assert SAMPLE in operation
        answer = await face.ask(caller(tenant), operation.replace(SAMPLE, str(key)))
        answers.append(json.dumps(answer).replace(str(key), "ID"))
    assert answers[0] == answers[1]
    assert '"NOT_FOUND"' in answers[0]
